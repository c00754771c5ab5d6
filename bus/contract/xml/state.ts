/** The state of reading one document, and what every part of the parser needs: failing with a place, names, references. */
import { BusError } from "../../errors.ts";
import type { ErrorCode, Place } from "../../errors.ts";
import { SHORT, XML_LIMITS, charAt, charSize, decodeUtf8, lineColumn, referenceChar } from "./chars.ts";
import { resolveName } from "./names.ts";
import type { ElementName, Name, Scope, Vocabulary } from "./names.ts";

export type Cursor = {
  readonly vocabulary: Vocabulary;
  readonly bytes: Uint8Array;
  /** One character for each byte; pieces become text by `decodeUtf8`. Raw names stay as they stand here. */
  readonly src: string;
  pos: number;
  /** Where the last start tag began. */
  at: number;
  depth: number;
  /** Raw names of the open elements, the scopes around them, and their number among their namesakes (0 = not counted). */
  readonly raw: string[];
  /** Where the names of the open elements stand in their start tags. */
  readonly named: number[];
  readonly scopes: Scope[];
  readonly ordinals: number[];
  scope: Scope;
  /** The child that `advance` opened; undefined at the end tag of the element around it. */
  next: Name | undefined;
  /** The element just opened has no content (`<a/>`). */
  empty: boolean;
  /** Attributes of the element just opened, without namespace declarations. */
  attributes: number;
  readonly attributeNames: Name[];
  readonly attributeValues: string[];
  /** Their names as they stand in the document's string. */
  readonly attributeRaws: string[];
  /** The element opened last, for the guess which comes next. */
  last: ElementName | undefined;
  references: number;
  /** Violations so far, and how many outer elements their paths leave out (a SOAP envelope and body). */
  readonly places: Place[];
  base: number;
};

/** Throws for the document as a whole; violations collected so far are left out because the input itself is broken. */
export function fail(c: Cursor, code: ErrorCode, text: string, index: number = c.pos): never {
  throw new BusError(code, text, { places: [{ ...lineColumn(c.src, index), path: pathOf(c), text }] });
}

/** XPath of the open element, by the document's own prefixes. */
export function pathOf(c: Cursor): string {
  let path = "";
  for (let i = c.base; i < c.depth; i++) {
    const ordinal = c.ordinals[i] ?? 0;
    path += ordinal > 0 ? `/${c.raw[i]}[${ordinal}]` : `/${c.raw[i]}`;
  }
  return path === "" ? "/" : decodeUtf8(path);
}

export function isSpace(code: number): boolean {
  return code === 32 || code === 10 || code === 13 || code === 9;
}

export function refuseInstruction(c: Cursor): never {
  return fail(c, "xml-forbidden", "a processing instruction is refused; only the XML declaration may stand, at the very start");
}

// NameStartChar and NameChar of XML 1.0 §2.3, without the colon.
const START =
  "A-Z_a-z\\u{C0}-\\u{D6}\\u{D8}-\\u{F6}\\u{F8}-\\u{2FF}\\u{370}-\\u{37D}\\u{37F}-\\u{1FFF}\\u{200C}\\u{200D}\\u{2070}-\\u{218F}\\u{2C00}-\\u{2FEF}\\u{3001}-\\u{D7FF}\\u{F900}-\\u{FDCF}\\u{FDF0}-\\u{FFFD}\\u{10000}-\\u{EFFFF}";
const REST = "-.0-9\\u{B7}\\u{300}-\\u{36F}\\u{203F}\\u{2040}";
const NCNAME = new RegExp(`^[${START}][${REST}${START}]*$`, "u");

/** Is this a name without a colon (NCName)? */
export function isNcName(text: string): boolean {
  return NCNAME.test(text);
}

/** A raw name seen for the first time in its scope: checked letter by letter, then resolved. */
export function newName(c: Cursor, raw: string, index: number, attribute: boolean): Name {
  if (raw.length > XML_LIMITS.name) fail(c, "xml-limit", `a name may have at most ${XML_LIMITS.name} characters`, index);
  const text = decodeUtf8(raw);
  const colon = text.indexOf(":");
  const fine = colon === -1 ? isNcName(text) : isNcName(text.slice(0, colon)) && isNcName(text.slice(colon + 1));
  if (!fine) fail(c, "xml-malformed", raw === "" ? "a name is missing after <" : `"${text.slice(0, 60)}" is no name`, index);
  if (raw.startsWith("xmlns:")) fail(c, "xml-malformed", "the prefix xmlns is reserved", index);
  const name = resolveName(c.vocabulary, c.scope, raw, text, attribute);
  return name ?? fail(c, "xml-malformed", `the prefix "${text.slice(0, colon)}" is not bound to a namespace`, index);
}

/** Text of a piece of the document that stands at `index`: decoded, references and line ends resolved. */
export function cookText(c: Cursor, text: string, index: number): string {
  if (text.length <= SHORT) return cookShort(c, text, index);
  const close = text.indexOf("]]>");
  if (close !== -1) refuseClose(c, index + close);
  const lines = text.includes("\r") ? text.replace(/\r\n?/g, "\n") : text;
  return lines.includes("&") ? resolveReferences(c, lines, index) : decodeUtf8(lines);
}

function refuseClose(c: Cursor, index: number): never {
  return fail(c, "xml-malformed", "]]> may not stand in text; write ]]&gt;", index);
}

/** The same in one loop. */
function cookShort(c: Cursor, text: string, index: number): string {
  let result = "";
  let done = 0;
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code < 0x80 && code !== 38 && code !== 13 && code !== 93) continue;
    if (code === 93) {
      if (text.startsWith("]]>", i)) refuseClose(c, index + i);
      continue;
    }
    result += text.slice(done, i);
    if (code === 13) {
      result += "\n";
      done = i + (text.charCodeAt(i + 1) === 10 ? 2 : 1);
    } else if (code === 38) {
      result += reference(c, text, i, index);
      done = text.indexOf(";", i) + 1;
    } else {
      result += charAt(text, i);
      done = i + charSize(code);
    }
    i = done - 1;
  }
  return done === 0 ? text : result + text.slice(done);
}

/** The piece as text, with every reference resolved. */
export function resolveReferences(c: Cursor, text: string, index: number): string {
  let result = "";
  let done = 0;
  for (let from = text.indexOf("&"); from !== -1; from = text.indexOf("&", done)) {
    if (from > done) result += decodeUtf8(text.slice(done, from));
    result += reference(c, text, from, index);
    done = text.indexOf(";", from) + 1;
  }
  return result + decodeUtf8(text.slice(done));
}

/** The character of the reference that begins at `from`; it ends at the next semicolon. */
function reference(c: Cursor, text: string, from: number, index: number): string {
  const to = text.indexOf(";", from);
  const char = to === -1 || to - from > 12 ? undefined : referenceChar(text.slice(from + 1, to));
  if (char === undefined) {
    const shown = /^&#?\w{0,20};?/.exec(text.slice(from, from + 24))?.[0] ?? "&";
    const rule = "a bare & is written &amp;, and only amp, lt, gt, quot, apos are defined";
    fail(c, "xml-malformed", `${shown} is no reference; ${rule}`, index + from);
  }
  if (++c.references > XML_LIMITS.references) {
    fail(c, "xml-limit", `a document may hold at most ${XML_LIMITS.references} references`, index + from);
  }
  return char;
}
