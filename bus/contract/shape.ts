/**
 * A schema as every codec of a contract sees it: parsed once, names resolved, logical types told apart, within limits.
 *
 * In-memory values, the same for Avro, JSON, XML, CSV and expressions:
 *
 * | Avro                                   | value                                                                  |
 * |----------------------------------------|------------------------------------------------------------------------|
 * | null, boolean, int, float, double      | null, boolean, number                                                  |
 * | long                                   | number while safe, bigint beyond 2^53-1                                |
 * | string (also `uuid`), enum             | string                                                                 |
 * | int `date`                             | "2026-01-31", years 0001-9999                                          |
 * | long `timestamp-millis`                | "2026-01-31T08:00:00.000Z", always UTC with milliseconds once read     |
 * | bytes or fixed `decimal`               | "12.50", always with the schema's number of decimals once read         |
 * | bytes, fixed                           | Uint8Array                                                             |
 * | array, map, record                     | array, plain object, plain object                                      |
 * | union                                  | the branch's own value; a union whose branches look alike is refused   |
 *
 * Other logical types are read as their underlying type, as the Avro specification asks.
 */
export type Primitive = "null" | "boolean" | "int" | "long" | "float" | "double" | "string" | "bytes";

export type PlainShape = Readonly<{ kind: Primitive | "date" | "timestamp" }>;
/** `size` is set where the decimal is a fixed, `name` its full name then, `aliases` its former ones. */
export type DecimalShape = Readonly<{
  kind: "decimal";
  precision: number;
  scale: number;
  size?: number;
  name?: string;
  aliases?: readonly string[];
}>;
export type FixedShape = Readonly<{ kind: "fixed"; name: string; size: number; aliases: readonly string[] }>;
export type EnumShape = Readonly<{
  kind: "enum";
  name: string;
  symbols: readonly string[];
  /** Symbol an unknown symbol of a writer is read as. */
  fallback: string | undefined;
  aliases: readonly string[];
}>;
export type ArrayShape = Readonly<{ kind: "array"; items: Shape }>;
export type MapShape = Readonly<{ kind: "map"; values: Shape }>;
export type FieldShape = Readonly<{
  name: string;
  type: Shape;
  /** Avro JSON of the default; undefined = none. */
  default: unknown;
  aliases: readonly string[];
  /** The field as it stands in the schema, for marks and documentation. */
  source: Readonly<Record<string, unknown>>;
}>;
/** Fields are filled in while the record's own fields are read, so a record may name itself. */
export type RecordShape = Readonly<{
  kind: "record";
  name: string;
  fields: FieldShape[];
  aliases: readonly string[];
  doc: string | undefined;
}>;
export type UnionShape = Readonly<{ kind: "union"; branches: readonly Shape[] }>;
export type Shape = PlainShape | DecimalShape | FixedShape | EnumShape | ArrayShape | MapShape | RecordShape | UnionShape;

/** What a value of a shape is in memory; two branches of one union may not share it. */
export type Look = "nothing" | "boolean" | "number" | "text" | "bytes" | "list" | "object";

const LOOKS: Readonly<Record<Shape["kind"], Look>> = {
  null: "nothing",
  boolean: "boolean",
  int: "number",
  long: "number",
  float: "number",
  double: "number",
  string: "text",
  date: "text",
  timestamp: "text",
  decimal: "text",
  enum: "text",
  bytes: "bytes",
  fixed: "bytes",
  array: "list",
  map: "object",
  record: "object",
  union: "nothing",
};

export function lookOf(shape: Shape): Look {
  return LOOKS[shape.kind];
}

/** Look of a value in memory; undefined for what no shape has (functions, symbols, undefined). */
export function lookOfValue(value: unknown): Look | undefined {
  switch (typeof value) {
    case "string":
      return "text";
    case "number":
    case "bigint":
      return "number";
    case "boolean":
      return "boolean";
    case "object":
      if (value === null) return "nothing";
      if (Array.isArray(value)) return "list";
      return value instanceof Uint8Array ? "bytes" : "object";
    default:
      return undefined;
  }
}

/** How messages call a shape: `date ("2026-01-31")`, `one of "a", "b"`, `a number`. */
export function describe(shape: Shape): string {
  switch (shape.kind) {
    case "null":
      return "null";
    case "boolean":
      return "true or false";
    case "int":
      return "a whole number of 32 bits";
    case "long":
      return "a whole number of 64 bits";
    case "float":
      return "a number of 32 bits";
    case "double":
      return "a number";
    case "string":
      return "text";
    case "bytes":
      return "bytes";
    case "date":
      return 'a date such as "2026-01-31"';
    case "timestamp":
      return 'an instant such as "2026-01-31T08:00:00.000Z"';
    case "decimal":
      return `a decimal as text, at most ${shape.precision} digits, ${shape.scale} of them decimals`;
    case "fixed":
      return `exactly ${shape.size} bytes`;
    case "enum":
      return `one of ${shape.symbols.slice(0, 12).join(", ")}${shape.symbols.length > 12 ? ", …" : ""}`;
    case "array":
      return "a list";
    case "map":
      return "an object with text keys";
    case "record":
      return `an object (${shape.name})`;
    default:
      return shape.branches.map(describe).join(" or ");
  }
}

/** The record a shape stands for where it is one, or one or null. */
export function recordIn(shape: Shape): RecordShape | undefined {
  if (shape.kind === "record") return shape;
  if (shape.kind !== "union") return undefined;
  return shape.branches.find((branch): branch is RecordShape => branch.kind === "record");
}

/** May the value be null? */
export function nullable(shape: Shape): boolean {
  return shape.kind === "null" || (shape.kind === "union" && shape.branches.some((branch) => branch.kind === "null"));
}

/** The one branch that is not null of `["null", X]`, or the shape itself. */
export function withoutNull(shape: Shape): Shape {
  if (shape.kind !== "union") return shape;
  const rest = shape.branches.filter((branch) => branch.kind !== "null");
  return rest.length === 1 && rest[0] !== undefined ? rest[0] : shape;
}
