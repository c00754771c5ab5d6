/** A strict cursor over a JSON text (RFC 8259), shared by the readers that json-read.ts compiles. */
import { BusError } from "../errors.ts";
import type { ErrorCode, Place } from "../errors.ts";
import { MAX_PLACES } from "./check.ts";

export const MAX_DEPTH = 64;

const UTF8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** Line and column, from 1, of a position. */
function placeOf(text: string, pos: number): { line: number; column: number } {
  let line = 1;
  let start = 0;
  for (let at = text.indexOf("\n"); at !== -1 && at < pos; at = text.indexOf("\n", at + 1)) {
    line++;
    start = at + 1;
  }
  return { line, column: pos - start + 1 };
}

/** Bytes to text; a byte order mark and anything but UTF-8 is refused. */
export function textOf(bytes: Uint8Array): string {
  let text: string;
  try {
    text = UTF8.decode(bytes);
  } catch {
    throw new BusError("json-malformed", "the document is not UTF-8", { places: [{ text: "is not UTF-8" }] });
  }
  if (text.charCodeAt(0) === 0xfeff)
    throw new BusError("json-malformed", "the document starts with a byte order mark, which JSON does not allow", {
      places: [{ line: 1, column: 1, text: "is a byte order mark" }],
    });
  return text;
}

const NUMBER = /-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?/y;
const ESCAPES: Readonly<Record<string, string>> = { '"': '"', "\\": "\\", "/": "/", b: "\b", f: "\f", n: "\n", r: "\r", t: "\t" };

/** Holds the text, the position and what was found wrong so far. */
export class JsonScan {
  readonly text: string;
  pos = 0;
  depth = 0;
  readonly places: Place[] = [];

  constructor(text: string) {
    this.text = text;
  }

  fail(code: ErrorCode, message: string, path: string, pos = this.pos): never {
    const at = placeOf(this.text, pos);
    const where = path === "" ? "" : ` at \`${path}\``;
    throw new BusError(code, `line ${at.line}, column ${at.column}${where}: ${message}`, {
      places: [{ ...at, ...(path === "" ? {} : { path }), text: message }],
    });
  }

  /** Notes a fault of the contract; reading goes on so that all of them can be told at once. */
  note(message: string, path: string, pos: number): void {
    if (this.places.length < MAX_PLACES) this.places.push({ ...placeOf(this.text, pos), ...(path === "" ? {} : { path }), text: message });
  }

  /** Code of the next character that is no white space; NaN at the end. */
  next(): number {
    for (;;) {
      const code = this.text.charCodeAt(this.pos);
      if (code > 32 || (code !== 32 && code !== 10 && code !== 13 && code !== 9)) return code;
      this.pos++;
    }
  }

  unexpected(wanted: string, path: string): never {
    const found = this.pos < this.text.length ? `found \`${this.text.slice(this.pos, this.pos + 1)}\`` : "the document ends here";
    return this.fail("json-malformed", `expected ${wanted}, ${found}`, path);
  }

  expect(code: number, path: string): void {
    if (this.next() !== code) this.unexpected(`\`${String.fromCharCode(code)}\``, path);
    this.pos++;
  }

  enter(path: string): void {
    this.pos++;
    if (++this.depth > MAX_DEPTH) this.fail("json-limit", `values are nested deeper than ${MAX_DEPTH} levels`, path);
  }

  /** After an item: true = a comma, another follows; false = the closing character was read. */
  more(close: number, path: string): boolean {
    const code = this.next();
    if (code !== 44 && code !== close) this.unexpected(`\`,\` or \`${String.fromCharCode(close)}\``, path);
    this.pos++;
    if (code === 44) return true;
    this.depth--;
    return false;
  }

  /** At an opening bracket that was just entered: is it closed at once? */
  empty(close: number): boolean {
    if (this.next() !== close) return false;
    this.pos++;
    this.depth--;
    return true;
  }

  string(path: string): string {
    if (this.next() !== 34) this.unexpected("text in double quotes", path);
    const { text } = this;
    const start = this.pos + 1;
    for (let at = start; ; at++) {
      const code = text.charCodeAt(at);
      if (code === 34) {
        this.pos = at + 1;
        return text.slice(start, at);
      }
      if (code === 92) return this.escaped(start, at, path);
      if (!(code >= 32)) this.badCharacter(at, path);
    }
  }

  private badCharacter(at: number, path: string): never {
    this.pos = at;
    if (at >= this.text.length) return this.unexpected("the closing double quote", path);
    return this.fail("json-malformed", "a control character stands in a text; write it as an escape such as \\n", path);
  }

  private escaped(start: number, first: number, path: string): string {
    const { text } = this;
    let value = text.slice(start, first);
    for (let at = first; ; at++) {
      const code = text.charCodeAt(at);
      if (code === 34) {
        this.pos = at + 1;
        if (!value.isWellFormed()) this.fail("json-malformed", "an escape is half a surrogate pair", path, start);
        return value;
      }
      if (!(code >= 32)) this.badCharacter(at, path);
      if (code !== 92) {
        value += text[at];
        continue;
      }
      const letter = text.charAt(++at);
      if (letter === "u") {
        const hex = text.slice(at + 1, at + 5);
        if (!/^[0-9a-fA-F]{4}$/.test(hex)) this.fail("json-malformed", "\\u needs four hexadecimal digits", path, at);
        value += String.fromCharCode(Number.parseInt(hex, 16));
        at += 4;
      } else value += ESCAPES[letter] ?? this.fail("json-malformed", "no such escape", path, at);
    }
  }

  /** The characters of a number. */
  number(path: string): string {
    this.next();
    NUMBER.lastIndex = this.pos;
    const [literal] = NUMBER.exec(this.text) ?? [];
    if (literal === undefined) return this.unexpected("a number", path);
    this.pos += literal.length;
    const after = this.text.charCodeAt(this.pos);
    if ((after >= 48 && after <= 57) || after === 46 || after === 43 || (after | 32) === 101)
      this.unexpected("the end of the number", path);
    return literal;
  }

  word(word: string, path: string): void {
    if (!this.text.startsWith(word, this.pos)) this.unexpected("a value", path);
    this.pos += word.length;
  }

  /** Reads over any value, still demanding that it is JSON. */
  skip(path: string): void {
    switch (this.next()) {
      case 34:
        this.string(path);
        return;
      case 123:
        this.enter(path);
        if (this.empty(125)) return;
        do {
          this.string(path);
          this.expect(58, path);
          this.skip(path);
        } while (this.more(125, path));
        return;
      case 91:
        this.enter(path);
        if (this.empty(93)) return;
        do this.skip(path);
        while (this.more(93, path));
        return;
      case 116:
        return this.word("true", path);
      case 102:
        return this.word("false", path);
      case 110:
        return this.word("null", path);
      default:
        this.number(path);
    }
  }
}
