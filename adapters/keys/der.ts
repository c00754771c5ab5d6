/** ASN.1 in DER, as much of it as certificates and signatures need (X.690 §8 and §10). */

export type Der = Buffer;

/** Any tag with its content. */
export function tagged(tag: number, ...parts: readonly Uint8Array[]): Der {
  const body = Buffer.concat(parts);
  return Buffer.concat([Buffer.from([tag, ...lengthOf(body.length)]), body]);
}

function lengthOf(length: number): number[] {
  if (length < 0x80) return [length];
  const bytes: number[] = [];
  for (let rest = length; rest > 0; rest = Math.floor(rest / 256)) bytes.unshift(rest % 256);
  return [0x80 | bytes.length, ...bytes];
}

export const sequence = (...parts: readonly Uint8Array[]): Der => tagged(0x30, ...parts);
export const set = (...parts: readonly Uint8Array[]): Der => tagged(0x31, ...parts);
export const boolean = (value: boolean): Der => tagged(0x01, Buffer.from([value ? 0xff : 0x00]));
export const utf8 = (text: string): Der => tagged(0x0c, Buffer.from(text, "utf8"));
export const octets = (bytes: Uint8Array): Der => tagged(0x04, bytes);

/** Positive integer of big-endian bytes. */
export function integer(bytes: Uint8Array): Der {
  const first = bytes.findIndex((byte) => byte !== 0);
  const digits = first < 0 ? Buffer.from([0]) : Buffer.from(bytes.subarray(first));
  return (digits[0] ?? 0) & 0x80 ? tagged(0x02, Buffer.from([0]), digits) : tagged(0x02, digits);
}

/** `unused`: bits of the last byte that do not count. */
export const bits = (bytes: Uint8Array, unused = 0): Der => tagged(0x03, Buffer.from([unused]), bytes);

/** Object identifier from its dotted form. */
export function oid(dotted: string): Der {
  const [a = 0, b = 0, ...rest] = dotted.split(".").map(Number);
  const bytes = [a * 40 + b, ...rest.flatMap(base128)];
  return tagged(0x06, Buffer.from(bytes));
}

function base128(value: number): number[] {
  const bytes = [value & 0x7f];
  for (let rest = value >>> 7; rest > 0; rest >>>= 7) bytes.unshift((rest & 0x7f) | 0x80);
  return bytes;
}

/** UTCTime until 2049, GeneralizedTime after it, as RFC 5280 §4.1.2.5 demands. */
export function time(at: Date): Der {
  const digits = at.toISOString().replace(/[-:T]|\.\d+/g, "");
  return at.getUTCFullYear() < 2050 ? tagged(0x17, Buffer.from(digits.slice(2))) : tagged(0x18, Buffer.from(digits));
}

/** Context-specific tag around constructed content (`explicit`), or in place of a primitive's own (`implicit`). */
export const explicit = (number: number, ...parts: readonly Uint8Array[]): Der => tagged(0xa0 | number, ...parts);
export const implicit = (number: number, bytes: Uint8Array): Der => tagged(0x80 | number, bytes);

/** The values within a constructed value, whole with their tags. Only for DER that was read once already. */
function children(der: Uint8Array): readonly Uint8Array[] {
  const found: Uint8Array[] = [];
  for (let at = contentOf(der, 0).start; at < der.length;) {
    const { end } = contentOf(der, at);
    found.push(der.subarray(at, end));
    at = end;
  }
  return found;
}

function contentOf(der: Uint8Array, at: number): Readonly<{ start: number; end: number }> {
  const first = der[at + 1] ?? 0;
  const count = first & 0x80 ? first & 0x7f : 0;
  let length = count === 0 ? first : 0;
  for (let byte = 0; byte < count; byte++) length = length * 256 + (der[at + 2 + byte] ?? 0);
  const start = at + 2 + count;
  return { start, end: start + length };
}

/** Issuer and serial number of a certificate, as a CMS signature names it. */
export function issuerAndSerial(certificate: Uint8Array): Der {
  const [body = certificate] = children(certificate);
  const [, serial = body, , issuer = body] = children(body);
  return sequence(issuer, serial);
}
