/** Signatures on what authorities sign (certificates, revocation lists, OCSP answers): which kinds count, and whether one verifies. */
import { constants, verify, type KeyObject } from "node:crypto";
import { all, DerFault, elementAt, oidText, type Element } from "../edge/der.ts";

/** Hash by the OID of the signature algorithm. SHA-1 and MD5 are not here: nobody can say any more who made such a signature. */
const ALGORITHMS: Readonly<Record<string, Readonly<{ key: string; hash: string | null }>>> = {
  "1.2.840.113549.1.1.11": { key: "rsa", hash: "sha256" },
  "1.2.840.113549.1.1.12": { key: "rsa", hash: "sha384" },
  "1.2.840.113549.1.1.13": { key: "rsa", hash: "sha512" },
  "1.2.840.10045.4.3.2": { key: "ec", hash: "sha256" },
  "1.2.840.10045.4.3.3": { key: "ec", hash: "sha384" },
  "1.2.840.10045.4.3.4": { key: "ec", hash: "sha512" },
  "1.3.101.112": { key: "ed25519", hash: null },
  "1.3.101.113": { key: "ed448", hash: null },
};
const PSS = "1.2.840.113549.1.1.10";
const HASHES: Readonly<Record<string, string>> = {
  "2.16.840.1.101.3.4.2.1": "sha256",
  "2.16.840.1.101.3.4.2.2": "sha384",
  "2.16.840.1.101.3.4.2.3": "sha512",
};

/** Does `signature` over `bytes`, of this AlgorithmIdentifier, verify with the key? False too where the kind does not count. */
export function verifies(bytes: Buffer, algorithm: Element, signature: Buffer, key: KeyObject): boolean {
  const [id, parameters] = all(algorithm);
  const oid = oidText(id);
  if (oid === PSS) return pss(bytes, parameters, signature, key);
  const known = ALGORITHMS[oid];
  if (known === undefined || known.key !== key.asymmetricKeyType) return false;
  return verify(known.hash, bytes, key, signature);
}

/** RSASSA-PSS (RFC 4055): hash and mask of one kind, salt as long as the hash. */
function pss(bytes: Buffer, parameters: Element | undefined, signature: Buffer, key: KeyObject): boolean {
  if (key.asymmetricKeyType !== "rsa" && key.asymmetricKeyType !== "rsa-pss") return false;
  const [first] = parameters === undefined ? [] : all(parameters);
  if (first?.tag !== 0xa0) return false;
  const hash = HASHES[oidText(all(elementAt(first.content))[0])];
  if (hash === undefined) return false;
  return verify(hash, bytes, { key, padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: constants.RSA_PSS_SALTLEN_DIGEST }, signature);
}

/** The three parts that everything signed consists of. */
export function signedParts(whole: Element): Readonly<{ body: Element; algorithm: Element; signature: Element }> {
  const [body, algorithm, signature] = all(whole);
  if (!body || !algorithm || !signature) throw new DerFault("a signed value has three parts");
  return { body, algorithm, signature };
}
