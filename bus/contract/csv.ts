/**
 * CSV files of a contract (RFC 4180): one record a row, columns by field name, nested fields by dotted path. A bad row is
 * told by its own piece, the rows after it go on; a bad header stops the file, because no row could be trusted.
 */
import type { AvroRecord } from "../envelope.ts";
import { BusError } from "../errors.ts";
import type { Place } from "../errors.ts";
import type { Piece, Splitter } from "../wire.ts";
import type { ContractType } from "./contract.ts";
import { absentValue } from "./defaults.ts";
import { cells, records } from "./csv-scan.ts";
import type { Cell, RawRecord } from "./csv-scan.ts";
import { bytesFromBase64 } from "./json-read.ts";
import { meant } from "../near.ts";
import { parseSchema, schemaFault } from "./parse.ts";
import { describe, recordIn, withoutNull } from "./shape.ts";
import type { FieldShape, RecordShape, Shape } from "./shape.ts";
import { daysFromDate, decimalText, fitsFloat, instantFromMillis, millisFromInstant, twosComplement, unscaled } from "./values.ts";

export type CsvOptions = Readonly<{
  /** One ASCII character; default comma. */
  separator?: string;
  /** true = the first record names the columns; a list names them and the file has no header. */
  header: true | readonly string[];
  /** One ASCII character; default double quote. */
  quote?: string;
  encoding?: "utf-8";
  /** Bytes of one record; default 256 KiB. */
  maxRecord?: number;
}>;

const UTF8 = new TextDecoder("utf-8", { fatal: true });

function fault(message: string, places: readonly Place[]): BusError {
  return new BusError("csv-violation", message, { places });
}

function decimal(shape: Shape & { kind: "decimal" }, text: string): string | undefined {
  const value = unscaled(text, shape.precision, shape.scale);
  if (value === undefined || (shape.size !== undefined && twosComplement(value, shape.size) === undefined)) return undefined;
  return decimalText(value, shape.scale);
}

const WHOLE = /^-?[0-9]{1,19}$/;
const REAL = /^-?[0-9]+(?:\.[0-9]+)?(?:[eE][+-]?[0-9]{1,3})?$/;
const WORDS: Readonly<Record<string, boolean>> = { true: true, false: false, "1": true, "0": false };

function long(text: string): number | bigint | undefined {
  if (!WHOLE.test(text)) return undefined;
  const value = BigInt(text);
  if (BigInt.asIntN(64, value) !== value) return undefined;
  return Number.isSafeInteger(Number(value)) ? Number(value) : value;
}

/** A cell's text as a value; undefined = it does not fit. */
function convert(shape: Shape, text: string): unknown {
  switch (shape.kind) {
    case "string":
      return text;
    case "boolean":
      return Object.hasOwn(WORDS, text.toLowerCase()) ? WORDS[text.toLowerCase()] : undefined;
    case "int": {
      const value = WHOLE.test(text) ? Number(text) : Number.NaN;
      return (value | 0) === value ? value : undefined;
    }
    case "long":
      return long(text);
    case "float":
    case "double": {
      const value = REAL.test(text) ? Number(text) : Number.NaN;
      return Number.isFinite(value) && (shape.kind === "double" || fitsFloat(value)) ? value : undefined;
    }
    case "date":
      return daysFromDate(text) === undefined ? undefined : text;
    case "timestamp": {
      const millis = millisFromInstant(text);
      return millis === undefined ? undefined : instantFromMillis(millis);
    }
    case "decimal":
      return decimal(shape, text);
    case "enum":
      return shape.symbols.includes(text) ? text : undefined;
    case "bytes":
      return bytesFromBase64(text);
    case "fixed": {
      const bytes = bytesFromBase64(text);
      return bytes?.length === shape.size ? bytes : undefined;
    }
    default:
      return undefined;
  }
}

type Column = Readonly<{ path: string; shape: Shape }>;

const NO_CELL = new Set(["array", "map", "union", "record", "null"]);

/** Records that hold one another several times have more columns than any file: they are refused before they are counted out. */
const MAX_COLUMNS = 20_000;

/** Columns that a schema can have: every field that one cell can hold, by dotted path through records. */
function columnsOf(shape: RecordShape, prefix = "", open: readonly RecordShape[] = [], seen = { count: 0 }): readonly Column[] {
  return shape.fields.flatMap((field): readonly Column[] => {
    if (++seen.count > MAX_COLUMNS) throw schemaFault("", `has more than ${MAX_COLUMNS} columns as CSV`);
    const path = prefix + field.name;
    const inner = recordIn(field.type);
    if (inner !== undefined) return open.includes(inner) ? [] : columnsOf(inner, `${path}.`, [...open, shape], seen);
    const type = withoutNull(field.type);
    return NO_CELL.has(type.kind) ? [] : [{ path, shape: type }];
  });
}

type Row = Readonly<{ cells: ReadonlyMap<string, Cell>; places: Place[]; line: number }>;

/** Builds one record from its cells; `known` are the columns this file has. */
function build(shape: RecordShape, prefix: string, row: Row, known: ReadonlySet<string>): AvroRecord {
  const value: AvroRecord = {};
  for (const field of shape.fields) value[field.name] = member(field, prefix + field.name, row, known);
  return value;
}

const hasCells = (row: Row, path: string): boolean =>
  [...row.cells].some(([name, cell]) => name.startsWith(`${path}.`) && (cell.quoted || cell.text !== ""));

function absent(field: FieldShape, path: string, row: Row): unknown {
  const value = absentValue(field);
  if (value !== undefined) return value();
  row.places.push({ line: row.line, path, text: `is empty; expected ${describe(field.type)}` });
  return null;
}

function member(field: FieldShape, path: string, row: Row, known: ReadonlySet<string>): unknown {
  const inner = recordIn(field.type);
  if (inner !== undefined) {
    // An optional record without any cell is none at all.
    if (!hasCells(row, path) && absentValue(field) !== undefined) return absent(field, path, row);
    return [...known].some((column) => column.startsWith(`${path}.`)) ? build(inner, `${path}.`, row, known) : absent(field, path, row);
  }
  const cell = row.cells.get(path);
  const type = withoutNull(field.type);
  if (cell === undefined || (cell.text === "" && !cell.quoted && (type.kind !== "string" || absentValue(field) !== undefined)))
    return absent(field, path, row);
  const value = convert(type, cell.text);
  if (value === undefined) row.places.push({ line: row.line, path, text: `expected ${describe(type)}` });
  return value ?? null;
}

/** Columns of this file, or the fault of its header. */
function checkHeader(names: readonly string[], shape: RecordShape, id: string): readonly string[] {
  const possible = columnsOf(shape).map((column) => column.path);
  const places: Place[] = [];
  for (const [i, name] of names.entries()) {
    if (!possible.includes(name)) places.push({ line: 1, path: name.slice(0, 100), text: `is no column of ${id}${meant(name, possible)}` });
    else if (names.indexOf(name) !== i) places.push({ line: 1, path: name, text: "stands twice in the header" });
  }
  for (const field of shape.fields) {
    const covered = names.some((name) => name === field.name || name.startsWith(`${field.name}.`));
    if (!covered && absentValue(field) === undefined)
      places.push({ line: 1, path: field.name, text: `is required by ${id}, but the file has no such column` });
  }
  const [first] = places;
  if (first === undefined) return names;
  throw fault(`the header does not fit ${id}: \`${first.path}\` ${first.text}`, places.slice(0, 20));
}

function textOf(raw: RawRecord, maxRecord: number): string {
  if (raw.tooLong)
    throw new BusError("message-too-large", `the record on line ${raw.line} is longer than ${maxRecord} bytes`, {
      places: [{ line: raw.line, text: "is too long" }],
    });
  try {
    return UTF8.decode(raw.bytes);
  } catch {
    throw fault(`the record on line ${raw.line} is not UTF-8`, [{ line: raw.line, text: "is not UTF-8" }]);
  }
}

/** One ASCII character as its code. */
function mark(text: string, name: string): number {
  const code = text.charCodeAt(0);
  if (text.length !== 1 || code > 126 || code === 10 || code === 13) throw schemaFault("", `the CSV \`${name}\` is one ASCII character`);
  return code;
}

/** Compiles the splitter. Throws `configuration` where the options or the given header cannot be. */
export function csvSplitter(type: ContractType, options: CsvOptions): Splitter {
  const { separator = ",", quote = '"', maxRecord = 262_144 } = options;
  const { shape } = parseSchema(type.schemaText);
  const marks = { separator: mark(separator, "separator"), quote: mark(quote, "quote"), maxRecord };
  if (marks.separator === marks.quote) throw schemaFault("", "the CSV `separator` and `quote` must differ");
  const given = options.header === true ? undefined : checkHeader(options.header, shape, type.id);

  function rowCells(raw: RawRecord): readonly Cell[] {
    const found = cells(textOf(raw, maxRecord), separator, quote);
    if (typeof found !== "string") return found;
    throw fault(`line ${raw.line}: ${found}`, [{ line: raw.line, text: found }]);
  }

  function read(raw: RawRecord, header: readonly string[]): AvroRecord {
    const found = rowCells(raw);
    if (found.length !== header.length) {
      const text = `has ${found.length} cells, the header has ${header.length}`;
      throw fault(`line ${raw.line} ${text}`, [{ line: raw.line, text }]);
    }
    const row: Row = {
      cells: new Map(header.map((name, i) => [name, found[i] ?? { text: "", quoted: false }])),
      places: [],
      line: raw.line,
    };
    const value = build(shape, "", row, new Set(header));
    const [first] = row.places;
    if (first === undefined) return value;
    throw fault(`line ${raw.line} does not fit ${type.id}: \`${first.path}\` ${first.text}`, row.places.slice(0, 20));
  }

  return {
    async *split(chunks): AsyncGenerator<Piece> {
      let header = given;
      let index = 0;
      for await (const raw of records(withoutMark(chunks), marks)) {
        if (header === undefined) {
          header = checkHeader(
            rowCells(raw).map((cell) => cell.text.trim()),
            shape,
            type.id,
          );
          continue;
        }
        const columns = header;
        yield { index: ++index, line: raw.line, bytes: raw.bytes, read: () => read(raw, columns) };
      }
    },
  };
}

/** Spreadsheets start their files with a byte order mark, which is no part of the first cell. */
async function* withoutMark(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  let head: Uint8Array | undefined = new Uint8Array(0);
  for await (const chunk of chunks) {
    if (head === undefined) {
      yield chunk;
      continue;
    }
    const joined: Uint8Array = new Uint8Array(head.length + chunk.length);
    joined.set(head);
    joined.set(chunk, head.length);
    head = joined;
    if (head.length < 3) continue;
    yield head[0] === 0xef && head[1] === 0xbb && head[2] === 0xbf ? head.subarray(3) : head;
    head = undefined;
  }
  if (head !== undefined && head.length > 0) yield head;
}
