/** The bus's own signing keys: the seal over evidence (P-256 with a certificate) and the key of the evidence log (Ed25519). */
import { createPrivateKey, createPublicKey, generateKeyPairSync, hash, sign, X509Certificate, type KeyObject } from "node:crypto";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { BusError } from "#bus/errors.ts";
import type { Signer } from "#bus/ports.ts";
import { signDetached } from "./cms.ts";
import { readPair, writePair, writeWhole } from "./files.ts";
import { issueCertificate, type KeyPair } from "./issue.ts";

/** Key of the log's checkpoints; its name is also the log's. */
export type LogKey = Readonly<{ name: string; publicKey: Uint8Array; sign(bytes: Uint8Array): Promise<Uint8Array> }>;

export const SEAL_NAME = "MConnect Bus seal";
/** A seal that ends within this many milliseconds is replaced at the next start. */
const MARGIN = 30 * 86_400_000;

/** Reads the seal, or has the authority issue one. What an older seal signed stays valid: its certificate lies in the evidence. */
export async function openSeal(directory: string, authority: KeyPair): Promise<Signer> {
  const stored = await readPair(directory, "seal");
  const pair = stored !== undefined && lasts(stored.cert, authority.cert) ? stored : await issueSeal(directory, authority);
  return {
    certificates: [pair.cert, authority.cert],
    sign: (bytes) => Promise.resolve(signDetached(bytes, pair, [authority.cert], new Date())),
  };
}

async function issueSeal(directory: string, issuer: KeyPair): Promise<KeyPair> {
  const pair = await issueCertificate({ name: SEAL_NAME, organization: "Development only", use: "seal", days: 1095, issuer });
  await writePair(directory, "seal", pair);
  return pair;
}

function lasts(cert: string, authority: string): boolean {
  try {
    const certificate = new X509Certificate(cert);
    return certificate.verify(new X509Certificate(authority).publicKey) && certificate.validToDate.getTime() > Date.now() + MARGIN;
  } catch {
    return false;
  }
}

/** Reads the log's key, or makes it. It is never replaced by itself: a log that changes its key looks like another log. */
export async function openLogKey(directory: string): Promise<LogKey> {
  const path = join(directory, "log.key.pem");
  const key = await readKey(path);
  const jwk = createPublicKey(key).export({ format: "jwk" });
  const publicKey = Buffer.from(jwk.x ?? "", "base64url");
  return {
    name: `mconnect-bus/${hash("sha256", publicKey).slice(0, 16)}`,
    publicKey,
    sign: (bytes) => Promise.resolve(sign(null, bytes, key)),
  };
}

async function readKey(path: string): Promise<KeyObject> {
  try {
    const key = createPrivateKey(await readFile(path, "utf8"));
    if (key.asymmetricKeyType === "ed25519") return key;
    throw new Error(`it is a key of type ${key.asymmetricKeyType}`);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ENOENT")
      throw new BusError(
        "configuration",
        `${path} is no Ed25519 key in PEM: restore it from a backup, the evidence log goes on only with its own key`,
        {
          cause: error,
        },
      );
  }
  const { privateKey } = generateKeyPairSync("ed25519");
  await writeWhole(path, privateKey.export({ type: "pkcs8", format: "pem" }).toString());
  return privateKey;
}
