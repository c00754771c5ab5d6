import { afterEach, describe, expect, it } from "vitest";
import { createWebClient } from "#adapters/web/client.ts";
import type { Envelope } from "#bus/envelope.ts";
import type { SoapOutletSettings } from "#bus/wire.ts";
import { echoSoap, envelopeXml } from "#test/harness/echo-soap.ts";
import { openFarSide, type Canned, type FarSide } from "#test/harness/far-side.ts";
import { messageOf } from "#test/harness/message.ts";
import { createSoapOutlet } from "./outlet.ts";

let far: FarSide;
const xml = { "content-type": "text/xml; charset=utf-8" };
const good: Canned = { status: 200, headers: xml, body: envelopeXml("1.1", "<EchoReply>there</EchoReply>") };
const fault = envelopeXml("1.1", "<s:Fault><code>PersonNotFound</code></s:Fault>");

async function send(settings: Partial<SoapOutletSettings> = {}, envelope: Partial<Envelope> = {}, answer = good) {
  const client = createWebClient();
  const standard = {
    client,
    version: "1.1",
    service: echoSoap(),
    operation: "Echo",
    callContext: "soap",
    headers: {},
    maxBytes: 10_000,
  } as const;
  far = await openFarSide({
    client,
    outlet: (address) => createSoapOutlet({ ...standard, address, ...settings }),
    message: (id) => messageOf({ text: "here" }, { id, ...envelope }),
    good: () => answer,
    fault: answer,
  });
  return far.world.outlet.send(far.world.message("m-1"), new AbortController().signal);
}

afterEach(() => far.world.close());

describe("a SOAP call", () => {
  it("in 1.1 carries text/xml, a quoted SOAPAction and the ids", async () => {
    const traceparent = `00-${"a".repeat(32)}-${"b".repeat(16)}-01`;
    expect(await send({ headers: { "X-Own": "1" } }, { traceparent })).toEqual({ text: "there" });
    expect(far.seen[0]).toMatchObject({ method: "POST", url: "/service", body: envelopeXml("1.1", "<Echo>here</Echo>") });
    expect(far.seen[0]?.headers).toMatchObject({
      "content-type": "text/xml; charset=utf-8",
      soapaction: '"urn:echo/Echo"',
      "idempotency-key": "m-1",
      "x-message-id": "m-1",
      "x-correlation-id": "c-1",
      "x-own": "1",
      traceparent,
    });
  });

  it("in 1.2 carries the action in the content type", async () => {
    const answer = {
      ...good,
      headers: { "content-type": "application/soap+xml" },
      body: envelopeXml("1.2", "<EchoReply>there</EchoReply>"),
    };
    await send({ version: "1.2" }, {}, answer);
    expect(far.seen[0]?.headers["content-type"]).toBe('application/soap+xml; charset=utf-8; action="urn:echo/Echo"');
    expect(far.seen[0]?.headers["soapaction"]).toBeUndefined();
  });

  it.each([
    ["soap", true, false],
    ["http", false, true],
    ["both", true, true],
    ["none", false, false],
  ] as const)("carries the call context as %s", async (callContext, inSoap, inHttp) => {
    await send({ callContext }, { call: { user: "2000000000001", reason: "anchetă socială" } });
    expect(far.seen[0]?.body.includes("<m:CallingUser>2000000000001<")).toBe(inSoap);
    expect(far.seen[0]?.headers["callinguser"]).toBe(inHttp ? "2000000000001" : undefined);
    const reason = far.seen[0]?.headers["callreason"];
    expect(reason === undefined ? undefined : Buffer.from(String(reason), "latin1").toString("utf8")).toBe(
      inHttp ? "anchetă socială" : undefined,
    );
  });

  it("lets no line break out of a header", async () => {
    await send({ callContext: "http" }, { call: { reason: "one\r\nX-Injected: two" } });
    expect(far.seen[0]?.headers["callreason"]).toBe("one X-Injected: two");
    expect(far.seen[0]?.headers["x-injected"]).toBeUndefined();
  });
});

describe("an answer", () => {
  it.each([202, 204, 200])("of %i without a body confirms delivery", async (status) => {
    expect(await send({}, {}, { status, headers: {}, body: "" })).toBeUndefined();
  });

  it.each([200, 400, 403, 500])("that is a fault is one with status %i too", async (status) => {
    await expect(send({}, {}, { status, headers: xml, body: fault })).rejects.toMatchObject({
      code: "provider-fault",
      providerCode: "PersonNotFound",
    });
  });

  it.each([302, 400, 404, 500])("of %i that is no fault has the status as its code", async (status) => {
    await expect(
      send({}, {}, { status, headers: { "content-type": "text/html", location: "http://127.0.0.1:1/" }, body: "<h1>oops" }),
    ).rejects.toMatchObject({
      code: "provider-fault",
      providerCode: String(status),
    });
    expect(far.seen).toHaveLength(1);
  });

  it("of 500 with a whole reply in it is no success", async () => {
    await expect(send({}, {}, { ...good, status: 500 })).rejects.toMatchObject({ code: "provider-fault", providerCode: "500" });
  });

  it("that is not XML is not usable", async () => {
    await expect(send({}, {}, { ...good, headers: { "content-type": "text/html" } })).rejects.toMatchObject({
      code: "provider-reply-invalid",
    });
  });

  it("that does not fit its contract says so with the places", async () => {
    const error = await send({}, {}, { ...good, body: "no envelope" }).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ code: "provider-reply-invalid", class: "provider-fault", places: [{ line: 1, column: 1 }] });
  });
});
