/**
 * Reduction of a reply to the fields that a grant allows. A path allows its whole subtree; lists and maps pass through to
 * their items. What is not allowed becomes null where null is allowed, else its default, else an empty value of its type,
 * so that the reduced reply still fits its contract; lint refuses grants that come to the last case.
 */
import type { AvroRecord } from "../envelope.ts";
import type { ContractType } from "./contract.ts";
import { absentValue } from "./defaults.ts";
import { eachPath } from "./marks.ts";
import { meant } from "../near.ts";
import { parseSchema } from "./parse.ts";
import { nullable } from "./shape.ts";
import type { FieldShape, RecordShape, Shape } from "./shape.ts";
import { decimalText } from "./values.ts";

/** Allowed paths as a tree; `all` = this field with everything below it. */
type Allowed = { all: boolean; readonly below: Map<string, Allowed> };

function treeOf(paths: readonly string[]): Allowed {
  const root: Allowed = { all: false, below: new Map() };
  for (const path of paths) {
    let at = root;
    for (const part of path.split(".")) {
      const next = at.below.get(part) ?? { all: false, below: new Map() };
      at.below.set(part, next);
      at = next;
    }
    at.all = true;
  }
  return root;
}

/** The empty value of a type: nothing of the original shines through it. */
function emptyOf(shape: Shape): unknown {
  switch (shape.kind) {
    case "null":
      return null;
    case "boolean":
      return false;
    case "int":
    case "long":
    case "float":
    case "double":
      return 0;
    case "string":
      return "";
    case "date":
      return "0001-01-01";
    case "timestamp":
      return "0001-01-01T00:00:00.000Z";
    case "decimal":
      return decimalText(0n, shape.scale);
    case "bytes":
      return new Uint8Array(0);
    case "fixed":
      return new Uint8Array(shape.size);
    case "enum":
      return shape.fallback ?? shape.symbols[0];
    case "array":
      return [];
    case "map":
      return {};
    case "record":
      return Object.fromEntries(shape.fields.map((field) => [field.name, removed(field)()]));
    default:
      return nullable(shape) ? null : emptyOf(shape.branches[0] ?? { kind: "null" });
  }
}

function removed(field: FieldShape): () => unknown {
  if (nullable(field.type)) return () => null;
  return absentValue(field) ?? (() => emptyOf(field.type));
}

type Reduce = (value: unknown) => unknown;

function record(shape: RecordShape, allowed: Allowed): Reduce {
  const members = shape.fields.map((field) => {
    const below = allowed.below.get(field.name);
    const keep = below === undefined ? undefined : below.all ? (value: unknown) => value : reduce(field.type, below);
    return { name: field.name, keep, gone: removed(field) };
  });
  const template = Object.fromEntries(members.map(({ name }) => [name, undefined]));
  return (value) => {
    const from = value as AvroRecord;
    // A spread would take four times as long once it has met many templates.
    const to: AvroRecord = Object.assign({}, template);
    for (const { name, keep, gone } of members) {
      const inner = from[name];
      to[name] = keep === undefined || inner === undefined ? gone() : keep(inner);
    }
    return to;
  };
}

function reduce(shape: Shape, allowed: Allowed): Reduce {
  switch (shape.kind) {
    case "record": {
      const inner = record(shape, allowed);
      return (value) => (typeof value === "object" && value !== null ? inner(value) : emptyOf(shape));
    }
    case "array": {
      const item = reduce(shape.items, allowed);
      return (value) => (Array.isArray(value) ? value.map(item) : []);
    }
    case "map": {
      const inner = reduce(shape.values, allowed);
      return (value) => Object.fromEntries(Object.entries(value as object).map(([key, entry]) => [key, inner(entry)]));
    }
    case "union": {
      const list = shape.branches.find((branch) => branch.kind === "array");
      const object = shape.branches.find((branch) => branch.kind === "record" || branch.kind === "map");
      const lists = list === undefined ? undefined : reduce(list, allowed);
      const objects = object === undefined ? undefined : reduce(object, allowed);
      const none = emptyOf(shape);
      // A branch that has no fields below it cannot hold the allowed path, so nothing of it is allowed.
      return (value) => {
        if (Array.isArray(value)) return lists === undefined ? none : lists(value);
        if (typeof value !== "object" || value === null || value instanceof Uint8Array) return none;
        return objects === undefined ? none : objects(value);
      };
    }
    default:
      return () => emptyOf(shape);
  }
}

/** Compiles the reduction of a type to the allowed dotted paths. Unknown paths allow nothing. The value given is not changed. */
export function compileReducer(type: ContractType, allow: readonly string[]): (value: AvroRecord) => AvroRecord {
  const { shape } = parseSchema(type.schemaText);
  const inner = record(shape, treeOf(allow));
  return (value) => inner(value) as AvroRecord;
}

function recordsBelow(shape: Shape): readonly RecordShape[] {
  if (shape.kind === "record") return [shape];
  if (shape.kind === "array") return recordsBelow(shape.items);
  if (shape.kind === "map") return recordsBelow(shape.values);
  return shape.kind === "union" ? shape.branches.flatMap(recordsBelow) : [];
}

/** What is wrong with a grant's `reply.allow`: unknown paths, and required fields that it would empty. One sentence each. */
export function reducerFindings(type: ContractType, allow: readonly string[]): readonly string[] {
  const { shape } = parseSchema(type.schemaText);
  const paths = new Set<string>();
  eachPath(shape, (path) => paths.add(path));
  const findings = allow.filter((path) => !paths.has(path)).map((path) => `\`${path}\` is no field of ${type.id}${meant(path, paths)}`);
  const visit = (record: RecordShape, allowed: Allowed, prefix: string): void => {
    for (const field of record.fields) {
      const path = prefix + field.name;
      const below = allowed.below.get(field.name);
      if (below === undefined && absentValue(field) === undefined)
        findings.push(
          `\`${path}\` is not allowed, but ${type.id} requires it and it has no default: allow it, or make it optional in the contract`,
        );
      if (below !== undefined && !below.all) for (const inner of recordsBelow(field.type)) visit(inner, below, `${path}.`);
    }
  };
  visit(shape, treeOf(allow.filter((path) => paths.has(path))), "");
  return findings;
}
