/** Checks the container's signature: detached CMS with one P-256 signer (RFC 5652, CAdES-B-B), and its certificate up to an authority. */
import { createHash, verify, X509Certificate } from "node:crypto";
import { Refused } from "./archive.ts";

export type Signed = Readonly<{ by: string; authority: X509Certificate; at: Date }>;

const OID = {
  data: "2a864886f70d010701",
  signedData: "2a864886f70d010702",
  contentType: "2a864886f70d010903",
  digest: "2a864886f70d010904",
  time: "2a864886f70d010905",
  certificate: "2a864886f70d010910022f",
  sha256: "608648016503040201",
  ecdsaSha256: "2a8648ce3d040302",
};

/** Throws Refused. The certificates of the container are the seal's and the authority's. */
export function checkSignature(cms: Buffer, content: Buffer, certificates: Buffer): Signed {
  const [seal, authority] = readCertificates(certificates);
  const [, wrapped] = list(cms, 0x30);
  const [data] = list(wrapped, 0xa0);
  const [, , , inner, signers] = list(data, 0x30);
  const [signer] = list(signers, 0x31);
  const [, , , attributes, , signature] = list(signer, 0x30);
  if (!attributes || !signature) throw new Refused("the signature has no signed attributes");
  // whatever stands beside the attributes and the signature's value follows from the certificates: it is made anew and compared
  if (!cmsOf(seal, authority, attributes, signature).equals(cms) || inner?.[0] !== 0xa0)
    throw new Refused("the signature is not as the bus writes it: a byte of it was changed");
  const values = attributesOf(attributes);
  expect(values.get(OID.contentType), der(0x06, Buffer.from(OID.data, "hex")), "the signature is of another kind of content");
  expect(values.get(OID.digest), der(0x04, sha256(content)), "the manifest is not the one that was signed");
  expect(values.get(OID.certificate), signingCertificate(seal), "the signature names another certificate");
  const toVerify = Buffer.concat([Buffer.of(0x31), attributes.subarray(1)]);
  if (!verify("sha256", toVerify, seal.publicKey, body(signature))) throw new Refused("the signature does not verify");
  const at = timeOf(values.get(OID.time));
  checkChain(seal, authority, at);
  return { by: seal.subject.replaceAll("\n", ", "), authority, at };
}

function readCertificates(pem: Buffer): readonly [X509Certificate, X509Certificate] {
  const blocks = pem.toString("latin1").match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----\n/gu) ?? [];
  const [seal, authority] = blocks.map((block) => new X509Certificate(block));
  if (!seal || !authority || blocks.length !== 2)
    throw new Refused("certificates.pem must hold the seal's certificate and the authority's");
  return [seal, authority];
}

function checkChain(seal: X509Certificate, authority: X509Certificate, at: Date): void {
  if (seal.ca || !authority.ca) throw new Refused("the certificates are not those of a seal and its authority");
  if (!seal.checkIssued(authority) || !seal.verify(authority.publicKey))
    throw new Refused("the seal's certificate was not issued by the authority in the container");
  if (!authority.verify(authority.publicKey)) throw new Refused("the authority's certificate does not verify");
  for (const certificate of [seal, authority])
    if (at < certificate.validFromDate || at > certificate.validToDate)
      throw new Refused(`the certificate of ${certificate.subject} was not valid when the signature was made`);
}

function expect(given: Buffer | undefined, wanted: Buffer, otherwise: string): void {
  if (!given?.equals(wanted)) throw new Refused(otherwise);
}

// ── DER ──────────────────────────────────────────────────────────────────────────────────────────────────────────────

/** Values within a constructed value of a tag, whole with their tags. */
export function list(bytes: Buffer | undefined, tag: number): readonly Buffer[] {
  if (bytes?.[0] !== tag) throw new Refused("the signature is no CMS signature as the bus writes it");
  const found: Buffer[] = [];
  const content = body(bytes);
  for (let at = 0; at < content.length;) {
    const end = at + lengthOf(content, at);
    found.push(content.subarray(at, end));
    at = end;
  }
  return found;
}

export function body(bytes: Buffer): Buffer {
  const whole = lengthOf(bytes, 0);
  if (whole !== bytes.length) throw new Refused("the signature is damaged");
  return bytes.subarray(headerOf(bytes, 0), whole);
}

const headerOf = (bytes: Buffer, at: number): number => ((bytes[at + 1] ?? 0) < 0x80 ? 2 : 2 + ((bytes[at + 1] ?? 0) & 0x7f));

/** Bytes of the value at a place, tag and length included. */
function lengthOf(bytes: Buffer, at: number): number {
  const header = headerOf(bytes, at);
  const length =
    header === 2 ? (bytes[at + 1] ?? 0) : header <= 6 && at + header <= bytes.length ? bytes.readUIntBE(at + 2, header - 2) : Infinity;
  if (at + header + length > bytes.length) throw new Refused("the signature ends within one of its values");
  return header + length;
}

export function der(tag: number, ...parts: readonly Buffer[]): Buffer {
  const content = Buffer.concat(parts);
  const size = content.length;
  const length =
    size < 0x80
      ? [size]
      : size < 0x100
        ? [0x81, size]
        : size < 0x10000
          ? [0x82, size >> 8, size & 0xff]
          : [0x83, size >> 16, (size >> 8) & 0xff, size & 0xff];
  return Buffer.concat([Buffer.of(tag, ...length), content]);
}

export const oid = (hex: string): Buffer => der(0x06, Buffer.from(hex, "hex"));
const sha256 = (bytes: Uint8Array): Buffer => createHash("sha256").update(bytes).digest();
const signingCertificate = (seal: X509Certificate): Buffer => der(0x30, der(0x30, der(0x30, der(0x04, sha256(seal.raw)))));

function attributesOf(attributes: Buffer): ReadonlyMap<string, Buffer> {
  const values = new Map<string, Buffer>();
  for (const attribute of list(attributes, 0xa0)) {
    const [name, set] = list(attribute, 0x30);
    const [value] = list(set, 0x31);
    if (name && value) values.set(body(name).toString("hex"), value);
  }
  return values;
}

/** UTCTime or GeneralizedTime. */
export function timeOf(value: Buffer | undefined): Date {
  const text = value === undefined ? "" : body(value).toString("latin1");
  const digits = /^(\d{2})?(\d{2})(\d{2})(\d{2})(\d{2})(\d{2})(\d{2})(?:\.\d+)?Z$/u.exec(text);
  if (!digits) throw new Refused("the signature says no time");
  const [, century = Number(digits[2]) < 50 ? "20" : "19", year, month, day, hour, minute, second] = digits;
  return new Date(`${century}${year}-${month}-${day}T${hour}:${minute}:${second}Z`);
}

function cmsOf(seal: X509Certificate, authority: X509Certificate, attributes: Buffer, signature: Buffer): Buffer {
  const one = der(0x02, Buffer.of(1));
  const algorithm = der(0x30, oid(OID.sha256));
  const [tbs] = list(seal.raw, 0x30);
  const [, serial = Buffer.alloc(0), , issuer = Buffer.alloc(0)] = list(tbs, 0x30);
  const signer = der(0x30, one, der(0x30, issuer, serial), algorithm, attributes, der(0x30, oid(OID.ecdsaSha256)), signature);
  const certificates = der(0xa0, ...[seal.raw, authority.raw].toSorted((a, b) => Buffer.compare(a, b)));
  const data = der(0x30, one, der(0x31, algorithm), der(0x30, oid(OID.data)), certificates, der(0x31, signer));
  return der(0x30, oid(OID.signedData), der(0xa0, data));
}
