/** A running bus whose sample systems must sign: a provider that counts its calls, keys of the systems and of a stranger, ways to send. */
import { randomUUID } from "node:crypto";
import { copyFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { REPLY } from "../../bench/parts/messages.ts";
import { createSite, type BusProcess, type Site } from "./bus-process.ts";
import { createWorkshop, RSA, type Made, type Workshop } from "./certificates.ts";
import { signedEnvelope, type Wanted } from "./wss.ts";

export const IDNP = "2004100010095";
const HEADERS = [
  ["CallingUser", "2004100010095"],
  ["CallingEntity", "1004600030235"],
  ["CallBasis", "Law 156/1998 art. 33"],
  ["CallReason", "pension file"],
] as const;
/** Signed header blocks with the call context. */
export const CALL = HEADERS.map(
  ([name, text], i) => `<m:${name} xmlns:m="https://mconnect.gov.md" wsu:Id="H${i}">${text}</m:${name}>`,
).join("");
export const CALL_IDS = HEADERS.map((_, i) => `H${i}`);
export const bodyOf = (idnp: string): string =>
  `<p:GetPerson xmlns:p="https://mconnect.gov.md/person/v1"><p:IDNP>${idnp}</p:IDNP></p:GetPerson>`;

export type Answer = Readonly<{ status: number; text: string; type: string }>;

export type SignedSite = Readonly<{
  site: Site;
  workshop: Workshop;
  /** Keys: of the SOAP system, of the REST system, and of nobody. */
  soap: Made;
  rest: Made;
  stranger: Made;
  bus(): BusProcess;
  /** Calls that reached the provider. */
  hits(): number;
  /** What the provider was asked last, and who signs its answers from now on; undefined = nobody. */
  asked(): string;
  answerBy(signer: Made | undefined): void;
  population: Made;
  /** A message of the SOAP system that is good, unless `wanted` makes it otherwise. */
  message(wanted?: Partial<Wanted>): string;
  post(body: string, headers?: Readonly<Record<string, string>>): Promise<Answer>;
  rest_(body: string, headers?: Readonly<Record<string, string>>): Promise<Answer>;
  /** Ends the bus like a power cut, and starts it again on the same data. */
  restart(): Promise<void>;
  close(): Promise<void>;
}>;

const REPLY_BODY = REPLY.slice(REPLY.indexOf("<soap:Body>") + "<soap:Body>".length, REPLY.indexOf("</soap:Body>"));

/**
 * `rules`: `signatures` of the systems that ask. `provides: signs`: the route signs what it sends to the provider and demands signed answers,
 * which the provider signs as `answersBy` says.
 */
export async function openSignedSite(rules = "{ required: true }", provides: "plain" | "signs" = "plain"): Promise<SignedSite> {
  let hits = 0;
  let asked = "";
  let answersBy: Made | undefined;
  const provider = createServer((request, response) => {
    hits += 1;
    const chunks: Buffer[] = [];
    request.on("data", (chunk: Buffer) => chunks.push(chunk));
    request.on("end", () => {
      asked = Buffer.concat(chunks).toString();
      const body = answersBy === undefined ? REPLY : signedEnvelope({ by: answersBy, body: REPLY_BODY });
      response.setHeader("content-type", "text/xml; charset=utf-8").end(body);
    });
  });
  await new Promise<void>((done) => provider.listen(0, "127.0.0.1", done));
  const url = `http://127.0.0.1:${(provider.address() as AddressInfo).port}`;
  const workshop = createWorkshop();
  const extensions = ["subjectKeyIdentifier=hash", "extendedKeyUsage=clientAuth"];
  const [soap, rest, stranger, population] = ["pensions", "townhall", "stranger", "population"].map((name) =>
    workshop.make(name, { subject: `/CN=${name}`, key: RSA(2048), extensions }),
  ) as [Made, Made, Made, Made];
  const site = createSite();
  if (provides === "signs") {
    answersBy = population;
    copyFileSync(population.certFile, join(site.root, "routes/population.cer"));
    site.edit("routes/systems.yaml", (text) =>
      text.replace("id: rsp/population\n", "id: rsp/population\ncertificates: [./population.cer]\n"),
    );
    site.edit("routes/rsp/person-lookup.yaml", (text) =>
      text.replace("path: /PopulationRegister }", "path: /PopulationRegister, sign: true, verify: true }"),
    );
  }
  copyFileSync(soap.certFile, join(site.root, "routes/pensions.cer"));
  copyFileSync(rest.certFile, join(site.root, "routes/townhall.cer"));
  site.edit("routes/systems.yaml", (text) =>
    text
      .replace("id: cnas/pensions\n", `id: cnas/pensions\ncertificates: [./pensions.cer]\nsignatures: ${rules}\n`)
      .replace("id: primaria/registry\n", `id: primaria/registry\ncertificates: [./townhall.cer]\nsignatures: ${rules}\n`),
  );
  const variables = { "rsp.url": url, "cnas.url": url, "primaria.url": url, "bns.url": url, "vehicles.drop": join(site.root, "drop") };
  const start = (): Promise<BusProcess> => site.start({ variables });
  let bus = await start();
  const send = async (path: string, body: string, headers: Readonly<Record<string, string>>): Promise<Answer> => {
    const response = await fetch(`${bus.http}${path}`, { method: "POST", headers, body });
    return { status: response.status, text: await response.text(), type: response.headers.get("content-type") ?? "" };
  };
  return {
    site,
    workshop,
    soap,
    rest,
    stranger,
    population,
    bus: () => bus,
    hits: () => hits,
    asked: () => asked,
    answerBy: (signer) => void (answersBy = signer),
    message: (wanted = {}) =>
      signedEnvelope({ by: soap, body: bodyOf(IDNP), headers: CALL, alsoSign: CALL_IDS, bodyId: `B-${randomUUID()}`, ...wanted }),
    post: (body, headers = {}) =>
      send("/mconnect/soap/rsp/population/PersonRegistry", body, {
        "content-type": "text/xml; charset=utf-8",
        "x-system": "cnas/pensions",
        ...headers,
      }),
    rest_: (body, headers = {}) =>
      send("/mconnect/rest/person.request.v1", body, { "content-type": "application/json", "x-system": "primaria/registry", ...headers }),
    async restart() {
      await bus.end("SIGKILL");
      bus = await start();
    },
    async close() {
      await site.remove();
      workshop.close();
      provider.closeAllConnections();
      await new Promise((done) => provider.close(done));
    },
  };
}
