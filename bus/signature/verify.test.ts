/** Signed messages of other makers: each form of key, id and algorithm that is taken, and what is said of those that are not. */
import { X509Certificate } from "node:crypto";
import { readFileSync } from "node:fs";
import { afterAll, describe, expect, it } from "vitest";
import { joinPath } from "#bus/contract/xml/schema.ts";
import { compileSoapService } from "#bus/contract/xml/soap.ts";
import type { SignatureCheck } from "#bus/edge/signatures.ts";
import { createWorkshop, RSA } from "#test/harness/certificates.ts";
import {
  issuerSerial,
  keyIdentifier,
  signedEnvelope,
  SKI_TYPE,
  THUMBPRINT_TYPE,
  token,
  tokenReference,
  x509Data,
  str,
} from "#test/harness/wss.ts";
import type { Wanted } from "#test/harness/wss.ts";
import { DEFAULT_WINDOW } from "./time.ts";

const workshop = createWorkshop();
afterAll(() => workshop.close());
const SKI = ["subjectKeyIdentifier=hash", "extendedKeyUsage=clientAuth"];
const rsa = workshop.make("rsa", { subject: "/CN=asker", key: RSA(2048), extensions: SKI });
const ec = workshop.make("ec", { subject: "/CN=asker ec", extensions: SKI });
const stranger = workshop.make("stranger", { subject: "/CN=asker", key: RSA(2048), extensions: SKI });
const registered = [rsa, ec].map(({ cert }) => new X509Certificate(cert));

const resolve = (location: string, base: string | undefined): string | undefined => {
  try {
    return readFileSync(joinPath(base, location), "utf8");
  } catch {
    return undefined;
  }
};
const service = compileSoapService({ wsdl: "test/fixtures/xml/person.wsdl", resolve });
const GOOD = "2000000000001";
const body = `<p:GetPerson xmlns:p="https://mconnect.gov.md"><p:IDNP>${GOOD}</p:IDNP></p:GetPerson>`;

const check = (over: Partial<SignatureCheck> = {}): SignatureCheck => ({
  certificates: registered,
  covers: "message",
  sha1: false,
  now: Date.now(),
  window: DEFAULT_WINDOW,
  ...over,
});
const read = (wanted: Partial<Wanted> = {}, over?: Partial<SignatureCheck>): ReturnType<typeof service.readRequest> =>
  service.readRequest(Buffer.from(signedEnvelope({ by: rsa, body, ...wanted })), check(over));
const code = (wanted: Partial<Wanted>, over?: Partial<SignatureCheck>): string => {
  try {
    read(wanted, over);
    return "accepted";
  } catch (error) {
    return (error as { code?: string }).code ?? String(error);
  }
};
const ski = (pem: string): string =>
  Buffer.from(
    /Key Identifier:\s*([0-9A-F:\s]+?)\n/u
      .exec(workshop.openssl("x509", "-in", pem, "-noout", "-text").toString())?.[1]
      ?.replace(/[:\s]/gu, "") ?? "",
    "hex",
  ).toString("base64");
const thumbprint = (pem: string): string => Buffer.from(new X509Certificate(pem).fingerprint.replaceAll(":", ""), "hex").toString("base64");

describe("a signed message", () => {
  it("is read, and says who signed it, how and when", () => {
    const at = Date.now() - 2000;
    const message = read({ created: at });
    expect(message.value).toEqual({ idnp: GOOD });
    expect(message.signed).toMatchObject({ algorithm: "RSA-SHA256", created: at, covers: "message" });
    expect(message.signed?.certificate).toBe(new X509Certificate(rsa.cert).fingerprint256.replaceAll(":", "").toLowerCase());
  });

  it("is the same one for replay's sake when its bytes are written in another way", () => {
    let first = "";
    const one = signedEnvelope({ by: rsa, body, after: (document) => (first = document) });
    const seen = (source: string): string | undefined => service.readRequest(Buffer.from(source), check()).signed?.seen;
    expect(seen(one.replace("<soap:Header>", "<soap:Header  >").replace("?>", "?>\n"))).toBe(seen(first));
    expect(seen(signedEnvelope({ by: rsa, body }))).not.toBe(seen(first));
  });

  it.each<[string, Partial<Wanted>]>([
    ["X509Data with the certificate", { keyInfo: x509Data }],
    ["X509Data within a SecurityTokenReference", { keyInfo: (by) => str(x509Data(by)) }],
    [
      "X509Data with an issuer and serial number that its maker did not fill in",
      { keyInfo: (by) => x509Data(by).replace("<ds:X509Data>", "<ds:X509Data><ds:X509IssuerSerial/>") },
    ],
    ["X509Data with issuer and serial number", { keyInfo: issuerSerial }],
    ["X509Data with the subject key identifier", { keyInfo: `<ds:X509Data><ds:X509SKI>${ski(rsa.certFile)}</ds:X509SKI></ds:X509Data>` }],
    ["a BinarySecurityToken", { keyInfo: tokenReference("T-1"), security: (inner) => token(rsa, "T-1") + inner }],
    [
      "a signed BinarySecurityToken behind the signature",
      { keyInfo: tokenReference("T-1"), security: (inner) => inner + token(rsa, "T-1"), alsoSign: ["T-1"] },
    ],
    ["a KeyIdentifier of the subject key", { keyInfo: keyIdentifier(ski(rsa.certFile), SKI_TYPE) }],
    ["a KeyIdentifier of the thumbprint", { keyInfo: keyIdentifier(thumbprint(rsa.cert), THUMBPRINT_TYPE) }],
    [
      "a chain, the own certificate in it",
      {
        keyInfo: (by) =>
          `<ds:X509Data>${[stranger, by].map(({ cert }) => /<ds:X509Cert.*<\/ds:X509Certificate>/u.exec(x509Data({ cert, key: "" }))?.[0]).join("")}</ds:X509Data>`,
      },
    ],
    ["plain Id attributes, as old .NET software writes", { ids: "plain" }],
    ["ECDSA on P-256", { by: ec }],
    [
      "SHA-512 everywhere",
      {
        method: "http://www.w3.org/2001/04/xmldsig-more#rsa-sha512",
        hash: "sha512",
        digestMethod: "http://www.w3.org/2001/04/xmlenc#sha512",
        digestHash: "sha512",
      },
    ],
    ["inclusive namespaces", { prefixes: "soap wsu #default" }],
    ["SOAP 1.2", { soap: "http://www.w3.org/2003/05/soap-envelope" }],
    ["no Expires", { expires: null }],
    ["line ends in the values, as base64 of 76 columns", { after: (document) => document.replace(/(<ds:SignatureValue>.{76})/u, "$1\n") }],
    ["a comment in the Body, which no signature covers and no reader sees", { body: body.replace(GOOD, "20000<!-- x -->00000001") }],
    [
      "signed call context and addressing",
      {
        headers: `<m:CallingUser xmlns:m="https://mconnect.gov.md" wsu:Id="H1">2000000000001</m:CallingUser><a:MessageID xmlns:a="http://www.w3.org/2005/08/addressing" wsu:Id="H2">id-1</a:MessageID>`,
        alsoSign: ["H1", "H2"],
      },
    ],
    ["a foreign header that nobody signed", { headers: `<x:Trace xmlns:x="urn:trace">1</x:Trace>` }],
  ])("is taken with %s", (_, wanted) => {
    expect(read(wanted).signed).toBeDefined();
    expect(read(wanted).value).toEqual({ idnp: GOOD });
  });

  it("with SHA-1 is taken only where the sender's registration allows it", () => {
    const old: Partial<Wanted> = {
      method: "http://www.w3.org/2000/09/xmldsig#rsa-sha1",
      hash: "sha1",
      digestMethod: "http://www.w3.org/2000/09/xmldsig#sha1",
      digestHash: "sha1",
    };
    expect(code(old)).toBe("signature-algorithm");
    expect(code(old, { sha1: true })).toBe("accepted");
  });

  it("whose call context is not signed is taken only where Body and Timestamp are enough", () => {
    const bare: Partial<Wanted> = { headers: `<m:CallingUser xmlns:m="https://mconnect.gov.md">2000000000001</m:CallingUser>` };
    expect(code(bare)).toBe("signature-coverage");
    expect(code(bare, { covers: "body" })).toBe("accepted");
  });

  it("for another receiver is an unsigned one for us", () => {
    const away = {
      mustUnderstand: false,
      after: (document: string) => document.replace("<wsse:Security>", `<wsse:Security soap:actor="urn:another">`),
    };
    expect(read(away).signed).toBeUndefined();
  });

  it("is refused where nobody verifies, if it must be understood", () => {
    expect(() => service.readRequest(Buffer.from(signedEnvelope({ by: rsa, body })))).toThrow(
      expect.objectContaining({ code: "soap-must-understand" }),
    );
  });

  it.each<[string, Partial<Wanted>, string]>([
    ["by a stranger whose certificate it brings", { by: stranger }, "signature-key"],
    ["by a stranger in the name of a registered one", { by: stranger, keyInfo: () => x509Data(rsa) }, "signature-wrong"],
    ["over another Body", { after: (document) => document.replace(GOOD, "2000000000002") }, "signature-wrong"],
    ["without its Timestamp", { timestampId: "TS-1", bodyId: "B-1", signs: ["B-1"] }, "signature-coverage"],
    ["without its Body", { timestampId: "TS-1", signs: ["TS-1"] }, "signature-coverage"],
    ["an hour ago", { created: Date.now() - 3_600_000, expires: Date.now() + 60_000 }, "signature-expired"],
    ["and expired", { created: Date.now() - 600_000, expires: Date.now() - 120_000 }, "signature-expired"],
    ["in the future", { created: Date.now() + 120_000 }, "signature-expired"],
  ])("signed %s is refused", (_, wanted, expected) => {
    expect(code(wanted)).toBe(expected);
  });

  it("counts within the difference that clocks may have", () => {
    expect(code({ created: Date.now() + 50_000 })).toBe("accepted");
    expect(code({ created: Date.now() - 300_000, expires: Date.now() - 50_000 })).toBe("accepted");
    expect(code({ created: Date.now() + 50_000 }, { window: { skew: 10_000, maxAge: 60_000 } })).toBe("signature-expired");
  });

  it("by a weak key is refused even where its certificate is registered", () => {
    const weak = workshop.make("weak", { subject: "/CN=weak", key: RSA(1024), extensions: SKI });
    const low = workshop.make("low", { subject: "/CN=low", key: [...RSA(2048), "-pkeyopt", "rsa_keygen_pubexp:3"], extensions: SKI });
    const odd = workshop.make("odd", {
      subject: "/CN=odd",
      key: ["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:secp256k1"],
      extensions: SKI,
    });
    for (const by of [weak, low, odd]) expect(code({ by }, { certificates: [new X509Certificate(by.cert)] })).toBe("signature-wrong");
  });
});

describe("the refusal of what is made to be expensive", () => {
  const many = (n: number, text: string): string => text.repeat(n);
  /** Milliseconds of processor time, the best of three: the machine may do other things too. */
  function cpu(source: string): number {
    const bytes = Buffer.from(source);
    let best = Number.POSITIVE_INFINITY;
    for (let i = 0; i < 3; i++) {
      const before = process.cpuUsage();
      expect(() => service.readRequest(bytes, check())).toThrow();
      const { user, system } = process.cpuUsage(before);
      best = Math.min(best, (user + system) / 1000);
    }
    return best;
  }
  it.each<[string, (document: string) => string]>([
    ["a thousand References", (d) => d.replace(/<ds:Reference .*?<\/ds:Reference>/u, (one) => many(1000, one))],
    ["two thousand transforms", (d) => d.replace(/<ds:Transform [^>]*><\/ds:Transform>/u, (one) => many(2000, one))],
    ["a thousand header blocks", (d) => d.replace("</soap:Header>", () => `${many(1000, "<x:a xmlns:x='urn:x'/>")}</soap:Header>`)],
    ["ten thousand elements in Security", (d) => d.replace("</wsse:Security>", () => `${many(10_000, "<wsu:x/>")}</wsse:Security>`)],
    ["a certificate of a megabyte", (d) => d.replace(/<ds:X509Certificate>[^<]*/u, () => `<ds:X509Certificate>${many(250_000, "AAAA")}`)],
    [
      "a hundred levels of prefixes",
      (d) => d.replace("<p:IDNP>", () => Array.from({ length: 90 }, (_, i) => `<p:a xmlns:p${i}="urn:${i}" p${i}:b="1">`).join("")),
    ],
    [
      "five thousand ids in the Body",
      (d) => d.replace("<p:IDNP>", () => `${Array.from({ length: 5000 }, (_, i) => `<p:a Id="i${i}"/>`).join("")}<p:IDNP>`),
    ],
    ["a Signature by a stranger", () => signedEnvelope({ by: stranger, body })],
  ])("costs less than 50 ms: %s", (_, change) => {
    expect(cpu(change(signedEnvelope({ by: rsa, body })))).toBeLessThan(50);
  });
});
