/** Reads a map file's tree into entries; every fault is a finding with line and column and what to write. */
import type { BusError } from "../errors.ts";
import { meant } from "../near.ts";
import type { Spot } from "./documents.ts";
import { parsePath } from "./field-path.ts";
import type { Finding } from "./findings.ts";
import { CONVERTS_TEXT, parseConvert, type Convert } from "./map-converts.ts";
import { FORMS, MAP_LIMITS, type Form, type MapEntry, type MapFile, type MapSource, type Scalar } from "./map-document.ts";
import { createTargets } from "./map-targets.ts";
import { plain, readTrees, type MapNode, type TreeNode } from "./schema/tree.ts";

type Reading = Readonly<{ findings: Finding[]; count: { entries: number } }>;

const WORDS = [...new Set(Object.values(FORMS).flat())];

/** `map` is undefined when there is a finding. Never throws: the limits of every file of an administrator hold here too. */
export function parseMap(file: string, text: string): Readonly<{ map: MapFile | undefined; findings: readonly Finding[] }> {
  const [first, second] = readTrees(file, text);
  const reading: Reading = { findings: [...(first?.findings ?? [])], count: { entries: 0 } };
  if (reading.findings.length > 0) return { map: undefined, findings: reading.findings };
  if (second) fault(reading, second.spot, "map-shape", "a map file holds one map; put what stands below `---` into a file of its own");
  const root = first?.root ?? { kind: "map", entries: new Map(), spot: { file, line: 1, column: 1 } };
  const entries = readBody(reading, root);
  return { map: reading.findings.length > 0 ? undefined : { file, entries }, findings: reading.findings };
}

function readBody(reading: Reading, root: TreeNode): readonly MapEntry[] {
  const body = root.kind === "map" ? root.entries.get("map")?.node : undefined;
  for (const [name, { key }] of root.kind === "map" ? root.entries : []) {
    if (name !== "map" && name !== "bus") fault(reading, key, "unknown-field", `\`${name}\` is not a field of a map file; only \`map\` is`);
  }
  if (body?.kind === "map") return readEntries(reading, body, 0);
  fault(reading, root.spot, "map-shape", "a map file begins with `map:` and its target fields below it");
  return [];
}

function fault(reading: Reading, { file, line, column }: Spot, rule: string, text: string): void {
  reading.findings.push({ file, line, column, severity: "error", rule, text });
}

function readEntries(reading: Reading, map: MapNode, depth: number): readonly MapEntry[] {
  if (depth > MAP_LIMITS.depth) {
    fault(reading, map.spot, "map-shape", `records nest deeper than ${MAP_LIMITS.depth}`);
    return [];
  }
  const entries: MapEntry[] = [];
  const targets = createTargets();
  for (const [name, { key, node }] of map.entries) {
    reading.count.entries++;
    if (reading.count.entries > MAP_LIMITS.entries) {
      fault(reading, key, "map-shape", `a map has at most ${MAP_LIMITS.entries} fields`);
      return entries;
    }
    const target = targetOf(reading, name, key);
    const source = readSource(reading, key, node, depth);
    if (target === undefined || source === undefined) continue;
    const twice = targets.add(target, key.line);
    if (twice !== undefined) fault(reading, key, "map-target-twice", `\`${name}\` is mapped on line ${twice} already`);
    entries.push({ target, source, line: key.line, column: key.column });
  }
  return entries;
}

function targetOf(reading: Reading, name: string, key: Spot): readonly string[] | undefined {
  try {
    return parsePath(name);
  } catch (error) {
    fault(reading, key, "map-path", (error as BusError).message);
    return undefined;
  }
}

function readSource(reading: Reading, key: Spot, node: TreeNode, depth: number): MapSource | undefined {
  if (node.kind === "scalar" && typeof node.value === "string") {
    return { kind: "path", from: sourcePath(reading, node.spot, node.value), converts: [], table: undefined, default: undefined };
  }
  const form = node.kind === "map" ? (Object.keys(FORMS) as Form[]).find((word) => node.entries.has(word)) : undefined;
  if (node.kind === "map") refuseStrays(reading, node, form);
  if (node.kind !== "map" || form === undefined) {
    const at = node.kind === "scalar" && node.value === null ? key : node.spot;
    fault(reading, at, "map-shape", "a source is a path, or { from }, { value }, { concat }, { jsonata }, { each, map } or { map }");
    return undefined;
  }
  return readForm(reading, form, node, depth);
}

function refuseStrays(reading: Reading, node: MapNode, form: Form | undefined): void {
  const allowed: readonly string[] = form === undefined ? WORDS : FORMS[form];
  for (const [name, { key }] of node.entries) {
    if (allowed.includes(name)) continue;
    const known = (WORDS as readonly string[]).includes(name);
    if (known && form !== undefined) fault(reading, key, "map-shape", `\`${name}\` does not go with \`${form}\``);
    else fault(reading, key, "unknown-field", `\`${name}\` is not a field of a source${meant(name, WORDS)}`);
  }
}

function readForm(reading: Reading, form: Form, node: MapNode, depth: number): MapSource | undefined {
  switch (form) {
    case "value":
      return { kind: "value", value: literalOf(reading, node, "value") };
    case "jsonata":
      return { kind: "jsonata", text: textOf(reading, node, "jsonata"), converts: readConverts(reading, node) };
    case "concat":
      return { kind: "concat", parts: readParts(reading, node), with: node.entries.has("with") ? textOf(reading, node, "with") : "" };
    case "from":
      return {
        kind: "path",
        from: pathOf(reading, node, "from"),
        converts: readConverts(reading, node),
        table: readTable(reading, node),
        default: node.entries.has("default") ? scalarOf(reading, node, "default") : undefined,
      };
    case "each":
    case "map":
      return readRecord(reading, form, node, depth);
    default:
      return undefined;
  }
}

function readRecord(reading: Reading, form: "each" | "map", node: MapNode, depth: number): MapSource | undefined {
  const inner = node.entries.get("map")?.node;
  if (inner?.kind !== "map") {
    fault(reading, node.spot, "map-shape", "`map` with the fields of the record is missing");
    return undefined;
  }
  const entries = readEntries(reading, inner, depth + 1);
  if (form === "each") return { kind: "each", each: pathOf(reading, node, "each"), entries };
  return { kind: "record", from: node.entries.has("from") ? pathOf(reading, node, "from") : undefined, entries };
}

const placeOf = (node: MapNode, name: string): Spot => node.entries.get(name)?.node.spot ?? node.spot;

/** Any JSON value, as it stands. */
function literalOf(reading: Reading, node: MapNode, name: string): unknown {
  const inner = node.entries.get(name)?.node;
  if (inner === undefined) return undefined;
  refuseInexact(reading, inner);
  return plain(inner);
}

/** A number that has no exact value here, or none in JSON, would be another one in every message. */
function refuseInexact(reading: Reading, node: TreeNode): void {
  if (node.kind === "list") for (const item of node.items) refuseInexact(reading, item);
  else if (node.kind === "map") for (const { node: inner } of node.entries.values()) refuseInexact(reading, inner);
  else if (typeof node.value === "number" && !(Number.isSafeInteger(node.value) || isFraction(node.value)))
    fault(reading, node.spot, "map-shape", `\`${node.text}\` is no number that a message can carry exactly; put it in quotes`);
}
const isFraction = (value: number): boolean => Number.isFinite(value) && !Number.isInteger(value);

function textOf(reading: Reading, node: MapNode, name: string): string {
  const inner = node.entries.get(name)?.node;
  if (inner?.kind === "scalar" && typeof inner.value === "string") return inner.value;
  fault(reading, placeOf(node, name), "map-shape", `\`${name}\` takes a text`);
  return "";
}

function pathOf(reading: Reading, node: MapNode, name: string): string {
  return sourcePath(reading, placeOf(node, name), textOf(reading, node, name));
}

function sourcePath(reading: Reading, spot: Spot, path: string): string {
  try {
    if (path !== "$") parsePath(path);
  } catch (error) {
    fault(reading, spot, "map-path", (error as BusError).message);
  }
  return path;
}

function scalarOf(reading: Reading, node: MapNode, name: string): Scalar {
  const inner = node.entries.get(name)?.node;
  if (inner?.kind === "scalar") {
    refuseInexact(reading, inner);
    return inner.value;
  }
  fault(reading, placeOf(node, name), "map-shape", `\`${name}\` takes a text, number, boolean or null`);
  return null;
}

function readParts(reading: Reading, node: MapNode): readonly string[] {
  const list = node.entries.get("concat")?.node;
  const parts =
    list?.kind === "list"
      ? list.items.map((item) =>
          item.kind === "scalar" && typeof item.value === "string" ? sourcePath(reading, item.spot, item.value) : undefined,
        )
      : [];
  if (parts.length > 0 && !parts.includes(undefined)) return parts.filter((part) => part !== undefined);
  fault(reading, placeOf(node, "concat"), "map-shape", "`concat` takes a list of paths");
  return [];
}

function readConverts(reading: Reading, node: MapNode): readonly Convert[] {
  const written = node.entries.get("convert")?.node;
  const converts: Convert[] = [];
  for (const one of written === undefined ? [] : written.kind === "list" ? written.items : [written]) {
    const name = one.kind === "scalar" ? one.text : "…";
    const convert = parseConvert(name);
    if (convert === undefined) fault(reading, one.spot, "map-convert", `\`${name}\` is no convert; known are ${CONVERTS_TEXT}`);
    else converts.push(convert);
  }
  return converts;
}

/** Source values are texts as they are written: `01` is `01`. */
function readTable(reading: Reading, node: MapNode): ReadonlyMap<string, Scalar> | undefined {
  const table = node.entries.get("table")?.node;
  if (table === undefined) return undefined;
  if (table.kind !== "map") {
    fault(reading, table.spot, "map-shape", "`table` takes source values and what they become: { A: active, P: passive }");
    return undefined;
  }
  return new Map([...table.entries.keys()].map((name) => [name, scalarOf(reading, table, name)]));
}
