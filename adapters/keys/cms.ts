/** Detached CMS signatures (RFC 5652) of the CAdES-B-B profile: signing time, digest and certificate are signed with the content. */
import { createPrivateKey, hash, sign, X509Certificate } from "node:crypto";
import { issuerAndSerial, octets, oid, integer, sequence, set, tagged, time, type Der } from "./der.ts";
import type { KeyPair } from "./issue.ts";

const DATA = oid("1.2.840.113549.1.7.1");
const SIGNED_DATA = oid("1.2.840.113549.1.7.2");
const SHA256 = sequence(oid("2.16.840.1.101.3.4.2.1"));
const ECDSA_SHA256 = sequence(oid("1.2.840.10045.4.3.2"));
const ONE = integer(Buffer.of(1));

/** DER of the signature over `content` with the seal's P-256 key at a time; `chain`: certificates above the seal's. */
export function signDetached(content: Uint8Array, seal: KeyPair, chain: readonly string[], at: Date): Uint8Array {
  const certificate = new X509Certificate(seal.cert).raw;
  const signed = attributes(content, certificate, at);
  const signature = sign("sha256", tagged(0x31, ...signed), createPrivateKey(seal.key));
  const signer = sequence(ONE, issuerAndSerial(certificate), SHA256, tagged(0xa0, ...signed), ECDSA_SHA256, octets(signature));
  const certificates = tagged(
    0xa0,
    ...[certificate, ...chain.map((pem) => new X509Certificate(pem).raw)].toSorted((a, b) => Buffer.compare(a, b)),
  );
  return sequence(SIGNED_DATA, tagged(0xa0, sequence(ONE, set(SHA256), sequence(DATA), certificates, set(signer))));
}

/** In the order that DER wants of a set: by their bytes. */
function attributes(content: Uint8Array, certificate: Uint8Array, at: Date): readonly Der[] {
  const attribute = (id: string, value: Der): Der => sequence(oid(id), set(value));
  const signingCertificate = sequence(sequence(sequence(octets(hash("sha256", certificate, "buffer")))));
  return [
    attribute("1.2.840.113549.1.9.3", DATA),
    attribute("1.2.840.113549.1.9.5", time(at)),
    attribute("1.2.840.113549.1.9.4", octets(hash("sha256", content, "buffer"))),
    attribute("1.2.840.113549.1.9.16.2.47", signingCertificate),
  ].toSorted((a, b) => Buffer.compare(a, b));
}
