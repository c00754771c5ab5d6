/** Certificate revocation lists (RFC 5280 §5), complete ones: what one says of a certificate, once its own signature verifies. */
import type { X509Certificate } from "node:crypto";
import {
  all,
  BITS,
  constructed,
  DerFault,
  each,
  elementAt,
  expected,
  INTEGER,
  only,
  primitive,
  SEQUENCE,
  serialText,
  timeOf,
  wholeBits,
  type Element,
} from "../edge/der.ts";
import { CRL_SIGN, extensionsOf, partsOf, type Extension } from "./parts.ts";
import { signedParts, verifies } from "./signed.ts";

export type Crl = Readonly<{
  /** DER of the issuer's name. */
  issuer: Buffer;
  thisUpdate: number;
  nextUpdate: number;
  revoked: ReadonlySet<string>;
  /** What its scope names: bytes of a distribution point that a certificate must carry too. */
  point: Buffer | undefined;
  usersOnly: boolean;
  signed: Readonly<{ bytes: Buffer; algorithm: Element; signature: Buffer }>;
}>;

export type ReadCrl = Readonly<{ crl: Crl }> | Readonly<{ fault: string }>;

const NUMBER = "2.5.29.20";
const AUTHORITY_KEY = "2.5.29.35";
const SCOPE = "2.5.29.28";
const REASON = "2.5.29.21";
const INVALIDITY = "2.5.29.24";

/** Reads a list, DER or PEM. Its signature is checked when it is used, by the issuer of the certificate in question. */
export function readCrl(content: Buffer): ReadCrl {
  try {
    return { crl: read(derOf(content)) };
  } catch (error) {
    return { fault: error instanceof Error ? error.message : String(error) };
  }
}

const PEM = /-----BEGIN X509 CRL-----([A-Za-z0-9+/=\s]+)-----END X509 CRL-----/;

function derOf(content: Buffer): Buffer {
  if (content[0] === SEQUENCE) return content;
  const body = PEM.exec(content.toString("latin1"))?.[1];
  if (body === undefined) throw new DerFault("it is neither DER nor PEM of a revocation list");
  return Buffer.from(body, "base64");
}

function read(der: Buffer): Crl {
  const { body, algorithm, signature } = signedParts(only(der, SEQUENCE));
  const fields = all(expected(body, SEQUENCE));
  const [inner, issuer, thisUpdate, ...rest] = fields[0]?.tag === INTEGER ? fields.slice(1) : fields;
  if (!inner?.whole.equals(algorithm.whole)) throw new DerFault("it names two algorithms of its signature");
  const next = rest[0]?.tag === SEQUENCE || rest[0]?.tag === constructed(0) ? undefined : rest.shift();
  if (next === undefined) throw new DerFault("it does not say when the next one comes");
  const entries = rest[0]?.tag === SEQUENCE ? rest.shift() : undefined;
  const [last] = rest;
  const extensions = last?.tag === constructed(0) ? extensionsOf(elementAt(last.content)) : new Map<string, Extension>();
  refuseUnknown(extensions, [NUMBER, AUTHORITY_KEY, SCOPE]);
  return {
    issuer: expected(issuer, SEQUENCE).whole,
    thisUpdate: timeOf(thisUpdate),
    nextUpdate: timeOf(next),
    revoked: entries === undefined ? new Set() : serialsOf(entries),
    ...scopeOf(extensions.get(SCOPE)),
    signed: { bytes: body.whole, algorithm, signature: wholeBits(expected(signature, BITS)) },
  };
}

function serialsOf(entries: Element): ReadonlySet<string> {
  const serials = new Set<string>();
  for (const entry of each(entries.content)) {
    const [serial, , more] = all(entry);
    if (more !== undefined) refuseUnknown(extensionsOf(more), [REASON, INVALIDITY]);
    serials.add(serialText(serial));
  }
  return serials;
}

/** A critical extension that we do not know can change what everything else means. */
function refuseUnknown(extensions: ReadonlyMap<string, Extension>, wellKnown: readonly string[]): void {
  for (const [id, { critical }] of extensions) {
    if (critical && !wellKnown.includes(id)) throw new DerFault(`its critical extension ${id} is not known here`);
  }
}

/** Issuing distribution point: one point, maybe users only. Lists by reason, of others' or of attribute certificates are not taken. */
function scopeOf(extension: Extension | undefined): Pick<Crl, "point" | "usersOnly"> {
  if (extension === undefined) return { point: undefined, usersOnly: false };
  let point: Buffer | undefined;
  let usersOnly = false;
  for (const part of each(only(extension.value, SEQUENCE).content)) {
    if (part.tag === constructed(0)) point = pointOf(part);
    else if (part.tag === primitive(1)) usersOnly = part.content[0] === 0xff;
    else if (part.content[0] !== 0) throw new DerFault("it covers only a part of what its authority issued");
  }
  return { point, usersOnly };
}

function pointOf(name: Element): Buffer {
  const full = elementAt(name.content);
  if (full.tag !== constructed(0)) throw new DerFault("its distribution point has no full name");
  return elementAt(full.content).whole;
}

/** Does this list speak of certificates like this one: of its issuer, and in its scope? Only then can absence mean anything. */
export function covers(crl: Crl, certificate: X509Certificate, issuer: X509Certificate): boolean {
  const { issuer: name, distribution } = partsOf(certificate);
  if (!crl.issuer.equals(name) || !partsOf(issuer).subject.equals(name)) return false;
  if (crl.usersOnly && certificate.ca) return false;
  return crl.point === undefined || distribution?.includes(crl.point) === true;
}

/** Is the list signed by this authority, and may it sign lists? */
export function isFrom(crl: Crl, issuer: X509Certificate): boolean {
  const { usage } = partsOf(issuer);
  if (!issuer.ca || (usage !== undefined && usage[CRL_SIGN] !== true)) return false;
  const { bytes, algorithm, signature } = crl.signed;
  return verifies(bytes, algorithm, signature, issuer.publicKey);
}
