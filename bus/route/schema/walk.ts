/**
 * Reads a tree by its schema: fills in variables, turns texts with units into numbers, and says what is wrong in our own words,
 * one message per cause. A fault in one node never hides a fault in its neighbour.
 */
import type { Spot } from "../documents.ts";
import type { Finding } from "../findings.ts";
import { fill } from "./fill.ts";
import { near } from "../../near.ts";
import { readScalar } from "./scalar.ts";
import type { Schema, TypeName } from "./schema.ts";
import { plain, type Entry, type ListNode, type MapNode, type ScalarNode, type TreeNode } from "./tree.ts";

export type WalkContext = Readonly<{
  defs: Readonly<Record<string, Schema>>;
  vars: Readonly<Record<string, string>>;
  /** Texts stay as written (variables filled in): what adapters get, and what `effective` prints. */
  raw: boolean;
  /** Paths of all files, for references. */
  paths: ReadonlySet<string>;
  report(finding: Finding): void;
  /** Called instead of a report on a variable without a value, where a faulty document may be the one that gives it. */
  unset?: (() => void) | undefined;
}>;

/** The value by its schema; undefined where it is faulty (then something was reported). `name` is the key it stands under. */
export function walk(node: TreeNode, given: Schema, context: WalkContext, name = "document"): unknown {
  const schema = given.$ref === undefined ? given : (context.defs[given.$ref.replace("#/$defs/", "")] ?? {});
  const types = schema.type === undefined ? undefined : [schema.type].flat();
  const kind = node.kind === "map" ? "object" : node.kind === "list" ? "array" : "scalar";
  const fits = !types || (kind === "scalar" ? types.some((type) => type !== "object" && type !== "array") : types.includes(kind));
  if (node.kind === "scalar" && node.value === null) {
    return fail(context, node.spot, "no-value", `\`${name}\` has no value; write ${wanted(types, schema)} or leave the key out`);
  }
  if (!fits) return fail(context, node.spot, "wrong-type", `\`${name}\` takes ${wanted(types, schema)}, here stands ${NOUNS[node.kind]}`);
  if (node.kind === "map") return walkMap(node, schema, context, name);
  if (node.kind === "list") return walkList(node, schema, context, name);
  return walkScalar(node, schema, context, name);
}

const NOUNS = { map: "a block of keys", list: "a list", scalar: "a single value" } as const;
const TYPES: Readonly<Record<TypeName, string>> = {
  object: "a block of keys",
  array: "a list",
  string: "a text",
  integer: "a whole number",
  number: "a number",
  boolean: "true or false",
};
function wanted(types: readonly TypeName[] | undefined, schema: Schema): string {
  const nouns = (types ?? ["string"]).map((type) => TYPES[type]).join(" or ");
  const example = schema.examples?.[0];
  return typeof example === "string" || typeof example === "number" ? `${nouns}, for example \`${example}\`` : nouns;
}

function fail(context: WalkContext, spot: Spot, rule: string, text: string): undefined {
  context.report({ file: spot.file, line: spot.line, column: spot.column, severity: "error", rule, text });
  return undefined;
}

function walkMap(node: MapNode, schema: Schema, context: WalkContext, name: string): unknown {
  if (schema.additionalProperties === true) return plain(node);
  const result: Record<string, unknown> = {};
  const missing = new Set((schema.required ?? []).filter((key) => !node.entries.has(key)));
  if (misplacedStep(node, schema, context)) return undefined;
  let unknown = 0;
  for (const [key, entry] of node.entries) {
    const known = schema.properties?.[key];
    const child = known ?? (typeof schema.additionalProperties === "object" ? schema.additionalProperties : undefined);
    if (child) Object.defineProperty(result, key, { value: walk(entry.node, child, context, key), enumerable: true });
    else {
      unknown += 1;
      unknownKey(key, entry, schema, missing, context);
    }
  }
  for (const key of missing) {
    const example = JSON.stringify(schema.properties?.[key]?.examples?.[0] ?? "…");
    fail(context, node.spot, "missing-field", `\`${name}\` has no \`${key}\`; write for example \`${key}: ${bare(example)}\``);
  }
  if (unknown === 0) counts(node, schema, context, name);
  return result;
}
const bare = (json: string): string => json.replace(/^"(.*)"$/, "$1").slice(0, 80);

/** A key that nobody knows. When its nearest name is a missing one, that is the same cause: it is not reported again. */
function unknownKey(key: string, entry: Entry, schema: Schema, missing: Set<string>, context: WalkContext): void {
  const known = Object.keys(schema.properties ?? {});
  const noun = schema["x-noun"] ?? "field";
  const hint =
    near(
      key,
      known.filter((name) => !missing.has(name)),
    ) ?? "";
  const wantedKey = near(key, [...missing]) ?? hint;
  if (wantedKey !== "") missing.delete(wantedKey);
  const advice = wantedKey === "" ? `known here: ${known.join(", ")}` : `did you mean \`${wantedKey}\`?`;
  const unknownAdapter = noun === "adapter" && wantedKey === "" && entry.node.kind === "map";
  const adapters = schema["x-one"] ?? [];
  if (unknownAdapter) fail(context, entry.key, "unknown-adapter", `there is no adapter \`${key}\`; known are ${adapters.join(", ")}`);
  else
    fail(
      context,
      entry.key,
      noun === "step" ? "unknown-step" : "unknown-field",
      `there is no ${noun === "adapter" ? "field" : noun} \`${key}\`; ${advice}`,
    );
}

/** `- dedupe:` with its settings not indented below it: one message instead of one per setting. */
function misplacedStep(node: MapNode, schema: Schema, context: WalkContext): boolean {
  if (schema.maxProperties !== 1 || node.entries.size < 2) return false;
  const [first, second] = node.entries.keys();
  const inner = schema.properties?.[first ?? ""]?.properties ?? {};
  const at = node.entries.get(second ?? "");
  if (first === undefined || second === undefined || !at) return false;
  const noun = schema["x-noun"] ?? "entry";
  const text = Object.hasOwn(inner, second)
    ? `\`${second}\` belongs to \`${first}\`; indent it below \`${first}:\``
    : `a ${noun} has exactly one key, here are ${[...node.entries.keys()].map((key) => `\`${key}\``).join(" and ")}; begin each ${noun} with \`- \``;
  fail(context, at.key, "two-keys", text);
  return true;
}

function counts(node: MapNode, schema: Schema, context: WalkContext, name: string): void {
  const { minProperties = 0, maxProperties = Infinity, "x-one": one } = schema;
  if (node.entries.size < minProperties)
    fail(context, node.spot, "empty", `\`${name}\` is empty; known here: ${Object.keys(schema.properties ?? {}).join(", ")}`);
  if (node.entries.size > maxProperties) fail(context, node.spot, "too-many", `\`${name}\` has more than ${maxProperties} entries`);
  if (!one) return;
  const there = one.filter((key) => node.entries.has(key));
  const noun = schema["x-noun"] === "adapter" ? "adapter" : "of";
  const names = noun === "adapter" ? "adapter" : `of ${one.join(", ")}`;
  const second = node.entries.get(there[1] ?? "");
  if (second)
    fail(
      context,
      second.key,
      noun === "adapter" ? "two-adapters" : "one-of",
      `\`${name}\` takes exactly one ${names}, here are ${there.map((key) => `\`${key}\``).join(" and ")}; keep one`,
    );
  if (there.length === 0)
    fail(
      context,
      node.spot,
      noun === "adapter" ? "no-adapter" : "one-of",
      `\`${name}\` needs exactly one ${noun === "adapter" ? `adapter: ${one.join(", ")}` : names}`,
    );
}

function walkList(node: ListNode, schema: Schema, context: WalkContext, name: string): unknown {
  const { minItems = 0, maxItems = Infinity } = schema;
  if (node.items.length < minItems) return fail(context, node.spot, "empty", `\`${name}\` is empty; write at least ${minItems}`);
  if (node.items.length > maxItems) return fail(context, node.spot, "too-many", `\`${name}\` has more than ${maxItems} entries`);
  return node.items.map((item) => walk(item, schema.items ?? {}, context, name));
}

function walkScalar(node: ScalarNode, schema: Schema, context: WalkContext, name: string): unknown {
  const filled =
    typeof node.value === "string" && !schema["x-literal"]
      ? fill(node.value, schema["x-secret"] === true, context.vars)
      : { value: node.text };
  if ("fault" in filled) {
    if (filled.rule === "unset-variable" && context.unset) return context.unset();
    return fail(context, node.at(filled.offset), filled.rule, filled.fault);
  }
  const read = readScalar(node, filled.value, schema, context.raw);
  if ("value" in read && schema["x-kind"] === "file" && !context.paths.has(String(read.value))) {
    return fail(context, node.spot, "file-missing", missingFile(name, String(read.value), context.paths));
  }
  return "fault" in read ? fail(context, node.spot, read.rule, `\`${name}\`: ${read.fault}`) : read.value;
}

export function missingFile(name: string, path: string, paths: ReadonlySet<string>): string {
  const index = indexOf(paths);
  const [folder, base] = split(path);
  const guess = index.byName.get(base) ?? near(path, index.byFolder.get(folder) ?? []);
  return `\`${name}\`: there is no file ${path}${guess === undefined ? "; write its path relative to this file" : `; did you mean ${guess}?`}`;
}

/** Paths by their last name and by their folder: when a whole folder is missing, each guess must not go through all files. */
type Paths = Readonly<{ byName: ReadonlyMap<string, string>; byFolder: ReadonlyMap<string, readonly string[]> }>;
const indexes = new WeakMap<ReadonlySet<string>, Paths>();

function indexOf(paths: ReadonlySet<string>): Paths {
  const known = indexes.get(paths);
  if (known) return known;
  const all = [...paths].toReversed();
  const index = { byName: new Map(all.map((path) => [split(path)[1], path])), byFolder: Map.groupBy(all, (path) => split(path)[0]) };
  indexes.set(paths, index);
  return index;
}

const split = (path: string): readonly [folder: string, base: string] => {
  const at = path.lastIndexOf("/") + 1;
  return [path.slice(0, at), path.slice(at)];
};
