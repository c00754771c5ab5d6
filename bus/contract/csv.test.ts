import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { AvroRecord } from "../envelope.ts";
import { asBusError } from "../errors.ts";
import { compileType } from "./avro.ts";
import { csvSplitter } from "./csv.ts";
import type { CsvOptions } from "./csv.ts";

const type = compileType({
  id: "vehicle.registered.v1",
  schemaId: 1,
  schemaText: JSON.stringify({
    type: "record",
    name: "Vehicle",
    fields: [
      { name: "vin", type: "string" },
      { name: "year", type: "int" },
      { name: "owner", type: ["null", "string"], default: null },
      { name: "first", type: ["null", { type: "int", logicalType: "date" }], default: null },
      { name: "price", type: ["null", { type: "bytes", logicalType: "decimal", precision: 9, scale: 2 }], default: null },
      { name: "active", type: "boolean", default: true },
      {
        name: "plate",
        type: [
          "null",
          {
            type: "record",
            name: "Plate",
            fields: [
              { name: "number", type: "string" },
              { name: "since", type: ["null", "long"], default: null },
            ],
          },
        ],
        default: null,
      },
    ],
  }),
});
const NONE = { owner: null, first: null, price: null, active: true, plate: null };

async function* stream(bytes: Uint8Array, size: number): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}

type Row = { index: number; line: number; value?: AvroRecord; code?: string; message?: string };

async function rows(text: string | Uint8Array, options: Partial<CsvOptions> = {}, size = 7): Promise<Row[]> {
  const found: Row[] = [];
  const bytes = typeof text === "string" ? Buffer.from(text) : text;
  for await (const { index, line, read } of csvSplitter(type, { header: true, ...options }).split(stream(bytes, size))) {
    try {
      found.push({ index, line, value: read() });
    } catch (error) {
      const { code, message } = asBusError(error);
      found.push({ index, line, code, message });
    }
  }
  return found;
}

describe("a good file", () => {
  it("is read by column name, whatever the order, line break or chunk size", async () => {
    const text = "year,vin,first,price,active,plate.number,plate.since\r\n2020,V1,2020-01-31,10.5,false,ABC 123,99\n2021,V2,,,,,\n";
    const expected = [
      {
        index: 1,
        line: 2,
        value: {
          vin: "V1",
          year: 2020,
          owner: null,
          first: "2020-01-31",
          price: "10.50",
          active: false,
          plate: { number: "ABC 123", since: 99 },
        },
      },
      { index: 2, line: 3, value: { vin: "V2", year: 2021, ...NONE } },
    ];
    for (const size of [1, 2, 5, 1000]) expect(await rows(text, {}, size)).toEqual(expected);
  });
  it("may have quoted cells with separators, quotes and line breaks", async () => {
    const found = await rows('vin,year,owner\n"a,b",1,"say ""hi""\nto ""all"""\nc,2,""\n');
    expect(found).toEqual([
      { index: 1, line: 2, value: { vin: "a,b", year: 1, ...NONE, owner: 'say "hi"\nto "all"' } },
      { index: 2, line: 4, value: { vin: "c", year: 2, ...NONE, owner: "" } },
    ]);
  });
  it("may have another separator and quote, no header, a byte order mark, and no last line break", async () => {
    const found = await rows("\ufeff'x;y';7", { separator: ";", quote: "'", header: ["vin", "year"] });
    expect(found).toEqual([{ index: 1, line: 1, value: { vin: "x;y", year: 7, ...NONE } }]);
  });
  it("may have empty lines", async () => {
    expect(await rows("\nvin,year\n\nV,1\n\r\n\nW,2\n")).toMatchObject([
      { line: 4, index: 1 },
      { line: 7, index: 2 },
    ]);
  });
  it("may be empty", async () => {
    expect(await rows("")).toEqual([]);
  });
});

describe("a bad row", () => {
  it("is told by itself, and the next rows go on", async () => {
    const found = await rows('vin,year,first\nV1,x,\nV2,2\nV3,3,2021-02-29\nV4,4,\nV5,,\nV"6,6,\n"V7"x,7,\n');
    expect(found.map(({ line, code, value }) => [line, code ?? value?.["vin"]])).toEqual([
      [2, "csv-violation"],
      [3, "csv-violation"],
      [4, "csv-violation"],
      [5, "V4"],
      [6, "csv-violation"],
      [7, "csv-violation"],
      [8, "csv-violation"],
    ]);
    expect(found[0]?.message).toBe("line 2 does not fit vehicle.registered.v1: `year` expected a whole number of 32 bits");
    expect(found[1]?.message).toBe("line 3 has 2 cells, the header has 3");
    expect(found[4]?.message).toContain("`year` is empty");
  });
  it("that is not UTF-8 is refused", async () => {
    const bytes = Buffer.concat([Buffer.from("vin,year\nV"), Buffer.from([0xc3, 0x28]), Buffer.from(",1\nW,2\n")]);
    expect(await rows(bytes)).toMatchObject([{ code: "csv-violation" }, { value: { vin: "W" } }]);
  });
  it("that is too long is refused, and the next rows go on", async () => {
    const found = await rows(`vin,year\n${"x".repeat(5000)},1\nW,2\n`, { maxRecord: 100 }, 64);
    expect(found).toMatchObject([
      { line: 2, code: "message-too-large" },
      { line: 3, value: { vin: "W" } },
    ]);
  });
  it("with a quote that never closes costs its own lines only", async () => {
    const filler = Array.from({ length: 50 }, (_, i) => `W${i},1`).join("\n");
    const found = await rows(`vin,year\n"V,1\n${filler}\n`, { maxRecord: 64 });
    expect(found[0]).toMatchObject({ line: 2, code: "message-too-large" });
    expect(found.at(-1)).toMatchObject({ line: 52, value: { vin: "W49" } });
    expect(found.length).toBeGreaterThan(35);
  });
});

describe("a bad header", () => {
  it.each([
    ["an unknown column", "vin,yaer\n", "`yaer` is no column of vehicle.registered.v1; did you mean `year`?"],
    ["a missing column", "vin\n", "`year` is required"],
    ["a column twice", "vin,year,vin\n", "stands twice"],
  ])("stops the file: %s", async (_, text, hint) => {
    await expect(rows(text)).rejects.toThrow(hint);
  });
  it("is refused when compiled, where the file has none", () => {
    expect(() => csvSplitter(type, { header: ["vin"] })).toThrow("`year` is required");
    expect(() => csvSplitter(type, { header: true, separator: ",," })).toThrow("one ASCII character");
    expect(() => csvSplitter(type, { header: true, quote: "," })).toThrow("must differ");
  });
});

it("any text comes back from its cell, whatever the chunks", async () => {
  const text = fc.string({ unit: "grapheme", minLength: 1, maxLength: 20 }).filter((value) => value.isWellFormed());
  await fc.assert(
    fc.asyncProperty(fc.array(text, { minLength: 1, maxLength: 5 }), fc.integer({ min: 1, max: 20 }), async (vins, size) => {
      const file = `vin,year\n${vins.map((vin) => `"${vin.replaceAll('"', '""')}",1`).join("\n")}`;
      expect((await rows(file, {}, size)).map((row) => row.value?.["vin"])).toEqual(vins);
    }),
  );
});
