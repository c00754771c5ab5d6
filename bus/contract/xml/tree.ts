/** Schema and WSDL documents as a small tree, made by the same strict parser. Messages never become a tree. */
import { BusError } from "../../errors.ts";
import { XML_LIMITS, decodeUtf8, escapeAttribute, escapeText, lineColumn } from "./chars.ts";
import { closeDocument, closeTag, openDocument, openRoot, readCdata, skipComment, refuseMarkup, openChild } from "./cursor.ts";
import { cookText, fail, refuseInstruction } from "./state.ts";
import type { Cursor } from "./state.ts";
import { newVocabulary, nameKey } from "./names.ts";
import type { Name, Scope } from "./names.ts";

export type XNode = Readonly<{
  name: Name;
  raw: string;
  /** By local name; attributes with a namespace by `{namespace}local`. */
  attributes: ReadonlyMap<string, string>;
  children: readonly XNode[];
  text: string;
  scope: Scope;
  file: string;
  line: number;
  column: number;
}>;

/** Reads a file of the administrator; its faults name file, line and column. */
export function readTree(file: string, text: string): XNode {
  try {
    const c = openDocument(newVocabulary(), new TextEncoder().encode(text), XML_LIMITS.bytes);
    const root = node(c, openRoot(c), file);
    closeDocument(c);
    return root;
  } catch (error) {
    if (!(error instanceof BusError)) throw error;
    const place = error.places[0];
    throw new BusError("configuration", `${file}:${place?.line ?? 1}:${place?.column ?? 1} ${error.message}`, {
      places: error.places,
      cause: error,
    });
  }
}

function node(c: Cursor, name: Name, file: string): XNode {
  const { at, scope } = c;
  const raw = decodeUtf8(c.raw[c.depth - 1] ?? "");
  const attributes = new Map<string, string>();
  for (let i = 0; i < c.attributes; i++) {
    const attribute = c.attributeNames[i];
    if (attribute !== undefined) attributes.set(nameKey(attribute.ns, attribute.local), c.attributeValues[i] ?? "");
  }
  const children: XNode[] = [];
  const text = content(c, children, file);
  return { name, raw, attributes, children, text, scope, file, ...lineColumn(c.src, at) };
}

function content(c: Cursor, children: XNode[], file: string): string {
  let text = "";
  while (!c.empty) {
    const start = c.pos;
    const end = c.src.indexOf("<", start);
    if (end === -1) fail(c, "xml-malformed", `<${c.raw[c.depth - 1]}> is not closed`, c.src.length);
    text += cookText(c, c.src.slice(start, end), start);
    c.pos = end;
    if (c.src.startsWith("</", end)) break;
    if (c.src.startsWith("<!--", end)) skipComment(c);
    else if (c.src.startsWith("<![CDATA[", end)) text += readCdata(c);
    else if (c.src.startsWith("<!", end)) refuseMarkup(c);
    else if (c.src.startsWith("<?", end)) refuseInstruction(c);
    else children.push(node(c, openChild(c), file));
  }
  closeTag(c);
  return text;
}

/** A fault of a schema or WSDL: `configuration`, with file, line and column. */
export function schemaError(at: Pick<XNode, "file" | "line" | "column">, text: string): BusError {
  const where = `${at.file}:${at.line}:${at.column}`;
  return new BusError("configuration", `${where} ${text}`, { places: [{ line: at.line, column: at.column, path: at.file, text }] });
}

export function child(parent: XNode, ns: string, local: string): XNode | undefined {
  return parent.children.find((node) => node.name.local === local && node.name.ns === ns);
}

export function childrenOf(parent: XNode, ns: string, local: string): XNode[] {
  return parent.children.filter((node) => node.name.local === local && node.name.ns === ns);
}

/** An attribute that must stand. */
export function need(node: XNode, attribute: string): string {
  const value = node.attributes.get(attribute);
  if (value === undefined) throw schemaError(node, `<${node.raw}> needs the attribute ${attribute}`);
  return value;
}

/** A QName in an attribute of a schema. `whenBare` is the namespace of names without prefix where no default one is declared. */
export function qname(node: XNode, text: string, whenBare = ""): Name {
  const trimmed = text.trim();
  const colon = trimmed.indexOf(":");
  const ns = node.scope.prefixes.get(colon === -1 ? "" : trimmed.slice(0, colon));
  if (ns === undefined && colon !== -1) throw schemaError(node, `the prefix of ${trimmed} is not declared`);
  return { ns: ns === undefined || ns === "" ? whenBare : ns, local: trimmed.slice(colon + 1) };
}

/** The tree as text again; the root declares every prefix in scope. `skip` leaves nodes out. */
export function writeTree(root: XNode, skip: (node: XNode) => boolean, rootPrefixes = true): string {
  let declarations = "";
  if (rootPrefixes) {
    for (const [prefix, ns] of root.scope.prefixes) {
      if (prefix !== "xml") declarations += prefix === "" ? ` xmlns="${escapeAttribute(ns)}"` : ` xmlns:${prefix}="${escapeAttribute(ns)}"`;
    }
  }
  return writeNode(root, skip, root.scope, declarations);
}

function writeNode(node: XNode, skip: (node: XNode) => boolean, outer: Scope, declarations: string): string {
  let own = declarations;
  if (node.scope !== outer) {
    for (const [prefix, ns] of node.scope.prefixes) {
      if (outer.prefixes.get(prefix) !== ns)
        own += prefix === "" ? ` xmlns="${escapeAttribute(ns)}"` : ` xmlns:${prefix}="${escapeAttribute(ns)}"`;
    }
  }
  for (const [name, value] of node.attributes) {
    const raw = name.startsWith("{http://www.w3.org/XML/1998/namespace}") ? `xml:${name.slice(name.indexOf("}") + 1)}` : name;
    if (!raw.startsWith("{")) own += ` ${raw}="${escapeAttribute(value)}"`;
  }
  const inner = node.children.filter((child) => !skip(child));
  if (inner.length === 0 && node.text.trim() === "") return `<${node.raw}${own}/>`;
  const text = inner.length === 0 ? escapeText(node.text) : "";
  return `<${node.raw}${own}>${text}${inner.map((child) => writeNode(child, skip, node.scope, "")).join("")}</${node.raw}>`;
}
