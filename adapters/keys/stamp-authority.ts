/**
 * A time-stamping authority for trying and testing (RFC 3161): it signs with a certificate of the development authority and the clock of
 * this machine, and so proves nothing against who runs both. Production names a qualified authority in MBUS_TSA_URL.
 */
import { createPrivateKey, hash, randomBytes, sign, X509Certificate } from "node:crypto";
import { BusError } from "#bus/errors.ts";
import { bits, integer, issuerAndSerial, octets, oid, sequence, set, tagged, utf8, type Der } from "./der.ts";
import { integerOf, listOf, oidOf, readDer, smallOf, tagged as valueOf } from "./der-read.ts";
import type { KeyPair } from "./issue.ts";
import { OID } from "./stamp-token.ts";

/** Of this authority's own; a policy of its own says "for development only". */
const POLICY = "2.25.1706341822";
const SHA256 = sequence(oid(OID.sha256));
const ECDSA_SHA256 = sequence(oid("1.2.840.10045.4.3.2"));
const ONE = integer(Buffer.of(1));

type Asked = Readonly<{ imprint: Der; nonce: Der | undefined; withCertificate: boolean }>;

/** Answers a TimeStampReq with a TimeStampResp, both DER; never throws. */
export function createStampAuthority(pair: KeyPair, now: () => number): (request: Uint8Array) => Uint8Array {
  const certificate = new X509Certificate(pair.cert).raw;
  const key = createPrivateKey(pair.key);
  return (request) => {
    let asked: Asked;
    try {
      asked = readQuery(request);
    } catch (error) {
      return refusal(error instanceof BusError ? error.message : "the request cannot be read");
    }
    const info = sequence(
      ONE,
      oid(POLICY),
      asked.imprint,
      integer(randomBytes(16)),
      tagged(
        0x18,
        Buffer.from(
          new Date(now())
            .toISOString()
            .replace(/[-:T]/g, "")
            .replace(/\.?0*Z$/, "Z"),
        ),
      ),
      ...(asked.nonce ? [asked.nonce] : []),
    );
    const attributes = [
      attribute(OID.contentType, oid(OID.stampInfo)),
      attribute(OID.digest, octets(hash("sha256", info, "buffer"))),
      attribute(OID.signer, sequence(sequence(sequence(octets(hash("sha256", certificate, "buffer")))))),
    ].toSorted((a, b) => Buffer.compare(a, b));
    const signature = sign("sha256", tagged(0x31, ...attributes), key);
    const signer = sequence(ONE, issuerAndSerial(certificate), SHA256, tagged(0xa0, ...attributes), ECDSA_SHA256, octets(signature));
    const content = sequence(oid(OID.stampInfo), tagged(0xa0, octets(info)));
    const certificates = asked.withCertificate ? [tagged(0xa0, certificate)] : [];
    const data = sequence(integer(Buffer.of(3)), set(SHA256), content, ...certificates, set(signer));
    return sequence(sequence(integer(Buffer.of(0))), sequence(oid(OID.signedData), tagged(0xa0, data)));
  };
}

const attribute = (id: string, value: Der): Der => sequence(oid(id), set(value));

/** SHA-256 only; extensions and other policies are refused. */
function readQuery(request: Uint8Array): Asked {
  const [version, imprint, ...rest] = listOf(readDer(request), 0x30);
  const [algorithm, digest] = listOf(imprint, 0x30);
  if (smallOf(version) !== 1) throw new BusError("stamp-invalid", "the request's version is not 1");
  if (oidOf(listOf(algorithm, 0x30)[0]) !== OID.sha256 || valueOf(digest, 0x04).content.length !== 32)
    throw new BusError("stamp-invalid", "this authority stamps SHA-256 digests only");
  let nonce: Der | undefined;
  let withCertificate = false;
  for (const part of rest) {
    if (part.tag === 0x02 && nonce === undefined && integerOf(part).length <= 32) nonce = part.whole;
    else if (part.tag === 0x01) withCertificate = part.content[0] !== 0;
    else if (part.tag !== 0x06 || oidOf(part) !== POLICY)
      throw new BusError("stamp-invalid", "the request asks for a policy or extension that is not known here");
  }
  const canonical = sequence(SHA256, octets(valueOf(digest, 0x04).content));
  return { imprint: canonical, nonce, withCertificate };
}

/** Status 2 (rejection) with the reason as text and failure badRequest. */
function refusal(reason: string): Uint8Array {
  return sequence(sequence(integer(Buffer.of(2)), sequence(utf8(reason.slice(0, 200))), bits(Buffer.of(0x20), 5)));
}
