/**
 * The leaves of avsc's types with the bus's values: text for dates, instants and decimals, bigint for big longs, Uint8Array for bytes.
 * avsc's long refuses what is beyond 2^53, so the few read and write methods are replaced on objects that inherit from avsc's types.
 */
import avsc from "avsc";
import type { Type } from "avsc";
import { BusError } from "../errors.ts";
import { describe } from "./shape.ts";
import type { DecimalShape, Shape } from "./shape.ts";
import {
  dateFromDays,
  daysFromDate,
  decimalText,
  fitsFloat,
  fromTwosComplement,
  instantFromMillis,
  millisFromInstant,
  twosComplement,
  unscaled,
} from "./values.ts";

/** avsc's cursor, as far as it is used here. */
export type Tap = {
  buf: Buffer;
  pos: number;
  readLong(): number;
  writeLong(value: number): void;
  readBytes(): Buffer;
  writeBytes(value: Uint8Array): void;
  readFixed(size: number): Buffer;
  writeFixed(value: Uint8Array, size: number): void;
  writeString(value: string): void;
};
type Copy = Readonly<{ coerce?: number }> | undefined;
export type Resolver = { _read: ((tap: Tap) => unknown) | undefined };
export type Inner = {
  _read(tap: Tap): unknown;
  _write(tap: Tap, value: unknown): void;
  _check(value: unknown): boolean;
  _copy(value: unknown, options: Copy): unknown;
  _update(resolver: Resolver, writer: Type, options: unknown): void;
};

/** An avsc type with some methods replaced; frozen types cannot be changed, but they can be inherited from. */
export function derive(base: Type, methods: Partial<Inner>): Type {
  const descriptors = Object.fromEntries(Object.entries(methods).map(([name, value]) => [name, { value }]));
  return Object.create(base, descriptors) as Type;
}

export const inner = (type: Type): Inner => type as unknown as Inner;

/** Thrown inside avsc; encode turns it into places by a second look at the value. */
export function unfit(shape: Shape): never {
  throw new BusError("avro-violation", `expected ${describe(shape)}`);
}

/**
 * A type whose value in memory is text. `parse` and `print` join it to avsc's own value; `fromDefault` takes the Avro JSON
 * of a default (already coerced by avsc) to text.
 */
function textual<T>(base: Type, shape: Shape, parse: (text: string) => T | undefined, print: (raw: T) => string | undefined): Type {
  const raw = inner(base);
  const show = (value: T): string => print(value) ?? unfit(shape);
  const type = derive(base, {
    _read: (tap) => show(raw._read(tap) as T),
    _write(tap, value) {
      raw._write(tap, (typeof value === "string" ? parse(value) : undefined) ?? unfit(shape));
    },
    _check: (value) => typeof value === "string" && parse(value) !== undefined,
    // coerce 2: avsc reads a default from the schema; otherwise it copies a value of ours.
    _copy: (value, options) => (options?.coerce === 2 ? show(raw._copy(value, options) as T) : value),
    _update(resolver, writer, options) {
      const probe: Resolver = { _read: undefined };
      raw._update(probe, writer, options);
      if (probe._read === undefined) return;
      // What resolves to this type has its form on the wire, whatever logical type the writer gave it.
      resolver._read = (tap) => show(raw._read(tap) as T);
    },
  });
  TEXTUAL.add(type);
  return type;
}

const TEXTUAL = new WeakSet<Type>();

/** Is the value text, although avsc's typeName says otherwise? */
export const isTextual = (type: Type): boolean => TEXTUAL.has(type);

const INT = avsc.Type.forSchema("int");
const LONG = avsc.Type.forSchema("long");
const STRING = avsc.Type.forSchema("string");
const BYTES = avsc.Type.forSchema("bytes");

export const DATE = textual<number>(INT, { kind: "date" }, daysFromDate, dateFromDays);
export const TIMESTAMP = textual<number>(LONG, { kind: "timestamp" }, millisFromInstant, instantFromMillis);

function bigVarint(buf: Buffer, from: number): bigint {
  let value = 0n;
  let shift = 0n;
  for (let pos = from; ; pos++) {
    const byte = buf[pos] ?? 0;
    value |= BigInt(byte & 0x7f) << shift;
    shift += 7n;
    if (byte < 0x80) break;
  }
  return BigInt.asIntN(64, (value >> 1n) ^ -(value & 1n));
}

/** avsc's varints are doubled on the way, so they are exact only below 2^52. */
const isSmall = (value: number): boolean => value < 4_503_599_627_370_496 && value > -4_503_599_627_370_496;

const BIG_LONG = derive(LONG, {
  _read(tap) {
    const start = tap.pos;
    const value = tap.readLong();
    if (isSmall(value)) return value;
    const exact = bigVarint(tap.buf, start);
    return Number.isSafeInteger(Number(exact)) ? Number(exact) : exact;
  },
  _write(tap, value) {
    if (typeof value === "number" && Number.isInteger(value) && isSmall(value)) return tap.writeLong(value);
    const big = typeof value === "number" && Number.isSafeInteger(value) ? BigInt(value) : value;
    if (typeof big !== "bigint" || BigInt.asIntN(64, big) !== big) unfit({ kind: "long" });
    let rest = BigInt.asUintN(64, (big << 1n) ^ (big >> 63n));
    while (rest > 0x7fn) {
      tap.buf[tap.pos++] = Number(rest & 0x7fn) | 0x80;
      rest >>= 7n;
    }
    tap.buf[tap.pos++] = Number(rest);
  },
  _check: (value) => (typeof value === "bigint" ? BigInt.asIntN(64, value) === value : Number.isSafeInteger(value)),
  _update(resolver, writer) {
    if (writer.typeName === "int" || writer.typeName === "long") resolver._read = readLong;
  },
});

function readLong(tap: Tap): unknown {
  return inner(BIG_LONG)._read(tap);
}

/** float and double may read a writer's long; a bigint must not slip into a field of numbers, nor a finite number become infinite. */
function floating(base: Type, fits: (value: number) => boolean): Type {
  return derive(base, {
    _write(tap, value) {
      if (typeof value !== "number" || !fits(value)) unfit({ kind: "float" });
      inner(base)._write(tap, value);
    },
    _check: (value) => typeof value === "number" && fits(value),
    _update(resolver, writer, options) {
      if (writer.typeName === "int" || writer.typeName === "long") resolver._read = (tap) => Number(readLong(tap));
      else inner(base)._update(resolver, writer, options);
    },
  });
}

/** Absent counts as null, as it does in a union. */
const NOTHING = derive(avsc.Type.forSchema("null"), {
  _write(_tap, value) {
    if (value !== null && value !== undefined) unfit({ kind: "null" });
  },
  _check: (value) => value === null || value === undefined,
});

const WELL_FORMED = derive(STRING, {
  _write(tap, value) {
    // A lone surrogate would silently become U+FFFD.
    if (typeof value !== "string" || !value.isWellFormed()) unfit({ kind: "string" });
    tap.writeString(value);
  },
  _check: (value) => typeof value === "string" && value.isWellFormed(),
  _update(resolver, writer, options) {
    if (writer.typeName === "bytes") resolver._read = (tap) => utf8Of(tap.readBytes());
    else inner(STRING)._update(resolver, writer, options);
  },
});

const UTF8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** Text of what a writer's schema called bytes. Others than UTF-8 would silently become U+FFFD. */
function utf8Of(bytes: Uint8Array): string {
  try {
    return UTF8.decode(bytes);
  } catch (error) {
    throw new BusError("avro-malformed", "bytes that are to be read as text are not UTF-8", { cause: error });
  }
}

const asBuffer = (value: Uint8Array): Buffer =>
  Buffer.isBuffer(value) ? value : Buffer.from(value.buffer, value.byteOffset, value.byteLength);

const ANY_BYTES = derive(BYTES, {
  _write(tap, value) {
    if (!(value instanceof Uint8Array)) unfit({ kind: "bytes" });
    tap.writeBytes(asBuffer(value));
  },
  _check: (value) => value instanceof Uint8Array,
});

export function fixedBytes(base: Type, shape: Shape, size: number): Type {
  return derive(base, {
    _write(tap, value) {
      if (!(value instanceof Uint8Array) || value.length !== size) unfit(shape);
      tap.writeFixed(asBuffer(value), size);
    },
    _check: (value) => value instanceof Uint8Array && value.length === size,
  });
}

/** Bytes of a decimal at most, unless its fixed is longer: another version may call it text or bytes of any length. */
const DECIMAL_BYTES = 64;

export function decimal(base: Type, shape: DecimalShape): Type {
  const longest = Math.max(DECIMAL_BYTES, shape.size ?? 0);
  const parse = (text: string): Uint8Array | undefined => {
    const value = unscaled(text, shape.precision, shape.scale);
    return value === undefined ? undefined : twosComplement(value, shape.size);
  };
  return textual<Uint8Array>(base, shape, parse, (raw) => {
    if (raw.length > longest) throw new BusError("avro-limit", `a decimal is longer than ${longest} bytes`);
    const text = decimalText(fromTwosComplement(raw), shape.scale);
    return unscaled(text, shape.precision, shape.scale) === undefined ? undefined : text;
  });
}

/** avsc finds symbols in a plain object, where `constructor` is always present. */
export function strictEnum(base: Type): Type {
  const symbols = new Map((base as unknown as { symbols: readonly string[] }).symbols.map((symbol, index) => [symbol, index] as const));
  return derive(base, {
    _write: (tap, value) => tap.writeLong((typeof value === "string" ? symbols.get(value) : undefined) ?? unfit({ kind: "string" })),
    _check: (value) => typeof value === "string" && symbols.has(value),
  });
}

/** Primitives by name, where they differ from avsc's own. */
export const PRIMITIVES: ReadonlyMap<unknown, Type> = new Map([
  ["null", NOTHING],
  ["float", floating(avsc.Type.forSchema("float"), fitsFloat)],
  ["double", floating(avsc.Type.forSchema("double"), () => true)],
  ["long", BIG_LONG],
  ["string", WELL_FORMED],
  ["bytes", ANY_BYTES],
]);
