/** Classifiers: the enums of all contracts. Their schema may say what each code means: `"meanings": { "domicile": "…" }`. */
import type { ContractType } from "../contract/contract.ts";
import { parseShape } from "../contract/parse.ts";
import type { EnumShape, Shape } from "../contract/shape.ts";

export type Code = Readonly<{ code: string; meaning?: string }>;
export type Classifier = Readonly<{ id: string; doc: string | undefined; codes: readonly Code[] }>;

type Json = Readonly<Record<string, unknown>>;
type Said = Readonly<{ doc: string | undefined; meanings: Json }>;

/** Classifiers of one type, each once, by their full names. */
export function classifiersOf(type: ContractType): readonly Classifier[] {
  const said = new Map<string, Said>();
  collect(type.schema, "", said);
  const found = new Map<string, EnumShape>();
  enums(parseShape(type.schema), new Set(), found);
  return [...found.values()].map(({ name, symbols }) => ({
    id: name,
    doc: said.get(name)?.doc,
    codes: symbols.map((code) => {
      const meaning = said.get(name)?.meanings[code];
      return typeof meaning === "string" ? { code, meaning } : { code };
    }),
  }));
}

/** What the schema says of each enum besides its symbols. The schema is sound: parse.ts took it. */
function collect(schema: unknown, namespace: string, said: Map<string, Said>): void {
  if (Array.isArray(schema)) return schema.forEach((branch) => collect(branch, namespace, said));
  if (typeof schema !== "object" || schema === null) return;
  const json = schema as Json;
  const own = typeof json["namespace"] === "string" ? json["namespace"] : namespace;
  const name = typeof json["name"] === "string" ? json["name"] : "";
  const full = name.includes(".") || own === "" ? name : `${own}.${name}`;
  if (json["type"] === "enum") {
    const meanings = json["meanings"];
    const doc = typeof json["doc"] === "string" ? json["doc"] : undefined;
    said.set(full, { doc, meanings: typeof meanings === "object" && meanings !== null ? (meanings as Json) : {} });
    return;
  }
  const inner = full.includes(".") ? full.slice(0, full.lastIndexOf(".")) : own;
  for (const field of Array.isArray(json["fields"]) ? (json["fields"] as readonly Json[]) : []) collect(field["type"], inner, said);
  for (const part of ["items", "values", "type"]) if (typeof json[part] === "object") collect(json[part], own, said);
}

function enums(shape: Shape, seen: Set<Shape>, found: Map<string, EnumShape>): void {
  if (seen.has(shape)) return;
  seen.add(shape);
  if (shape.kind === "enum") found.set(shape.name, shape);
  else if (shape.kind === "record") for (const field of shape.fields) enums(field.type, seen, found);
  else if (shape.kind === "array") enums(shape.items, seen, found);
  else if (shape.kind === "map") enums(shape.values, seen, found);
  else if (shape.kind === "union") for (const branch of shape.branches) enums(branch, seen, found);
}
