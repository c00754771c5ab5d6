/** Attributes and namespace declarations of one start tag (XML 1.0 §3.1, Namespaces in XML §3–6). */
import { fail, isNcName, isSpace, newName, resolveReferences } from "./state.ts";
import type { Cursor } from "./state.ts";
import { XML_LIMITS, decodeUtf8 } from "./chars.ts";
import { XMLNS_NS, XML_NS, enterScope } from "./names.ts";

/** Reads from behind the element's name to behind `>`; sets `empty`, `scope`, `attributes` and the cursor's position. */
export function readAttributes(c: Cursor, from: number): void {
  const { src } = c;
  const declarations: string[] = [];
  const starts: number[] = [];
  let count = 0;
  let pos = from;
  for (;;) {
    const before = pos;
    while (isSpace(src.charCodeAt(pos))) pos++;
    const code = src.charCodeAt(pos);
    if (code === 62) break;
    if (code === 47) {
      if (src.charCodeAt(pos + 1) !== 62) fail(c, "xml-malformed", "expected > after / in a tag", pos);
      c.empty = true;
      pos++;
      break;
    }
    if (pos === before || pos >= src.length) fail(c, "xml-malformed", "expected white space, > or /> in a tag", pos);
    const nameStart = pos;
    const raw = rawName(c, pos);
    pos = valueStart(c, pos + raw.length);
    const end = src.indexOf(src.charAt(pos), pos + 1);
    const value = attributeValue(c, pos + 1, end);
    pos = end + 1;
    if (raw === "xmlns" || raw.startsWith("xmlns:")) declare(c, declarations, raw, value, nameStart);
    else {
      starts[count] = nameStart;
      c.attributeValues[count] = value;
      c.attributeRaws[count] = raw;
      count++;
      if (count > XML_LIMITS.attributes) fail(c, "xml-limit", `an element may have at most ${XML_LIMITS.attributes} attributes`, nameStart);
    }
  }
  c.pos = pos + 1;
  if (declarations.length > 0) c.scope = enterScope(c.scope, declarations);
  resolveAll(c, count, starts);
}

function resolveAll(c: Cursor, count: number, starts: readonly number[]): void {
  c.attributes = count;
  for (let i = 0; i < count; i++) {
    const raw = c.attributeRaws[i] ?? "";
    const name = c.scope.attributes.get(raw) ?? newName(c, raw, starts[i] ?? c.at, true);
    for (let j = 0; j < i; j++) {
      const other = c.attributeNames[j];
      if (other !== undefined && other.local === name.local && other.ns === name.ns) {
        fail(c, "xml-malformed", `the attribute ${raw} stands twice`, starts[i]);
      }
    }
    c.attributeNames[i] = name;
  }
}

function rawName(c: Cursor, start: number): string {
  const { src } = c;
  let pos = start;
  let code = src.charCodeAt(pos);
  while (code !== 61 && code !== 62 && code !== 47 && code !== 60 && code === code && !isSpace(code)) code = src.charCodeAt(++pos);
  if (pos - start > XML_LIMITS.name) fail(c, "xml-limit", `a name may have at most ${XML_LIMITS.name} characters`, start);
  return src.slice(start, pos);
}

/** Index of the opening quote. */
function valueStart(c: Cursor, from: number): number {
  const { src } = c;
  let pos = from;
  while (isSpace(src.charCodeAt(pos))) pos++;
  if (src.charCodeAt(pos) !== 61) fail(c, "xml-malformed", "an attribute needs = and a value in quotes", pos);
  pos++;
  while (isSpace(src.charCodeAt(pos))) pos++;
  const quote = src.charCodeAt(pos);
  if (quote !== 34 && quote !== 39) fail(c, "xml-malformed", "an attribute's value stands in quotes", pos);
  return pos;
}

function attributeValue(c: Cursor, start: number, end: number): string {
  if (end === -1) fail(c, "xml-malformed", "an attribute's value is not closed", start);
  if (end - start > XML_LIMITS.attribute) fail(c, "xml-limit", `an attribute may have at most ${XML_LIMITS.attribute} characters`, start);
  const raw = c.src.slice(start, end);
  const less = raw.indexOf("<");
  if (less !== -1) fail(c, "xml-malformed", "< may not stand in an attribute; write &lt;", start + less);
  // XML 1.0 §3.3.3: a line end counts as one space; a space written as a reference stays what it is.
  const spaced = /[\t\n\r]/.test(raw) ? raw.replace(/\r\n|[\t\n\r]/g, " ") : raw;
  return !spaced.includes("&") ? decodeUtf8(spaced) : resolveReferences(c, spaced, start);
}

function declare(c: Cursor, declarations: string[], raw: string, uri: string, index: number): void {
  const prefix = raw === "xmlns" ? "" : decodeUtf8(raw.slice(6));
  if (prefix === "" && raw !== "xmlns") fail(c, "xml-malformed", "xmlns: needs a prefix", index);
  if (prefix !== "" && !isNcName(prefix)) fail(c, "xml-malformed", `"${prefix.slice(0, 60)}" is no prefix`, index);
  if (prefix === "xmlns" || uri === XMLNS_NS) fail(c, "xml-malformed", "the prefix xmlns may not be declared", index);
  if ((prefix === "xml") !== (uri === XML_NS)) fail(c, "xml-malformed", "the prefix xml and its namespace belong together", index);
  if (prefix !== "" && uri === "") fail(c, "xml-malformed", `the prefix ${prefix} needs a namespace`, index);
  for (let i = 0; i < declarations.length; i += 2) {
    if (declarations[i] === prefix) fail(c, "xml-malformed", `the attribute ${raw} stands twice`, index);
  }
  declarations.push(prefix, uri);
  if (declarations.length > 2 * XML_LIMITS.prefixes) {
    fail(c, "xml-limit", `an element may declare at most ${XML_LIMITS.prefixes} prefixes`, index);
  }
}
