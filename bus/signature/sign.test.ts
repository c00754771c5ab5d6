/** What the bus signs: verified by xmlsec1 and by its own verifier, in each style, for replies, requests and faults. */
import { createPrivateKey, hash, sign as signNow, X509Certificate } from "node:crypto";
import { readFileSync } from "node:fs";
import { afterAll, describe, expect, it } from "vitest";
import { joinPath } from "#bus/contract/xml/schema.ts";
import { compileSoapService } from "#bus/contract/xml/soap.ts";
import type { SignatureCheck, SignatureStyle } from "#bus/edge/signatures.ts";
import { createWorkshop, RSA, type Made } from "#test/harness/certificates.ts";
import { have, XMLSEC } from "#test/harness/debian.ts";
import { judgedByXmlsec } from "#test/harness/xmlsec.ts";
import { signEnvelope, type MessageKey } from "./sign.ts";
import { DEFAULT_WINDOW } from "./time.ts";

const workshop = createWorkshop();
afterAll(() => workshop.close());
const rsa = workshop.make("bus", { subject: "/CN=bus", key: RSA(2048) });
const ec = workshop.make("bus-ec", { subject: "/CN=bus ec" });
const xmlsec = have(XMLSEC);

const service = compileSoapService({
  wsdl: "test/fixtures/xml/person.wsdl",
  resolve: (location, base) => readFileSync(joinPath(base, location), "utf8"),
});
const GOOD = "2000000000001";
const OASIS: SignatureStyle = { ids: "wsu", key: "token" };

function keyOf(made: Made, algorithm: MessageKey["algorithm"]): MessageKey {
  const { raw } = new X509Certificate(made.cert);
  const key = createPrivateKey(made.key);
  return {
    algorithm,
    certificate: raw.toString("base64"),
    thumbprint: hash("sha256", raw, "base64url"),
    sign: async (text) => signNow("sha256", Buffer.from(text), { key, dsaEncoding: "ieee-p1363" }),
  };
}
const check = (made: Made): SignatureCheck => ({
  certificates: [new X509Certificate(made.cert)],
  covers: "message",
  sha1: false,
  now: Date.now(),
  window: DEFAULT_WINDOW,
});
const signed = (envelope: Uint8Array, over: Partial<Parameters<typeof signEnvelope>[1]> = {}): Promise<Uint8Array> =>
  signEnvelope(envelope, { key: keyOf(rsa, "RSA-SHA256"), style: OASIS, now: Date.now(), life: 300_000, ...over });
const CALL = { user: GOOD, entity: "1004600030235", basis: "Legea nr. 133 & §5 «ă»", reason: "<test>" };
const request = (): Uint8Array => service.writeRequest("1.1", "GetPerson", { idnp: GOOD }, CALL);

describe("what the bus signs", () => {
  it.each<[string, Partial<Parameters<typeof signEnvelope>[1]>, Made]>([
    ["in the OASIS style", {}, rsa],
    ["in the style of older .NET software", { style: { ids: "plain", key: "x509" } }, rsa],
    ["with addressing", { relatesTo: "urn:uuid:1&2" }, rsa],
    ["with ECDSA", { key: keyOf(ec, "ECDSA-SHA256") }, ec],
  ])("holds for its own verifier, which reads it: %s", async (_, over, made) => {
    const message = service.readRequest(await signed(request(), over), check(made));
    expect(message.value).toEqual({ idnp: GOOD });
    expect(message.headers.get("{https://mconnect.gov.md}CallBasis")).toBe(CALL.basis);
    expect(message.signed).toMatchObject({ style: over.style ?? OASIS });
  });

  it.skipIf(!xmlsec).each<[string, () => Uint8Array, Partial<Parameters<typeof signEnvelope>[1]>, Made]>([
    ["a request with its call context", request, {}, rsa],
    ["a request in the style of older .NET software", request, { style: { ids: "plain", key: "x509" } }, rsa],
    [
      "a request of SOAP 1.2 with addressing",
      () => service.writeRequest("1.2", "GetPerson", { idnp: GOOD }),
      { relatesTo: "urn:uuid:1&2" },
      rsa,
    ],
    [
      "a fault",
      () =>
        service.writeFault("1.1", {
          side: "sender",
          code: "mbus:xsd-violation",
          text: "ă < b & c\r\n",
          detail: [{ name: "place", text: '"x"' }],
        }),
      {},
      rsa,
    ],
    [
      "a fault with a standard code",
      () => service.writeFault("1.2", { side: "sender", code: "mbus:a", standard: { ns: "urn:x", prefix: "x", local: "Y" }, text: "t" }),
      {},
      rsa,
    ],
    ["a request with ECDSA", request, { key: keyOf(ec, "ECDSA-SHA256") }, ec],
  ])("holds for xmlsec1: %s", async (_, envelope, over, made) => {
    expect(judgedByXmlsec(await signed(envelope(), over), made.cert)).toBe("good");
  });

  it.skipIf(!xmlsec)("holds no longer once a letter of it is another one", async () => {
    const message = Buffer.from(await signed(request())).toString("latin1");
    const other = Buffer.from(message.replace(GOOD, "2000000000002"), "latin1");
    expect(judgedByXmlsec(other, rsa.cert)).not.toBe("good");
  });

  it("differs each time, so that nobody takes it for a replay", async () => {
    const seen = async (): Promise<string | undefined> => service.readRequest(await signed(request()), check(rsa)).signed?.seen;
    expect(await seen()).not.toBe(await seen());
  });

  it("is nothing that somebody else wrote", async () => {
    await expect(signed(Buffer.from("<Envelope/>"))).rejects.toThrow(expect.objectContaining({ code: "unexpected" }));
  });
});
