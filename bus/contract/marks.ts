/** What a contract says about its fields besides their types: `"personal": true`, `"sensitivity": "…"`, `"key": true`. */
import type { AvroRecord } from "../envelope.ts";
import type { FieldMarks } from "./contract.ts";
import { schemaFault } from "./parse.ts";
import { lookOf, recordIn } from "./shape.ts";
import type { RecordShape, Shape } from "./shape.ts";

/** Records below this depth have no paths of their own; a recursive record stops at its first repetition anyway. */
const MAX_DEPTH = 12;
/** Records that hold one another several times have paths without number; no honest message comes near this. */
const MAX_PATHS = 20_000;

/** Calls `visit` for every field, by dotted path; items of arrays and values of maps share their container's path. */
export function eachPath(shape: RecordShape, visit: (path: string, field: RecordShape["fields"][number]) => void): void {
  let visited = 0;
  const walk = (inner: Shape, prefix: string, open: readonly RecordShape[]): void => {
    for (const record of recordsOf(inner)) {
      if (open.includes(record) || open.length >= MAX_DEPTH) continue;
      for (const field of record.fields) {
        if (++visited > MAX_PATHS) throw schemaFault("", `has more than ${MAX_PATHS} fields, counting those of records inside records`);
        const path = prefix === "" ? field.name : `${prefix}.${field.name}`;
        visit(path, field);
        walk(field.type, path, [...open, record]);
      }
    }
  };
  walk(shape, "", []);
}

/** The records a value of this shape may directly hold. */
function recordsOf(shape: Shape): readonly RecordShape[] {
  switch (shape.kind) {
    case "record":
      return [shape];
    case "array":
      return recordsOf(shape.items);
    case "map":
      return recordsOf(shape.values);
    case "union":
      return shape.branches.flatMap(recordsOf);
    default:
      return [];
  }
}

/** Marks by dotted path; only marked fields are in the map. */
export function marksOf(shape: RecordShape): ReadonlyMap<string, FieldMarks> {
  const marks = new Map<string, FieldMarks>();
  eachPath(shape, (path, { source }) => {
    const { personal, sensitivity, key } = source;
    if (personal !== undefined && typeof personal !== "boolean") throw schemaFault(path, "the mark `personal` is true or false");
    if (key !== undefined && typeof key !== "boolean") throw schemaFault(path, "the mark `key` is true or false");
    if (sensitivity !== undefined && typeof sensitivity !== "string") throw schemaFault(path, "the mark `sensitivity` is text");
    if (personal !== true && key !== true && sensitivity === undefined) return;
    // What is sensitive about somebody is personal, said or not.
    const mark = { personal: personal === true || sensitivity !== undefined, key: key === true };
    marks.set(path, sensitivity === undefined ? mark : { ...mark, sensitivity });
  });
  return marks;
}

const KEY_LOOKS = new Set(["text", "number", "boolean", "nothing"]);

/** Reader of the field marked `key`. It may lie in records, not in lists, and is text or a number. */
export function compileKey(shape: RecordShape): (value: AvroRecord) => string | undefined {
  const keys: string[] = [];
  eachPath(shape, (path, field) => {
    if (field.source["key"] !== true) return;
    const shapes = field.type.kind === "union" ? field.type.branches : [field.type];
    if (!shapes.every((branch) => KEY_LOOKS.has(lookOf(branch)))) throw schemaFault(path, "a key is text or a number");
    keys.push(path);
  });
  const [path, second] = keys;
  if (second !== undefined) throw schemaFault(second, `a contract has one key, and \`${path}\` already is it`);
  if (path === undefined) return () => undefined;
  const parts = path.split(".");
  let holder: RecordShape | undefined = shape;
  for (const part of parts.slice(0, -1)) {
    const field: RecordShape["fields"][number] | undefined = holder.fields.find((candidate) => candidate.name === part);
    holder = field === undefined ? undefined : recordIn(field.type);
    if (holder === undefined) throw schemaFault(path, "a key stands in records only: in a list or map there would be many of it");
  }
  return (value) => {
    let at: unknown = value;
    for (const part of parts) {
      if (typeof at !== "object" || at === null || Array.isArray(at)) return undefined;
      at = (at as AvroRecord)[part];
    }
    if (typeof at === "string") return at;
    return typeof at === "number" || typeof at === "bigint" || typeof at === "boolean" ? String(at) : undefined;
  };
}
