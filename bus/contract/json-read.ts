/** Compiles a schema to a JSON reader: one pass from text to the value in memory, all violations noted with line, column and path. */
import { describe, lookOf } from "./shape.ts";
import type { DecimalShape, MapShape, RecordShape, Shape, UnionShape } from "./shape.ts";
import { absentValue } from "./defaults.ts";
import type { JsonScan } from "./json-scan.ts";
import { meant } from "../near.ts";
import { schemaFault } from "./parse.ts";
import { daysFromDate, decimalText, fitsFloat, instantFromMillis, millisFromInstant, twosComplement, unscaled } from "./values.ts";

export type JsonReader = (scan: JsonScan, path: string) => unknown;

const QUOTE = 34;

function mismatch(scan: JsonScan, shape: Shape, path: string, pos: number): null {
  scan.note(`expected ${describe(shape)}`, path, pos);
  return null;
}

/** A value of another kind than the schema's: noted and read over. */
function other(scan: JsonScan, shape: Shape, path: string): null {
  const { pos } = scan;
  scan.skip(path);
  return mismatch(scan, shape, path, pos);
}

const isNumber = (code: number): boolean => code === 45 || (code >= 48 && code <= 57);

function textReader(shape: Shape, convert: (text: string) => unknown): JsonReader {
  return (scan, path) => {
    if (scan.next() !== QUOTE) return other(scan, shape, path);
    const { pos } = scan;
    return convert(scan.string(path)) ?? mismatch(scan, shape, path, pos);
  };
}

function numberReader(shape: Shape, convert: (literal: string) => unknown): JsonReader {
  return (scan, path) => {
    if (!isNumber(scan.next())) return other(scan, shape, path);
    const { pos } = scan;
    return convert(scan.number(path)) ?? mismatch(scan, shape, path, pos);
  };
}

/** Is a number's literal whole (1, 1.0, 1e3, 10e-1)? Its double alone does not tell: a small enough fraction is rounded away. */
function isWhole(literal: string): boolean {
  if (!/[.eE]/.test(literal)) return true;
  const [mantissa = "", exponent = "0"] = literal.toLowerCase().split("e");
  const [whole = "", fraction = ""] = mantissa.split(".");
  const digits = whole + fraction;
  let last = digits.length;
  while (digits[last - 1] === "0") last--;
  return last === 0 || digits[last - 1] === "-" || fraction.length - Number(exponent) <= digits.length - last;
}

/** Whole numbers beyond 2^53 lose digits in most JSON libraries, so they travel as text of digits. */
function longReader(shape: Shape): JsonReader {
  return (scan, path) => {
    const first = scan.next();
    const { pos } = scan;
    if (isNumber(first)) {
      const literal = scan.number(path);
      const value = isWhole(literal) ? Number(literal) : Number.NaN;
      if (Number.isSafeInteger(value)) return value;
      if (Number.isInteger(value)) scan.note("a whole number beyond 9007199254740991 loses digits in JSON; write it as text", path, pos);
      else mismatch(scan, shape, path, pos);
      return null;
    }
    if (first !== QUOTE) return other(scan, shape, path);
    const digits = scan.string(path);
    if (digits.length > 20 || !/^-?(?:0|[1-9][0-9]*)$/.test(digits)) return mismatch(scan, shape, path, pos);
    const value = BigInt(digits);
    if (BigInt.asIntN(64, value) !== value) return mismatch(scan, shape, path, pos);
    return Number.isSafeInteger(Number(value)) ? Number(value) : value;
  };
}

/** A decimal is text; a number is taken too, by its digits and not by its nearest double. */
function decimalReader(shape: DecimalShape): JsonReader {
  const convert = (text: string): string | undefined => {
    const value = unscaled(text, shape.precision, shape.scale);
    if (value === undefined || (shape.size !== undefined && twosComplement(value, shape.size) === undefined)) return undefined;
    return decimalText(value, shape.scale);
  };
  const fromText = textReader(shape, convert);
  const fromNumber = numberReader(shape, convert);
  return (scan, path) => (isNumber(scan.next()) ? fromNumber : fromText)(scan, path);
}

function canonicalInstant(text: string): string | undefined {
  const millis = millisFromInstant(text);
  return millis === undefined ? undefined : instantFromMillis(millis);
}

/** Standard base64 with padding (RFC 4648 §4). */
export function bytesFromBase64(text: string): Uint8Array | undefined {
  if (text.length % 4 !== 0 || !/^[A-Za-z0-9+/]*={0,2}$/.test(text)) return undefined;
  const buffer = Buffer.from(text, "base64");
  return new Uint8Array(buffer.buffer, buffer.byteOffset, buffer.length);
}

function objectEntries(scan: JsonScan, path: string, entry: (key: string, pos: number) => void): void {
  scan.enter(path);
  if (scan.empty(125)) return;
  do {
    scan.next();
    const { pos } = scan;
    const key = scan.string(path);
    scan.expect(58, path);
    entry(key, pos);
  } while (scan.more(125, path));
}

function mapReader(shape: MapShape, known: Map<RecordShape, JsonReader>): JsonReader {
  const value = compile(shape.values, known);
  return (scan, path) => {
    if (scan.next() !== 123) return other(scan, shape, path);
    const entries = new Map<string, unknown>();
    objectEntries(scan, path, (key, pos) => {
      const inner = `${path}.${key.slice(0, 100)}`;
      if (entries.has(key)) scan.fail("json-malformed", "the member stands twice in its object", inner, pos);
      if (key === "__proto__") scan.note("is a key that is not allowed", inner, pos);
      entries.set(key, value(scan, inner));
    });
    entries.delete("__proto__");
    return Object.fromEntries(entries);
  };
}

type Member = Readonly<{ name: string; index: number; read: JsonReader; absent: (() => unknown) | undefined; type: Shape }>;

function recordReader(shape: RecordShape, known: Map<RecordShape, JsonReader>): JsonReader {
  const members = new Map<string, Member>();
  const order: Member[] = [];
  const read: JsonReader = (scan, path) => {
    if (scan.next() !== 123) return other(scan, shape, path);
    const start = scan.pos;
    const value: Record<string, unknown> = {};
    const seen = new Uint8Array(order.length);
    const unknown = new Set<string>();
    const prefix = path === "" ? "" : `${path}.`;
    objectEntries(scan, path, (key, pos) => {
      const member = members.get(key);
      const inner = prefix + (member === undefined ? key.slice(0, 100) : key);
      if (member === undefined ? unknown.has(key) : seen[member.index] === 1)
        scan.fail("json-malformed", "the member stands twice in its object", inner, pos);
      if (member === undefined) {
        unknown.add(key);
        scan.note(`is no member of ${shape.name}${meant(key, members.keys())}`, inner, pos);
        return scan.skip(inner);
      }
      seen[member.index] = 1;
      value[key] = member.read(scan, inner);
    });
    for (const member of order) {
      if (seen[member.index] === 1) continue;
      if (member.absent === undefined) scan.note(`is missing; expected ${describe(member.type)}`, prefix + member.name, start);
      else value[member.name] = member.absent();
    }
    return value;
  };
  known.set(shape, read);
  for (const [index, field] of shape.fields.entries()) {
    const member = { name: field.name, index, read: compile(field.type, known), absent: absentValue(field), type: field.type };
    members.set(field.name, member);
    order.push(member);
  }
  return read;
}

/** What a JSON value looks like by its first character; bytes and text are both text there. */
function lookOfFirst(code: number): string {
  if (code === QUOTE) return "text";
  if (code === 123) return "object";
  if (code === 91) return "list";
  if (code === 110) return "nothing";
  return code === 116 || code === 102 ? "boolean" : "number";
}

function unionReader(shape: UnionShape, known: Map<RecordShape, JsonReader>): JsonReader {
  const byLook = new Map<string, JsonReader>();
  for (const branch of shape.branches) {
    const look = lookOf(branch) === "bytes" ? "text" : lookOf(branch);
    if (byLook.has(look)) throw schemaFault("", "a union of text and bytes has no JSON form, because bytes are written as base64 text");
    if (branch.kind === "long" && shape.branches.some((other) => ["text", "bytes"].includes(lookOf(other))))
      throw schemaFault("", "a union of text and long has no JSON form, because big whole numbers are written as text");
    byLook.set(look, compile(branch, known));
  }
  // Long as text and decimal as number are taken where no other branch claims that look.
  for (const branch of shape.branches) {
    if (branch.kind === "long") byLook.set("text", compile(branch, known));
    if (branch.kind === "decimal" && !byLook.has("number")) byLook.set("number", compile(branch, known));
  }
  return (scan, path) => {
    const read = byLook.get(lookOfFirst(scan.next()));
    return read === undefined ? other(scan, shape, path) : read(scan, path);
  };
}

function compile(shape: Shape, known: Map<RecordShape, JsonReader>): JsonReader {
  switch (shape.kind) {
    case "null":
      return (scan, path) => (scan.next() === 110 ? (scan.word("null", path), null) : other(scan, shape, path));
    case "boolean":
      return (scan, path) => {
        const first = scan.next();
        if (first !== 116 && first !== 102) return other(scan, shape, path);
        scan.word(first === 116 ? "true" : "false", path);
        return first === 116;
      };
    case "int":
      return numberReader(shape, (literal) => {
        const value = Number(literal);
        return (value | 0) === value && isWhole(literal) ? value : undefined;
      });
    case "long":
      return longReader(shape);
    case "float":
    case "double":
      return numberReader(shape, (literal) => {
        const value = Number(literal);
        return Number.isFinite(value) && (shape.kind === "double" || fitsFloat(value)) ? value : undefined;
      });
    case "string":
      return textReader(shape, (text) => text);
    case "enum": {
      const symbols = new Set(shape.symbols);
      return textReader(shape, (text) => (symbols.has(text) ? text : undefined));
    }
    case "date":
      return textReader(shape, (text) => (daysFromDate(text) === undefined ? undefined : text));
    case "timestamp":
      return textReader(shape, canonicalInstant);
    case "decimal":
      return decimalReader(shape);
    case "bytes":
      return textReader(shape, bytesFromBase64);
    case "fixed":
      return textReader(shape, (text) => {
        const bytes = bytesFromBase64(text);
        return bytes?.length === shape.size ? bytes : undefined;
      });
    case "array": {
      const item = compile(shape.items, known);
      return (scan, path) => {
        if (scan.next() !== 91) return other(scan, shape, path);
        const list: unknown[] = [];
        scan.enter(path);
        if (scan.empty(93)) return list;
        do list.push(item(scan, `${path}[${list.length}]`));
        while (scan.more(93, path));
        return list;
      };
    }
    case "map":
      return mapReader(shape, known);
    case "record":
      return known.get(shape) ?? recordReader(shape, known);
    default:
      return unionReader(shape, known);
  }
}

export function compileJsonReader(shape: RecordShape): JsonReader {
  return compile(shape, new Map());
}
