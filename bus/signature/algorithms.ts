/** The algorithms that count, by their URI in XML Signature and by their name in JWS; everything else is refused by not being here. */
import { hash, verify, type KeyObject } from "node:crypto";
import { BusError } from "../errors.ts";
import { DS } from "./names.ts";

const MORE = "http://www.w3.org/2001/04/xmldsig-more#";
const ENC = "http://www.w3.org/2001/04/xmlenc#";

/** `old`: only for systems whose registration allows it. */
export type SignatureMethod = Readonly<{ name: string; hash: "sha1" | "sha256" | "sha384" | "sha512"; key: "rsa" | "ec"; old?: true }>;

export const RSA_SHA256 = `${MORE}rsa-sha256`;
export const ECDSA_SHA256 = `${MORE}ecdsa-sha256`;
export const SHA256 = `${ENC}sha256`;

const METHODS: ReadonlyMap<string, SignatureMethod> = new Map([
  [RSA_SHA256, { name: "RSA-SHA256", hash: "sha256", key: "rsa" }],
  [`${MORE}rsa-sha384`, { name: "RSA-SHA384", hash: "sha384", key: "rsa" }],
  [`${MORE}rsa-sha512`, { name: "RSA-SHA512", hash: "sha512", key: "rsa" }],
  [ECDSA_SHA256, { name: "ECDSA-SHA256", hash: "sha256", key: "ec" }],
  [`${MORE}ecdsa-sha384`, { name: "ECDSA-SHA384", hash: "sha384", key: "ec" }],
  [`${MORE}ecdsa-sha512`, { name: "ECDSA-SHA512", hash: "sha512", key: "ec" }],
  [`${DS}rsa-sha1`, { name: "RSA-SHA1", hash: "sha1", key: "rsa", old: true }],
]);

const DIGESTS: ReadonlyMap<string, Readonly<{ hash: SignatureMethod["hash"]; old?: true }>> = new Map([
  [SHA256, { hash: "sha256" }],
  [`${MORE}sha384`, { hash: "sha384" }],
  [`${ENC}sha512`, { hash: "sha512" }],
  [`${DS}sha1`, { hash: "sha1", old: true }],
]);

/** Throws signature-algorithm. `old`: may the sender use SHA-1? */
export function signatureMethod(uri: string | undefined, old: boolean): SignatureMethod {
  return allowed(METHODS.get(uri ?? ""), uri, old, "signature method");
}

/** The hash's name. Throws signature-algorithm. */
export function digestMethod(uri: string | undefined, old: boolean): SignatureMethod["hash"] {
  return allowed(DIGESTS.get(uri ?? ""), uri, old, "digest method").hash;
}

function allowed<T extends { old?: true }>(found: T | undefined, uri: string | undefined, old: boolean, what: string): T {
  if (found !== undefined && (found.old === undefined || old)) return found;
  const why =
    found === undefined ? "is not accepted" : "is not accepted from this system: its registration has no `signatures.rsaSha1: true`";
  throw new BusError("signature-algorithm", `the ${what} "${(uri ?? "").slice(0, 100)}" ${why}`);
}

/** Is the signature of these bytes by this key? A key that is weak or of another kind signs nothing. */
export function verifies(method: SignatureMethod, key: KeyObject, text: string | Uint8Array, signature: Uint8Array): boolean {
  if (!strong(method, key)) return false;
  const bytes = typeof text === "string" ? Buffer.from(text) : text;
  return verify(method.hash, bytes, method.key === "ec" ? { key, dsaEncoding: "ieee-p1363" } : key, signature);
}

const CURVES: ReadonlySet<string> = new Set(["prime256v1", "secp384r1"]);
const MIN_MODULUS = 2048;
const MIN_EXPONENT = 65_537n;

function strong(method: SignatureMethod, key: KeyObject): boolean {
  const { modulusLength = 0, publicExponent = 0n, namedCurve = "" } = key.asymmetricKeyDetails ?? {};
  if (method.key === "ec") return key.asymmetricKeyType === "ec" && CURVES.has(namedCurve);
  return key.asymmetricKeyType === "rsa" && modulusLength >= MIN_MODULUS && publicExponent >= MIN_EXPONENT;
}

/** Digest of a canonical form, base64. */
export function digest(name: SignatureMethod["hash"], form: string): string {
  return hash(name, form, "base64");
}

/** Base64 of XML (line ends are allowed in it), strictly: one text for one value. Throws signature-shape, saying which element. */
export function strictBase64(text: string, what: string): Buffer {
  const dense = text.replace(/[ \t\r\n]+/g, "");
  const bytes = Buffer.from(dense, "base64");
  if (dense === "" || bytes.toString("base64") !== dense) throw new BusError("signature-shape", `${what} is not base64`);
  return bytes;
}
