/** From Avro schema JSON to a Shape, refusing what is absurd before any other part touches it (Avro 1.12 specification). */
import { BusError } from "../errors.ts";
import { lookOf } from "./shape.ts";
import type { FieldShape, RecordShape, Shape } from "./shape.ts";

/** No honest contract comes near these; a hostile one is refused before it costs anything. */
export const SCHEMA_LIMITS = {
  text: 262_144,
  depth: 24,
  nodes: 4_000,
  fields: 500,
  symbols: 2_000,
  fixed: 65_536,
  name: 200,
  precision: 77,
};

const NAME = /^[A-Za-z_][A-Za-z0-9_]*$/;
const PRIMITIVES = new Set(["null", "boolean", "int", "long", "float", "double", "string", "bytes"]);

type Json = Readonly<Record<string, unknown>>;
type Scope = { readonly named: Map<string, Shape>; nodes: number };

/** A schema that cannot be used: `configuration`, the place is the dotted path inside the schema. */
export function schemaFault(path: string, text: string): BusError {
  const where = path === "" ? "the schema" : `the schema at \`${path}\``;
  return new BusError("configuration", `${where}: ${text}`, { places: [{ ...(path === "" ? {} : { path }), text }] });
}

/** Reads a schema text of a contract: its root must be a record. */
export function parseSchema(text: string): Readonly<{ schema: Json; shape: RecordShape }> {
  if (text.length > SCHEMA_LIMITS.text) throw schemaFault("", `is longer than ${SCHEMA_LIMITS.text} characters`);
  let schema: unknown;
  try {
    schema = JSON.parse(text);
  } catch (error) {
    throw schemaFault("", `is not JSON: ${error instanceof Error ? error.message : String(error)}`);
  }
  const shape = parseShape(schema);
  if (shape.kind !== "record") throw schemaFault("", `must be a record, because a message has fields; it is ${shape.kind}`);
  return { schema: schema as Json, shape };
}

/** Reads any schema, also one whose root is no record (schemas that outsiders register). */
export function parseShape(schema: unknown): Shape {
  const shape = read(schema, "", "", 0, { named: new Map(), nodes: 0 });
  refuseEndless(shape, [], new Set());
  return shape;
}

function read(schema: unknown, namespace: string, path: string, depth: number, scope: Scope): Shape {
  if (depth > SCHEMA_LIMITS.depth) throw schemaFault(path, `is nested deeper than ${SCHEMA_LIMITS.depth} levels`);
  if (++scope.nodes > SCHEMA_LIMITS.nodes) throw schemaFault(path, `has more than ${SCHEMA_LIMITS.nodes} parts`);
  if (typeof schema === "string") return reference(schema, namespace, path, scope);
  if (Array.isArray(schema)) return union(schema, namespace, path, depth, scope);
  if (typeof schema !== "object" || schema === null) throw schemaFault(path, "a type is a name, an object or a list of types");
  const json = schema as Json;
  switch (json["type"]) {
    case "record":
    case "error":
      return record(json, namespace, path, depth, scope);
    case "enum":
      return enumeration(json, namespace, path, scope);
    case "fixed":
      return fixed(json, namespace, path, scope);
    case "array":
      return { kind: "array", items: read(json["items"], namespace, `${path}[]`, depth + 1, scope) };
    case "map":
      return { kind: "map", values: read(json["values"], namespace, `${path}{}`, depth + 1, scope) };
    case "string":
    case "bytes":
    case "int":
    case "long":
      return logical(json, json["type"], path);
    default:
      return read(json["type"], namespace, path, depth + 1, scope);
  }
}

function logical(json: Json, type: "string" | "bytes" | "int" | "long", path: string): Shape {
  const name = json["logicalType"];
  if (type === "int" && name === "date") return { kind: "date" };
  if (type === "long" && name === "timestamp-millis") return { kind: "timestamp" };
  if (type === "bytes" && name === "decimal") return { kind: "decimal", ...digits(json, path) };
  return { kind: type };
}

function digits(json: Json, path: string): { precision: number; scale: number } {
  const precision = json["precision"];
  const scale = json["scale"] ?? 0;
  const whole = (value: unknown): value is number => Number.isSafeInteger(value);
  if (!whole(precision) || precision < 1 || precision > SCHEMA_LIMITS.precision)
    throw schemaFault(path, `a decimal needs \`precision\` from 1 to ${SCHEMA_LIMITS.precision}`);
  if (!whole(scale) || scale < 0 || scale > precision) throw schemaFault(path, "a decimal's `scale` is from 0 to its precision");
  return { precision, scale };
}

function reference(name: string, namespace: string, path: string, scope: Scope): Shape {
  if (PRIMITIVES.has(name)) return { kind: name as "null" };
  const found = scope.named.get(name.includes(".") || namespace === "" ? name : `${namespace}.${name}`);
  if (found === undefined)
    throw schemaFault(path, `names the type \`${name.slice(0, SCHEMA_LIMITS.name)}\`, which is not defined before here`);
  return found;
}

/** Full name by the specification's rules: a dotted name is full, else `namespace`, else the enclosing namespace. */
function fullName(json: Json, enclosing: string, path: string, scope: Scope): string {
  const name = json["name"];
  const namespace = json["namespace"] ?? enclosing;
  if (typeof name !== "string" || typeof namespace !== "string") throw schemaFault(path, "needs a `name` (text)");
  const full = name.includes(".") || namespace === "" ? name : `${namespace}.${name}`;
  const parts = full.split(".");
  if (full.length > SCHEMA_LIMITS.name || !parts.every((part) => NAME.test(part)) || parts.includes("__proto__"))
    throw schemaFault(path, `\`${full.slice(0, SCHEMA_LIMITS.name)}\` is no Avro name: letters, digits and _ in parts joined by dots`);
  if (PRIMITIVES.has(full)) throw schemaFault(path, `\`${full}\` is the name of a primitive type`);
  if (scope.named.has(full)) throw schemaFault(path, `the type \`${full}\` is defined twice`);
  return full;
}

function namespaceOf(full: string): string {
  const dot = full.lastIndexOf(".");
  return dot === -1 ? "" : full.slice(0, dot);
}

function aliasesOf(json: Json, namespace: string | undefined, path: string): readonly string[] {
  const aliases = json["aliases"] ?? [];
  if (!Array.isArray(aliases) || aliases.length > 20 || !aliases.every((alias) => typeof alias === "string"))
    throw schemaFault(path, "`aliases` is a list of at most 20 names");
  return aliases.map((alias: string) =>
    namespace === undefined || namespace === "" || alias.includes(".") ? alias : `${namespace}.${alias}`,
  );
}

function record(json: Json, enclosing: string, path: string, depth: number, scope: Scope): RecordShape {
  const name = fullName(json, enclosing, path, scope);
  const namespace = namespaceOf(name);
  const list = json["fields"];
  if (!Array.isArray(list)) throw schemaFault(path, `the record \`${name}\` needs \`fields\` (a list)`);
  if (list.length > SCHEMA_LIMITS.fields) throw schemaFault(path, `the record \`${name}\` has more than ${SCHEMA_LIMITS.fields} fields`);
  const doc = typeof json["doc"] === "string" ? json["doc"] : undefined;
  const shape: RecordShape = { kind: "record", name, fields: [], aliases: aliasesOf(json, namespace, path), doc };
  scope.named.set(name, shape);
  const seen = new Set<string>();
  for (const entry of list) {
    const field = readField(entry, namespace, path, depth, scope);
    if (seen.has(field.name)) throw schemaFault(path, `the field \`${field.name}\` stands twice in \`${name}\``);
    seen.add(field.name);
    shape.fields.push(field);
  }
  return shape;
}

function readField(entry: unknown, namespace: string, path: string, depth: number, scope: Scope): FieldShape {
  if (typeof entry !== "object" || entry === null) throw schemaFault(path, "a field is an object with `name` and `type`");
  const source = entry as Json;
  const name = source["name"];
  if (typeof name !== "string" || name.length > SCHEMA_LIMITS.name || !NAME.test(name))
    throw schemaFault(path, `\`${String(name).slice(0, SCHEMA_LIMITS.name)}\` is no field name: letters, digits and _`);
  if (name in Object.prototype) throw schemaFault(path, `the field name \`${name}\` is reserved: every object in memory already has it`);
  const at = path === "" ? name : `${path}.${name}`;
  if (source["type"] === undefined) throw schemaFault(at, "needs a `type`");
  const type = read(source["type"], namespace, at, depth + 1, scope);
  return { name, type, default: source["default"], aliases: aliasesOf(source, undefined, at), source };
}

function enumeration(json: Json, enclosing: string, path: string, scope: Scope): Shape {
  const name = fullName(json, enclosing, path, scope);
  const symbols: unknown = json["symbols"];
  if (!Array.isArray(symbols) || symbols.length === 0 || symbols.length > SCHEMA_LIMITS.symbols)
    throw schemaFault(path, `the enum \`${name}\` needs from 1 to ${SCHEMA_LIMITS.symbols} \`symbols\``);
  if (!symbols.every((symbol): symbol is string => typeof symbol === "string" && NAME.test(symbol)))
    throw schemaFault(path, `a symbol of the enum \`${name}\` is no Avro name: letters, digits and _`);
  if (new Set(symbols).size !== symbols.length) throw schemaFault(path, `a symbol of the enum \`${name}\` stands twice`);
  const fallback = json["default"];
  if (fallback !== undefined && (typeof fallback !== "string" || !symbols.includes(fallback)))
    throw schemaFault(path, `the default of the enum \`${name}\` is none of its symbols`);
  const shape: Shape = { kind: "enum", name, symbols, fallback, aliases: aliasesOf(json, namespaceOf(name), path) };
  scope.named.set(name, shape);
  return shape;
}

function fixed(json: Json, enclosing: string, path: string, scope: Scope): Shape {
  const name = fullName(json, enclosing, path, scope);
  const size = json["size"];
  if (typeof size !== "number" || !Number.isInteger(size) || size < 1 || size > SCHEMA_LIMITS.fixed)
    throw schemaFault(path, `the fixed \`${name}\` needs a \`size\` from 1 to ${SCHEMA_LIMITS.fixed}`);
  const decimal = json["logicalType"] === "decimal";
  const aliases = aliasesOf(json, namespaceOf(name), path);
  const shape: Shape = decimal ? { kind: "decimal", ...digits(json, path), size, name, aliases } : { kind: "fixed", name, size, aliases };
  scope.named.set(name, shape);
  return shape;
}

/** Branches must look different in memory and on the wire, else a value would not tell which branch it is. */
function union(list: readonly unknown[], namespace: string, path: string, depth: number, scope: Scope): Shape {
  if (list.length === 0 || list.length > 20) throw schemaFault(path, "a union has from 1 to 20 branches");
  const branches = list.map((entry) => read(entry, namespace, path, depth + 1, scope));
  const looks = new Map<string, Shape>();
  for (const branch of branches) {
    if (branch.kind === "union") throw schemaFault(path, "a union stands directly in a union");
    for (const look of new Set([lookOf(branch), onWire(branch)])) {
      const other = looks.get(look);
      if (other !== undefined && other !== branch)
        throw schemaFault(
          path,
          `the union is ambiguous: a value would not tell \`${label(other)}\` from \`${label(branch)}\`; use one of them, or a record that holds both as optional fields`,
        );
      looks.set(look, branch);
    }
  }
  if (new Set(branches).size !== branches.length) throw schemaFault(path, "a branch stands twice in the union");
  return { kind: "union", branches };
}

function onWire(shape: Shape): string {
  if (shape.kind === "date" || shape.kind === "timestamp") return "number";
  return shape.kind === "decimal" ? "bytes" : lookOf(shape);
}

export function label(shape: Shape): string {
  return "name" in shape && shape.name !== undefined ? shape.name : shape.kind;
}

/** A record that must contain itself has no finite value. */
function refuseEndless(shape: Shape, open: readonly RecordShape[], done: Set<Shape>): void {
  if (shape.kind === "union" || shape.kind === "array" || shape.kind === "map") {
    if (done.has(shape)) return;
    done.add(shape);
    const inner = shape.kind === "union" ? shape.branches : [shape.kind === "array" ? shape.items : shape.values];
    // A union of one branch is no way out; any other part may be empty or take another branch.
    for (const part of inner) refuseEndless(part, shape.kind === "union" && inner.length === 1 ? open : [], done);
  }
  if (shape.kind !== "record") return;
  if (open.includes(shape))
    throw schemaFault("", `the record \`${shape.name}\` must contain itself and can never end; make the inner one optional`);
  if (done.has(shape)) return;
  for (const field of shape.fields) refuseEndless(field.type, [...open, shape], done);
  done.add(shape);
}
