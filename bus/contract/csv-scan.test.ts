/** Records and cells of CSV: the same whatever the chunks, one record in memory, and a fault costs its own lines only. */
import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { cells, records, type CsvMarks, type RawRecord } from "./csv-scan.ts";

const MARKS: CsvMarks = { separator: 44, quote: 34, maxRecord: 1000 };

async function* chunked(bytes: Uint8Array, sizes: readonly number[]): AsyncGenerator<Uint8Array> {
  let at = 0;
  for (let i = 0; at < bytes.length; i++) {
    const size = sizes[i % sizes.length] ?? 1;
    yield bytes.subarray(at, at + size);
    at += size;
  }
}

type Line = Readonly<{ text: string; line: number; tooLong: boolean }>;
const shown = ({ bytes, line, tooLong }: RawRecord): Line => ({ text: Buffer.from(bytes).toString(), line, tooLong });

async function read(text: string, options: Readonly<{ sizes?: readonly number[]; marks?: Partial<CsvMarks> }> = {}): Promise<Line[]> {
  const found: Line[] = [];
  for await (const record of records(chunked(Buffer.from(text), options.sizes ?? [1000]), { ...MARKS, ...options.marks }))
    found.push(shown(record));
  return found;
}
const texts = async (...args: Parameters<typeof read>): Promise<string[]> => (await read(...args)).map(({ text }) => text);

describe("records", () => {
  it.each([
    ["a,b\nc,d\n", ["a,b", "c,d"]],
    ["a,b\r\nc,d\r\n", ["a,b", "c,d"]],
    ["a,b\nc,d", ["a,b", "c,d"]],
    ["", []],
    ["\n\n\n", []],
    ["\r\n\r\n", []],
    ["a\n\n\nb", ["a", "b"]],
    ['"a\nb",c\nd', ['"a\nb",c', "d"]],
    ['"a""\nb"\nc', ['"a""\nb"', "c"]],
    ['a"b\nc"d\n', ['a"b', 'c"d']],
    ['x,"a\r\nb"\r\ny', ['x,"a\r\nb"', "y"]],
    [" ,\n", [" ,"]],
  ])("of %j are %j", async (text, found) => {
    expect(await texts(text)).toEqual(found);
  });

  it("have the line they begin on, counting the line breaks in cells", async () => {
    expect((await read('a\n"b\n\nc"\n\nd')).map(({ text, line }) => [text, line])).toEqual([
      ["a", 1],
      ['"b\n\nc"', 2],
      ["d", 6],
    ]);
  });

  it("are the same whatever the chunks", async () => {
    const part = fc.constantFrom("a", ",", '"', "\n", "\r\n", '""', "ă", " ");
    await fc.assert(
      fc.asyncProperty(
        fc.array(part, { maxLength: 30 }),
        fc.array(fc.integer({ min: 1, max: 7 }), { minLength: 1, maxLength: 4 }),
        async (parts, sizes) => {
          const text = parts.join("");
          expect(await read(text, { sizes })).toEqual(await read(text));
        },
      ),
      { numRuns: 200 },
    );
  });

  it("longer than allowed are cut and marked, and the next ones are whole", async () => {
    const long = "x".repeat(50);
    expect(await read(`a\n${long}\nb`, { marks: { maxRecord: 10 } })).toEqual([
      { text: "a", line: 1, tooLong: false },
      { text: "x".repeat(10), line: 2, tooLong: true },
      { text: "b", line: 3, tooLong: false },
    ]);
    expect((await read(`${"x".repeat(10)}\n`, { marks: { maxRecord: 10 } }))[0]).toMatchObject({ tooLong: false });
  });

  it("with a quote that never closes end at the first line break past the limit", async () => {
    const found = await read(`"${"x\n".repeat(20)}good\n`, { marks: { maxRecord: 10 } });
    expect(found[0]).toMatchObject({ line: 1, tooLong: true });
    expect(found.at(-1)).toMatchObject({ text: "good", line: 21, tooLong: false });
  });

  it("take no more memory than one record may have", async () => {
    async function* endless(): AsyncGenerator<Uint8Array> {
      for (let i = 0; i < 2000; i++) yield Buffer.alloc(10_000, "x");
      yield Buffer.from("\nb\n");
    }
    const found: RawRecord[] = [];
    for await (const record of records(endless(), MARKS)) found.push(record);
    expect(found.map(({ bytes, tooLong }) => [bytes.length, tooLong])).toEqual([
      [1000, true],
      [1, false],
    ]);
  });

  it("keep their bytes though the reader's buffer is used again", async () => {
    const found: RawRecord[] = [];
    for await (const record of records(chunked(Buffer.from("aaa\nbbb\nccc"), [2]), MARKS)) found.push(record);
    expect(found.map(({ bytes }) => Buffer.from(bytes).toString())).toEqual(["aaa", "bbb", "ccc"]);
  });
});

describe("cells", () => {
  const plain = (text: string) => ({ text, quoted: false });
  const quoted = (text: string) => ({ text, quoted: true });

  it.each([
    ["a,b", [plain("a"), plain("b")]],
    ["", [plain("")]],
    [",", [plain(""), plain("")].slice(0, 1)],
    ['""', [quoted("")]],
    ['"a"', [quoted("a")]],
    ['"a,b",c', [quoted("a,b"), plain("c")]],
    ['"a""b"', [quoted('a"b')]],
    ['""""', [quoted('"')]],
    [" a , b ", [plain(" a "), plain(" b ")]],
    ['a,"b\nc"', [plain("a"), quoted("b\nc")]],
  ])("of %j are %j", (text, found) => {
    const got = cells(text, ",", '"');
    // a separator at the very end opens one more, empty cell
    expect(got).toEqual(text === "," ? [plain(""), plain("")] : found);
  });

  it.each([
    ['"a', "cell 1 has an opening quote without a closing one"],
    ['a,"b', "cell 2 has an opening quote without a closing one"],
    ['"a"b', "cell 1 goes on after its closing quote"],
    ['a,"b" ,c', "cell 2 goes on after its closing quote"],
    ['a"b', "cell 1 has a quote inside; put the cell in quotes and double it"],
    ['a,b"', "cell 2 has a quote inside; put the cell in quotes and double it"],
  ])("of %j: %s", (text, fault) => {
    expect(cells(text, ",", '"')).toBe(fault);
  });

  it("come back from any texts, written as RFC 4180 says", () => {
    const cell = fc.string({ unit: fc.constantFrom("a", ",", '"', "\n", "\r", ";", " ", "ă") });
    fc.assert(
      fc.property(fc.array(cell, { minLength: 1, maxLength: 6 }), (values) => {
        const text = values.map((value) => `"${value.replaceAll('"', '""')}"`).join(",");
        expect(cells(text, ",", '"')).toEqual(values.map(quoted));
      }),
    );
  });

  it("take any separator and quote", () => {
    expect(cells("'a;b';c", ";", "'")).toEqual([quoted("a;b"), plain("c")]);
    expect(cells("a\tb", "\t", '"')).toEqual([plain("a"), plain("b")]);
  });
});
