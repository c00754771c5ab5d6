/** Parts of a certificate that revocation asks for and that Node does not give: names as bytes, key usage, addresses of OCSP responders. */
import type { X509Certificate } from "node:crypto";
import {
  all,
  bitsOf,
  BOOLEAN,
  constructed,
  DerFault,
  elementAt,
  each,
  expected,
  OCTETS,
  oidText,
  only,
  primitive,
  SEQUENCE,
  serialText,
  wholeBits,
  type Element,
} from "../edge/der.ts";

export type CertificateParts = Readonly<{
  serial: string;
  /** DER of the serial number, of both names and of the key. */
  serialDer: Buffer;
  issuer: Buffer;
  subject: Buffer;
  /** Bytes of the public key, without its algorithm. */
  key: Buffer;
  /** Bits of the key usage; undefined = it has none, and everything is allowed. */
  usage: readonly boolean[] | undefined;
  /** OIDs of the extended key usage. */
  purposes: readonly string[];
  /** http: and https: addresses of OCSP responders. */
  responders: readonly string[];
  /** DER of the CRL distribution points. */
  distribution: Buffer | undefined;
  extensions: ReadonlyMap<string, Extension>;
}>;
export type Extension = Readonly<{ critical: boolean; value: Buffer }>;

/** Positions in the key usage (RFC 5280 §4.2.1.3). */
export const CRL_SIGN = 6;
export const DIGITAL_SIGNATURE = 0;
export const OCSP_SIGNING = "1.3.6.1.5.5.7.3.9";

const KEY_USAGE = "2.5.29.15";
const PURPOSES = "2.5.29.37";
const AUTHORITY_ACCESS = "1.3.6.1.5.5.7.1.1";
const OCSP = "1.3.6.1.5.5.7.48.1";
const DISTRIBUTION = "2.5.29.31";

const known = new WeakMap<X509Certificate, CertificateParts>();

/** Throws DerFault where the certificate has not the form that its own parser let pass. */
export function partsOf(certificate: X509Certificate): CertificateParts {
  const before = known.get(certificate);
  if (before) return before;
  const parts = read(certificate.raw);
  known.set(certificate, parts);
  return parts;
}

function read(raw: Buffer): CertificateParts {
  const body = expected(elementAt(only(raw, SEQUENCE).content), SEQUENCE);
  const fields = all(body).filter(({ tag }) => tag !== constructed(0));
  const [serial, , issuer, , subject, spki] = fields;
  const last = fields.find(({ tag }) => tag === constructed(3));
  const extensions = last === undefined ? new Map<string, Extension>() : extensionsOf(elementAt(last.content));
  const value = (id: string): Element | undefined => {
    const found = extensions.get(id);
    return found && elementAt(found.value);
  };
  const usage = value(KEY_USAGE);
  const purposes = value(PURPOSES);
  const access = value(AUTHORITY_ACCESS);
  return {
    serial: serialText(serial),
    serialDer: expected(serial, 0x02).whole,
    issuer: expected(issuer, SEQUENCE).whole,
    subject: expected(subject, SEQUENCE).whole,
    key: wholeBits(all(expected(spki, SEQUENCE))[1]),
    usage: usage && bitsOf(usage),
    purposes: purposes === undefined ? [] : all(purposes).map(oidText),
    responders: access === undefined ? [] : all(access).flatMap(responder),
    distribution: extensions.get(DISTRIBUTION)?.value,
    extensions,
  };
}

function responder(description: Element): readonly string[] {
  const [method, location] = all(description);
  if (oidText(method) !== OCSP || location?.tag !== primitive(6)) return [];
  const text = location.content.toString("latin1");
  return URL.canParse(text) && /^https?:$/.test(new URL(text).protocol) ? [text] : [];
}

/** A SEQUENCE OF Extension. The same extension twice is a fault: who reads the first and who reads the second would differ. */
export function extensionsOf(list: Element): ReadonlyMap<string, Extension> {
  const found = new Map<string, Extension>();
  for (const extension of each(expected(list, SEQUENCE).content)) {
    const [id, ...rest] = all(extension);
    const critical = rest[0]?.tag === BOOLEAN && rest[0].content[0] === 0xff;
    const oid = oidText(id);
    if (found.has(oid)) throw new DerFault(`extension ${oid} stands twice`);
    found.set(oid, { critical, value: expected(rest.at(-1), OCTETS).content });
  }
  return found;
}
