/** `/mpass/api/clients`: the register of systems for the services behind an ingress, and for every registered system that asks. */
import { clientOf, readSearch, type Search } from "#bus/identity/clients.ts";
import type { System } from "#bus/route/runtime.ts";
import type { WebHost, WebResponse } from "#bus/wire.ts";
import type { Identity } from "./identity.ts";

const PATH = "/mpass/api/clients";

export function mountClients(host: WebHost, identity: Pick<Identity, "registry" | "systems" | "systemKeys">): () => void {
  const find = ({ type, value }: Search): System | undefined => {
    if (type === "ID") return [...identity.systems().values()].find(({ guid }) => guid === value.toLowerCase());
    const said = identity.registry().bySerial(value);
    return "system" in said ? identity.systems().get(said.system) : undefined;
  };
  return host.mount("systems", PATH, async (request) => {
    if (request.path !== PATH) return problem(404, "Nothing is served here", `Ask ${PATH}.`, request.path);
    if (request.method !== "GET") return problem(405, "Method is not known here", "Use GET.", request.path, { allow: "GET" });
    if (request.system === undefined || !identity.systems().has(request.system))
      return problem(403, "Only registered systems may ask", "Call with the certificate of a registered system.", request.path);
    const service = request.system.split("/").at(-1) ?? "";
    const shown = (system: System) => clientOf(system, identity.systemKeys.certificatesOf(system.id), service);
    const search = readSearch(request.query);
    if (typeof search === "string") return problem(400, "The search cannot be read", `${search}.`, request.path);
    if (search === undefined) return json([...identity.systems().values()].map(shown));
    const found = find(search);
    return found ? json(shown(found)) : problem(404, "No such system", `No system has this ${search.type}.`, request.path);
  });
}

const json = (value: unknown): WebResponse => ({
  status: 200,
  headers: { "content-type": "application/json" },
  body: JSON.stringify(value),
});

function problem(status: number, title: string, detail: string, instance: string, headers: Record<string, string> = {}): WebResponse {
  const code = status === 403 ? "system-unknown" : status === 404 ? "not-found" : "http-request";
  const body = { type: `urn:mconnect-bus:error:${code}`, title, status, detail, instance };
  return { status, headers: { "content-type": "application/problem+json", ...headers }, body: JSON.stringify(body) };
}
