/** Defaults of a schema as values in memory. In the schema a default is JSON: bytes are Latin-1 text, dates are numbers, a union means its first branch. */
import { schemaFault } from "./parse.ts";
import type { FieldShape, RecordShape, Shape } from "./shape.ts";
import { nullable } from "./shape.ts";
import { dateFromDays, decimalText, fromTwosComplement, instantFromMillis, unscaled } from "./values.ts";

/** A default that nests deeper than this can only be one that contains itself. */
const MAX_DEPTH = 16;
/** Values of one default: records whose defaults hold one another several times unfold without number. */
const MAX_VALUES = 2_000;
/** Where a default stands, and how many values of it there are so far. */
type At = Readonly<{ path: string; depth: number; seen: { count: number } }>;

type Json = Readonly<Record<string, unknown>>;

function refuse(path: string, shape: Shape): never {
  throw schemaFault(
    path,
    `the default does not fit ${shape.kind}${shape.kind === "union" ? "" : "; the default of a union must fit its first branch"}`,
  );
}

function latin1(json: unknown, path: string, shape: Shape, size?: number): Uint8Array {
  if (typeof json !== "string" || !/^[\u0000-\u00ff]*$/.test(json) || (size !== undefined && json.length !== size))
    return refuse(path, shape);
  return Uint8Array.from(json, (char) => char.charCodeAt(0));
}

function plain(shape: Shape, json: unknown, path: string): unknown {
  const fits = (good: boolean): unknown => (good ? json : refuse(path, shape));
  switch (shape.kind) {
    case "null":
      return fits(json === null);
    case "boolean":
      return fits(typeof json === "boolean");
    case "int":
      return fits(typeof json === "number" && (json | 0) === json);
    case "long":
      return fits(Number.isSafeInteger(json));
    case "float":
    case "double":
      return fits(typeof json === "number");
    case "string":
      return fits(typeof json === "string" && json.isWellFormed());
    case "enum":
      return fits(typeof json === "string" && shape.symbols.includes(json));
    case "date":
      return (Number.isInteger(json) ? dateFromDays(json as number) : undefined) ?? refuse(path, shape);
    case "timestamp":
      return (Number.isSafeInteger(json) ? instantFromMillis(json as number) : undefined) ?? refuse(path, shape);
    default:
      return refuse(path, shape);
  }
}

/** A fresh value of the default; throws `configuration` where it does not fit, contains itself, or has no end in sight. */
function materialise(shape: Shape, json: unknown, at: At): unknown {
  const { path, depth, seen } = at;
  if (depth > MAX_DEPTH) throw schemaFault(path, "the default contains itself without end");
  if (++seen.count > MAX_VALUES) throw schemaFault(path, `the default holds more than ${MAX_VALUES} values`);
  const inner = (of: Shape, value: unknown): unknown => materialise(of, value, { path, depth: depth + 1, seen });
  switch (shape.kind) {
    case "bytes":
      return latin1(json, path, shape);
    case "fixed":
      return latin1(json, path, shape, shape.size);
    case "decimal": {
      const bytes = latin1(json, path, shape, shape.size);
      const text = shape.size === undefined && bytes.length > 64 ? "" : decimalText(fromTwosComplement(bytes), shape.scale);
      return unscaled(text, shape.precision, shape.scale) === undefined ? refuse(path, shape) : text;
    }
    case "array":
      return Array.isArray(json) ? json.map((item) => inner(shape.items, item)) : refuse(path, shape);
    case "map":
      if (typeof json !== "object" || json === null || Array.isArray(json) || Object.hasOwn(json, "__proto__")) return refuse(path, shape);
      return Object.fromEntries(Object.entries(json).map(([key, value]) => [key, inner(shape.values, value)]));
    case "record":
      if (typeof json !== "object" || json === null || Array.isArray(json)) return refuse(path, shape);
      return recordDefault(shape, json as Json, at);
    case "union":
      return shape.branches[0] === undefined ? refuse(path, shape) : materialise(shape.branches[0], json, at);
    default:
      return plain(shape, json, path);
  }
}

function recordDefault(shape: RecordShape, json: Json, { path, depth, seen }: At): unknown {
  const members = shape.fields.map((field) => {
    const given = Object.hasOwn(json, field.name) ? json[field.name] : field.default;
    const inside = `${path}.${field.name}`;
    if (given === undefined) return refuse(inside, field.type);
    return [field.name, materialise(field.type, given, { path: inside, depth: depth + 1, seen })] as const;
  });
  return Object.fromEntries(members);
}

/**
 * What an absent field is read as: its default, or null where null is allowed; undefined = the field is required.
 * Lists and objects are made anew each time.
 */
export function absentValue(field: FieldShape): (() => unknown) | undefined {
  if (field.default === undefined) return nullable(field.type) ? () => null : undefined;
  const make = (): unknown => materialise(field.type, field.default, { path: field.name, depth: 0, seen: { count: 0 } });
  const first = make();
  return typeof first !== "object" || first === null ? () => first : make;
}

/** Tries every default of a schema once. */
export function checkDefaults(shape: Shape, done: Set<Shape> = new Set()): void {
  if (done.has(shape)) return;
  done.add(shape);
  if (shape.kind === "array") checkDefaults(shape.items, done);
  if (shape.kind === "map") checkDefaults(shape.values, done);
  if (shape.kind === "union") for (const branch of shape.branches) checkDefaults(branch, done);
  if (shape.kind !== "record") return;
  for (const field of shape.fields) {
    absentValue(field);
    checkDefaults(field.type, done);
  }
}
