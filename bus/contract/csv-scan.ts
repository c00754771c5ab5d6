/** Cuts a stream of bytes into CSV records (RFC 4180) and a record into cells. Holds at most one record in memory. */

/** `tooLong`: the record passed `maxRecord`; its bytes are cut there and the next record starts at the next line break. */
export type RawRecord = Readonly<{ bytes: Uint8Array; line: number; tooLong: boolean }>;

export type CsvMarks = Readonly<{ separator: number; quote: number; maxRecord: number }>;

const LF = 10;
const CR = 13;

type Pending = Readonly<{ length(): number; add(chunk: Uint8Array): void; take(line: number): RawRecord }>;

/** Growing buffer of the record being read, bounded by `max`. */
function pendingRecord(max: number): Pending {
  let bytes = new Uint8Array(1024);
  let length = 0;
  let tooLong = false;
  return {
    length: () => length,
    add(chunk) {
      const room = max - length;
      tooLong ||= chunk.length > room;
      const part = chunk.length > room ? chunk.subarray(0, room) : chunk;
      if (length + part.length > bytes.length) {
        const grown = new Uint8Array(Math.min(max, (length + part.length) * 2));
        grown.set(bytes.subarray(0, length));
        bytes = grown;
      }
      bytes.set(part, length);
      length += part.length;
    },
    take(line) {
      const end = !tooLong && length > 0 && bytes[length - 1] === CR ? length - 1 : length;
      const record = { bytes: bytes.slice(0, end), line, tooLong };
      length = 0;
      tooLong = false;
      return record;
    },
  };
}

/** Records of a stream; empty lines are left out. A quote opens a quoted cell only at the start of a cell. */
export async function* records(chunks: AsyncIterable<Uint8Array>, marks: CsvMarks): AsyncGenerator<RawRecord> {
  const pending = pendingRecord(marks.maxRecord);
  let line = 1;
  let startLine = 1;
  let quoted = false;
  // May a quote open here? At the start of a cell, and right after a closing quote, which makes two quotes one.
  let opens = true;
  for await (const chunk of chunks) {
    let from = 0;
    for (let at = 0; at < chunk.length; at++) {
      const byte = chunk[at];
      // A quote that never closes must not swallow the rest of the file: past the limit the line break counts again.
      if (quoted && pending.length() + at - from > marks.maxRecord) quoted = false;
      if (byte === LF) line++;
      if (byte === LF && !quoted) {
        pending.add(chunk.subarray(from, at));
        from = at + 1;
        const record = pending.take(startLine);
        if (record.bytes.length > 0) yield record;
        startLine = line;
        opens = true;
      } else if (byte === marks.quote && (quoted || opens)) {
        opens = quoted;
        quoted = !quoted;
      } else opens = !quoted && byte === marks.separator;
    }
    pending.add(chunk.subarray(from));
  }
  const last = pending.take(startLine);
  if (last.bytes.length > 0) yield last;
}

/** A cell's text; `quoted` tells the empty text `""` from nothing. */
export type Cell = Readonly<{ text: string; quoted: boolean }>;

/** Cells of one record, or what is wrong with it. */
export function cells(text: string, separator: string, quote: string): readonly Cell[] | string {
  const found: Cell[] = [];
  let at = 0;
  for (;;) {
    if (text[at] === quote) {
      let value = "";
      let from = at + 1;
      for (;;) {
        const close = text.indexOf(quote, from);
        if (close === -1) return `cell ${found.length + 1} has an opening quote without a closing one`;
        value += text.slice(from, close);
        at = close + 1;
        if (text[at] !== quote) break;
        value += quote;
        from = at + 1;
      }
      found.push({ text: value, quoted: true });
      if (at < text.length && text[at] !== separator) return `cell ${found.length} goes on after its closing quote`;
    } else {
      const next = text.indexOf(separator, at);
      const end = next === -1 ? text.length : next;
      const value = text.slice(at, end);
      if (value.includes(quote)) return `cell ${found.length + 1} has a quote inside; put the cell in quotes and double it`;
      found.push({ text: value, quoted: false });
      at = end;
    }
    if (at >= text.length) return found;
    at++;
  }
}
