/**
 * A big XML file in records: bytes come in, at most one record is held. The scanner finds where elements begin and end and
 * checks that tags match; each record is then read by the strict parser, on its own. So a bad record fails alone
 * (`Piece.read` throws), while a file whose tags do not fit together ends the iteration with its line.
 */
import { BusError } from "../../errors.ts";
import type { Codec, Piece, Splitter } from "../../wire.ts";
import { XML_LIMITS, escapeAttribute } from "./chars.ts";
import { openChild, openDocument } from "./cursor.ts";
import { nameKey, newVocabulary, showName } from "./names.ts";
import type { Name, Scope } from "./names.ts";
import { breakOff, declarationEnd, discard, feed, newTape, tagName, tokenAt } from "./split-scan.ts";
import type { Tape } from "./split-scan.ts";

export type XmlSplitterOptions = Readonly<{
  /** Path of the records from the root, for example `/v:Vehicles/v:Vehicle`; a step is a name, its prefix one of `namespaces`. */
  path: string;
  namespaces: Readonly<Record<string, string>>;
  /** Reads one record; compile it for the record's element. */
  codec: Codec;
  /** Bytes of one record; default 10 MiB. A longer one fails alone. */
  maxRecord?: number;
}>;

export function xmlSplitter(options: XmlSplitterOptions): Splitter {
  const steps = parsePath(options.path, options.namespaces);
  const maxRecord = options.maxRecord ?? XML_LIMITS.bytes;
  return { split: (chunks) => split(chunks, steps, options.codec, maxRecord) };
}

function parsePath(path: string, namespaces: Readonly<Record<string, string>>): Name[] {
  const parts = path.split("/");
  if (parts[0] !== "" || parts.length < 3) {
    throw new BusError(
      "configuration",
      `the path ${path} must be of the form /root/record, with a prefix where the names have a namespace`,
    );
  }
  return parts.slice(1).map((part) => {
    const colon = part.indexOf(":");
    const prefix = part.slice(0, Math.max(0, colon));
    const ns = colon === -1 ? "" : namespaces[prefix];
    if (ns === undefined)
      throw new BusError("configuration", `the path ${path} uses the prefix ${prefix}, which \`namespaces\` does not name`);
    return { ns, local: part.slice(colon + 1) };
  });
}

/** Where the scanner is in the file. */
type State = {
  readonly tape: Tape;
  readonly steps: readonly Name[];
  /** Raw names of the open elements; the scopes of those on the path. */
  readonly open: string[];
  readonly scopes: Scope[];
  /** How many of the open elements are on the path. */
  matched: number;
  /** The record being scanned: depth of its element, its first line, its start tag with all prefixes declared. */
  record: { depth: number; line: number; head: Uint8Array; tooLong: boolean } | undefined;
  index: number;
  rooted: boolean;
};

const vocabulary = newVocabulary();

async function* split(chunks: AsyncIterable<Uint8Array>, steps: readonly Name[], codec: Codec, maxRecord: number): AsyncIterable<Piece> {
  const state: State = { tape: newTape(), steps, open: [], scopes: [], matched: 0, record: undefined, index: 0, rooted: false };
  for await (const chunk of chunks) {
    feed(state.tape, chunk);
    for (let piece = next(state, codec, maxRecord); piece !== undefined; piece = next(state, codec, maxRecord)) yield piece;
  }
  state.tape.ended = true;
  for (let piece = next(state, codec, maxRecord); piece !== undefined; piece = next(state, codec, maxRecord)) yield piece;
  const last = state.open.at(-1);
  if (last !== undefined) breakOff(state.tape, "xml-malformed", `the file ends inside <${last}>`);
  if (!state.rooted) breakOff(state.tape, "xml-malformed", "there is no root element");
}

/** The next whole record in what was fed so far; undefined = more bytes are needed. */
function next(state: State, codec: Codec, maxRecord: number): Piece | undefined {
  const { tape } = state;
  if (!tape.started && !declarationEnd(tape)) return undefined;
  for (;;) {
    const token = tokenAt(tape, maxRecord, state.open.length === 0);
    if (token === undefined) {
      shed(state, maxRecord);
      return undefined;
    }
    const piece = token.kind === "tag" ? takeTag(state, token.from, token.to, codec) : undefined;
    tape.at = token.to;
    if (state.record === undefined) discard(tape);
    else shed(state, maxRecord);
    if (piece !== undefined) return piece;
  }
}

/** A record that grew too long is let go of while the scan for its end goes on; outside records nothing is kept. */
function shed(state: State, maxRecord: number): void {
  const { tape, record } = state;
  if (record === undefined || (!record.tooLong && tape.at - tape.from <= maxRecord)) return;
  record.tooLong = true;
  discard(tape);
}

function takeTag(state: State, from: number, to: number, codec: Codec): Piece | undefined {
  const { tape, open } = state;
  const { bytes } = tape;
  if (bytes[from + 1] === 47) return endTag(state, from, to, codec);
  const raw = tagName(bytes, from + 1, to);
  const empty = bytes[to - 2] === 47;
  if (open.length === 0 && state.rooted) breakOff(tape, "xml-malformed", "nothing may follow the root element");
  if (open.length >= XML_LIMITS.depth) breakOff(tape, "xml-limit", `elements may nest at most ${XML_LIMITS.depth} deep`);
  if (state.record === undefined && state.matched === open.length) enterPath(state, from, to, raw);
  open.push(raw);
  state.rooted = true;
  return empty ? close(state, to, codec) : undefined;
}

/** A start tag whose parents are all on the path: on the path too, a record, or neither. */
function enterPath(state: State, from: number, to: number, raw: string): void {
  const { tape, steps, scopes } = state;
  const step = steps[state.matched];
  if (step === undefined) return;
  const { name, scope } = readTag(state, tape.bytes.subarray(from, to));
  if (nameKey(name.ns, name.local) !== showName(step)) {
    if (state.matched === 0) breakOff(tape, "xsd-violation", `the root element is ${showName(name)}; expected ${showName(step)}`);
    return;
  }
  const outer = scopes[state.matched - 1];
  state.matched++;
  if (state.matched < steps.length) {
    scopes[state.matched - 1] = scope;
    return;
  }
  const head = withPrefixes(tape.bytes.subarray(from, to), raw, outer, scope);
  state.record = { depth: state.open.length, line: tape.line, head, tooLong: false };
  state.index++;
  tape.from = from;
  tape.bodyFrom = to;
}

/** Name and scope of one start tag, read by the strict parser. */
function readTag(state: State, tag: Uint8Array): { name: Name; scope: Scope } {
  const outer = state.scopes[state.matched - 1];
  try {
    const c = openDocument(vocabulary, tag);
    c.scope = outer ?? vocabulary.root;
    return { name: openChild(c), scope: c.scope };
  } catch (error) {
    if (error instanceof BusError) breakOff(state.tape, error.code, error.message);
    throw error;
  }
}

/** The start tag with the prefixes that its parents declared, so that the record stands for itself. */
function withPrefixes(tag: Uint8Array, raw: string, outer: Scope | undefined, scope: Scope): Uint8Array {
  let declarations = "";
  const own = new Set(scope === outer ? [] : scope.declared.filter((_, i) => i % 2 === 0));
  for (const [prefix, ns] of outer?.prefixes ?? []) {
    if (prefix === "xml" || own.has(prefix)) continue;
    declarations += prefix === "" ? ` xmlns="${escapeAttribute(ns)}"` : ` xmlns:${prefix}="${escapeAttribute(ns)}"`;
  }
  const start = Buffer.byteLength(raw) + 1;
  return Buffer.concat([tag.subarray(0, start), Buffer.from(declarations), tag.subarray(start)]);
}

function endTag(state: State, from: number, to: number, codec: Codec): Piece | undefined {
  const { tape, open } = state;
  const raw = tagName(tape.bytes, from + 2, to);
  const expected = open.at(-1);
  if (raw !== expected)
    breakOff(tape, "xml-malformed", expected === undefined ? `</${raw}> closes nothing` : `expected </${expected}>, found </${raw}>`);
  return close(state, to, codec);
}

function close(state: State, to: number, codec: Codec): Piece | undefined {
  const { tape, open, record } = state;
  open.pop();
  if (state.matched > open.length) state.matched = open.length;
  if (record === undefined || open.length !== record.depth) return undefined;
  const bytes = record.tooLong ? new Uint8Array() : Buffer.concat([record.head, tape.bytes.subarray(tape.bodyFrom, to)]);
  state.record = undefined;
  return pieceOf(state.index, record.line, bytes, record.tooLong, codec);
}

function pieceOf(index: number, line: number, bytes: Uint8Array, tooLong: boolean, codec: Codec): Piece {
  return {
    index,
    line,
    bytes,
    read() {
      if (tooLong)
        throw new BusError("message-too-large", `record ${index} on line ${line} is longer than a record may be`, {
          places: [{ line, text: "too long" }],
        });
      try {
        return codec.read(bytes);
      } catch (error) {
        throw error instanceof BusError ? inFile(error, line) : error;
      }
    },
  };
}

/** Places of a record's own lines as lines of the file. */
function inFile(error: BusError, line: number): BusError {
  const places = error.places.map((place) => (place.line === undefined ? place : { ...place, line: place.line + line - 1 }));
  const message = error.message.replace(/^line (\d+)/, (_, own: string) => `line ${Number(own) + line - 1}`);
  return new BusError(error.code, message, { places, cause: error });
}
