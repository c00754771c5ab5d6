/** Stock SOAP clients nobody here wrote, on any engine: python3-zeep and PHP SoapClient, SOAP 1.1 and 1.2, against the WSDL that the bus serves. */
import { spawn } from "node:child_process";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createSite, type BusProcess, type Site } from "#test/harness/bus-process.ts";
import { have, PHP_SOAP, ZEEP } from "#test/harness/debian.ts";
import type { FlowEngine } from "#test/harness/flow-engines.ts";

type Answer = Readonly<{
  person?: Readonly<Record<string, unknown>>;
  fault?: Readonly<{ code: string; message: string; detail: unknown }>;
}>;
type Client = Readonly<{ name: string; there: boolean; command: string; script: string }>;

const script = (name: string): string => fileURLToPath(new URL(`../clients/${name}`, import.meta.url));
const clients: readonly Client[] = [
  { name: "python3-zeep", there: have(ZEEP), command: "/usr/bin/python3", script: script("zeep_person.py") },
  { name: "PHP SoapClient", there: have(PHP_SOAP), command: "php", script: script("soapclient_person.php") },
];

function run(command: string, args: readonly string[]): Promise<string> {
  const child = spawn(command, args, { stdio: ["ignore", "pipe", "pipe"] });
  let out = "";
  let err = "";
  child.stdout.on("data", (chunk: Buffer) => (out += chunk.toString()));
  child.stderr.on("data", (chunk: Buffer) => (err += chunk.toString()));
  return new Promise((resolve, reject) => child.once("close", (code) => (code === 0 ? resolve(out) : reject(new Error(err)))));
}

const known = async (): Promise<string> => (await import("#samples/population-register/persons.ts")).idnpOf(42);

/** `whole`: also what no engine could change. */
export function clientFlows(engine: FlowEngine, whole: boolean): void {
  let site: Site;
  let bus: BusProcess;
  beforeAll(async () => {
    site = createSite((await engine.place()).env);
    bus = await site.start({ samples: true });
  }, 120_000);
  afterAll(() => site.remove());

  /** The newest journal row of a message. */
  async function row(id: string): Promise<Record<string, unknown> | undefined> {
    const { out } = await site.mbus("journal", "find", "--id", id, "--json");
    return (JSON.parse(out) as Record<string, unknown>[])[0];
  }

  for (const client of clients) {
    for (const version of ["1.1", "1.2"]) {
      describe.skipIf(!client.there)(`${client.name}, SOAP ${version}`, () => {
        let count = 0;
        const ask = async (idnp: string, ...more: string[]): Promise<Answer & { id: string }> => {
          const id = `${client.command.length}-${version}-${(count += 1)}`;
          const wsdl = `${bus.http}/mconnect/soap/rsp/population/PersonRegistry?wsdl`;
          const out = await run(client.command, [client.script, wsdl, version, idnp, "--message-id", id, ...more]);
          return { ...(JSON.parse(out) as Answer), id };
        };

        it("gets the person, cut to the granted fields", async () => {
          const { person, id } = await ask(await known());
          expect(person).toMatchObject({ Status: "found" });
          expect(String(person?.["FamilyName"]).length).toBeGreaterThan(1);
          expect(person?.["Sex"] ?? null).toBeNull();
          expect(await row(id)).toMatchObject({ step: "replied", outcome: "ok", route: "person-lookup", system: "cnas/pensions" });
        });

        it("gets an answer for a person that the register does not know", async () => {
          const { person } = await ask("2000000000017");
          expect(person).toMatchObject({ Status: "notFound" });
        });

        if (!whole) return;

        it("learns which field breaks which rule when the code is wrong", async () => {
          const { fault, id } = await ask("12345");
          expect(JSON.stringify(fault)).toMatch(/IDNP|idnp/u);
          expect(JSON.stringify(fault)).toMatch(/13/u);
          expect(await row(id)).toMatchObject({ step: "refused", errorClass: "contract-violation" });
        });

        it("without a grant is denied with the document that would allow it", async () => {
          const { fault, id } = await ask(await known(), "--system", "bns/lake");
          expect(fault?.message).toMatch(/may send|no grant/u);
          expect(await row(id)).toMatchObject({ step: "refused", outcome: "denied", system: "bns/lake" });
        });

        it("without its call context is told what is missing", async () => {
          const { fault, id } = await ask(await known(), "--user", "", "--reason", "");
          expect(fault?.message).toContain("CallingUser");
          expect(fault?.message).toContain("CallReason");
          expect(await row(id)).toMatchObject({ errorCode: "call-context-missing" });
        });
      });
    }
  }

  if (!whole) return;

  describe("a hand-made request", () => {
    const post = async (body: string, type = "text/xml; charset=utf-8"): Promise<{ status: number; text: string }> => {
      const headers = { "content-type": type, "x-system": "cnas/pensions" };
      const response = await fetch(`${bus.http}/mconnect/soap/rsp/population/PersonRegistry`, { method: "POST", headers, body });
      return { status: response.status, text: await response.text() };
    };
    const header = `<soap:Header xmlns:m="https://mconnect.gov.md"><m:CallingUser>2004100010095</m:CallingUser><m:CallingEntity>1004600030235</m:CallingEntity><m:CallBasis>Law</m:CallBasis><m:CallReason>test</m:CallReason></soap:Header>`;
    const envelope = (body: string): string =>
      `<soap:Envelope xmlns:soap="http://schemas.xmlsoap.org/soap/envelope/">${header}<soap:Body>${body}</soap:Body></soap:Envelope>`;
    const newest = async (): Promise<Record<string, unknown> | undefined> => {
      const { out } = await site.mbus("journal", "find", "--step", "refused", "--limit", "1", "--json");
      return (JSON.parse(out) as Record<string, unknown>[])[0];
    };

    it("with an unknown element gets a fault that names it, with line and path, and a row", async () => {
      const { status, text } = await post(
        envelope(
          `<p:GetPerson xmlns:p="https://mconnect.gov.md/person/v1">\n<p:IDNP>2004100010095</p:IDNP><p:Extra>1</p:Extra></p:GetPerson>`,
        ),
      );
      expect(status).toBe(500);
      expect(text).toContain("Extra");
      expect(text).toContain("xsd-violation");
      expect(await newest()).toMatchObject({ errorCode: "xsd-violation", route: "person-lookup" });
    });

    it("with broken XML gets a fault that names the line, and a row", async () => {
      const { status, text } = await post(
        envelope(`<p:GetPerson xmlns:p="https://mconnect.gov.md/person/v1">\n<p:IDNP>2004100010095</p:GetPerson>`),
      );
      expect(status).toBe(500);
      expect(text).toContain("xml-malformed");
      expect(text).toMatch(/line\D{0,10}2/u);
      expect(await newest()).toMatchObject({ errorCode: "xml-malformed" });
    });

    it("with a DOCTYPE is refused before parsing, with a row", async () => {
      const { status, text } = await post(`<!DOCTYPE r [<!ENTITY x SYSTEM "file:///etc/passwd">]>${envelope("&x;")}`);
      expect(status).toBe(500);
      expect(text).toContain("xml-forbidden");
      expect(text).not.toContain("root:");
      expect(await newest()).toMatchObject({ errorCode: "xml-forbidden" });
    });

    it("of an unknown operation, or with a SOAPAction of another one, is refused", async () => {
      expect((await post(envelope(`<p:DropPerson xmlns:p="https://mconnect.gov.md/person/v1"/>`))).text).toContain("soap-operation");
      expect((await post("<x/>", "text/csv")).text).toContain("media-type");
    });
  });
}
