/**
 * The limit walk: reads the bytes of a message along its schema without building any value, so that a hostile message is
 * refused before a decoder allocates for it. A six-byte `array<null>` can otherwise cost gigabytes.
 */
import { BusError } from "../errors.ts";
import type { ErrorCode } from "../errors.ts";
import type { RecordShape, Shape } from "./shape.ts";

export type WalkLimits = Readonly<{
  /** Items of all arrays and maps of one message together. */
  items: number;
  /** Bytes of one text or bytes value. */
  text: number;
  /** Records, arrays and maps inside each other. */
  depth: number;
}>;

export const WALK_LIMITS: WalkLimits = { items: 100_000, text: 8_388_608, depth: 64 };

type Cursor = { readonly buf: Uint8Array; pos: number; items: number; depth: number; readonly limits: WalkLimits; path: string[] };
type Step = (cursor: Cursor) => void;

function fail(cursor: Cursor, code: ErrorCode, text: string): never {
  throw new WalkFailure(code, text, cursor.pos);
}

/** Carries the failure up through the records, which add their field names. */
class WalkFailure extends Error {
  readonly code: ErrorCode;
  readonly pos: number;
  readonly path: string[] = [];
  constructor(code: ErrorCode, text: string, pos: number) {
    super(text);
    this.code = code;
    this.pos = pos;
  }
}

const CUT = "the message ends in the middle of a value";

/** Zigzag varint as a number; beyond 2^53 it loses digits, which no count, length or index can use. */
function long(cursor: Cursor): number {
  const { buf } = cursor;
  const start = cursor.pos;
  let value = 0;
  let weight = 1;
  for (;;) {
    const byte = buf[cursor.pos++];
    if (byte === undefined) return fail(cursor, "avro-malformed", CUT);
    value += (byte & 0x7f) * weight;
    if (byte < 0x80) {
      if (cursor.pos - start === 10 && byte > 1) return fail(cursor, "avro-malformed", "a whole number has more than 64 bits");
      return value % 2 === 0 ? value / 2 : -(value + 1) / 2;
    }
    if (cursor.pos - start === 10) return fail(cursor, "avro-malformed", "a whole number is longer than 10 bytes");
    weight *= 128;
  }
}

function int(cursor: Cursor): void {
  const value = long(cursor);
  if (value < -2_147_483_648 || value > 2_147_483_647) fail(cursor, "avro-malformed", "a whole number of 32 bits is out of range");
}

function skip(cursor: Cursor, size: number): void {
  cursor.pos += size;
  if (cursor.pos > cursor.buf.length) fail(cursor, "avro-malformed", CUT);
}

/** Length of a text or bytes value. */
function length(cursor: Cursor): number {
  const size = long(cursor);
  if (size < 0) return fail(cursor, "avro-malformed", "a length is negative");
  if (size > cursor.limits.text) return fail(cursor, "avro-limit", `a value is longer than ${cursor.limits.text} bytes`);
  if (cursor.pos + size > cursor.buf.length) return fail(cursor, "avro-malformed", CUT);
  return size;
}

const UTF8 = new TextDecoder("utf-8", { fatal: true });

function text(cursor: Cursor): void {
  const { buf } = cursor;
  const start = cursor.pos;
  const size = length(cursor);
  const from = cursor.pos;
  const end = from + size;
  for (let i = from; i < end; i++) {
    if ((buf[i] ?? 0) < 0x80) continue;
    try {
      UTF8.decode(buf.subarray(i, end));
    } catch {
      cursor.pos = start;
      fail(cursor, "avro-malformed", "a text is not UTF-8");
    }
    break;
  }
  cursor.pos = end;
}

function index(cursor: Cursor, count: number, what: string): number {
  const value = long(cursor);
  if (value < 0 || value >= count) fail(cursor, "avro-malformed", `${what} ${value} does not exist, there are ${count}`);
  return value;
}

function enter(cursor: Cursor): void {
  if (++cursor.depth > cursor.limits.depth) fail(cursor, "avro-limit", `values are nested deeper than ${cursor.limits.depth} levels`);
}

/** Blocks of an array or map. A negative count is followed by the block's size in bytes, which must be true. */
function blocks(cursor: Cursor, item: Step): void {
  enter(cursor);
  for (;;) {
    let count = long(cursor);
    if (count === 0) break;
    let end = -1;
    if (count < 0) {
      count = -count;
      const size = long(cursor);
      if (size < 0) fail(cursor, "avro-malformed", "a block's size is negative");
      end = cursor.pos + size;
    }
    cursor.items += count;
    if (cursor.items > cursor.limits.items) fail(cursor, "avro-limit", `lists and maps hold more than ${cursor.limits.items} items`);
    while (count-- > 0) item(cursor);
    if (end !== -1 && cursor.pos !== end) fail(cursor, "avro-malformed", "a block's size is not the size of its items");
  }
  cursor.depth--;
}

const PROTO = [95, 95, 112, 114, 111, 116, 111, 95, 95];

function mapKey(cursor: Cursor): void {
  const start = cursor.pos;
  text(cursor);
  // `__proto__` as a key would change the object it is put into. Its length prefix takes one byte.
  if (cursor.pos - start === 10 && PROTO.every((byte, i) => cursor.buf[start + 1 + i] === byte))
    fail(cursor, "avro-malformed", "a map has the key `__proto__`");
}

function compileRecord(shape: RecordShape, known: Map<RecordShape, Step>): Step {
  const steps: Step[] = [];
  const names: string[] = [];
  const walk: Step = (cursor) => {
    enter(cursor);
    let i = 0;
    try {
      for (; i < steps.length; i++) steps[i]?.(cursor);
    } catch (error) {
      if (error instanceof WalkFailure && error.path.length < 20) error.path.unshift(names[i] ?? "");
      throw error;
    }
    cursor.depth--;
  };
  known.set(shape, walk);
  for (const field of shape.fields) {
    names.push(field.name);
    steps.push(compile(field.type, known));
  }
  return walk;
}

function compile(shape: Shape, known: Map<RecordShape, Step>): Step {
  switch (shape.kind) {
    case "null":
      return () => undefined;
    case "boolean":
      return (cursor) => {
        const byte = cursor.buf[cursor.pos++];
        if (byte !== 0 && byte !== 1) fail(cursor, "avro-malformed", byte === undefined ? CUT : "a boolean is neither 0 nor 1");
      };
    case "int":
    case "date":
      return int;
    case "long":
    case "timestamp":
      return (cursor) => void long(cursor);
    case "float":
      return (cursor) => skip(cursor, 4);
    case "double":
      return (cursor) => skip(cursor, 8);
    case "string":
      return text;
    case "bytes":
      return (cursor) => skip(cursor, length(cursor));
    case "decimal": {
      const { size } = shape;
      return size === undefined ? (cursor) => decimalBytes(cursor) : (cursor) => skip(cursor, size);
    }
    case "fixed":
      return (cursor) => skip(cursor, shape.size);
    case "enum":
      return (cursor) => void index(cursor, shape.symbols.length, "the enum's symbol");
    case "array": {
      const item = compile(shape.items, known);
      return (cursor) => blocks(cursor, item);
    }
    case "map": {
      const value = compile(shape.values, known);
      const entry: Step = (cursor) => {
        mapKey(cursor);
        value(cursor);
      };
      return (cursor) => blocks(cursor, entry);
    }
    case "record":
      return known.get(shape) ?? compileRecord(shape, known);
    default: {
      const branches = shape.branches.map((branch) => compile(branch, known));
      return (cursor) => branches[index(cursor, branches.length, "the union's branch")]?.(cursor);
    }
  }
}

/** A decimal of a megabyte is no number but an attack on the arithmetic: 10^77 takes 33 bytes. */
function decimalBytes(cursor: Cursor): void {
  const size = length(cursor);
  if (size > 64) fail(cursor, "avro-limit", "a decimal is longer than 64 bytes");
  skip(cursor, size);
}

/** Compiles the walk of a schema. The walk throws avro-malformed or avro-limit; it reads `buf` from `start` to its very end. */
export function compileWalk(shape: RecordShape, limits: WalkLimits = WALK_LIMITS): (buf: Uint8Array, start: number) => void {
  const walk = compile(shape, new Map());
  return (buf, start) => {
    const cursor: Cursor = { buf, pos: start, items: 0, depth: 0, limits, path: [] };
    try {
      walk(cursor);
      if (cursor.pos < buf.length) fail(cursor, "avro-malformed", `${buf.length - cursor.pos} bytes follow the end of the message`);
    } catch (error) {
      if (!(error instanceof WalkFailure)) throw error;
      const path = error.path.join(".");
      const at = path === "" ? "" : ` at \`${path}\``;
      throw new BusError(error.code, `${error.message}${at}, byte ${error.pos}`, {
        places: [{ ...(path === "" ? {} : { path }), rule: "avro", text: error.message }],
      });
    }
  };
}
