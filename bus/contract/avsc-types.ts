/**
 * avsc with the bus's values: unions are plain and chosen by the look of a value, the leaves are those of avsc-leaves.ts. avsc's own
 * logical types would try every branch of a union on every value.
 */
import avsc from "avsc";
import type { Schema, Type } from "avsc";
import { DATE, PRIMITIVES, TIMESTAMP, decimal, derive, fixedBytes, inner, isTextual, strictEnum, unfit } from "./avsc-leaves.ts";
import type { Resolver } from "./avsc-leaves.ts";
import { lookOf, lookOfValue } from "./shape.ts";
import type { DecimalShape, Look, Shape } from "./shape.ts";
import { parseShape } from "./parse.ts";

const bytesType = avsc.Type.forSchema("bytes");

function lookOfType(type: Type): Look {
  if (isTextual(type)) return "text";
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
  const indexes = new Map<Look | undefined, number>(branches.map((branch, index) => [lookOfType(branch), index]));
  const nothing = indexes.get("nothing");
  const indexOf = (value: unknown): number | undefined =>
    value === null || value === undefined ? nothing : indexes.get(lookOfValue(value));
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

/** The types that are no objects of their own: primitives and logical types on primitives. */
function simple(part: Schema): Type | undefined {
  if (typeof part === "string") return PRIMITIVES.get(part);
  const { type, logicalType } = part as { type?: unknown; logicalType?: unknown };
  if (type === "int" && logicalType === "date") return DATE;
  if (type === "long" && logicalType === "timestamp-millis") return TIMESTAMP;
  if (type === "bytes" && logicalType === "decimal") return decimal(bytesType, parseShape(part) as DecimalShape);
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
