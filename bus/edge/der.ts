/** ASN.1 in DER as certificates, revocation lists and OCSP answers have it: a strict reader, and as much of a writer as a question needs. */

/** One value: its tag byte, its content, and the whole with tag and length. Tags above 30 do not occur. */
export type Element = Readonly<{ tag: number; content: Buffer; whole: Buffer }>;

export const SEQUENCE = 0x30;
export const BOOLEAN = 0x01;
export const INTEGER = 0x02;
export const BITS = 0x03;
export const OCTETS = 0x04;
export const OID = 0x06;
export const ENUMERATED = 0x0a;
export const UTC_TIME = 0x17;
export const GENERALIZED_TIME = 0x18;
/** Context-specific tags: `constructed(0)` is [0] around other values, `primitive(0)` in place of one. */
export const constructed = (number: number): number => 0xa0 | number;
export const primitive = (number: number): number => 0x80 | number;

/** What does not have the form it must have. Whoever reads bytes of others turns it into words of his own. */
export class DerFault extends Error {
  override readonly name = "DerFault";
}

/** The value at `at`; nothing of it may lie outside of `bytes`. Throws DerFault. */
export function elementAt(bytes: Buffer, at = 0): Element {
  const tag = bytes[at];
  const first = bytes[at + 1];
  if (tag === undefined || first === undefined) throw new DerFault("a value is cut off");
  if ((tag & 0x1f) === 0x1f) throw new DerFault("a tag has more than one byte");
  const count = first & 0x80 ? first & 0x7f : 0;
  if (first === 0x80 || count > 4 || at + 2 + count > bytes.length) throw new DerFault("a length is not that of DER");
  const length = count === 0 ? first : bytes.readUIntBE(at + 2, count);
  if (count > 0 && length < (count === 1 ? 0x80 : 256 ** (count - 1))) throw new DerFault("a length has more bytes than it needs");
  const start = at + 2 + count;
  if (start + length > bytes.length) throw new DerFault("a value is longer than what holds it");
  return { tag, content: bytes.subarray(start, start + length), whole: bytes.subarray(at, start + length) };
}

/** The one value that `bytes` are, with this tag. */
export function only(bytes: Buffer, tag: number): Element {
  const element = elementAt(bytes);
  if (element.whole.length !== bytes.length) throw new DerFault("bytes follow the value");
  return expected(element, tag);
}

/** The values inside a constructed one, one after the other; a long list is never held as a whole. */
export function* each(content: Buffer): Generator<Element> {
  for (let at = 0; at < content.length;) {
    const element = elementAt(content, at);
    at += element.whole.length;
    yield element;
  }
}

export const all = (element: Element): readonly Element[] => [...each(element.content)];

export function expected(element: Element | undefined, tag: number): Element {
  if (element?.tag !== tag) throw new DerFault(`a value of tag ${tag.toString(16)} must stand here`);
  return element;
}

/** Dotted form of an object identifier. */
export function oidText(element: Element | undefined): string {
  const { content } = expected(element, OID);
  const arcs: number[] = [];
  let arc = 0;
  for (const byte of content) {
    if (arc > 0x3fffff) throw new DerFault("an object identifier has too big a part");
    arc = arc * 128 + (byte & 0x7f);
    if (byte & 0x80) continue;
    arcs.push(arc);
    arc = 0;
  }
  const [first = 0, ...rest] = arcs;
  const top = Math.min(2, Math.floor(first / 40));
  return [top, first - top * 40, ...rest].join(".");
}

/** Milliseconds since the epoch of a UTCTime or GeneralizedTime, in the one form that RFC 5280 allows (seconds, Z). */
export function timeOf(element: Element | undefined): number {
  const text = element?.content.toString("latin1") ?? "";
  const utc = element?.tag === UTC_TIME;
  if (!(utc ? /^\d{12}Z$/ : /^\d{14}Z$/).test(text) || (!utc && element?.tag !== GENERALIZED_TIME))
    throw new DerFault("a time has not the form of RFC 5280");
  const digits = utc ? `${Number(text.slice(0, 2)) < 50 ? "20" : "19"}${text}` : text;
  const iso = digits.replace(/^(....)(..)(..)(..)(..)(..)Z$/, "$1-$2-$3T$4:$5:$6Z");
  const time = Date.parse(iso);
  if (Number.isNaN(time)) throw new DerFault("a time is none of the calendar");
  return time;
}

/** Bits of a bit string, the first is bit 0. */
export function bitsOf(element: Element | undefined): readonly boolean[] {
  const { content } = expected(element, BITS);
  const unused = content[0] ?? 8;
  if (unused > 7 || (content.length === 1 && unused > 0)) throw new DerFault("a bit string has not its form");
  const bytes = content.subarray(1);
  return Array.from({ length: bytes.length * 8 - unused }, (_, at) => (((bytes[at >> 3] ?? 0) >> (7 - (at & 7))) & 1) === 1);
}

/** Bytes of a bit string that is whole bytes. */
export function wholeBits(element: Element | undefined): Buffer {
  const { content } = expected(element, BITS);
  if (content[0] !== 0) throw new DerFault("a bit string is not of whole bytes");
  return content.subarray(1);
}

/** A positive integer as hex without leading zeros, as serial numbers are compared. */
export function serialText(element: Element | undefined): string {
  return expected(element, INTEGER)
    .content.toString("hex")
    .replace(/^(00)+(?=.)/, "");
}

/** A value of this tag around parts. */
export function wrap(tag: number, ...parts: readonly Uint8Array[]): Buffer {
  const body = Buffer.concat(parts);
  const bytes: number[] = [];
  for (let rest = body.length; rest > 0; rest = Math.floor(rest / 256)) bytes.unshift(rest % 256);
  return Buffer.concat([Buffer.from([tag, ...(body.length < 0x80 ? [body.length] : [0x80 | bytes.length, ...bytes])]), body]);
}
