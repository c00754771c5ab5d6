/**
 * A contract's types as JSON Schema 2020-12, exactly as the JSON twin of a contract is read and written: dates, instants and
 * decimals are text, bytes are base64, whole numbers beyond 2^53 are text, a union is the bare value.
 */
import type { ContractType } from "../contract/contract.ts";
import { parseShape } from "../contract/parse.ts";
import { nullable } from "../contract/shape.ts";
import type { FieldShape, RecordShape, Shape } from "../contract/shape.ts";

export type JsonSchema = Readonly<Record<string, unknown>>;

/** Schemas by key of `components/schemas`. */
export type Definitions = Map<string, JsonSchema>;

type Scope = Readonly<{ prefix: string; definitions: Definitions; known: Map<Shape, string> }>;

/** The reference to a type, whose own and inner types are put among the definitions under the type's id. */
export function jsonSchemaOf(type: ContractType, definitions: Definitions): JsonSchema {
  const shape = parseShape(type.schema);
  const scope: Scope = { prefix: type.id, definitions, known: new Map([[shape, type.id]]) };
  if (!definitions.has(type.id)) definitions.set(type.id, shape.kind === "record" ? record(scope, shape) : of(scope, shape));
  return reference(type.id);
}

const reference = (key: string): JsonSchema => ({ $ref: `#/components/schemas/${key}` });

function named(scope: Scope, shape: Shape & { name: string }, make: () => JsonSchema): JsonSchema {
  const known = scope.known.get(shape);
  if (known !== undefined) return reference(known);
  const base = `${scope.prefix}.${shape.name.slice(shape.name.lastIndexOf(".") + 1)}`;
  const taken = new Set(scope.known.values());
  let key = base;
  for (let i = 2; taken.has(key); i++) key = `${base}${i}`;
  scope.known.set(shape, key);
  scope.definitions.set(key, make());
  return reference(key);
}

function record(scope: Scope, shape: RecordShape): JsonSchema {
  const required = shape.fields.filter((field) => field.default === undefined && !nullable(field.type)).map(({ name }) => name);
  return {
    type: "object",
    ...(shape.doc === undefined ? {} : { description: shape.doc }),
    properties: Object.fromEntries(shape.fields.map((field) => [field.name, property(scope, field)])),
    ...(required.length === 0 ? {} : { required }),
    additionalProperties: false,
  };
}

function property(scope: Scope, { type, source }: FieldShape): JsonSchema {
  const { doc, personal, sensitivity, key } = source;
  return {
    ...of(scope, type),
    ...(typeof doc === "string" ? { description: doc } : {}),
    ...(personal === true || sensitivity !== undefined ? { "x-personal": true } : {}),
    ...(typeof sensitivity === "string" ? { "x-sensitivity": sensitivity } : {}),
    ...(key === true ? { "x-key": true } : {}),
  };
}

function of(scope: Scope, shape: Shape): JsonSchema {
  switch (shape.kind) {
    case "null":
    case "boolean":
    case "string":
      return { type: shape.kind };
    case "int":
      return { type: "integer", format: "int32", minimum: -2_147_483_648, maximum: 2_147_483_647 };
    case "long":
      return { type: ["integer", "string"], format: "int64", pattern: "^-?[0-9]{1,19}$" };
    case "float":
    case "double":
      return { type: "number", format: shape.kind };
    case "date":
      return { type: "string", format: "date" };
    case "timestamp":
      return { type: "string", format: "date-time" };
    case "decimal":
      return { type: "string", format: "decimal", pattern: decimalPattern(shape.precision, shape.scale) };
    case "bytes":
    case "fixed":
      return { type: "string", contentEncoding: "base64" };
    case "array":
      return { type: "array", items: of(scope, shape.items) };
    case "map":
      return { type: "object", additionalProperties: of(scope, shape.values) };
    case "enum":
      return named(scope, shape, () => ({ type: "string", enum: shape.symbols }));
    case "record":
      return named(scope, shape, () => record(scope, shape));
    default:
      return { anyOf: shape.branches.map((branch) => of(scope, branch)) };
  }
}

/** At most `scale` decimals, and so many digits before them as the precision leaves. */
function decimalPattern(precision: number, scale: number): string {
  const whole = precision - scale;
  const before = whole === 0 ? "0+" : `0*[0-9]{1,${whole}}`;
  return `^-?${before}${scale === 0 ? "" : `(\\.[0-9]{1,${scale}}0*)?`}$`;
}
