/**
 * Compact primitives of the journal's record format: varints, length-prefixed UTF-8 and raw bytes. A sink grows as it is
 * written; a source refuses to read past its end, so a damaged record is an error and never a wrong value.
 */
import { BusError } from "../errors.ts";

/** A growing buffer; `at` is where the next byte goes. */
export type Sink = { buf: Buffer; at: number };
/** Bytes to read; `at` is the next byte, `end` the first that is not ours. */
export type Source = { readonly buf: Buffer; at: number; readonly end: number };

/** Below this many characters a loop is faster than the native UTF-8 writer. */
const TINY = 8;
/** Up to this many characters the length in bytes most likely fits one byte. */
const SHORT = 0x7f;

export function newSink(bytes: number): Sink {
  return { buf: Buffer.allocUnsafeSlow(bytes), at: 0 };
}

/** Makes room for `more` bytes. */
export function reserve(sink: Sink, more: number): void {
  if (sink.at + more <= sink.buf.length) return;
  const bigger = Buffer.allocUnsafeSlow(Math.max(sink.buf.length * 2, sink.at + more));
  sink.buf.copy(bigger, 0, 0, sink.at);
  sink.buf = bigger;
}

/** Whole numbers from 0 to 2^53 - 1, seven bits a byte. */
export function putCount(sink: Sink, value: number): void {
  reserve(sink, 8);
  let rest = value;
  while (rest >= 0x80) {
    sink.buf[sink.at++] = (rest % 0x80) | 0x80;
    rest = Math.floor(rest / 0x80);
  }
  sink.buf[sink.at++] = rest;
}

export function putByte(sink: Sink, value: number): void {
  reserve(sink, 1);
  sink.buf[sink.at++] = value;
}

/** Any number, eight bytes little-endian. */
export function putNumber(sink: Sink, value: number): void {
  reserve(sink, 8);
  sink.at = sink.buf.writeDoubleLE(value, sink.at);
}

export function putText(sink: Sink, text: string): void {
  const { length } = text;
  if (length > SHORT) return putLongText(sink, text);
  reserve(sink, 1 + length * 3);
  const { buf, at } = sink;
  if (length < TINY) {
    let next = at + 1;
    for (let i = 0; i < length; i++) {
      const code = text.charCodeAt(i);
      if (code > 0x7f) return putLongText(sink, text);
      buf[next++] = code;
    }
    buf[at] = length;
    sink.at = next;
    return;
  }
  // Written before its length is known: one native call instead of two.
  const bytes = buf.write(text, at + 1);
  if (bytes > SHORT) return putLongText(sink, text);
  buf[at] = bytes;
  sink.at = at + 1 + bytes;
}

function putLongText(sink: Sink, text: string): void {
  const bytes = Buffer.byteLength(text);
  putCount(sink, bytes);
  reserve(sink, bytes);
  sink.at += sink.buf.write(text, sink.at, bytes, "utf8");
}

export function putBytes(sink: Sink, bytes: Uint8Array): void {
  putCount(sink, bytes.length);
  reserve(sink, bytes.length);
  sink.buf.set(bytes, sink.at);
  sink.at += bytes.length;
}

export function putMap(sink: Sink, map: Readonly<Record<string, string>>): void {
  const names = Object.keys(map);
  putCount(sink, names.length);
  for (const name of names) {
    putText(sink, name);
    putText(sink, map[name] ?? "");
  }
}

export function takeByte(source: Source): number {
  if (source.at >= source.end) throw cutShort();
  return source.buf[source.at++] ?? 0;
}

export function takeCount(source: Source): number {
  let value = 0;
  let scale = 1;
  for (let i = 0; i < 8; i++) {
    const byte = takeByte(source);
    value += (byte & 0x7f) * scale;
    if (byte < 0x80) return value;
    scale *= 0x80;
  }
  throw new BusError("journal-failed", "a journal record holds a number longer than eight bytes: the record is damaged");
}

export function takeNumber(source: Source): number {
  if (source.at + 8 > source.end) throw cutShort();
  const value = source.buf.readDoubleLE(source.at);
  source.at += 8;
  return value;
}

function takeSpan(source: Source): number {
  const length = takeCount(source);
  if (source.at + length > source.end) throw cutShort();
  const start = source.at;
  source.at += length;
  return start;
}

export function takeText(source: Source): string {
  const start = takeSpan(source);
  return source.buf.toString("utf8", start, source.at);
}

/** A view, not a copy. */
export function takeBytes(source: Source): Uint8Array {
  const start = takeSpan(source);
  return new Uint8Array(source.buf.buffer, source.buf.byteOffset + start, source.at - start);
}

export function takeMap(source: Source): Record<string, string> {
  const map: Record<string, string> = {};
  for (let left = takeCount(source); left > 0; left--) {
    const name = takeText(source);
    // A name like `__proto__` must become a member, not a prototype.
    if (name === "__proto__")
      Object.defineProperty(map, name, { value: takeText(source), enumerable: true, writable: true, configurable: true });
    else map[name] = takeText(source);
  }
  return map;
}

function cutShort(): BusError {
  return new BusError("journal-failed", "a journal record ends before its last field: the record is damaged");
}
