/**
 * avsc with the bus's values: text for dates, instants and decimals, bigint for big longs, Uint8Array for bytes, plain
 * unions chosen by the look of a value. avsc's own logical types try every branch of a union on every value and its long
 * refuses what is beyond 2^53, so the few read and write methods are replaced on objects that inherit from avsc's types.
 */
import avsc from "avsc";
import type { Schema, Type } from "avsc";
import { BusError } from "../errors.ts";
import { describe, lookOf, lookOfValue } from "./shape.ts";
import type { DecimalShape, Look, Shape } from "./shape.ts";
import { parseShape } from "./parse.ts";
import {
  dateFromDays,
  daysFromDate,
  decimalText,
  fromTwosComplement,
  instantFromMillis,
  millisFromInstant,
  twosComplement,
  unscaled,
} from "./values.ts";

/** avsc's cursor, as far as it is used here. */
type Tap = {
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
type Resolver = { _read: ((tap: Tap) => unknown) | undefined };
type Inner = {
  _read(tap: Tap): unknown;
  _write(tap: Tap, value: unknown): void;
  _check(value: unknown): boolean;
  _copy(value: unknown, options: Copy): unknown;
  _update(resolver: Resolver, writer: Type, options: unknown): void;
};

/** An avsc type with some methods replaced; frozen types cannot be changed, but they can be inherited from. */
function derive(base: Type, methods: Partial<Inner>): Type {
  const descriptors = Object.fromEntries(Object.entries(methods).map(([name, value]) => [name, { value }]));
  return Object.create(base, descriptors) as Type;
}

const inner = (type: Type): Inner => type as unknown as Inner;

/** Thrown inside avsc; encode turns it into places by a second look at the value. */
function unfit(shape: Shape): never {
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

/** Types whose value is text although avsc's typeName says otherwise. */
const TEXTUAL = new WeakSet<Type>();

const INT = avsc.Type.forSchema("int");
const LONG = avsc.Type.forSchema("long");
const STRING = avsc.Type.forSchema("string");
const BYTES = avsc.Type.forSchema("bytes");

const DATE = textual<number>(INT, { kind: "date" }, daysFromDate, dateFromDays);
const TIMESTAMP = textual<number>(LONG, { kind: "timestamp" }, millisFromInstant, instantFromMillis);

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

/** float and double may read a writer's long; a bigint must not slip into a field of numbers. */
function floating(base: Type): Type {
  return derive(base, {
    _update(resolver, writer, options) {
      if (writer.typeName === "int" || writer.typeName === "long") resolver._read = (tap) => Number(readLong(tap));
      else inner(base)._update(resolver, writer, options);
    },
  });
}

const WELL_FORMED = derive(STRING, {
  _write(tap, value) {
    // A lone surrogate would silently become U+FFFD.
    if (typeof value !== "string" || !value.isWellFormed()) unfit({ kind: "string" });
    tap.writeString(value);
  },
  _check: (value) => typeof value === "string" && value.isWellFormed(),
});

const asBuffer = (value: Uint8Array): Buffer =>
  Buffer.isBuffer(value) ? value : Buffer.from(value.buffer, value.byteOffset, value.byteLength);

const ANY_BYTES = derive(BYTES, {
  _write(tap, value) {
    if (!(value instanceof Uint8Array)) unfit({ kind: "bytes" });
    tap.writeBytes(asBuffer(value));
  },
  _check: (value) => value instanceof Uint8Array,
});

function fixedBytes(base: Type, shape: Shape, size: number): Type {
  return derive(base, {
    _write(tap, value) {
      if (!(value instanceof Uint8Array) || value.length !== size) unfit(shape);
      tap.writeFixed(asBuffer(value), size);
    },
    _check: (value) => value instanceof Uint8Array && value.length === size,
  });
}

function decimal(base: Type, shape: DecimalShape): Type {
  const parse = (text: string): Uint8Array | undefined => {
    const value = unscaled(text, shape.precision, shape.scale);
    return value === undefined ? undefined : twosComplement(value, shape.size);
  };
  return textual<Uint8Array>(base, shape, parse, (raw) => {
    const text = decimalText(fromTwosComplement(raw), shape.scale);
    return unscaled(text, shape.precision, shape.scale) === undefined ? undefined : text;
  });
}

/** avsc finds symbols in a plain object, where `constructor` is always present. */
function strictEnum(base: Type): Type {
  const symbols = new Map((base as unknown as { symbols: readonly string[] }).symbols.map((symbol, index) => [symbol, index] as const));
  return derive(base, {
    _write: (tap, value) => tap.writeLong((typeof value === "string" ? symbols.get(value) : undefined) ?? unfit({ kind: "string" })),
    _check: (value) => typeof value === "string" && symbols.has(value),
  });
}

function lookOfType(type: Type): Look {
  if (TEXTUAL.has(type)) return "text";
  return lookOf({ kind: type.typeName === "error" ? "record" : type.typeName } as Shape);
}

/** A union's branches for a writer's type, its own kind before those that only promote it: bytes stay bytes beside a string. */
function nearestFirst(branches: readonly Type[], writer: Type): readonly Type[] {
  const own = branches.filter((branch) => branch.typeName === writer.typeName);
  return [...own, ...branches.filter((branch) => !own.includes(branch))];
}

/** Resolver of the nearest branch that can read the writer's type; undefined where none can. */
function branchResolver(branches: readonly Type[], writer: Type, options: unknown): Resolver | undefined {
  const create = (branch: Type): Resolver =>
    (branch as unknown as { createResolver(from: Type, options: unknown): Resolver }).createResolver(writer, options);
  for (const branch of nearestFirst(branches, writer)) {
    try {
      return create(branch);
    } catch {
      // This branch cannot read it; another may.
    }
  }
  return undefined;
}

/** A union that takes its branch from the look of the value; absent counts as null. */
function lookingUnion(base: Type): Type {
  const branches = (base as unknown as { types: readonly Type[] }).types;
  const types = branches.map(inner);
  const indexes = new Map(branches.map((branch, index) => [lookOfType(branch), index] as const));
  const nothing = indexes.get("nothing");
  const indexOf = (value: unknown): number | undefined =>
    value === null || value === undefined ? nothing : indexes.get(lookOfValue(value) ?? "nothing");
  return derive(base, {
    _write(tap, value) {
      const index = indexOf(value) ?? unfit({ kind: "null" });
      tap.writeLong(index);
      if (index !== nothing) types[index]?._write(tap, value);
    },
    _check: (value) => {
      const index = indexOf(value);
      return index !== undefined && (index === nothing || types[index]?._check(value) === true);
    },
    // avsc takes the first branch that can read at all, and a string can read bytes.
    _update(resolver, writer, options) {
      const branch = branchResolver(branches, writer, options);
      if (branch !== undefined) resolver._read = (tap) => branch._read?.(tap);
    },
    ...({ _getIndex: indexOf } as object),
  });
}

const PRIMITIVES: ReadonlyMap<unknown, Type> = new Map([
  ["float", floating(avsc.Type.forSchema("float"))],
  ["double", floating(avsc.Type.forSchema("double"))],
  ["long", BIG_LONG],
  ["string", WELL_FORMED],
  ["bytes", ANY_BYTES],
]);

/** The types that are no objects of their own: primitives and logical types on primitives. */
function simple(part: Schema): Type | undefined {
  if (typeof part === "string") return PRIMITIVES.get(part);
  const { type, logicalType } = part as { type?: unknown; logicalType?: unknown };
  if (type === "int" && logicalType === "date") return DATE;
  if (type === "long" && logicalType === "timestamp-millis") return TIMESTAMP;
  if (type === "bytes" && logicalType === "decimal") return decimal(BYTES, parseShape(part) as DecimalShape);
  return PRIMITIVES.get(type);
}

function replaced(part: Schema, base: Type): Type {
  if (Array.isArray(part)) return lookingUnion(base);
  if (base.typeName === "enum") return strictEnum(base);
  const shape = parseShape(part);
  return shape.kind === "decimal" ? decimal(base, shape) : fixedBytes(base, shape, (base as unknown as { size: number }).size);
}

/** Builds the avsc type of a parsed schema that parse.ts has found sound. */
export function avscType(schema: unknown): Type {
  const building = new Set<unknown>();
  const hook = (part: Schema, options: object): Type | undefined => {
    const known = simple(part);
    if (known !== undefined || typeof part === "string" || building.has(part)) return known;
    const type: unknown = (part as { type?: unknown }).type;
    if (!Array.isArray(part) && type !== "fixed" && type !== "enum") return undefined;
    building.add(part);
    const base = avsc.Type.forSchema(part, options);
    building.delete(part);
    const better = replaced(part, base);
    // A later reference by name must find the replacement.
    if (base.name !== undefined) (options as { registry: Record<string, Type> }).registry[base.name] = better;
    return better;
  };
  return avsc.Type.forSchema(schema as Schema, { typeHook: hook, wrapUnions: "never", omitRecordMethods: true });
}
