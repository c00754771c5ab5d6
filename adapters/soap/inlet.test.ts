import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { RunningWebHost } from "#adapters/web/host.ts";
import { BusError } from "#bus/errors.ts";
import type { Accept, Inbound, Inlet } from "#bus/ports.ts";
import type { SoapInletSettings, SoapVersion } from "#bus/wire.ts";
import { accepted } from "#test/conformance/inlet.ts";
import { echoSoap, envelopeXml } from "#test/harness/echo-soap.ts";
import { openTestHost } from "#test/harness/web-world.ts";
import { createSoapInlet } from "./inlet.ts";

let host: RunningWebHost;
let inlet: Inlet;
let seen: Inbound[];
const binding = { route: "echo", from: "erp", system: undefined, pattern: "query" } as const;

/** What the pipeline does first: it reads. */
const reading: Accept = async (inbound) => {
  seen.push(inbound);
  return accepted(inbound, "reply");
};

async function open(accept: Accept = reading, settings: Partial<SoapInletSettings> = {}): Promise<void> {
  host = await openTestHost(10_000);
  const bindings = new Map([["Echo", binding]]);
  inlet = createSoapInlet({ host, path: "/echo", service: echoSoap(), bindings, limits: { maxBytes: 5000, maxInFlight: 10 }, ...settings });
  await inlet.start(accept);
}

type Sent = Readonly<{ version?: SoapVersion; body?: string; soapHeaders?: string; headers?: Record<string, string>; xml?: string }>;
async function post(sent: Sent = {}): Promise<Readonly<{ status: number; headers: Headers; text: string }>> {
  const { version = "1.1", body = "<Echo>hi</Echo>", soapHeaders = "", headers = {}, xml = envelopeXml(version, body, soapHeaders) } = sent;
  const type = version === "1.1" ? "text/xml; charset=utf-8" : "application/soap+xml; charset=utf-8";
  const response = await fetch(`${host.address.http}/echo`, { method: "POST", headers: { "content-type": type, ...headers }, body: xml });
  return { status: response.status, headers: response.headers, text: await response.text() };
}

beforeEach(() => void (seen = []));
afterEach(async () => {
  await inlet.close();
  await host.close();
});

describe("a good request", () => {
  it.each(["1.1", "1.2"] as const)("in SOAP %s is answered in the same version", async (version) => {
    await open();
    const answer = await post({ version });
    expect(answer.status).toBe(200);
    expect(answer.headers.get("content-type")).toBe(version === "1.1" ? "text/xml; charset=utf-8" : "application/soap+xml; charset=utf-8");
    expect(answer.text).toBe(envelopeXml(version, "<EchoReply>hi</EchoReply>"));
  });

  it("reaches the bus with route, source, caller and bytes", async () => {
    await open();
    await post({ headers: { "x-system": "taxoffice/erp" } });
    expect(seen[0]).toMatchObject({ route: "echo", from: "erp", system: "taxoffice/erp", mediaType: "text/xml; charset=utf-8" });
    expect(Buffer.from(seen[0]?.bytes ?? []).toString()).toBe(envelopeXml("1.1", "<Echo>hi</Echo>"));
  });

  it("has its message id from WS-Addressing or a plain header, and is answered with it", async () => {
    await open();
    await post({ soapHeaders: "<w:MessageID>urn:uuid:1</w:MessageID><w:RelatesTo>urn:uuid:0</w:RelatesTo>" });
    const answer = await post({ headers: { "x-message-id": "m-2", "x-correlation-id": "c-2" } });
    await post();
    expect(seen.map(({ id, correlationId }) => [id, correlationId])).toEqual([
      ["urn:uuid:1", "urn:uuid:0"],
      ["m-2", "c-2"],
      [undefined, undefined],
    ]);
    expect([answer.headers.get("x-message-id"), answer.headers.get("x-correlation-id")]).toEqual(["m-2", "c-2"]);
  });

  it("has its call context from SOAP headers, from HTTP headers, or from both where they agree", async () => {
    await open();
    const user = "<m:CallingUser>2000000000001</m:CallingUser><m:CallBasis>legea 133</m:CallBasis>";
    await post({ soapHeaders: user });
    await post({ headers: { CallingUser: "2000000000001", CallReason: "cerere" } });
    await post({ soapHeaders: user, headers: { CallingUser: "2000000000001", CallReason: "cerere" } });
    expect(seen.map((one) => one.call)).toEqual([
      { user: "2000000000001", basis: "legea 133" },
      { user: "2000000000001", reason: "cerere" },
      { user: "2000000000001", basis: "legea 133", reason: "cerere" },
    ]);
  });

  it("keeps business headers and no credentials", async () => {
    await open();
    await post({
      headers: {
        "case-number": "T-1",
        authorization: "Bearer x",
        "x-api-key": "x",
        cookie: "a=b",
        traceparent: `00-${"a".repeat(32)}-${"b".repeat(16)}-01`,
      },
    });
    expect(seen[0]?.headers).toEqual({ "case-number": "T-1" });
    expect(seen[0]?.traceparent).toBe(`00-${"a".repeat(32)}-${"b".repeat(16)}-01`);
  });

  it.each(['""', '"urn:echo/Echo"', "Echo", '"http://other/Echo"', '"urn:x#EchoRequest"'])("may say SOAPAction %s", async (soapaction) => {
    await open();
    expect((await post({ headers: { soapaction } })).status).toBe(200);
  });

  it("is confirmed with 202, or with the service's own acknowledgement where it has one", async () => {
    const accept: Accept = async (inbound) => accepted(inbound);
    await open(accept);
    const bare = await post();
    expect([bare.status, bare.text]).toEqual([202, ""]);
    await inlet.close();
    await host.close();
    await open(accept, { service: { ...echoSoap(), acknowledgement: (_, { id }) => ({ text: `taken ${id}` }) } });
    expect((await post({ headers: { "x-message-id": "m-1" } })).text).toContain("<EchoReply>taken m-1</EchoReply>");
  });
});

describe("what does not fit is refused in words, and still reaches the bus", () => {
  const cases: readonly (readonly [string, Sent, string])[] = [
    ["XML that is none", { xml: "<nonsense" }, "mbus:xml-malformed"],
    ["an unknown operation", { body: "<Other>x</Other>" }, "mbus:soap-operation"],
    ["an operation without a route", { body: "<Delete>x</Delete>" }, "mbus:soap-operation"],
    ["SOAPAction of another operation", { headers: { soapaction: '"urn:echo/Delete"' } }, "mbus:soap-action"],
    [
      "an action parameter of another operation",
      { version: "1.2", headers: { "content-type": 'application/soap+xml; action="urn:echo/Delete"' } },
      "mbus:soap-action",
    ],
    ["wsa:Action of another operation", { soapHeaders: "<w:Action>urn:echo/Delete</w:Action>" }, "mbus:soap-action"],
    ["a SOAP 1.1 envelope as SOAP 1.2", { headers: { "content-type": "application/soap+xml" } }, "mbus:media-type"],
    ["JSON", { headers: { "content-type": "application/json" } }, "mbus:media-type"],
    ["another charset", { headers: { "content-type": "text/xml; charset=iso-8859-1" } }, "mbus:media-type"],
    ["a message above the limit", { body: `<Echo>${"x".repeat(6000)}</Echo>` }, "mbus:message-too-large"],
    [
      "two call contexts that disagree",
      { soapHeaders: "<m:CallingUser>1</m:CallingUser>", headers: { CallingUser: "2" } },
      "mbus:call-context-invalid",
    ],
    ["an answer to another address", { soapHeaders: "<w:ReplyTo>http://10.0.0.1/</w:ReplyTo>" }, "mbus:soap-shape"],
    ["a message id with spaces", { headers: { "x-message-id": "a b" } }, "mbus:http-request"],
    ["a WS-Addressing id that is too long", { soapHeaders: `<w:MessageID>${"x".repeat(300)}</w:MessageID>` }, "mbus:http-request"],
  ];
  it.each(cases)("%s", async (_, sent, code) => {
    await open();
    const answer = await post(sent);
    expect(answer.text).toContain(`<code>${code}</code><side>sender</side>`);
    expect(answer.status).toBe(answer.headers.get("content-type")?.startsWith("text/xml") === true ? 500 : 400);
    expect(seen).toHaveLength(1);
    expect(seen[0]?.route).toBe("echo");
    expect(() => seen[0]?.read()).toThrow(BusError);
  });

  it("a version that this address does not take", async () => {
    await open(reading, { version: "1.2" });
    expect((await post()).text).toContain("mbus:soap-version");
  });
});

describe("faults", () => {
  const refuse = (thrown: unknown) => () => Promise.reject(thrown);

  it("say code, class, places and the provider's own code", async () => {
    const places = [{ path: "/e:Query/e:Idnp", line: 3, column: 5, rule: "pattern", text: "13 digits are needed" }, { text: "and more" }];
    await open(refuse(new BusError("xsd-violation", "Idnp breaks its rule", { places })));
    const violation = await post({ headers: { "x-message-id": "m-1" } });
    expect(violation.text).toContain("<text>Idnp breaks its rule</text>");
    expect(violation.text).toContain("<class>contract-violation</class><messageId>m-1</messageId>");
    expect(violation.text).toContain(
      "<place>/e:Query/e:Idnp, line 3, column 5, rule pattern: 13 digits are needed</place><place>and more</place>",
    );
  });

  it.each([
    [new BusError("provider-fault", "no such person", { providerCode: "PersonNotFound" }), "1.2", 500, "receiver", null],
    [new BusError("grant-missing", "no grant"), "1.2", 400, "sender", null],
    [new BusError("grant-missing", "no grant"), "1.1", 500, "sender", null],
    [new BusError("attempt-timeout", "no answer"), "1.1", 500, "receiver", null],
    [new BusError("breaker-open", "resting", { retryAfter: 14_100 }), "1.1", 503, "receiver", "15"],
    [new BusError("rate-exceeded", "too many"), "1.2", 503, "receiver", "1"],
    [new Error("SELECT * FROM secrets"), "1.1", 500, "receiver", null],
  ] as const)("%s in SOAP %s has status %i", async (error, version, status, side, retryAfter) => {
    await open(refuse(error));
    const answer = await post({ version });
    expect([answer.status, answer.headers.get("retry-after")]).toEqual([status, retryAfter]);
    expect(answer.text).toContain(`<side>${side}</side>`);
    expect(answer.text).not.toContain("SELECT");
  });

  it("list no more than twenty places", async () => {
    await open(refuse(new BusError("xsd-violation", "much is wrong", { places: Array.from({ length: 500 }, () => ({ text: "wrong" })) })));
    expect((await post()).text.match(/<place>/g)).toHaveLength(20);
  });
});

describe("other requests", () => {
  it.each(["wsdl", "WSDL", "singleWsdl"])("GET ?%s gives the WSDL with the address as the caller wrote it", async (query) => {
    await open();
    const response = await fetch(`${host.address.http}/echo?${query}`);
    expect([response.status, await response.text()]).toEqual([200, `<definitions address="${host.address.http}/echo"/>`]);
  });

  it("anything but POST and the WSDL is told what to do", async () => {
    await open();
    for (const method of ["GET", "PUT", "DELETE"]) {
      const response = await fetch(`${host.address.http}/echo`, { method });
      expect([response.status, response.headers.get("allow")]).toEqual([405, "GET, POST"]);
      expect(await response.text()).toContain("?wsdl");
    }
    expect(seen).toEqual([]);
  });

  it("a closing inlet says that it will be back", async () => {
    const gate = Promise.withResolvers<void>();
    await open(async (inbound) => {
      await gate.promise;
      return accepted(inbound);
    });
    const first = post();
    await new Promise((resolve) => setTimeout(resolve, 50));
    const closing = inlet.close();
    const late = await post({ version: "1.2" });
    expect([late.status, late.headers.get("retry-after"), late.headers.get("content-type")]).toEqual([
      503,
      "5",
      "application/soap+xml; charset=utf-8",
    ]);
    expect(late.text).toContain("mbus:bus-stopping");
    gate.resolve();
    expect((await first).status).toBe(202);
    await closing;
  });
});
