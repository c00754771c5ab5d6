/** The bus's key for messages: it signs replies and requests, so it is RSA where older clients must verify. It never seals evidence. */
import { createPrivateKey, hash, sign, X509Certificate } from "node:crypto";
import { promisify } from "node:util";
import { readPair, writePair } from "./files.ts";
import { issueCertificate, type KeyPair } from "./issue.ts";

export const MESSAGE_NAME = "MConnect Bus messages";

/** Algorithms by what the key is; `certificate` is DER in base64, `thumbprint` its SHA-256 in base64url. */
export type MessageSigner = Readonly<{
  algorithm: "RSA-SHA256" | "ECDSA-SHA256";
  certificate: string;
  thumbprint: string;
  /** Raw signature, made outside the event loop. */
  sign(text: string): Promise<Uint8Array>;
}>;

/** Milliseconds before its end at which a certificate is replaced at the next start. */
const MARGIN = 30 * 86_400_000;

const signAside = promisify(sign);

/** Reads the key `message` of this kind, or has the authority issue one. */
export async function openMessageSigner(directory: string, authority: KeyPair, kind: "rsa" | "ecdsa"): Promise<MessageSigner> {
  const name = kind === "rsa" ? "message" : "message-ec";
  const stored = await readPair(directory, name);
  const pair = stored !== undefined && lasts(stored, authority) ? stored : await issue(directory, name, authority, kind);
  const certificate = new X509Certificate(pair.cert);
  const key = createPrivateKey(pair.key);
  return {
    algorithm: kind === "rsa" ? "RSA-SHA256" : "ECDSA-SHA256",
    certificate: certificate.raw.toString("base64"),
    thumbprint: hash("sha256", certificate.raw, "base64url"),
    sign: (text) => signAside("sha256", Buffer.from(text), { key, dsaEncoding: "ieee-p1363" }),
  };
}

/** Of this authority, its own key's, and for a month at least. */
function lasts({ cert, key }: KeyPair, authority: KeyPair): boolean {
  try {
    const certificate = new X509Certificate(cert);
    const own = certificate.checkPrivateKey(createPrivateKey(key)) && certificate.verify(new X509Certificate(authority.cert).publicKey);
    return own && certificate.validToDate.getTime() > Date.now() + MARGIN;
  } catch {
    return false;
  }
}

async function issue(directory: string, name: string, issuer: KeyPair, kind: "rsa" | "ecdsa"): Promise<KeyPair> {
  const pair = await issueCertificate({
    name: MESSAGE_NAME,
    organization: "Development only",
    use: "seal",
    key: kind === "rsa" ? "RSA-3072" : "P-256",
    days: 1095,
    issuer,
  });
  await writePair(directory, name, pair);
  return pair;
}
