/** Fields that a contract marks with `"identifier": "IDNP" | "IDNO" | "IDNV"`, and how to reach them in a value. */
import type { IdentifierField } from "./contract.ts";
import { schemaFault } from "./parse.ts";
import type { RecordShape, Shape } from "./shape.ts";

const KINDS = ["IDNP", "IDNO", "IDNV"] as const;
/** Records below this depth are not looked into; a recursive record stops at its first repetition anyway. */
const MAX_DEPTH = 12;
const MAX_FIELDS = 1000;

/** Throws schema-invalid where the mark names no kind, or stands on what is no text. */
export function identifiersOf(shape: RecordShape): readonly IdentifierField[] {
  const found: IdentifierField[] = [];
  const walk = (inner: Shape, at: Pick<IdentifierField, "path" | "parts">, open: readonly RecordShape[]): void => {
    switch (inner.kind) {
      case "array":
        return walk(inner.items, at, open);
      case "map":
        return walk(inner.values, { path: at.path, parts: [...at.parts, undefined] }, open);
      case "union":
        for (const branch of inner.branches) walk(branch, at, open);
        return;
      case "record":
        if (open.includes(inner) || open.length >= MAX_DEPTH) return;
        for (const field of inner.fields) {
          const path = at.path === "" ? field.name : `${at.path}.${field.name}`;
          const parts = [...at.parts, field.name];
          const { identifier } = field.source;
          if (identifier !== undefined) note(found, path, parts, field.type, identifier);
          walk(field.type, { path, parts }, [...open, inner]);
        }
        return;
      default:
    }
  };
  walk(shape, { path: "", parts: [] }, []);
  return found;
}

function note(found: IdentifierField[], path: string, parts: IdentifierField["parts"], type: Shape, mark: unknown): void {
  const kind = KINDS.find((each) => each === mark);
  if (kind === undefined) throw schemaFault(path, `the mark \`identifier\` is one of ${KINDS.join(", ")}`);
  if (!isText(type)) throw schemaFault(path, "the mark `identifier` stands on text, for its thirteen digits may begin with 0");
  if (found.length >= MAX_FIELDS) throw schemaFault(path, `is one identifier too many: a contract has at most ${MAX_FIELDS}`);
  found.push({ path, parts: type.kind === "map" ? [...parts, undefined] : parts, kind });
}

/** Text, or a list, a map or a choice of it. */
function isText(shape: Shape): boolean {
  if (shape.kind === "array") return isText(shape.items);
  if (shape.kind === "map") return isText(shape.values);
  if (shape.kind === "union") return shape.branches.every((branch) => branch.kind === "null" || isText(branch));
  return shape.kind === "string";
}
