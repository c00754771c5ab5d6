/** Bytes to characters and back: UTF-8 only (XML 1.0 §2.2, §4.3.3), references, line ends, escaping. */
import { isAscii, isUtf8 } from "node:buffer";
import { BusError } from "../../errors.ts";

/** Limits of one document; the parser refuses above them while it reads. */
export const XML_LIMITS = {
  bytes: 10 * 1024 * 1024,
  depth: 100,
  attributes: 64,
  prefixes: 64,
  name: 256,
  attribute: 64 * 1024,
  /** Character and entity references of one document. */
  references: 100_000,
  /** Violations reported for one document. */
  places: 10,
} as const;

// oxlint-disable-next-line no-control-regex -- these are the characters that XML 1.0 forbids
const FORBIDDEN = /[\u0000-\u0008\u000b\u000c\u000e-\u001f\ufffe\uffff]/;
const DECLARATION =
  /^<\?xml[ \t\r\n]+version[ \t\r\n]*=[ \t\r\n]*(?:"1\.0"|'1\.0')(?:[ \t\r\n]+encoding[ \t\r\n]*=[ \t\r\n]*(?:"([A-Za-z][\w.-]*)"|'([A-Za-z][\w.-]*)'))?(?:[ \t\r\n]+standalone[ \t\r\n]*=[ \t\r\n]*(?:"(?:yes|no)"|'(?:yes|no)'))?[ \t\r\n]*\?>/;

/**
 * Checks the bytes and gives them as a string of one character for each byte. The parser looks at bytes and cuts names and
 * text out of the string: most of a message is ASCII, where that is its text already; `decodeUtf8` does the rest.
 * `start` is where the content begins behind byte order mark and XML declaration.
 */
export function decodeDocument(bytes: Uint8Array, maxBytes: number): { src: string; start: number } {
  if (bytes.length > maxBytes) {
    throw new BusError("message-too-large", `the document has ${bytes.length} bytes, the limit is ${maxBytes}`);
  }
  const ascii = isAscii(bytes);
  if (!ascii) checkUtf8(bytes);
  const src = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("latin1");
  const forbidden = ascii ? CONTROL : CONTROL_OR_NONCHARACTER;
  if (forbidden.test(src)) refuseByte(src, src.search(forbidden));
  const start = src.startsWith("\u00EF\u00BB\u00BF") ? 3 : 0;
  return { src, start: start + declarationLength(start === 0 ? src : src.slice(3)) };
}

// What XML forbids, byte by byte: control characters, and U+FFFE and U+FFFF, which are EF BF BE and EF BF BF.
// oxlint-disable-next-line no-control-regex -- these are the characters that XML 1.0 forbids
const CONTROL = /[\u0000-\u0008\u000b\u000c\u000e-\u001f]/;
// oxlint-disable-next-line no-control-regex -- these are the characters that XML 1.0 forbids
const CONTROL_OR_NONCHARACTER = /[\u0000-\u0008\u000b\u000c\u000e-\u001f]|\u00ef\u00bf[\u00be\u00bf]/;

function checkUtf8(bytes: Uint8Array): void {
  if (!isUtf8(bytes)) throw new BusError("xml-encoding", "the document is not valid UTF-8; send UTF-8", { places: [badByte(bytes)] });
}

function refuseByte(src: string, index: number): never {
  const utf16 = src.charCodeAt(0) === 0 || src.charCodeAt(1) === 0;
  const text = utf16
    ? "the document is not UTF-8 (NUL bytes look like UTF-16); send UTF-8"
    : `the character U+${hex4(decodeUtf8(src.slice(index, index + 3)))} is not allowed in XML`;
  throw new BusError(utf16 ? "xml-encoding" : "xml-forbidden", text, { places: [{ ...lineColumn(src, index), text }] });
}

/** Up to this length a loop is faster than the engine's own searches and coders. */
export const SHORT = 64;
// oxlint-disable-next-line no-control-regex -- anything that is not ASCII
const HIGH = /[^\u0000-\u007f]/;

/** Text of a piece of a document's string; its bytes were found to be valid UTF-8 before. */
export function decodeUtf8(piece: string): string {
  return HIGH.test(piece) ? Buffer.from(piece, "latin1").toString("utf8") : piece;
}

/** The character whose UTF-8 bytes begin at `at`, where the byte is not ASCII. */
export function charAt(piece: string, at: number): string {
  const first = piece.charCodeAt(at);
  const size = charSize(first);
  let point = first & (0xff >> (size + 1));
  for (let k = 1; k < size; k++) point = (point << 6) | (piece.charCodeAt(at + k) & 0x3f);
  return size < 4 ? String.fromCharCode(point) : String.fromCodePoint(point);
}

/** Bytes of the character whose first byte this is. */
export function charSize(first: number): number {
  return first < 0x80 ? 1 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
}

/** The declarations that nearly every document begins with; others are looked at by the letter. */
const USUAL = ['<?xml version="1.0" encoding="UTF-8"?>', '<?xml version="1.0" encoding="utf-8"?>'];

function declarationLength(src: string): number {
  for (const usual of USUAL) if (src.startsWith(usual)) return usual.length;
  if (!src.startsWith("<?xml") || !/[ \t\r\n?]/.test(src.charAt(5))) return 0;
  const match = DECLARATION.exec(src);
  if (match === null) {
    const text = 'the XML declaration is not of the form <?xml version="1.0" encoding="UTF-8"?>';
    throw new BusError("xml-malformed", text, { places: [{ line: 1, column: 1, text }] });
  }
  const encoding = match[1] ?? match[2];
  if (encoding !== undefined && encoding.toLowerCase() !== "utf-8") {
    const text = `the document declares the encoding ${encoding.slice(0, 40)}; only UTF-8 is accepted`;
    throw new BusError("xml-encoding", text, { places: [{ line: 1, column: 1, text }] });
  }
  return match[0].length;
}

/** Place of the first byte that breaks UTF-8. Only for messages: decodes prefixes by halving. */
function badByte(bytes: Uint8Array): { line: number; column: number; text: string } {
  let good = 0;
  let bad = bytes.length;
  while (bad - good > 1) {
    const middle = (good + bad) >> 1;
    try {
      new TextDecoder("utf-8", { fatal: true }).decode(bytes.subarray(good, middle), { stream: true });
      good = middle;
    } catch {
      bad = middle;
    }
  }
  const before = Buffer.from(bytes.buffer, bytes.byteOffset, good).toString("latin1");
  return { ...lineColumn(before, good), text: `byte ${good + 1} starts no valid UTF-8 sequence` };
}

function hex4(char: string): string {
  return char.charCodeAt(0).toString(16).toUpperCase().padStart(4, "0");
}

/** Line and column (in characters), from 1, of an index into a document's string. Line ends are LF, CR LF or CR. */
export function lineColumn(src: string, index: number): { line: number; column: number } {
  let line = 1;
  let column = 1;
  for (let i = src.startsWith("\u00EF\u00BB\u00BF") ? 3 : 0; i < index; i++) {
    const code = src.charCodeAt(i);
    if (code === 10 || (code === 13 && src.charCodeAt(i + 1) !== 10)) {
      line++;
      column = 1;
    } else if ((code & 0xc0) !== 0x80) column++;
  }
  return { line, column };
}

/** Character of a reference's inside (`amp`, `#65`, `#x41`); undefined when it is none that XML 1.0 allows without a DTD. */
export function referenceChar(inside: string): string | undefined {
  switch (inside) {
    case "amp":
      return "&";
    case "lt":
      return "<";
    case "gt":
      return ">";
    case "quot":
      return '"';
    case "apos":
      return "'";
    default:
      return numericChar(inside);
  }
}

/** `#65` or `#x41`, one to eight digits; -1 for anything else. In one loop: a message may hold a hundred thousand of them. */
function numberOf(inside: string): number {
  if (inside.charCodeAt(0) !== 35) return -1;
  const hex = inside.charCodeAt(1) === 120;
  const first = hex ? 2 : 1;
  if (inside.length === first || inside.length > first + 8) return -1;
  let code = 0;
  for (let at = first; at < inside.length; at++) {
    const digit = digitOf(inside.charCodeAt(at), hex);
    if (digit < 0) return -1;
    code = code * (hex ? 16 : 10) + digit;
  }
  return code;
}

function digitOf(char: number, hex: boolean): number {
  if (char >= 48 && char <= 57) return char - 48;
  const letter = char | 0x20;
  return hex && letter >= 97 && letter <= 102 ? letter - 87 : -1;
}

function numericChar(inside: string): string | undefined {
  const code = numberOf(inside);
  const allowed =
    code === 9 ||
    code === 10 ||
    code === 13 ||
    (code >= 0x20 && code <= 0xd7ff) ||
    (code >= 0xe000 && code <= 0xfffd) ||
    (code >= 0x10000 && code <= 0x10ffff);
  return allowed ? String.fromCodePoint(code) : undefined;
}

// oxlint-disable-next-line no-control-regex -- what must be escaped or refused in text
const TEXT_SPECIAL = /[&<>\r\u0000-\u0008\u000b\u000c\u000e-\u001f\ufffe\uffff\ud800-\udfff]/;
// oxlint-disable-next-line no-control-regex -- what must be escaped or refused in an attribute
const ATTRIBUTE_SPECIAL = /[&<>"\t\n\r\u0000-\u0008\u000b\u000c\u000e-\u001f\ufffe\uffff\ud800-\udfff]/;
const ENTITIES: Readonly<Record<string, string>> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
  "\r": "&#13;",
  "\n": "&#10;",
  "\t": "&#9;",
};

/** Text for element content. */
export function escapeText(text: string): string {
  return TEXT_SPECIAL.test(text) ? checkChars(text).replace(/[&<>\r]/g, (char) => ENTITIES[char] ?? char) : text;
}

/** Text for an attribute in double quotes; line ends and tabs survive normalisation as references. */
export function escapeAttribute(text: string): string {
  return ATTRIBUTE_SPECIAL.test(text) ? checkChars(text).replace(/[&<>"\t\n\r]/g, (char) => ENTITIES[char] ?? char) : text;
}

function checkChars(text: string): string {
  const bad = FORBIDDEN.exec(text);
  if (bad !== null) throw new BusError("xsd-violation", `the character U+${hex4(bad[0])} cannot stand in XML`);
  if (!text.isWellFormed()) throw new BusError("xsd-violation", "a lone surrogate cannot stand in XML");
  return text;
}

// ── output: one character for each byte, as on the way in ──────────────────────────────────────────────────────────

/** Anything but ASCII that may stand in text as it is. */
const NOT_PLAIN = /[^\t\n\x20-\x25\x27-\x3b=\x3f-\x7f]/;

/** Text for element content, as a string of its UTF-8 bytes. */
export function printText(text: string): string {
  if (!NOT_PLAIN.test(text)) return text;
  return text.length > SHORT ? encodeUtf8(escapeText(text)) : printShort(text);
}

/** Escapes and encodes in one loop; for short text that is faster than expressions. */
function printShort(text: string): string {
  let bytes = "";
  let done = 0;
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code < 0x80 && code !== 38 && code !== 60 && code !== 62 && (code >= 32 || code === 10 || code === 9)) continue;
    bytes += text.slice(done, i);
    if (code < 0x80) bytes += ENTITIES[text.charAt(i)] ?? checkChars(text);
    else if (code < 0x800) bytes += String.fromCharCode(0xc0 | (code >> 6), 0x80 | (code & 0x3f));
    else if ((code & 0xf800) === 0xd800 || code >= 0xfffe) return encodeUtf8(escapeText(text));
    else bytes += String.fromCharCode(0xe0 | (code >> 12), 0x80 | ((code >> 6) & 0x3f), 0x80 | (code & 0x3f));
    done = i + 1;
  }
  return bytes + text.slice(done);
}

/** Text for an attribute in double quotes, as a string of its UTF-8 bytes. */
export function printAttribute(text: string): string {
  return encodeUtf8(escapeAttribute(text));
}

/** Text as a string of its UTF-8 bytes: a message whose pieces are such strings becomes bytes by a plain copy. */
export function encodeUtf8(text: string): string {
  return HIGH.test(text) ? Buffer.from(text, "utf8").toString("latin1") : text;
}

/** The bytes of a string of bytes, on their way out: small ones stand in a buffer of the platform's pool beside others. */
export function toBytes(text: string): Uint8Array {
  return Buffer.from(text, "latin1");
}
