/**
 * Exclusive XML canonicalization without comments (W3C xml-exc-c14n, 2002), written by the parser that reads messages: the cursor
 * stands in an element that was just opened, and its canonical form grows while it walks to the element's end. What the parser refuses
 * (document types, processing instructions, unbound prefixes) therefore has no canonical form.
 */
import { BusError } from "../errors.ts";
import { decodeUtf8 } from "../contract/xml/chars.ts";
import { closeTag, openChild, readCdata, refuseMarkup, skipComment } from "../contract/xml/cursor.ts";
import { cookText, fail, refuseInstruction } from "../contract/xml/state.ts";
import type { Cursor } from "../contract/xml/state.ts";

/** Looks at every element of the walk, right after it was opened; the cursor holds its name and attributes. */
export type Watch = (c: Cursor) => void;

/** Namespaces that the output declares at this place: alternating prefix and namespace, the innermost last. */
type Output = { text: string; readonly rendered: string[] };

/**
 * The canonical form of the element that was just opened; afterwards the cursor stands behind its end tag. `inclusive` are the prefixes
 * of InclusiveNamespaces, `""` for `#default`. Throws signature-shape for a relative namespace (Canonical XML 1.0 §1.3), and xml-*.
 */
export function canonicalise(c: Cursor, inclusive: readonly string[] = [], watch?: Watch): string {
  const output: Output = { text: "", rendered: [] };
  writeElement(c, output, inclusive, watch);
  return output.text;
}

function writeElement(c: Cursor, output: Output, inclusive: readonly string[], watch: Watch | undefined): void {
  watch?.(c);
  const raw = decodeUtf8(c.raw[c.depth - 1] ?? "");
  const outer = output.rendered.length;
  output.text += `<${raw}`;
  writeNamespaces(c, output, raw, inclusive);
  if (c.attributes > 0) output.text += attributesOf(c);
  output.text += ">";
  writeContent(c, output, inclusive, watch);
  output.text += `</${raw}>`;
  output.rendered.length = outer;
}

function writeContent(c: Cursor, output: Output, inclusive: readonly string[], watch: Watch | undefined): void {
  while (!c.empty) {
    const start = c.pos;
    const end = c.src.indexOf("<", start);
    if (end === -1) fail(c, "xml-malformed", `<${c.raw[c.depth - 1]}> is not closed`, c.src.length);
    if (end > start) output.text += escapeText(cookText(c, c.src.slice(start, end), start));
    c.pos = end;
    const next = c.src.charCodeAt(end + 1);
    if (next === 47) break;
    if (next === 33) {
      if (c.src.startsWith("<!--", end)) skipComment(c);
      else if (c.src.startsWith("<![CDATA[", end)) output.text += escapeText(readCdata(c));
      else refuseMarkup(c);
    } else if (next === 63) refuseInstruction(c);
    else {
      openChild(c);
      writeElement(c, output, inclusive, watch);
    }
  }
  closeTag(c);
}

/** Declares what the element's own names use and the output does not say yet, and what the inclusive prefixes stand for. */
function writeNamespaces(c: Cursor, output: Output, raw: string, inclusive: readonly string[]): void {
  const before = output.rendered.length;
  use(c, output, prefixOf(raw));
  for (let i = 0; i < c.attributes; i++) {
    const prefix = prefixOf(decodeUtf8(c.attributeRaws[i] ?? ""));
    if (prefix !== "") use(c, output, prefix);
  }
  for (const prefix of inclusive) if (prefix === "" || c.scope.prefixes.has(prefix)) use(c, output, prefix);
  const added = output.rendered.slice(before);
  if (added.length === 0) return;
  const pairs: [string, string][] = [];
  for (let i = 0; i < added.length; i += 2) pairs.push([added[i] ?? "", added[i + 1] ?? ""]);
  if (pairs.length > 1) pairs.sort(([a], [b]) => compare(a, b));
  for (const [prefix, ns] of pairs)
    output.text += prefix === "" ? ` xmlns="${escapeAttribute(ns)}"` : ` xmlns:${prefix}="${escapeAttribute(ns)}"`;
}

function use(c: Cursor, output: Output, prefix: string): void {
  if (prefix === "xml") return;
  const ns = c.scope.prefixes.get(prefix) ?? "";
  const { rendered } = output;
  let known = "";
  for (let i = rendered.length - 2; i >= 0; i -= 2) {
    if (rendered[i] !== prefix) continue;
    known = rendered[i + 1] ?? "";
    break;
  }
  if (known === ns) return;
  if (ns !== "" && !ABSOLUTE.test(ns))
    throw new BusError("signature-shape", `the namespace "${ns.slice(0, 60)}" is relative, so what is signed has no canonical form`);
  rendered.push(prefix, ns);
}

const ABSOLUTE = /^[A-Za-z][A-Za-z0-9+.-]*:/;

function prefixOf(raw: string): string {
  const colon = raw.indexOf(":");
  return colon === -1 ? "" : raw.slice(0, colon);
}

type Attribute = Readonly<{ ns: string; local: string; text: string }>;

/** In the order of namespace, then local name. */
function attributesOf(c: Cursor): string {
  const list: Attribute[] = [];
  for (let i = 0; i < c.attributes; i++) {
    const { ns = "", local = "" } = c.attributeNames[i] ?? {};
    list.push({ ns, local, text: ` ${decodeUtf8(c.attributeRaws[i] ?? "")}="${escapeAttribute(c.attributeValues[i] ?? "")}"` });
  }
  if (list.length > 1) list.sort((a, b) => compare(a.ns, b.ns) || compare(a.local, b.local));
  return list.map(({ text }) => text).join("");
}

/** By code point, which is not the order of UTF-16 where surrogates meet U+E000 and above. */
function compare(a: string, b: string): number {
  if (a === b) return 0;
  return SURROGATE.test(a) || SURROGATE.test(b) ? Buffer.compare(Buffer.from(a), Buffer.from(b)) : a < b ? -1 : 1;
}

const SURROGATE = /[\ud800-\udfff]/;

const TEXT: Readonly<Record<string, string>> = { "&": "&amp;", "<": "&lt;", ">": "&gt;", "\r": "&#xD;" };
const VALUE: Readonly<Record<string, string>> = { "&": "&amp;", "<": "&lt;", '"': "&quot;", "\t": "&#x9;", "\n": "&#xA;", "\r": "&#xD;" };

/** Text as canonical XML writes it. */
export function escapeText(text: string): string {
  return /[&<>\r]/.test(text) ? text.replace(/[&<>\r]/g, (char) => TEXT[char] ?? char) : text;
}

function escapeAttribute(text: string): string {
  return /[&<"\t\n\r]/.test(text) ? text.replace(/[&<"\t\n\r]/g, (char) => VALUE[char] ?? char) : text;
}
