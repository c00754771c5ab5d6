/** Reads a map file's YAML into entries; every fault is a finding with line and column and what to write. */
import { LineCounter, isMap, isNode, isScalar, isSeq, parseDocument, type Document, type YAMLMap } from "yaml";
import type { BusError } from "../errors.ts";
import { meant } from "../near.ts";
import type { Finding } from "./findings.ts";
import { CONVERTS_TEXT, parseConvert, type Convert } from "./map-converts.ts";
import { FORMS, MAP_LIMITS, type Form, type MapEntry, type MapFile, type MapSource, type Scalar } from "./map-document.ts";
import { parsePath } from "./field-path.ts";

type Reading = Readonly<{ file: string; lines: LineCounter; document: Document; findings: Finding[]; count: { entries: number } }>;

const WORDS = [...new Set(Object.values(FORMS).flat())];

/** `map` is undefined when there is a finding. */
export function parseMap(file: string, text: string): Readonly<{ map: MapFile | undefined; findings: readonly Finding[] }> {
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false });
  const reading: Reading = { file, lines, document, findings: [], count: { entries: 0 } };
  for (const error of document.errors) fault(reading, error.pos[0], "yaml", error.message);
  const root = document.contents;
  if (reading.findings.length > 0) return { map: undefined, findings: reading.findings };
  const body = isMap(root) ? root.get("map", true) : undefined;
  for (const { key } of isMap(root) ? root.items : []) {
    if (nameOf(key) !== "map" && nameOf(key) !== "bus")
      fault(reading, at(key), "unknown-field", `\`${nameOf(key)}\` is not a field of a map file; only \`map\` is`);
  }
  if (!isMap(body)) fault(reading, at(root), "map-shape", "a map file begins with `map:` and its target fields below it");
  const entries = isMap(body) ? readEntries(reading, body, 0) : [];
  return { map: reading.findings.length > 0 ? undefined : { file, entries }, findings: reading.findings };
}

function fault(reading: Reading, offset: number, rule: string, text: string): void {
  const { line, col } = reading.lines.linePos(offset);
  reading.findings.push({ file: reading.file, line: Math.max(1, line), column: Math.max(1, col), severity: "error", rule, text });
}

const at = (node: unknown): number => (isNode(node) ? (node.range?.[0] ?? 0) : 0);
const nameOf = (key: unknown): string => String(isScalar(key) ? key.value : key);

function readEntries(reading: Reading, map: YAMLMap, depth: number): readonly MapEntry[] {
  if (depth > MAP_LIMITS.depth) {
    fault(reading, at(map), "map-shape", `records nest deeper than ${MAP_LIMITS.depth}`);
    return [];
  }
  const entries: MapEntry[] = [];
  for (const { key, value } of map.items) {
    reading.count.entries++;
    if (reading.count.entries > MAP_LIMITS.entries) {
      fault(reading, at(key), "map-shape", `a map has at most ${MAP_LIMITS.entries} fields`);
      return entries;
    }
    const target = targetOf(reading, key);
    const source = readSource(reading, key, value, depth);
    if (target === undefined || source === undefined) continue;
    const twice = entries.find((entry) => overlap(entry.target, target));
    if (twice !== undefined) fault(reading, at(key), "map-target-twice", `\`${nameOf(key)}\` is mapped on line ${twice.line} already`);
    const { line, col } = reading.lines.linePos(at(key));
    entries.push({ target, source, line, column: col });
  }
  return entries;
}

/** The same field, or one inside the other. */
function overlap(left: readonly string[], right: readonly string[]): boolean {
  const shared = Math.min(left.length, right.length);
  return left.slice(0, shared).every((name, index) => right[index] === name);
}

function targetOf(reading: Reading, key: unknown): readonly string[] | undefined {
  try {
    return parsePath(nameOf(key));
  } catch (error) {
    fault(reading, at(key), "map-path", (error as BusError).message);
    return undefined;
  }
}

function readSource(reading: Reading, key: unknown, node: unknown, depth: number): MapSource | undefined {
  if (isScalar(node) && typeof node.value === "string") {
    return { kind: "path", from: sourcePath(reading, node, node.value), converts: [], table: undefined, default: undefined };
  }
  const form = isMap(node) ? (Object.keys(FORMS) as Form[]).find((word) => node.has(word)) : undefined;
  if (isMap(node)) refuseStrays(reading, node, form);
  if (!isMap(node) || form === undefined) {
    fault(
      reading,
      at(node ?? key),
      "map-shape",
      "a source is a path, or { from }, { value }, { concat }, { jsonata }, { each, map } or { map }",
    );
    return undefined;
  }
  return readForm(reading, form, node, depth);
}

function refuseStrays(reading: Reading, node: YAMLMap, form: Form | undefined): void {
  const allowed: readonly string[] = form === undefined ? WORDS : FORMS[form];
  for (const { key } of node.items) {
    const name = nameOf(key);
    if (allowed.includes(name)) continue;
    const known = (WORDS as readonly string[]).includes(name);
    if (known && form !== undefined) fault(reading, at(key), "map-shape", `\`${name}\` does not go with \`${form}\``);
    else fault(reading, at(key), "unknown-field", `\`${name}\` is not a field of a source${meant(name, WORDS)}`);
  }
}

function readForm(reading: Reading, form: Form, node: YAMLMap, depth: number): MapSource | undefined {
  switch (form) {
    case "value":
      return { kind: "value", value: plain(reading, node, "value") };
    case "jsonata":
      return { kind: "jsonata", text: textOf(reading, node, "jsonata"), converts: readConverts(reading, node) };
    case "concat":
      return { kind: "concat", parts: readParts(reading, node), with: node.has("with") ? textOf(reading, node, "with") : "" };
    case "from":
      return {
        kind: "path",
        from: pathOf(reading, node, "from"),
        converts: readConverts(reading, node),
        table: readTable(reading, node),
        default: node.has("default") ? scalarOf(reading, node, "default") : undefined,
      };
    case "each":
    case "map":
      return readRecord(reading, form, node, depth);
    default:
      return undefined;
  }
}

function readRecord(reading: Reading, form: "each" | "map", node: YAMLMap, depth: number): MapSource | undefined {
  const inner = node.get("map", true);
  if (!isMap(inner)) {
    fault(reading, at(node), "map-shape", "`map` with the fields of the record is missing");
    return undefined;
  }
  const entries = readEntries(reading, inner, depth + 1);
  if (form === "each") return { kind: "each", each: pathOf(reading, node, "each"), entries };
  return { kind: "record", from: node.has("from") ? pathOf(reading, node, "from") : undefined, entries };
}

const plain = (reading: Reading, node: YAMLMap, name: string): unknown => {
  const inner = node.get(name, true);
  return isNode(inner) ? (inner.toJS(reading.document) as unknown) : undefined;
};

function textOf(reading: Reading, node: YAMLMap, name: string): string {
  const value = plain(reading, node, name);
  if (typeof value === "string") return value;
  fault(reading, at(node.get(name, true)), "map-shape", `\`${name}\` takes a text`);
  return "";
}

function pathOf(reading: Reading, node: YAMLMap, name: string): string {
  return sourcePath(reading, node.get(name, true), textOf(reading, node, name));
}

function sourcePath(reading: Reading, node: unknown, path: string): string {
  try {
    if (path !== "$") parsePath(path);
  } catch (error) {
    fault(reading, at(node), "map-path", (error as BusError).message);
  }
  return path;
}

function scalarOf(reading: Reading, node: YAMLMap, name: string): Scalar {
  const value = plain(reading, node, name);
  if (value === null || typeof value === "string" || typeof value === "number" || typeof value === "boolean") return value;
  fault(reading, at(node.get(name, true)), "map-shape", `\`${name}\` takes a text, number, boolean or null`);
  return null;
}

function readParts(reading: Reading, node: YAMLMap): readonly string[] {
  const list = node.get("concat", true);
  const parts = isSeq(list)
    ? list.items.map((item) => (isScalar(item) && typeof item.value === "string" ? sourcePath(reading, item, item.value) : undefined))
    : [];
  if (parts.length > 0 && !parts.includes(undefined)) return parts.filter((part) => part !== undefined);
  fault(reading, at(list), "map-shape", "`concat` takes a list of paths");
  return [];
}

function readConverts(reading: Reading, node: YAMLMap): readonly Convert[] {
  const written = plain(reading, node, "convert");
  const converts: Convert[] = [];
  for (const name of written === undefined ? [] : Array.isArray(written) ? (written as unknown[]) : [written]) {
    const convert = parseConvert(String(name));
    if (convert === undefined)
      fault(reading, at(node.get("convert", true)), "map-convert", `\`${String(name)}\` is no convert; known are ${CONVERTS_TEXT}`);
    else converts.push(convert);
  }
  return converts;
}

function readTable(reading: Reading, node: YAMLMap): ReadonlyMap<string, Scalar> | undefined {
  const table = node.get("table", true);
  if (table === undefined) return undefined;
  if (!isMap(table)) {
    fault(reading, at(table), "map-shape", "`table` takes source values and what they become: { A: active, P: passive }");
    return undefined;
  }
  return new Map(table.items.map(({ key }) => [nameOf(key), scalarOf(reading, table, nameOf(key))]));
}
