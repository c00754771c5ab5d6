/** The bus's key for messages: what it is, that it stays, and when it is made anew. */
import { verify, X509Certificate } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { issueCertificate, type KeyPair } from "./issue.ts";
import { MESSAGE_NAME, openMessageSigner, type MessageSigner } from "./message.ts";

const folder = mkdtempSync(join(tmpdir(), "message-key-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const authorityOf = (name: string): Promise<KeyPair> => issueCertificate({ name, organization: "Test", use: "authority", days: 30 });
const authority = await authorityOf("authority");
const file = (name: string): string => join(folder, `${name}.pem`);
const certificateOf = ({ certificate }: MessageSigner): X509Certificate => new X509Certificate(Buffer.from(certificate, "base64"));

describe("the key for messages", () => {
  it("is RSA with 3072 bits under the authority, for signatures only, in files of their owner", async () => {
    const signer = await openMessageSigner(folder, authority, "rsa");
    const certificate = certificateOf(signer);
    expect(certificate.publicKey.asymmetricKeyDetails?.modulusLength).toBe(3072);
    expect(certificate.subject).toContain(`CN=${MESSAGE_NAME}`);
    expect(certificate.ca).toBe(false);
    expect(certificate.verify(new X509Certificate(authority.cert).publicKey)).toBe(true);
    expect(statSync(file("message.key")).mode & 0o777).toBe(0o600);
    expect(new X509Certificate(readFileSync(file("message.cert"))).fingerprint256).toBe(certificate.fingerprint256);
    const signature = await signer.sign("text ă");
    expect(verify("sha256", Buffer.from("text ă"), certificate.publicKey, signature)).toBe(true);
  });

  it("is P-256 where all clients know ECDSA, with r and s after one another", async () => {
    const signer = await openMessageSigner(folder, authority, "ecdsa");
    const signature = await signer.sign("text");
    expect([signer.algorithm, signature.length]).toEqual(["ECDSA-SHA256", 64]);
    const key = { key: certificateOf(signer).publicKey, dsaEncoding: "ieee-p1363" as const };
    expect(verify("sha256", Buffer.from("text"), key, signature)).toBe(true);
  });

  it("stays the same until its authority is another one, its key is not its own, or its end is near", async () => {
    const open = async (by = authority): Promise<string> => (await openMessageSigner(folder, by, "ecdsa")).thumbprint;
    const first = await open();
    expect(await open()).toBe(first);
    const other = await open(await authorityOf("other"));
    expect(other).not.toBe(first);
    const mine = await open();
    writeFileSync(file("message-ec.key"), (await authorityOf("third")).key);
    const second = await open();
    expect(second).not.toBe(mine);
    const short = await issueCertificate({ name: MESSAGE_NAME, organization: "Test", use: "seal", days: 20, issuer: authority });
    writeFileSync(file("message-ec.key"), short.key);
    writeFileSync(file("message-ec.cert"), short.cert);
    expect(await open()).not.toBe(second);
    writeFileSync(file("message-ec.cert"), "no certificate");
    expect(await open()).toMatch(/^[\w-]{43}$/u);
  });
});
