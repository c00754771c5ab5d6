/** YAML text to trees whose every node knows its place. No node is lost to a fault: the tree says what it could read. */
import type { Spot } from "../documents.ts";
import type { Finding } from "../findings.ts";
import { isAlias, isMap, isScalar, isSeq, LineCounter, parseAllDocuments, type Document, type ParsedNode, type YAMLError } from "yaml";
import { plainWords, twiceWords } from "./syntax.ts";

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

type Context = {
  readonly file: string;
  readonly text: string;
  readonly lines: LineCounter;
  readonly document: Document.Parsed;
  nodes: number;
  /** The first key that stands twice in one block, by its place in the text. */
  twice: Readonly<{ name: string; offset: number }> | undefined;
};
class Limit extends Error {}
/** The document says something that has no meaning here. */
class Refused extends Error {
  readonly spot: Spot;
  constructor(spot: Spot, text: string) {
    super(text);
    this.spot = spot;
  }
}

/** Marks of the byte order that editors and joined files leave at the beginning of a document; they take no column. */
const MARKS = /^\uFEFF/gm;

/** Every YAML document of a file; empty ones are left out. */
export function readTrees(file: string, written: string): readonly Tree[] {
  const start: Spot = { file, line: 1, column: 1 };
  if (written.length > MAX_TEXT) return [faulty(start, "file-too-large", "the file is larger than 1 MiB; split it into several files")];
  const text = written.replace(MARKS, "");
  const lines = new LineCounter();
  try {
    const documents = parseAllDocuments(text, {
      lineCounter: lines,
      prettyErrors: false,
      stringKeys: true,
      logLevel: "silent",
      uniqueKeys: false,
    });
    if (!Array.isArray(documents)) return [];
    return documents.flatMap((document) => treeOf({ file, text, lines, document, nodes: 0, twice: undefined }));
  } catch {
    return [faulty(start, "yaml-too-deep", TOO_DEEP)];
  }
}

const TOO_DEEP = `the document is nested deeper than ${MAX_DEPTH} levels; flatten it`;
/** The parser nests as the text does, and ends where its own stack ends. */
const isTooDeep = (error: YAMLError): boolean => /call stack/i.test(error.message);

/** Under another version of YAML the same letters mean something else: `yes` is true, `010` is 8. */
function otherVersion(context: Context): Tree | undefined {
  const { version, explicit } = context.document.directives?.yaml ?? {};
  if (explicit !== true || version === "1.2") return undefined;
  const at = context.text.slice(0, context.document.contents?.range[0] ?? context.document.range[1]).lastIndexOf("%YAML");
  const text = "a `%YAML 1.1` line gives `yes`, `no` and `010` another meaning than all other files have; take it out";
  return faulty(spotAt(context, Math.max(0, at)), "yaml-syntax", text);
}

function treeOf(context: Context): readonly Tree[] {
  const { document } = context;
  const old = otherVersion(context);
  if (old) return [old];
  const spot = spotAt(context, document.contents?.range[0] ?? document.range[0]);
  const fault = firstOf([...document.errors, ...document.warnings]);
  if (fault && isTooDeep(fault)) return [faulty(spot, "yaml-too-deep", TOO_DEEP)];
  try {
    const root = document.contents ? nodeOf(context, document.contents, 0) : undefined;
    const findings = faultsOf(context, fault);
    const empty = !root || (root.kind === "scalar" && root.value === null);
    return empty && findings.length === 0 ? [] : [{ root, spot, findings }];
  } catch (error) {
    const findings = faultsOf(context, fault);
    if (findings.length > 0) return [{ root: undefined, spot, findings }];
    if (error instanceof Refused) return [faulty(error.spot, "yaml-syntax", error.message)];
    if (error instanceof Limit) return [faulty(spot, "yaml-too-deep", error.message)];
    throw error;
  }
}

/** What the parser found, or a key that stands twice: the one that comes first. Later ones are often only its echo. */
function faultsOf(context: Context, fault: YAMLError | undefined): readonly Finding[] {
  const { twice } = context;
  if (twice && (!fault || twice.offset < fault.pos[0]))
    return [finding(spotAt(context, twice.offset), "yaml-syntax", twiceWords(twice.name))];
  return fault ? [finding(spotAt(context, placeOf(fault, context.document.contents)), "yaml-syntax", plainWords(fault, context.text))] : [];
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
  if (depth > MAX_DEPTH) throw new Limit(TOO_DEEP);
  const start = node?.range?.[0] ?? fallback;
  const spot = spotAt(context, start);
  if (isAlias(node)) {
    const named = node.resolve(context.document) as ParsedNode | undefined;
    if (named) return nodeOf(context, named, depth + 1, start);
    throw new Refused(spot, `nothing above is called \`&${node.source}\`; define it before this \`*${node.source}\`, or quote the text`);
  }
  if (isSeq<ParsedNode | null>(node))
    return { kind: "list", items: node.items.map((item) => nodeOf(context, item, depth + 1, start)), spot };
  if (isMap<ParsedNode, ParsedNode | null>(node)) {
    const entries = new Map<string, Entry>();
    for (const { key, value } of node.items) {
      const name = isScalar(key) ? String(key.value) : "?";
      const at = (key as ParsedNode | null)?.range?.[0] ?? start;
      if (entries.has(name)) noteTwice(context, name, at);
      else entries.set(name, { key: spotAt(context, at), node: nodeOf(context, value, depth + 1, at) });
    }
    return { kind: "map", entries, spot };
  }
  return scalarOf(context, node, spot);
}

/** Looked for here and not by the parser, which compares each key with all before it. */
function noteTwice(context: Context, name: string, offset: number): void {
  if (context.twice === undefined || offset < context.twice.offset) context.twice = { name, offset };
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
