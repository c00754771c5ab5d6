/** Time-stamp tokens that are wrong in one thing each, and right in all others. */
import { createPrivateKey, hash, sign, X509Certificate } from "node:crypto";
import { integer, issuerAndSerial, octets, oid, sequence, set, tagged, type Der } from "#adapters/keys/der.ts";
import type { KeyPair } from "#adapters/keys/issue.ts";

export type Forged = Readonly<{
  signer: KeyPair;
  /** The certificate that the signed attributes name, PEM; undefined = the signer's. */
  named?: string;
  /** Certificates in the token, PEM; undefined = the signer's. */
  bag?: readonly string[];
  imprint?: Buffer;
  nonce?: Buffer;
  /** GeneralizedTime. */
  time?: string;
  contentType?: string;
  digest?: Buffer;
  version?: number;
  digestAlgorithm?: string;
  /** Attributes beside the usual ones. */
  more?: readonly Der[];
  without?: string;
  signers?: number;
}>;

const INFO = "1.2.840.113549.1.9.16.1.4";
const NAMES = { contentType: "1.2.840.113549.1.9.3", digest: "1.2.840.113549.1.9.4", signer: "1.2.840.113549.1.9.16.2.47" };
const raw = (pem: string): Buffer => new X509Certificate(pem).raw;
export const attribute = (id: string, value: Der): Der => sequence(oid(id), set(value));

export function forge(over: Uint8Array, how: Forged): Buffer {
  const { signer, time = "20260504090000Z", bag = [signer.cert], named = signer.cert } = how;
  const algorithm = sequence(oid(how.digestAlgorithm ?? "2.16.840.1.101.3.4.2.1"));
  const info = sequence(
    integer(Buffer.of(how.version ?? 1)),
    oid("1.2.3.4"),
    sequence(algorithm, octets(how.imprint ?? hash("sha256", over, "buffer"))),
    integer(Buffer.of(7)),
    tagged(0x18, Buffer.from(time)),
    ...(how.nonce ? [integer(how.nonce)] : []),
  );
  const essCertificate = sequence(sequence(sequence(octets(hash("sha256", raw(named), "buffer")))));
  const attributes = [
    attribute(NAMES.contentType, oid(how.contentType ?? INFO)),
    attribute(NAMES.digest, octets(how.digest ?? hash("sha256", info, "buffer"))),
    attribute(NAMES.signer, essCertificate),
  ].filter((_, at) => Object.keys(NAMES)[at] !== how.without);
  const all = [...attributes, ...(how.more ?? [])].toSorted((a, b) => Buffer.compare(a, b));
  const signature = sign("sha256", tagged(0x31, ...all), createPrivateKey(signer.key));
  const one = integer(Buffer.of(1));
  const ecdsa = sequence(oid("1.2.840.10045.4.3.2"));
  const sha256 = sequence(oid("2.16.840.1.101.3.4.2.1"));
  const signerInfo = sequence(one, issuerAndSerial(raw(named)), sha256, tagged(0xa0, ...all), ecdsa, octets(signature));
  const content = sequence(oid(INFO), tagged(0xa0, octets(info)));
  const signers = set(...Array.from({ length: how.signers ?? 1 }, () => signerInfo));
  const data = sequence(integer(Buffer.of(3)), set(sha256), content, tagged(0xa0, ...bag.map(raw)), signers);
  return sequence(oid("1.2.840.113549.1.7.2"), tagged(0xa0, data));
}
