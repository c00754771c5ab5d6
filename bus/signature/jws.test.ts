/** JSON Web Signatures of others: taken where header, algorithm, key and time are right, and what is said of all others. */
import { createHmac, sign, X509Certificate } from "node:crypto";
import { afterAll, describe, expect, it } from "vitest";
import type { OpenedJws, SignatureCheck } from "#bus/edge/signatures.ts";
import { createWorkshop, RSA, type Made } from "#test/harness/certificates.ts";
import { openJws, writeJws } from "./jws.ts";
import { DEFAULT_WINDOW } from "./time.ts";

const workshop = createWorkshop();
afterAll(() => workshop.close());
const rsa = workshop.make("rsa", { subject: "/CN=asker", key: RSA(2048) });
const ec = workshop.make("ec", { subject: "/CN=asker ec" });
const weak = workshop.make("weak", { subject: "/CN=weak", key: RSA(1024) });
const stranger = workshop.make("stranger", { subject: "/CN=asker", key: RSA(2048) });

const check = (over: Partial<SignatureCheck> = {}): SignatureCheck => ({
  certificates: [rsa, ec, weak].map(({ cert }) => new X509Certificate(cert)),
  covers: "message",
  sha1: false,
  now: Date.now(),
  window: DEFAULT_WINDOW,
  ...over,
});
const b64 = (value: unknown): string => Buffer.from(typeof value === "string" ? value : JSON.stringify(value)).toString("base64url");
const now = (): number => Math.floor(Date.now() / 1000);
const PAYLOAD = '{"idnp":"2000000000001"}';

function jws(header: Readonly<Record<string, unknown>>, by: Made = rsa, payload = PAYLOAD): string {
  const input = `${b64({ alg: by === ec ? "ES256" : "RS256", iat: now(), ...header })}.${b64(payload)}`;
  return `${input}.${sign("sha256", Buffer.from(input), { key: by.key, dsaEncoding: "ieee-p1363" }).toString("base64url")}`;
}
const open = (token: string, over?: Partial<SignatureCheck>): OpenedJws => openJws(token, check(over));
const code = (token: string, over?: Partial<SignatureCheck>): string => {
  try {
    open(token, over);
    return "accepted";
  } catch (error) {
    return (error as { code?: string }).code ?? String(error);
  }
};
const thumbprint = (made: Made): string =>
  Buffer.from(new X509Certificate(made.cert).fingerprint256.replaceAll(":", ""), "hex").toString("base64url");
const serial = (made: Made): string => BigInt(`0x${new X509Certificate(made.cert).serialNumber}`).toString(16);

describe("a JWS", () => {
  it.each<[string, string]>([
    ["RS256 with iat alone", jws({})],
    ["ES256", jws({}, ec)],
    ["x5t#S256", jws({ "x5t#S256": thumbprint(rsa) })],
    ["kid as serial number", jws({ kid: serial(rsa) })],
    ["kid as SHA-256", jws({ kid: Buffer.from(thumbprint(rsa), "base64url").toString("hex") })],
    ["typ, cty, exp and jti", jws({ typ: "JOSE", cty: "json", exp: now() + 60, jti: "1" })],
    ["a line end behind it", `${jws({})}\n`],
  ])("is opened: %s", (_, token) => {
    const opened = open(token);
    expect(Buffer.from(opened.payload).toString()).toBe(PAYLOAD);
    expect(opened.signed.remember).toBeGreaterThan(0);
  });

  it("brings the call context under its signature", () => {
    expect(open(jws({ CallingUser: "2000000000001", CallReason: "test", CallBasis: "" })).call).toEqual({
      user: "2000000000001",
      reason: "test",
    });
    expect(code(jws({ CallingUser: 7 }))).toBe("signature-shape");
  });

  it("without a time is taken only of a system whose body is enough, and then as often as it comes", () => {
    expect(code(jws({ iat: undefined }))).toBe("signature-coverage");
    expect(open(jws({ iat: undefined }), { covers: "body" }).signed.remember).toBe(0);
    expect(open(jws({ iat: undefined, jti: "1" }), { covers: "body" }).signed.remember).toBeGreaterThan(0);
    expect(code(jws({ iat: undefined, exp: now() - 100 }), { covers: "body" })).toBe("signature-expired");
  });

  const forged = (): string => {
    const input = `${b64({ alg: "HS256", iat: now() })}.${b64(PAYLOAD)}`;
    return `${input}.${createHmac("sha256", new X509Certificate(rsa.cert).publicKey.export({ type: "spki", format: "pem" }))
      .update(input)
      .digest("base64url")}`;
  };
  it.each<[string, string, string]>([
    ["none as its algorithm", `${b64({ alg: "none", iat: now() })}.${b64(PAYLOAD)}.AA`, "signature-algorithm"],
    ["no algorithm", jws({ alg: undefined }), "signature-algorithm"],
    ["an HMAC with the public key", forged(), "signature-algorithm"],
    ["RS1", jws({ alg: "RS1" }), "signature-algorithm"],
    ["RS256 said of an elliptic key", jws({ alg: "RS256" }, ec), "signature-wrong"],
    ["a weak key", jws({}, weak), "signature-wrong"],
    ["a stranger's key", jws({}, stranger), "signature-wrong"],
    ["a stranger's thumbprint", jws({ "x5t#S256": thumbprint(stranger) }, stranger), "signature-key"],
    ["a key of its own (jwk)", jws({ jwk: { kty: "RSA" } }), "signature-shape"],
    ["an address of keys (jku)", jws({ jku: "https://evil.example/keys" }), "signature-shape"],
    ["an address of certificates (x5u)", jws({ x5u: "https://evil.example/c" }), "signature-shape"],
    ["critical extensions", jws({ crit: ["b64"], b64: false }), "signature-shape"],
    ["another payload", jws({}).replace(/\.[^.]+\./u, `.${b64("{}")}.`), "signature-wrong"],
    ["another header", jws({}).replace(/^[^.]+/u, b64({ alg: "RS256", iat: now() + 1 })), "signature-wrong"],
    ["no signature", jws({}).replace(/[^.]+$/u, ""), "signature-shape"],
    ["four parts", `${jws({})}.AA`, "signature-shape"],
    ["base64 with padding", `${jws({})}==`, "signature-shape"],
    ["a header that is no object", `${b64("[]")}.${b64(PAYLOAD)}.AA`, "signature-shape"],
    ["a header that is no JSON", `${b64("{")}.${b64(PAYLOAD)}.AA`, "signature-shape"],
    ["a huge header", `${"A".repeat(20_000)}.${b64(PAYLOAD)}.AA`, "signature-shape"],
    ["a time in the future", jws({ iat: now() + 120 }), "signature-expired"],
    ["a time long ago", jws({ iat: now() - 3600 }), "signature-expired"],
    ["an end that passed", jws({ iat: now() - 300, exp: now() - 100 }), "signature-expired"],
    ["a time that is none", jws({ iat: "today" }), "signature-shape"],
  ])("is refused: %s", (_, token, expected) => {
    expect(code(token)).toBe(expected);
  });

  it("of a system without certificates is believed by nobody", () => {
    expect(code(jws({}), { certificates: [] })).toBe("signature-key");
  });

  it("by the bus holds for its own reader", async () => {
    for (const made of [rsa, ec]) {
      const key = {
        algorithm: made === ec ? ("ECDSA-SHA256" as const) : ("RSA-SHA256" as const),
        certificate: "",
        thumbprint: thumbprint(made),
        sign: async (text: string) => sign("sha256", Buffer.from(text), { key: made.key, dsaEncoding: "ieee-p1363" }),
      };
      const token = await writeJws(PAYLOAD, "json", key, Date.now(), "id-1");
      expect(Buffer.from(open(token).payload).toString()).toBe(PAYLOAD);
    }
  });
});
