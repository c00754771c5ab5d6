/**
 * A strict XML 1.0 + Namespaces pull parser over one document. It knows neither DTDs nor processing instructions: both are
 * refused where they stand. A compiled reader drives it: `advance` opens the next child, `readText` takes simple content,
 * `closeTag` ends an element. Whatever a reader returns came through here, so no byte is read twice or differently.
 */
import { XML_LIMITS, decodeDocument, decodeUtf8 } from "./chars.ts";
import { readAttributes } from "./attributes.ts";
import { cookText, fail, isSpace, newName, refuseInstruction } from "./state.ts";
import type { Cursor } from "./state.ts";
import type { ElementName, Name, Vocabulary } from "./names.ts";

const LT = 60;
const GT = 62;
const SLASH = 47;
const BANG = 33;
const QUERY = 63;
/** Text up to this length is looked through letter by letter. */
const NEAR = 64;
/** Declarations of one start tag up to so many bytes are remembered. */
const TAG_BYTES = 512;

export function openDocument(vocabulary: Vocabulary, bytes: Uint8Array, maxBytes: number = XML_LIMITS.bytes): Cursor {
  const { src, start } = decodeDocument(bytes, maxBytes);
  return cursorAt(vocabulary, bytes, src, start);
}

/** A second cursor over the same document: it starts at `pos`, outside every element, and moves without touching the first. */
export function openAgain({ vocabulary, bytes, src }: Cursor, pos: number): Cursor {
  return cursorAt(vocabulary, bytes, src, pos);
}

function cursorAt(vocabulary: Vocabulary, bytes: Uint8Array, src: string, pos: number): Cursor {
  return {
    vocabulary,
    bytes,
    src,
    pos,
    at: pos,
    depth: 0,
    raw: [],
    named: [],
    scopes: [],
    ordinals: [],
    scope: vocabulary.root,
    next: undefined,
    empty: false,
    attributes: 0,
    attributeNames: [],
    attributeValues: [],
    attributeRaws: [],
    last: vocabulary.start,
    references: 0,
    places: [],
    base: 0,
  };
}

/** Opens the document's root element. Only comments and white space may stand before it. */
export function openRoot(c: Cursor): Name {
  advance(c);
  if (c.next === undefined) fail(c, "xml-malformed", "there is no root element");
  return c.next;
}

/** After the root's end tag: nothing but comments and white space. */
export function closeDocument(c: Cursor): void {
  skipBetween(c);
  if (c.pos < c.src.length) fail(c, "xml-malformed", "nothing may follow the root element");
}

/** Opens the next child of the open element, or stops before its end tag with `next` undefined. Text here is a violation. */
export function advance(c: Cursor): Name | undefined {
  if (c.empty) return (c.next = undefined);
  const { bytes } = c;
  for (;;) {
    let { pos } = c;
    let byte = bytes[pos];
    while (byte === 32 || byte === 10 || byte === 13 || byte === 9) byte = bytes[++pos];
    c.pos = pos;
    if (byte !== LT) noText(c);
    const second = bytes[pos + 1];
    if (second === SLASH) {
      if (c.depth === 0) fail(c, "xml-malformed", "an end tag without a start tag");
      return (c.next = undefined);
    }
    if (second === BANG) skipMarkup(c);
    else if (second === QUERY) refuseInstruction(c);
    else return (c.next = openChild(c));
  }
}

function noText(c: Cursor): never {
  if (c.pos >= c.src.length) {
    fail(c, "xml-malformed", c.depth === 0 ? "there is no root element" : `<${c.raw[c.depth - 1]}> is not closed`);
  }
  if (c.depth === 0) fail(c, "xml-malformed", "text may not stand outside the root element");
  return fail(c, "xsd-violation", `text may not stand directly in <${c.raw[c.depth - 1]}>; only its child elements may`);
}

/** A comment is skipped; every other `<!…` is refused (a CDATA section counts as text). */
function skipMarkup(c: Cursor): void {
  if (c.src.startsWith("<!--", c.pos)) skipComment(c);
  else if (c.depth > 0 && c.src.startsWith("<![CDATA[", c.pos)) noText(c);
  else refuseMarkup(c);
}

export function refuseMarkup(c: Cursor): never {
  const rest = c.src.slice(c.pos, c.pos + 12).toUpperCase();
  if (rest.startsWith("<!DOCTYPE") || rest.startsWith("<!ENTITY") || rest.startsWith("<!E") || rest.startsWith("<!A")) {
    fail(c, "xml-forbidden", "a document type definition is refused; send the document without <!DOCTYPE …> and entities");
  }
  return fail(c, "xml-malformed", "<! starts neither a comment nor a CDATA section here");
}

export function skipComment(c: Cursor): void {
  const end = c.src.indexOf("--", c.pos + 4);
  if (end === -1 || c.src.charCodeAt(end + 2) !== GT) {
    fail(c, "xml-malformed", end === -1 ? "a comment is not closed" : "-- may not stand inside a comment");
  }
  c.pos = end + 3;
}

/** White space and comments outside the root element. */
function skipBetween(c: Cursor): void {
  for (;;) {
    while (isSpace(c.src.charCodeAt(c.pos))) c.pos++;
    if (c.src.startsWith("<?", c.pos)) refuseInstruction(c);
    if (!c.src.startsWith("<!", c.pos)) return;
    skipMarkup(c);
  }
}

/** Opens the element whose < stands at the cursor. */
export function openChild(c: Cursor): Name {
  const { bytes, depth } = c;
  const start = c.pos + 1;
  const guess = c.last?.follower;
  const raw = guess !== undefined && standsAt(bytes, start, guess.bytes) ? guess.raw : rawName(c, start);
  const pos = start + raw.length;
  c.at = c.pos;
  if (depth >= XML_LIMITS.depth) fail(c, "xml-limit", `elements may nest at most ${XML_LIMITS.depth} deep`);
  c.raw[depth] = raw;
  c.named[depth] = start;
  c.ordinals[depth] = 0;
  c.scopes[depth] = c.scope;
  c.depth = depth + 1;
  c.attributes = 0;
  if (bytes[pos] === GT) c.pos = pos + 1;
  else if (guess === undefined || guess.raw !== raw || !repeatsTag(c, guess, pos)) return openWith(c, raw, start, pos);
  if (guess !== undefined && guess.raw === raw && guess.scope === c.scope) {
    c.last = guess;
    return guess.name;
  }
  return lookUp(c, raw, start);
}

/** The same declarations as last time, in the same scope, lead where they led then. */
function repeatsTag(c: Cursor, guess: ElementName, pos: number): boolean {
  const { tag } = guess;
  if (tag === undefined || tag.outer !== c.scope || !sameBytes(c.bytes, pos, tag.bytes)) return false;
  c.pos = pos + tag.bytes.length;
  c.scope = guess.scope;
  return true;
}

/** Reads attributes and declarations; a tag that holds declarations alone is remembered with its element. */
function openWith(c: Cursor, raw: string, start: number, pos: number): Name {
  const { scope: outer, references } = c;
  readAttributes(c, pos);
  const name = lookUp(c, raw, start);
  const { last } = c;
  const repeatable = c.attributes === 0 && !c.empty && c.references === references && c.pos - pos <= TAG_BYTES;
  if (repeatable && last?.scope === c.scope) last.tag = { outer, bytes: c.bytes.slice(pos, c.pos) };
  return name;
}

/** Does the whole name at `start` read like this? */
function standsAt(bytes: Uint8Array, start: number, name: Uint8Array): boolean {
  return sameBytes(bytes, start, name) && endsName(bytes[start + name.length]);
}

function sameBytes(bytes: Uint8Array, start: number, wanted: Uint8Array): boolean {
  const { length } = wanted;
  for (let i = 0; i < length; i++) if (bytes[start + i] !== wanted[i]) return false;
  return true;
}

function endsName(byte: number | undefined): boolean {
  return byte === GT || byte === 32 || byte === SLASH || byte === 10 || byte === LT || byte === 9 || byte === 13 || byte === undefined;
}

function rawName(c: Cursor, start: number): string {
  let pos = start;
  while (!endsName(c.bytes[pos])) pos++;
  return c.src.slice(start, pos);
}

function lookUp(c: Cursor, raw: string, start: number): Name {
  const known = c.scope.elements.get(raw);
  if (known === undefined) {
    c.last = undefined;
    return newName(c, raw, start, false);
  }
  if (c.last !== undefined) c.last.follower = known;
  c.last = known;
  return known.name;
}

/** Ends the open element; the cursor stands before its end tag (or right behind `<a/>`). */
export function closeTag(c: Cursor): void {
  if (c.empty) {
    c.empty = false;
    c.scope = c.scopes[--c.depth] ?? c.scope;
    return;
  }
  const { bytes } = c;
  const inner = c.depth - 1;
  const raw = c.raw[inner] ?? "";
  const name = c.named[inner] ?? 0;
  let pos = c.pos + 2;
  for (let i = 0; i < raw.length; i++) if (bytes[pos + i] !== bytes[name + i]) wrongEnd(c, raw);
  pos += raw.length;
  if (bytes[pos] !== GT) {
    while (isSpace(bytes[pos] ?? 0)) pos++;
    if (bytes[pos] !== GT) wrongEnd(c, raw);
  }
  c.pos = pos + 1;
  c.scope = c.scopes[inner] ?? c.scope;
  c.depth = inner;
}

function wrongEnd(c: Cursor, raw: string): never {
  const found = /^<\/?[^\s>]{0,60}>?/.exec(c.src.slice(c.pos, c.pos + 64))?.[0] ?? "the end of the document";
  return fail(c, "xml-malformed", `expected </${raw}>, found ${found}`);
}

/** The whole text of the open element (comments and CDATA boundaries do not split it), and its end tag. */
export function readText(c: Cursor): string {
  if (c.empty) {
    closeTag(c);
    return "";
  }
  const { bytes } = c;
  const start = c.pos;
  const near = Math.min(start + NEAR, bytes.length);
  let pos = start;
  let plain = true;
  for (; pos < near; pos++) {
    const byte = bytes[pos] ?? LT;
    if (byte === LT) break;
    if (byte === 38 || byte === 93 || byte === 13 || byte > 127) plain = false;
  }
  if (bytes[pos] !== LT) {
    // Long text: the engine's own search is faster than a loop.
    pos = c.src.indexOf("<", pos);
    plain = false;
  }
  if (pos === -1 || bytes[pos + 1] !== SLASH) return readPieces(c);
  c.pos = pos;
  const piece = c.src.slice(start, pos);
  const text = plain ? piece : cookText(c, piece, start);
  closeTag(c);
  return text;
}

function readPieces(c: Cursor): string {
  let text = "";
  for (;;) {
    const start = c.pos;
    const end = c.src.indexOf("<", start);
    if (end === -1) fail(c, "xml-malformed", `<${c.raw[c.depth - 1]}> is not closed`, c.src.length);
    text += cookText(c, c.src.slice(start, end), start);
    c.pos = end;
    if (c.src.charCodeAt(end + 1) === SLASH) {
      closeTag(c);
      return text;
    }
    if (c.src.startsWith("<!--", end)) skipComment(c);
    else if (c.src.startsWith("<![CDATA[", end)) text += readCdata(c);
    else if (c.src.charCodeAt(end + 1) === BANG) refuseMarkup(c);
    else if (c.src.charCodeAt(end + 1) === QUERY) refuseInstruction(c);
    else childInText(c);
  }
}

function childInText(c: Cursor): never {
  const owner = c.raw[c.depth - 1];
  openChild(c);
  return fail(c, "xsd-violation", `<${owner}> holds text and may have no child element`, c.at);
}

export function readCdata(c: Cursor): string {
  const end = c.src.indexOf("]]>", c.pos);
  if (end === -1) fail(c, "xml-malformed", "a CDATA section is not closed");
  const text = c.src.slice(c.pos + 9, end);
  c.pos = end + 3;
  return decodeUtf8(text.includes("\r") ? text.replace(/\r\n?/g, "\n") : text);
}
