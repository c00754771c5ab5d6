/** Does a value in memory fit its schema? Two compiled answers: a fast yes or no, and the place of every fault. */
import { meant } from "../near.ts";
import type { Place } from "../errors.ts";
import { describe, lookOf, lookOfValue, nullable } from "./shape.ts";
import type { FieldShape, Look, RecordShape, Shape } from "./shape.ts";
import { daysFromDate, fitsFloat, millisFromInstant, twosComplement, unscaled } from "./values.ts";

/** More places than this help nobody. */
export const MAX_PLACES = 20;
const MAX_DEPTH = 64;

type Checker = (value: unknown, path: string, places: Place[], depth: number) => void;

function simpleFits(shape: Shape, value: unknown): boolean {
  switch (shape.kind) {
    case "null":
      return value === null || value === undefined;
    case "boolean":
      return typeof value === "boolean";
    case "int":
      return typeof value === "number" && (value | 0) === value;
    case "long":
      return typeof value === "bigint" ? BigInt.asIntN(64, value) === value : Number.isSafeInteger(value);
    case "float":
      return typeof value === "number" && fitsFloat(value);
    case "double":
      return typeof value === "number";
    case "string":
      return typeof value === "string" && value.isWellFormed();
    case "bytes":
      return value instanceof Uint8Array;
    case "date":
      return typeof value === "string" && daysFromDate(value) !== undefined;
    case "timestamp":
      return typeof value === "string" && millisFromInstant(value) !== undefined;
    case "decimal": {
      const whole = typeof value === "string" ? unscaled(value, shape.precision, shape.scale) : undefined;
      return whole !== undefined && (shape.size === undefined || twosComplement(whole, shape.size) !== undefined);
    }
    case "fixed":
      return value instanceof Uint8Array && value.length === shape.size;
    case "enum":
      return typeof value === "string" && shape.symbols.includes(value);
    default:
      return false;
  }
}

/** What a value is, for people, without showing it: values may be personal data. */
export function nameOf(value: unknown): string {
  if (value === undefined) return "nothing";
  if (typeof value === "string") return value.isWellFormed() ? `text of ${value.length} characters` : "text with half a surrogate pair";
  if (typeof value === "number") return Number.isInteger(value) ? "a whole number" : "a number";
  const look = lookOfValue(value);
  if (look === "nothing") return "null";
  if (look === "list") return "a list";
  if (look === "bytes") return `${(value as Uint8Array).length} bytes`;
  return look === "object" ? "an object" : typeof value;
}

function add(places: Place[], path: string, text: string): void {
  if (places.length < MAX_PLACES) places.push({ ...(path === "" ? {} : { path }), text });
}

function wrong(places: Place[], path: string, shape: Shape, value: unknown): void {
  add(places, path, `expected ${describe(shape)}, found ${nameOf(value)}`);
}

function compileRecord(shape: RecordShape, known: Map<RecordShape, Checker>): Checker {
  const names = shape.fields.map((field) => field.name);
  const allowed = new Set(names);
  const checks: { field: FieldShape; check: Checker; optional: boolean }[] = [];
  const checker: Checker = (value, path, places, depth) => {
    if (lookOfValue(value) !== "object") return wrong(places, path, shape, value);
    if (depth > MAX_DEPTH) return add(places, path, `is nested deeper than ${MAX_DEPTH} levels`);
    const object = value as Readonly<Record<string, unknown>>;
    const prefix = path === "" ? "" : `${path}.`;
    for (const key in object) {
      if (!allowed.has(key)) add(places, prefix + key.slice(0, 100), `is no field of ${shape.name}${meant(key, names)}`);
    }
    for (const { field, check, optional } of checks) {
      const inner = object[field.name];
      if (inner !== undefined) check(inner, prefix + field.name, places, depth + 1);
      else if (!optional) add(places, prefix + field.name, `is missing; expected ${describe(field.type)}`);
    }
  };
  known.set(shape, checker);
  for (const field of shape.fields)
    checks.push({ field, check: compile(field.type, known), optional: field.default !== undefined || nullable(field.type) });
  return checker;
}

function compile(shape: Shape, known: Map<RecordShape, Checker>): Checker {
  switch (shape.kind) {
    case "record":
      return known.get(shape) ?? compileRecord(shape, known);
    case "array": {
      const item = compile(shape.items, known);
      return (value, path, places, depth) => {
        if (!Array.isArray(value)) return wrong(places, path, shape, value);
        for (let i = 0; i < value.length && places.length < MAX_PLACES; i++) item(value[i], `${path}[${i}]`, places, depth + 1);
      };
    }
    case "map": {
      const entry = compile(shape.values, known);
      return (value, path, places, depth) => {
        if (lookOfValue(value) !== "object") return wrong(places, path, shape, value);
        for (const [key, inner] of Object.entries(value as object)) {
          if (key === "__proto__" || !key.isWellFormed()) add(places, path, "has a key that is not allowed");
          else entry(inner, `${path}.${key.slice(0, 100)}`, places, depth + 1);
        }
      };
    }
    case "union": {
      const branches = new Map<Look | undefined, Checker>(shape.branches.map((branch) => [lookOf(branch), compile(branch, known)]));
      return (value, path, places, depth) => {
        const branch = branches.get(value === undefined ? "nothing" : lookOfValue(value));
        if (branch === undefined) wrong(places, path, shape, value);
        else branch(value, path, places, depth);
      };
    }
    default:
      return (value, path, places) => {
        if (!simpleFits(shape, value)) wrong(places, path, shape, value);
      };
  }
}

/** Compiles the slow, telling check: every bad field with its dotted path, at most MAX_PLACES. */
export function compileCheck(shape: RecordShape): (value: unknown) => readonly Place[] {
  const check = compile(shape, new Map());
  return (value) => {
    const places: Place[] = [];
    check(value, "", places, 0);
    return places;
  };
}

type Tidy = ((value: unknown) => boolean) | undefined;

/** Compiles the questions avsc's writer does not ask: are records and maps objects, and has no record a member that its schema does not know? */
export function compileTidy(shape: RecordShape): (value: unknown) => boolean {
  return tidyRecord(shape, new Map());
}

function tidyRecord(shape: RecordShape, known: Map<RecordShape, (value: unknown) => boolean>): (value: unknown) => boolean {
  const seen = known.get(shape);
  if (seen !== undefined) return seen;
  const allowed = new Set(shape.fields.map((field) => field.name));
  const inner: { name: string; optional: boolean; check: (value: unknown) => boolean }[] = [];
  const tidy = (value: unknown): boolean => {
    // The writer reads members off anything: a text would pass for a record whose fields may all be absent.
    if (lookOfValue(value) !== "object") return false;
    const object = value as Readonly<Record<string, unknown>>;
    for (const key in object) if (!allowed.has(key)) return false;
    for (const { name, optional, check } of inner) {
      const member = object[name];
      if (member === undefined ? !optional : !check(member)) return false;
    }
    return true;
  };
  known.set(shape, tidy);
  for (const field of shape.fields) {
    const check = tidyShape(field.type, known);
    if (check !== undefined) inner.push({ name: field.name, optional: field.default !== undefined || nullable(field.type), check });
  }
  return tidy;
}

function tidyShape(shape: Shape, known: Map<RecordShape, (value: unknown) => boolean>): Tidy {
  if (shape.kind === "record") return tidyRecord(shape, known);
  if (shape.kind === "union") {
    // One branch at most is a list, and one an object: their looks differ.
    const of = (look: Look): Tidy => {
      const branch = shape.branches.find((candidate) => lookOf(candidate) === look);
      return branch === undefined ? undefined : tidyShape(branch, known);
    };
    const [list, object] = [of("list"), of("object")];
    if (list === undefined && object === undefined) return undefined;
    return (value) => {
      const look = lookOfValue(value);
      return (look === "list" ? list : look === "object" ? object : undefined)?.(value) ?? true;
    };
  }
  if (shape.kind !== "array" && shape.kind !== "map") return undefined;
  const item = tidyShape(shape.kind === "array" ? shape.items : shape.values, known);
  // The writer would take the numbers of a list, or the places of bytes, for keys of a map.
  if (shape.kind === "map")
    return (value) => lookOfValue(value) === "object" && (item === undefined || Object.values(value as object).every(item));
  return item === undefined ? undefined : (value) => !Array.isArray(value) || value.every(item);
}
