/** The SOAP edges with signatures: what an outlet signs and demands, how an inlet answers whom. */
import { createPrivateKey, hash, sign, X509Certificate } from "node:crypto";
import { readFileSync } from "node:fs";
import { afterAll, describe, expect, it } from "vitest";
import { joinPath } from "#bus/contract/xml/schema.ts";
import { compileSoapService } from "#bus/contract/xml/soap.ts";
import { OASIS_STYLE, type SignatureCheck, type Signatures } from "#bus/edge/signatures.ts";
import { BusError } from "#bus/errors.ts";
import type { Accept, Inbound } from "#bus/ports.ts";
import { openJws, writeJws } from "#bus/signature/jws.ts";
import { signEnvelope, type MessageKey } from "#bus/signature/sign.ts";
import { DEFAULT_WINDOW } from "#bus/signature/time.ts";
import type { WebCall, WebReply } from "#bus/wire.ts";
import { createWorkshop, RSA, type Made } from "#test/harness/certificates.ts";
import { messageOf } from "#test/harness/message.ts";
import { openTestHost } from "#test/harness/web-world.ts";
import { signedEnvelope, type Wanted } from "#test/harness/wss.ts";
import { createSoapInlet } from "./inlet.ts";
import { createSoapOutlet } from "./outlet.ts";

const workshop = createWorkshop();
afterAll(() => workshop.close());
const [bus, other, stranger] = ["bus", "other", "stranger"].map((name) =>
  workshop.make(name, { subject: `/CN=${name}`, key: RSA(2048), extensions: ["extendedKeyUsage=clientAuth"] }),
) as [Made, Made, Made];
const service = compileSoapService({
  wsdl: "test/fixtures/xml/person.wsdl",
  resolve: (location, base) => readFileSync(joinPath(base, location), "utf8"),
});
const IDNP = "2000000000001";
const BODY = `<p:GetPerson xmlns:p="https://mconnect.gov.md"><p:IDNP>${IDNP}</p:IDNP></p:GetPerson>`;

function keyOf(made: Made): MessageKey {
  const { raw } = new X509Certificate(made.cert);
  const key = createPrivateKey(made.key);
  return {
    algorithm: "RSA-SHA256",
    certificate: raw.toString("base64"),
    thumbprint: hash("sha256", raw, "base64url"),
    sign: async (text) => sign("sha256", Buffer.from(text), key),
  };
}
const checkBy = (...made: readonly Made[]): SignatureCheck => ({
  certificates: made.map(({ cert }) => new X509Certificate(cert)),
  covers: "message",
  sha1: false,
  now: Date.now(),
  window: DEFAULT_WINDOW,
});
const signaturesFor = (required: boolean): Signatures => ({
  check: () => checkBy(other),
  required: () => required,
  signEnvelope: (envelope, style, relatesTo) =>
    signEnvelope(envelope, { key: keyOf(bus), style, now: Date.now(), life: 300_000, relatesTo }),
  openJws,
  writeJws: (payload, type) => writeJws(payload, type, keyOf(bus), Date.now(), "id"),
});

describe("an outlet", () => {
  const reply = async (by: Made | undefined, status = 200): Promise<WebReply> => {
    const plain = service.writeReply("1.1", "GetPerson", { person: [] });
    const body =
      by === undefined ? plain : await signEnvelope(plain, { key: keyOf(by), style: OASIS_STYLE, now: Date.now(), life: 300_000 });
    return { status, headers: { "content-type": "text/xml" }, body };
  };
  async function ask(
    answer: WebReply,
    secure: Readonly<{ sign?: boolean; verify?: boolean }>,
  ): Promise<Readonly<{ call: WebCall; value: unknown }>> {
    const calls: WebCall[] = [];
    const outlet = createSoapOutlet({
      client: { request: async (call) => (calls.push(call), answer), close: async () => undefined },
      address: "http://provider.example/",
      version: "1.1",
      service,
      operation: "GetPerson",
      callContext: "soap",
      headers: {},
      maxBytes: 100_000,
      ...(secure.sign && { sign: (envelope: Uint8Array) => signaturesFor(false).signEnvelope(envelope, OASIS_STYLE) }),
      ...(secure.verify && { check: () => checkBy(other) }),
    });
    const value = await outlet.send(messageOf({ idnp: IDNP }), new AbortController().signal);
    const [call] = calls;
    if (call === undefined) throw new Error("nobody was called");
    return { call, value };
  }

  it("signs what it sends, its call context included", async () => {
    const { call } = await ask(await reply(undefined), { sign: true });
    expect(service.readRequest(call.body, checkBy(bus)).signed).toMatchObject({ covers: "message", algorithm: "RSA-SHA256" });
  });

  it("sends nothing signed unless the route says so", async () => {
    const { call } = await ask(await reply(undefined), {});
    expect(Buffer.from(call.body).toString()).not.toContain("Security");
  });

  it("takes an answer that the provider signed", async () => {
    expect((await ask(await reply(other), { verify: true })).value).toEqual({ person: [] });
  });

  it.each<[string, () => Promise<WebReply>, RegExp]>([
    ["unsigned", () => reply(undefined), /is not signed/u],
    ["signed by somebody else", () => reply(stranger), /none of the sender's registered/u],
    [
      "changed",
      async () => {
        const good = await reply(other);
        return { ...good, body: Buffer.from(Buffer.from(good.body).toString().replace("<soap:Body", '<soap:Body xml:space="preserve"')) };
      },
      /not what was signed/u,
    ],
  ])("takes no answer that is %s, where the route demands signed ones", async (_, answer, why) => {
    const failure = await ask(await answer(), { verify: true }).catch((error: unknown) => error);
    expect(failure).toMatchObject({ code: "provider-reply-invalid", message: expect.stringMatching(why) });
  });
});

describe("an inlet", () => {
  async function call(required: boolean, body: string, accept: Accept): Promise<Readonly<{ text: string; inbound: Inbound | undefined }>> {
    let inbound: Inbound | undefined;
    const host = await openTestHost();
    const inlet = createSoapInlet({
      host,
      path: "/person",
      service,
      bindings: new Map([["GetPerson", { route: "r", from: "f", system: undefined, pattern: "query" }]]),
      signatures: signaturesFor(required),
      limits: { maxBytes: 100_000, maxInFlight: 4 },
    });
    await inlet.start(async (one, signal) => {
      inbound = one;
      one.read();
      return accept(one, signal);
    });
    const headers = { "content-type": "text/xml; charset=utf-8", "x-system": "a/b" };
    const response = await fetch(`${host.address.http}/person`, { method: "POST", headers, body });
    const text = await response.text();
    await inlet.close();
    await host.close();
    return { text, inbound };
  }
  const replies: Accept = async () => ({
    kind: "reply",
    id: "1",
    correlationId: "1",
    value: { person: [] },
    position: 1,
  });
  const fails: Accept = () => Promise.reject(new BusError("grant-missing", "no grant"));
  const signed = (over: Partial<Wanted> = {}): string => signedEnvelope({ by: other, body: BODY, ...over });
  const plain = `<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"><s:Body>${BODY}</s:Body></s:Envelope>`;
  const isSigned = (text: string): boolean => text.includes("SignatureValue");

  it("hands over what was signed and by whom, and answers signed", async () => {
    const { text, inbound } = await call(false, signed(), replies);
    expect(inbound?.signed).toMatchObject({ algorithm: "RSA-SHA256" });
    expect(service.readReply("GetPerson", Buffer.from(text), checkBy(bus))).toEqual({ person: [] });
  });

  it.each<[string, boolean, string, Accept, boolean]>([
    ["a fault to a signed message", false, signed(), fails, true],
    ["a fault to one whose signature is wrong", false, signed({ by: stranger }), replies, true],
    ["a fault to a signed one that breaks its contract", false, signed({ body: BODY.replace(IDNP, "1") }), replies, true],
    ["a reply to an unsigned message", false, plain, replies, false],
    ["a fault to an unsigned message", false, plain, fails, false],
    ["a reply to a system that must sign", true, plain, replies, true],
    ["a fault to a system that must sign", true, plain, fails, true],
  ])("signs its answer or not: %s", async (_, required, body, accept, expected) => {
    expect(isSigned((await call(required, body, accept)).text)).toBe(expected);
  });
});
