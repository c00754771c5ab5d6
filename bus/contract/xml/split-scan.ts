/** The bytes of a stream as XML tokens: tags whole, comments and CDATA skipped, DTDs and instructions refused. */
import { BusError } from "../../errors.ts";
import type { ErrorCode } from "../../errors.ts";
import { XML_LIMITS, decodeDocument } from "./chars.ts";

/** What of the stream is in memory. `from` is the first byte still needed, `at` the first byte not looked at. */
export type Tape = {
  bytes: Buffer;
  from: number;
  at: number;
  /** First byte behind the start tag of the record being scanned. */
  bodyFrom: number;
  /** Line of `at`, from 1. */
  line: number;
  counted: number;
  started: boolean;
  ended: boolean;
};

/** A tag, comment, instruction or CDATA section may be this long before its end must have come. */
const MAX_TAG = 256 * 1024;
const MAX_DECLARATION = 1024;

export function newTape(): Tape {
  return { bytes: Buffer.alloc(0), from: 0, at: 0, bodyFrom: 0, line: 1, counted: 0, started: false, ended: false };
}

/** Appends a chunk; what is no longer needed is dropped first. */
export function feed(tape: Tape, chunk: Uint8Array): void {
  const { from } = tape;
  tape.bytes = from === tape.bytes.length ? Buffer.from(chunk) : Buffer.concat([tape.bytes.subarray(from), chunk]);
  tape.at -= from;
  tape.counted -= from;
  tape.bodyFrom = Math.max(0, tape.bodyFrom - from);
  tape.from = 0;
}

/** Nothing before `at` is needed any more. */
export function discard(tape: Tape): void {
  countLines(tape, tape.at);
  tape.from = tape.at;
}

function countLines(tape: Tape, to: number): void {
  const { bytes } = tape;
  for (let i = bytes.indexOf(10, tape.counted); i !== -1 && i < to; i = bytes.indexOf(10, i + 1)) tape.line++;
  tape.counted = Math.max(tape.counted, to);
}

/** The file as a whole cannot be read on. */
export function breakOff(tape: Tape, code: ErrorCode, text: string): never {
  throw new BusError(code, `line ${tape.line}: ${text}`, { places: [{ line: tape.line, text }] });
}

/** Passes over byte order mark and XML declaration; false = more bytes are needed to tell. */
export function declarationEnd(tape: Tape): boolean {
  const { bytes } = tape;
  const close = bytes.indexOf("?>");
  if (!tape.ended && bytes.length < 8 && bytes.length < MAX_DECLARATION) return false;
  const bom = bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf ? 3 : 0;
  if ((bytes[0] === 0xfe && bytes[1] === 0xff) || (bytes[0] === 0xff && bytes[1] === 0xfe) || bytes[0] === 0 || bytes[1] === 0) {
    breakOff(tape, "xml-encoding", "the file is not UTF-8; send UTF-8");
  }
  if (bytes.toString("latin1", bom, bom + 5) === "<?xml") {
    if (close === -1 && !tape.ended && bytes.length < MAX_DECLARATION) return false;
    // The strict parser judges the declaration itself.
    const { start } = decodeDocument(
      bytes.subarray(bom, close === -1 ? Math.min(bytes.length, MAX_DECLARATION) : close + 2),
      MAX_DECLARATION * 4,
    );
    tape.at = bom + start;
  } else tape.at = bom;
  tape.started = true;
  discard(tape);
  return true;
}

export type Token = Readonly<{ kind: "tag" | "other"; from: number; to: number }>;

/** The next token behind `at`; undefined = its end has not come yet. `outside`: only white space may stand between tokens. */
export function tokenAt(tape: Tape, maxRecord: number, outside: boolean): Token | undefined {
  const { bytes } = tape;
  const from = bytes.indexOf(60, tape.at);
  const textEnd = from === -1 ? bytes.length : from;
  if (outside) refuseText(tape, textEnd);
  countLines(tape, textEnd);
  if (from === -1) {
    tape.at = bytes.length;
    return undefined;
  }
  tape.at = from;
  const to = tokenEnd(tape, from, outside);
  if (to !== -1) return { kind: bytes[from + 1] === 33 ? "other" : "tag", from, to };
  const limit = bytes[from + 1] === 33 ? Math.max(maxRecord, MAX_TAG) : MAX_TAG;
  if (bytes.length - from > limit) breakOff(tape, "xml-limit", `what begins here does not end within ${limit} bytes`);
  if (tape.ended) breakOff(tape, "xml-malformed", "the file ends inside a tag, comment or CDATA section");
  return undefined;
}

function refuseText(tape: Tape, to: number): void {
  for (let i = tape.at; i < to; i++) {
    const byte = tape.bytes[i];
    if (byte !== 32 && byte !== 10 && byte !== 13 && byte !== 9)
      breakOff(tape, "xml-malformed", "text may not stand outside the root element");
  }
}

/** Index behind the token that begins at `from`, or -1. */
function tokenEnd(tape: Tape, from: number, outside: boolean): number {
  const { bytes } = tape;
  const second = bytes[from + 1];
  if (second === undefined) return -1;
  if (second === 63) breakOff(tape, "xml-forbidden", "a processing instruction is refused");
  if (second === 33) return markupEnd(tape, from, outside);
  for (let i = from + 1; i < bytes.length; i++) {
    const byte = bytes[i];
    if (byte === 62) return i + 1;
    if (byte === 60) breakOff(tape, "xml-malformed", "< stands inside a tag");
    if (byte !== 34 && byte !== 39) continue;
    const quote = bytes.indexOf(byte, i + 1);
    if (quote === -1) return -1;
    i = quote;
  }
  return -1;
}

function markupEnd(tape: Tape, from: number, outside: boolean): number {
  const { bytes } = tape;
  const head = bytes.toString("latin1", from, from + 9);
  if (head.startsWith("<!--")) {
    const end = bytes.indexOf("--", from + 4);
    if (end === -1 || end + 2 >= bytes.length) return -1;
    if (bytes[end + 2] !== 62) breakOff(tape, "xml-malformed", "-- may not stand inside a comment");
    return end + 3;
  }
  if (head === "<![CDATA[" && !outside) {
    const end = bytes.indexOf("]]>", from + 9);
    return end === -1 ? -1 : end + 3;
  }
  if (!tape.ended && ("<!--".startsWith(head) || "<![CDATA[".startsWith(head))) return -1;
  return breakOff(tape, "xml-forbidden", "a document type definition or another <! is refused");
}

/** Raw name of a tag whose name begins at `from`. */
export function tagName(bytes: Buffer, from: number, to: number): string {
  let end = from;
  for (; end < to; end++) {
    const byte = bytes[end] ?? 62;
    if (byte === 62 || byte === 47 || byte === 32 || byte === 10 || byte === 13 || byte === 9) break;
  }
  return bytes.toString("utf8", from, Math.min(end, from + XML_LIMITS.name * 4));
}
