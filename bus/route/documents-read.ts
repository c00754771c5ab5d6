/** From a value checked by its schema to a typed document. Nothing is checked again here; defaults come from one table. */
import type { Contract } from "../contract/contract.ts";
import { DEFAULTS } from "./defaults.ts";
import type { ContractDoc, Document, GrantDoc, Located, ParameterDoc, Path, SystemDoc, Waiver } from "./documents.ts";
import { readRoute } from "./documents-route.ts";
import { readDeliver } from "./documents-shapes.ts";
import { readTest } from "./documents-tests.ts";
import { nodeAt, textAt, type TreeNode } from "./schema/tree.ts";
import type { KindName } from "./schema/kinds.ts";

type Raw = Readonly<Record<string, unknown>>;
const DAY = 86_400_000;

export function located(root: TreeNode): Located {
  const { spot } = root;
  return {
    source: {
      file: spot.file,
      line: spot.line,
      column: spot.column,
      place: (path: Path) => {
        const { file, line, column } = nodeAt(root, path).spot;
        return { file, line, column };
      },
    },
  };
}

/** `written` is the same document with its texts as they were written (variables filled in). */
export function readDocument(
  kind: KindName,
  root: TreeNode,
  value: Raw,
  written: Raw,
  template?: Readonly<{ id: string; at: TreeNode }>,
): Document {
  const base = located(root);
  switch (kind) {
    case "system":
      return { ...DEFAULTS.system, ...(value as unknown as Omit<SystemDoc, "kind">), ...base, kind, signatures: readSignatures(value) };
    case "contract":
      return {
        ...DEFAULTS.contract,
        ...(value as unknown as Omit<ContractDoc, "kind">),
        ...base,
        kind,
        requires: (value["requires"] ?? []) as Contract["requires"],
      };
    case "grant":
      return readGrant(value, written, base);
    case "policy":
      return { ...base, kind, id: String(value["id"]), deliver: readDeliver(value["deliver"]) ?? {} };
    case "template":
      return {
        ...base,
        kind,
        id: String(value["id"]),
        parameters: readParameters(value["parameters"] as Raw, nodeAt(root, ["parameters"])),
      };
    case "environment": {
      // as written: a version 1.10 is not 1.1, a code 007 is not 7
      const node = nodeAt(root, ["vars"]);
      const vars = Object.keys(value["vars"] as Raw).map((name) => [name, textAt(node, name) ?? ""] as const);
      return { ...base, kind, id: String(value["id"]), vars: Object.fromEntries(vars), waive: (value["waive"] ?? []) as readonly Waiver[] };
    }
    case "test":
      return readTest(value, base);
    default: {
      const made = template ? { id: template.id, at: template.at.spot } : undefined;
      return { ...base, ...readRoute(value, made), written };
    }
  }
}

function readSignatures(value: Raw): SystemDoc["signatures"] {
  return { ...DEFAULTS.system.signatures, ...(value["signatures"] as Partial<SystemDoc["signatures"]> | undefined) };
}

function readGrant(value: Raw, written: Raw, base: Located): GrantDoc {
  const { consumer, producer, valid, ...rest } = value as Raw & { valid: { from: number; until: number } };
  const until = String((written["valid"] as Raw)["until"]);
  return {
    ...(rest as unknown as Omit<GrantDoc, "kind">),
    ...base,
    kind: "grant",
    role: consumer === undefined ? "producer" : "consumer",
    system: String(consumer ?? producer),
    valid: { from: valid.from, until: until.includes("T") ? valid.until : valid.until + DAY },
  };
}

/** A default that is a text stays as it is written: `1.10` is not `1.1`. */
function readParameters(value: Raw, node: TreeNode): Readonly<Record<string, ParameterDoc>> {
  const entries = Object.entries(value).map(([name, given]): [string, ParameterDoc] => {
    const parameter = given as Omit<ParameterDoc, "required"> & { required?: boolean };
    const { type, required = parameter.default === undefined } = parameter;
    const text = type === "string" || type === "duration" ? textAt(nodeAt(node, [name]), "default") : undefined;
    return [name, { ...parameter, required, ...(text === undefined ? {} : { default: text }) }];
  });
  return Object.fromEntries(entries);
}
