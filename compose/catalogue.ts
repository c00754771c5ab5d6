/** The catalogue and the descriptions of all faces, served to systems below /mconnect; the administrators' face has them too. */
import type { Bus } from "#bus/bus.ts";
import { createCatalogue, type Catalogue } from "#bus/catalogue/catalogue.ts";
import { describe, type Described } from "#bus/catalogue/described.ts";
import { asBusError, BusError } from "#bus/errors.ts";
import type { View } from "#bus/passage.ts";
import type { WebHost, WebRequest } from "#bus/wire.ts";
import { pathOf } from "./addresses.ts";
import { problemOf } from "./problem.ts";

export type CatalogueParts = Readonly<{
  host: WebHost;
  bus: Pick<Bus, "view">;
  version: string;
  /** Address of the systems' face. */
  origin: string;
  natsUrl: string | undefined;
  amqpUrl: string | undefined;
}>;

export function openCatalogue({ host, bus, version, origin, natsUrl, amqpUrl }: CatalogueParts): Catalogue {
  let known: Readonly<{ view: View; described: Described }> | undefined;
  const described = (): Described => {
    const view = bus.view();
    if (known?.view !== view) known = { view, described: describe(view, version, pathOf) };
    return known.described;
  };
  const catalogue = createCatalogue({ described, servers: { origin, nats: natsUrl, amqp: amqpUrl } });
  serve(host, "/mconnect/openapi.json", "application/vnd.oai.openapi+json;version=3.1", (request, system) =>
    catalogue.openapi(system, request.origin),
  );
  serve(host, "/mconnect/asyncapi.json", "application/vnd.aai.asyncapi+json;version=3.0.0", (request, system) =>
    catalogue.asyncapi(system, request.origin),
  );
  serve(host, "/mconnect/catalogue.jsonld", "application/ld+json", (request) => catalogue.dcat(request.origin));
  return catalogue;
}

/** `?system=` asks for what one system may use. */
function serve(host: WebHost, path: string, media: string, make: (request: WebRequest, system: string | undefined) => unknown): void {
  host.mount("systems", path, (request) => {
    try {
      if (request.path !== path) throw new BusError("not-found", `nothing is served at ${request.path}`);
      if (request.method !== "GET")
        return Promise.resolve(problemOf(new BusError("http-request", "only GET is served here"), 405, request.path));
      const body = JSON.stringify(make(request, request.query.get("system") ?? undefined));
      return Promise.resolve({ status: 200, headers: { "content-type": media, "cache-control": "no-cache" }, body });
    } catch (thrown) {
      const error = asBusError(thrown);
      return Promise.resolve(problemOf(error, error.code === "not-found" ? 404 : 500, request.path));
    }
  });
}
