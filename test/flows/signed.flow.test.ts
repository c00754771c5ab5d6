/**
 * Signed exchanges with a stack that nobody here wrote: zeep with xmlsec over mutual TLS, verified both ways; REST with JWS; and what a
 * client sees that signs with a certificate that is not registered, with SHA-1, or not at all.
 */
import { spawn } from "node:child_process";
import { randomUUID, sign, verify, X509Certificate } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Made } from "#test/harness/certificates.ts";
import { have, PYTHON_XMLSEC, XMLSEC, ZEEP } from "#test/harness/debian.ts";
import { CALL, IDNP, openSignedSite, type SignedSite } from "#test/harness/signed-site.ts";
import { judgedByXmlsec } from "#test/harness/xmlsec.ts";

const zeep = have(ZEEP) && have(PYTHON_XMLSEC);
const xmlsec = have(XMLSEC);
const script = fileURLToPath(new URL("../clients/zeep_signed.py", import.meta.url));

let world: SignedSite;
let folder: string;
beforeAll(async () => {
  world = await openSignedSite("{ required: true, covers: body }", "signs");
  folder = join(world.site.root, "cert");
  const { code, err } = await world.site.mbus("system", "cert", "cnas/pensions", "-o", folder);
  if (code !== 0) throw new Error(err);
});
afterAll(() => world.close());

type Answer = Readonly<{
  person?: Readonly<Record<string, unknown>>;
  answer?: string;
  fault?: Readonly<{ code: string; message: string }>;
  error?: string;
}>;

const busCertificate = (): string => readFileSync(join(world.site.dataDir, "keys/message.cert.pem"), "utf8");

function ask(by: Made, ...more: readonly string[]): Promise<Answer> {
  const wsdl = `${world.bus().https}/mconnect/soap/rsp/population/PersonRegistry?wsdl`;
  const tls = ["--tls-cert", join(folder, "cert.pem"), "--tls-key", join(folder, "key.pem"), "--ca", join(folder, "ca.pem")];
  const keys = ["--cert", by.certFile, "--key", by.keyFile, "--answer-cert", join(world.site.dataDir, "keys/message.cert.pem")];
  const child = spawn("/usr/bin/python3", [script, wsdl, IDNP, ...tls, ...keys, ...more], { stdio: ["ignore", "pipe", "pipe"] });
  let out = "";
  let err = "";
  child.stdout.on("data", (chunk: Buffer) => (out += chunk.toString()));
  child.stderr.on("data", (chunk: Buffer) => (err += chunk.toString()));
  return new Promise((resolve, reject) => {
    child.once("close", () => {
      if (out === "") reject(new Error(err));
      else resolve(JSON.parse(out) as Answer);
    });
  });
}
const rows = async (...query: string[]): Promise<readonly Record<string, unknown>[]> =>
  JSON.parse((await world.site.mbus("journal", "find", ...query, "--json")).out) as Record<string, unknown>[];

describe.skipIf(!zeep)("zeep with xmlsec over mutual TLS", () => {
  it.each(["token", "x509"])("asks signed, gets the person, and finds the answer signed by the bus (%s)", async (form) => {
    const { person, answer, error, fault } = await ask(world.soap, "--form", form);
    expect([error, fault]).toEqual([undefined, undefined]);
    expect(person).toMatchObject({ FamilyName: "Ciobanu" });
    expect(answer).toContain(form === "token" ? "BinarySecurityToken" : "X509Data");
  });

  it("leaves a receipt that names certificate and algorithm, beside the rows of the exchange", async () => {
    await ask(world.soap);
    const [receipt] = await rows("--step", "verified", "--limit", "1");
    expect(receipt).toMatchObject({ outcome: "ok", system: "cnas/pensions", route: "person-lookup" });
    const { out } = await world.site.mbus("trace", String(receipt?.["correlationId"]));
    expect(out).toContain("RSA-SHA256 by certificate");
  });

  it("with a certificate that is not registered is refused in the standard's words", async () => {
    const before = world.hits();
    expect((await ask(world.stranger)).fault).toMatchObject({ message: expect.stringContaining("none of the sender's registered") });
    expect(world.hits()).toBe(before);
  });

  it("with SHA-1 is refused, and told which line would allow it", async () => {
    expect((await ask(world.soap, "--sha1")).fault?.message).toContain("signatures.rsaSha1");
  });
});

describe("the bus's own signature", () => {
  it.skipIf(!xmlsec)("on replies and faults holds for xmlsec1, and names the message that it answers", async () => {
    const id = `urn:uuid:${randomUUID()}`;
    const header = `<a:MessageID xmlns:a="http://www.w3.org/2005/08/addressing" wsu:Id="MID">${id}</a:MessageID>`;
    const reply = await world.post(world.message({ headers: CALL + header, alsoSign: ["MID"] }));
    expect([reply.status, judgedByXmlsec(reply.text, busCertificate())]).toEqual([200, "good"]);
    expect(reply.text).toContain(`>${id}</wsa:RelatesTo>`);
    const fault = await world.post(world.message({ body: `<p:GetPerson xmlns:p="https://mconnect.gov.md/person/v1"/>` }));
    expect([fault.status, judgedByXmlsec(fault.text, busCertificate())]).toEqual([500, "good"]);
    expect(fault.text).toContain("xsd-violation");
  });

  it("comes in the style in which the question was signed", async () => {
    const { text } = await world.post(world.message({ ids: "plain", headers: CALL.replaceAll("wsu:Id", "Id") }));
    expect(text).toMatch(/<soap:Body Id="/u);
    expect(text).toContain("<ds:X509Data>");
  });
});

describe("the provider", () => {
  it.skipIf(!xmlsec)("is asked under the bus's signature, which covers the call context and holds for xmlsec1", async () => {
    expect((await world.post(world.message())).status).toBe(200);
    expect(judgedByXmlsec(world.asked(), busCertificate())).toBe("good");
    expect(world.asked()).toMatch(/<mcon:CallingUser [^>]*wsu:Id=/u);
  });

  it("is not believed when its answer is unsigned, or signed by somebody else; what it signs again, is", async () => {
    try {
      for (const [signer, why] of [
        [undefined, "is not signed"],
        [world.stranger, "none of the sender&#39;s registered"],
      ] as const) {
        world.answerBy(signer);
        const { status, text } = await world.post(world.message());
        expect(status).toBe(500);
        expect(text.replaceAll("'", "&#39;")).toContain(why);
        expect(text).toContain("provider-reply-invalid");
        expect(text).not.toContain("Ciobanu");
      }
    } finally {
      world.answerBy(world.population);
    }
    expect((await world.post(world.message())).text).toContain("Ciobanu");
  });
});

describe("REST with JWS", () => {
  const call = { CallingUser: IDNP, CallingEntity: "1007601008122", CallBasis: "Law", CallReason: "extract" };
  const b64 = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString("base64url");
  const jws = (header: Readonly<Record<string, unknown>> = {}, by: Made = world.rest): string => {
    const input = `${b64({ alg: "RS256", iat: Math.floor(Date.now() / 1000), jti: randomUUID(), ...header })}.${b64({ idnp: IDNP })}`;
    return `${input}.${sign("sha256", Buffer.from(input), by.key).toString("base64url")}`;
  };
  /** Payload of a compact JWS that the bus signed. */
  const opened = (token: string): { header: Record<string, unknown>; payload: Record<string, unknown> } => {
    const [head = "", body = "", value = ""] = token.split(".");
    const key = new X509Certificate(busCertificate()).publicKey;
    expect(verify("sha256", Buffer.from(`${head}.${body}`), key, Buffer.from(value, "base64url"))).toBe(true);
    const read = (part: string): Record<string, unknown> =>
      JSON.parse(Buffer.from(part, "base64url").toString()) as Record<string, unknown>;
    return { header: read(head), payload: read(body) };
  };

  it("as JSON gets the person as JWS", async () => {
    const { status, text, type } = await world.rest_(jws(), call);
    expect([status, type]).toEqual([200, "application/json"]);
    expect(opened(text)).toMatchObject({ header: { alg: "RS256", cty: "json" }, payload: { idnp: IDNP } });
  });

  it("as application/jose gets its own type back, also for a problem", async () => {
    const good = await world.rest_(jws(call), { "content-type": "application/jose" });
    expect([good.status, good.type]).toEqual([200, "application/jose"]);
    const bad = await world.rest_(jws({}, world.stranger), { "content-type": "application/jose", ...call });
    expect([bad.status, bad.type]).toEqual([401, "application/jose"]);
    expect(opened(bad.text)).toMatchObject({
      header: { cty: "problem+json" },
      payload: { type: "urn:mconnect-bus:error:signature-wrong" },
    });
  });

  it("twice the same is refused, as is an unsigned body", async () => {
    const token = jws();
    const before = world.hits();
    expect((await world.rest_(token, call)).status).toBe(200);
    expect(opened((await world.rest_(token, call)).text).payload).toMatchObject({ type: "urn:mconnect-bus:error:signature-replayed" });
    expect(opened((await world.rest_(JSON.stringify({ idnp: IDNP }), call)).text).payload).toMatchObject({
      type: "urn:mconnect-bus:error:signature-missing",
    });
    expect(world.hits()).toBe(before + 1);
  });
});
