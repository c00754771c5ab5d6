/**
 * Reads ASN.1 in DER that strangers made (X.690 §8 and §10): definite lengths in their shortest form, nothing behind the value, a bounded
 * depth. Whoever asks for a value says which tag it must have.
 */
import { BusError } from "#bus/errors.ts";
import { DerFault, elementAt, type Element } from "#bus/edge/der.ts";

/** Values within the outermost one count as depth 1. */
export type Value = Element & Readonly<{ depth: number }>;

const MOST_DEPTH = 32;
/** Values within one. */
const MOST_CHILDREN = 10_000;

/** One value and nothing behind it. Throws `der-invalid`. */
export function readDer(bytes: Uint8Array): Value {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const value = valueAt(buffer, 0, 0);
  if (value.whole.length !== buffer.length) throw broken("bytes follow the value");
  return value;
}

/** The values within a constructed value that has this tag. */
export function listOf(value: Value | undefined, tag: number): readonly Value[] {
  const { content, depth } = tagged(value, tag);
  if ((tag & 0x20) === 0) throw broken("a primitive value is asked for its parts");
  if (depth >= MOST_DEPTH) throw broken(`values lie more than ${MOST_DEPTH} deep`);
  const found: Value[] = [];
  for (let at = 0; at < content.length;) {
    if (found.length >= MOST_CHILDREN) throw broken(`a value has more than ${MOST_CHILDREN} parts`);
    const part = valueAt(content, at, depth + 1);
    found.push(part);
    at += part.whole.length;
  }
  return found;
}

/** The one value within. */
export function onlyOf(value: Value | undefined, tag: number): Value {
  const [only, more] = listOf(value, tag);
  if (!only || more) throw broken("one value is expected within another");
  return only;
}

/** The value itself, if it has the tag. */
export function tagged(value: Value | undefined, tag: number): Value {
  if (value?.tag !== tag) throw broken(`a value has tag ${value === undefined ? "none" : value.tag}, not ${tag}`);
  return value;
}

/** Dotted form of an object identifier. */
export function oidOf(value: Value | undefined): string {
  const { content } = tagged(value, 0x06);
  if (content.length === 0 || content.length > 64) throw broken("an object identifier has no or too many bytes");
  const arcs: bigint[] = [];
  let arc = 0n;
  for (const [at, byte] of content.entries()) {
    if (arc === 0n && byte === 0x80) throw broken("an object identifier has an arc with zeros before it");
    arc = (arc << 7n) | BigInt(byte & 0x7f);
    if ((byte & 0x80) !== 0) {
      if (at === content.length - 1) throw broken("an object identifier breaks off");
      continue;
    }
    if (arcs.length === 0) {
      const first = arc < 80n ? arc / 40n : 2n;
      arcs.push(first, arc - first * 40n);
    } else arcs.push(arc);
    arc = 0n;
  }
  return arcs.join(".");
}

/** Bytes of an integer of at least zero, without the zero before a high bit. */
export function integerOf(value: Value | undefined): Buffer {
  const { content } = tagged(value, 0x02);
  const [first = 0x80, second = 0] = content;
  if ((first & 0x80) !== 0) throw broken("an integer is negative or empty");
  if (content.length > 1 && first === 0 && (second & 0x80) === 0) throw broken("an integer has zeros before it");
  return content.length > 1 && first === 0 ? content.subarray(1) : content;
}

/** An integer that a number holds. */
export function smallOf(value: Value | undefined): number {
  const bytes = integerOf(value);
  if (bytes.length > 4) throw broken("an integer is too large here");
  return bytes.readUIntBE(0, bytes.length);
}

/** UTCTime or GeneralizedTime in UTC, milliseconds since the epoch. */
export function timeOf(value: Value | undefined): number {
  const text = value?.content.toString("latin1") ?? "";
  const form =
    value?.tag === 0x17 ? /^()(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)()Z$/u : /^(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)(\.\d{1,9})?Z$/u;
  const parts = value?.tag === 0x17 || value?.tag === 0x18 ? form.exec(text) : undefined;
  if (!parts) throw broken("a time is neither UTCTime nor GeneralizedTime in UTC");
  const [, century, year, month, day, hour, minute, second, fraction = ""] = parts;
  const whole = century === "" ? (Number(year) < 50 ? "20" : "19") : century;
  const time = Date.parse(`${whole}${year}-${month}-${day}T${hour}:${minute}:${second}${fraction.slice(0, 4)}Z`);
  if (Number.isNaN(time)) throw broken("a time is on no calendar");
  return time;
}

function valueAt(bytes: Buffer, at: number, depth: number): Value {
  try {
    return { ...elementAt(bytes, at), depth };
  } catch (error) {
    throw error instanceof DerFault ? broken(error.message) : error;
  }
}

const broken = (why: string): BusError => new BusError("der-invalid", `this is no DER: ${why}`);
