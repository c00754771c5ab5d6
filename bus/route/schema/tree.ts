/** YAML text to trees whose every node knows its place. No node is lost to a fault: the tree says what it could read. */
import type { Spot } from "../documents.ts";
import type { Finding } from "../findings.ts";
import { isAlias, isMap, isScalar, isSeq, LineCounter, parseAllDocuments, type Document, type ParsedNode, type YAMLError } from "yaml";
import { plainWords } from "./syntax.ts";

export type ScalarNode = Readonly<{
  kind: "scalar";
  value: string | number | boolean | null;
  /** As written: `007` of a number. */
  text: string;
  spot: Spot;
  /** Place of the character at `offset` of the value; the start where quoting or folding hides it. */
  at(offset: number): Spot;
}>;
export type ListNode = Readonly<{ kind: "list"; items: readonly TreeNode[]; spot: Spot }>;
export type Entry = Readonly<{ key: Spot; node: TreeNode }>;
export type MapNode = Readonly<{ kind: "map"; entries: ReadonlyMap<string, Entry>; spot: Spot }>;
export type TreeNode = ScalarNode | ListNode | MapNode;

export type Tree = Readonly<{ root: TreeNode | undefined; spot: Spot; findings: readonly Finding[] }>;

/** Limits of one file: an administrator's file beyond them is a mistake or an attack. */
export const MAX_TEXT = 1024 * 1024;
const MAX_NODES = 50_000;
const MAX_DEPTH = 64;

type Context = { readonly file: string; readonly text: string; readonly lines: LineCounter; document: Document.Parsed; nodes: number };
class Limit extends Error {}

/** Every YAML document of a file; empty ones are left out. */
export function readTrees(file: string, text: string): readonly Tree[] {
  const start: Spot = { file, line: 1, column: 1 };
  if (text.length > MAX_TEXT) return [faulty(start, "file-too-large", "the file is larger than 1 MiB; split it into several files")];
  const lines = new LineCounter();
  try {
    const documents = parseAllDocuments(text, { lineCounter: lines, prettyErrors: false, stringKeys: true, logLevel: "silent" });
    if (!Array.isArray(documents)) return [];
    return documents.flatMap((document) => treeOf({ file, text, lines, document, nodes: 0 }));
  } catch {
    return [faulty(start, "yaml-too-deep", `the YAML cannot be read: it is nested deeper than ${MAX_DEPTH} levels`)];
  }
}

function treeOf(context: Context): readonly Tree[] {
  const { document } = context;
  const spot = spotAt(context, document.contents?.range[0] ?? document.range[0]);
  const fault = firstOf([...document.errors, ...document.warnings]);
  const findings = fault
    ? [finding(spotAt(context, placeOf(fault, document.contents)), "yaml-syntax", plainWords(fault, context.text))]
    : [];
  if (document.contents === null || document.contents === undefined)
    return findings.length > 0 ? [{ root: undefined, spot, findings }] : [];
  try {
    const root = nodeOf(context, document.contents, 0);
    const empty = root.kind === "scalar" && root.value === null && findings.length === 0;
    return empty ? [] : [{ root, spot, findings }];
  } catch (error) {
    if (!(error instanceof Limit)) throw error;
    return [findings.length > 0 ? { root: undefined, spot, findings } : faulty(spot, "yaml-too-deep", error.message)];
  }
}

/** A quote that never ends swallows the rest and is missed only there; the fault is where it opens: at the last value. */
function placeOf(fault: YAMLError, contents: ParsedNode | null): number {
  if (fault.code !== "MISSING_CHAR" || !fault.message.includes("quote")) return fault.pos[0];
  let node = contents;
  while (isMap<ParsedNode, ParsedNode | null>(node) || isSeq<ParsedNode | null>(node)) {
    const last = isMap<ParsedNode, ParsedNode | null>(node) ? (node.items.at(-1)?.value ?? node.items.at(-1)?.key) : node.items.at(-1);
    if (!last) break;
    node = last;
  }
  return node?.range?.[0] ?? fault.pos[0];
}

function firstOf(errors: readonly YAMLError[]): YAMLError | undefined {
  return errors.toSorted((a, b) => a.pos[0] - b.pos[0])[0];
}

function nodeOf(context: Context, node: ParsedNode | null, depth: number, fallback = 0): TreeNode {
  context.nodes += 1;
  if (context.nodes > MAX_NODES) throw new Limit(`the document has more than ${MAX_NODES} values (aliases included); split it`);
  if (depth > MAX_DEPTH) throw new Limit(`the document is nested deeper than ${MAX_DEPTH} levels; flatten it`);
  const start = node?.range?.[0] ?? fallback;
  const spot = spotAt(context, start);
  if (isAlias(node)) return nodeOf(context, (node.resolve(context.document) ?? null) as ParsedNode | null, depth + 1, start);
  if (isSeq<ParsedNode | null>(node))
    return { kind: "list", items: node.items.map((item) => nodeOf(context, item, depth + 1, start)), spot };
  if (isMap<ParsedNode, ParsedNode | null>(node)) {
    const entries = new Map<string, Entry>();
    for (const { key, value } of node.items) {
      const name = isScalar(key) ? String(key.value) : "?";
      const at = (key as ParsedNode | null)?.range?.[0] ?? start;
      if (!entries.has(name)) entries.set(name, { key: spotAt(context, at), node: nodeOf(context, value, depth + 1, at) });
    }
    return { kind: "map", entries, spot };
  }
  return scalarOf(context, node, spot);
}

function scalarOf(context: Context, node: ParsedNode | null, spot: Spot): ScalarNode {
  const value: unknown = isScalar(node) ? node.value : null;
  const known =
    typeof value === "string" || typeof value === "number" || typeof value === "boolean"
      ? value
      : typeof value === "bigint"
        ? String(value)
        : null;
  const text = isScalar(node) && typeof node.source === "string" ? node.source : String(known ?? "");
  return { kind: "scalar", value: known, text, spot, at: (offset) => offsetSpot(context, node, spot, offset) };
}

/** Maps an offset of a scalar's value back to the file. */
function offsetSpot(context: Context, node: ParsedNode | null, spot: Spot, offset: number): Spot {
  if (!isScalar(node) || typeof node.value !== "string") return spot;
  const [start, end] = node.range;
  const raw = context.text.slice(start, end);
  if (node.type === "BLOCK_LITERAL") return blockSpot(raw, node.value, spot, offset);
  if (raw.includes("\n")) return spot;
  const quote = node.type === "QUOTE_DOUBLE" ? '"' : node.type === "QUOTE_SINGLE" ? "'" : "";
  let at = quote.length;
  for (let count = 0; count < offset && at < raw.length; count += 1) {
    const escaped = (quote === '"' && raw[at] === "\\") || (quote === "'" && raw[at] === "'");
    const long = escaped && quote === '"' ? { x: 4, u: 6, U: 10 }[raw[at + 1] ?? ""] : undefined;
    at += escaped ? (long ?? 2) : 1;
  }
  return spotAt(context, start + Math.min(at, Math.max(0, raw.length - quote.length - (quote ? 0 : 1))));
}

/** A literal block keeps its lines: line n of the value is line n+1 below the `|`. */
function blockSpot(raw: string, value: string, spot: Spot, offset: number): Spot {
  const before = value.slice(0, offset).split("\n");
  const line = raw.split("\n")[before.length] ?? "";
  const indent = line.length - (value.split("\n")[before.length - 1] ?? "").length;
  return { file: spot.file, line: spot.line + before.length, column: Math.max(0, indent) + (before.at(-1)?.length ?? 0) + 1 };
}

function spotAt(context: Context, offset: number): Spot {
  const { line, col } = context.lines.linePos(Math.max(0, Math.min(offset, context.text.length)));
  return { file: context.file, line: Math.max(1, line), column: Math.max(1, col) };
}

function finding(spot: Spot, rule: string, text: string): Finding {
  return { ...spot, severity: "error", rule, text };
}
function faulty(spot: Spot, rule: string, text: string): Tree {
  return { root: undefined, spot, findings: [finding(spot, rule, text)] };
}

/** The plain value of a tree: what JSON would hold. */
export function plain(node: TreeNode): unknown {
  if (node.kind === "scalar") return node.value;
  if (node.kind === "list") return node.items.map(plain);
  return Object.fromEntries([...node.entries].map(([key, entry]) => [key, plain(entry.node)]));
}

/** The node at a path, or its nearest ancestor that is there. */
export function nodeAt(root: TreeNode, path: readonly (string | number)[]): TreeNode {
  let node = root;
  for (const part of path) {
    const next: TreeNode | undefined =
      node.kind === "map" ? node.entries.get(String(part))?.node : node.kind === "list" ? node.items[Number(part)] : undefined;
    if (!next) return node;
    node = next;
  }
  return node;
}

/** Text of a scalar member of a map. */
export function textAt(node: TreeNode | undefined, key: string): string | undefined {
  const found = node?.kind === "map" ? node.entries.get(key)?.node : undefined;
  return found?.kind === "scalar" && found.value !== null ? found.text : undefined;
}
