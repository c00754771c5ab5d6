/** The JSON writer: what it writes JSON.parse reads, and what does not fit is refused instead of written. */
import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { ambiguousInJson, sample } from "#test/harness/avro-arbitrary.ts";
import { compileJsonReader } from "./json-read.ts";
import { JsonScan } from "./json-scan.ts";
import { compileJsonWriter, JsonUnfit } from "./json-write.ts";
import { parseSchema } from "./parse.ts";

const shapeOf = (type: unknown, extra: object = {}) =>
  parseSchema(JSON.stringify({ type: "record", name: "R", fields: [{ name: "f", type, ...extra }] })).shape;
const write = (type: unknown, value: unknown, extra: object = {}): string => {
  try {
    return compileJsonWriter(shapeOf(type, extra))({ f: value });
  } catch (error) {
    if (error instanceof JsonUnfit) return "unfit";
    throw error;
  }
};

const DATE = { type: "int", logicalType: "date" };
const INSTANT = { type: "long", logicalType: "timestamp-millis" };
const MONEY = { type: "bytes", logicalType: "decimal", precision: 5, scale: 2 };
const SMALL = { type: "fixed", name: "Small", size: 1, logicalType: "decimal", precision: 5, scale: 2 };
const HASH = { type: "fixed", name: "Hash", size: 2 };
const SEX = { type: "enum", name: "Sex", symbols: ["F", "M"] };

describe("a value", () => {
  it.each([
    ["null", null, "null"],
    ["null", undefined, "null"],
    ["boolean", false, "false"],
    ["int", -2_147_483_648, "-2147483648"],
    ["long", 9_007_199_254_740_991, "9007199254740991"],
    ["long", 9_007_199_254_740_992n, '"9007199254740992"'],
    ["long", 5n, "5"],
    ["double", 0.1, "0.1"],
    ["double", 1e300, "1e+300"],
    ["string", 'a"\n\u2028ț', JSON.stringify('a"\n\u2028ț')],
    ["bytes", Uint8Array.of(0, 255), '"AP8="'],
    ["bytes", new Uint8Array(0), '""'],
    [HASH, Uint8Array.of(1, 2), '"AQI="'],
    [SEX, "F", '"F"'],
    [DATE, "2026-01-31", '"2026-01-31"'],
    [INSTANT, "2026-01-31T10:00:00+02:00", '"2026-01-31T08:00:00.000Z"'],
    [MONEY, "12.5", '"12.50"'],
    [{ type: "array", items: "int" }, [1, 2], "[1,2]"],
    [{ type: "array", items: "int" }, [], "[]"],
    [{ type: "map", values: "int" }, { 'a"': 1 }, '{"a\\"":1}'],
    [["null", "string"], null, "null"],
    [["null", "string"], "x", '"x"'],
    [["null", "long"], 2n ** 60n, '"1152921504606846976"'],
  ] as const)("of %o: %o is written", (type, value, text) => {
    expect(write(type, value)).toBe(`{"f":${text}}`);
    expect(() => JSON.parse(write(type, value)) as unknown).not.toThrow();
  });

  it.each([
    ["null", 0],
    ["boolean", 1],
    ["int", 1.5],
    ["int", 2_147_483_648],
    ["int", 1n],
    ["long", 2 ** 53],
    ["long", 2n ** 63n],
    ["long", "5"],
    ["double", Number.NaN],
    ["double", Number.POSITIVE_INFINITY],
    ["double", 5n],
    ["string", 5],
    ["string", "\ud800"],
    ["bytes", "AP8="],
    ["bytes", [0, 255]],
    [HASH, Uint8Array.of(1)],
    [SEX, "X"],
    [SEX, "constructor"],
    [DATE, "2026-02-30"],
    [DATE, 5],
    [INSTANT, "2026-01-31T10:00:00"],
    [MONEY, "1.001"],
    [MONEY, 1.5],
    [SMALL, "9.99"],
    [{ type: "array", items: "int" }, { length: 0 }],
    [{ type: "array", items: "int" }, [null]],
    [{ type: "map", values: "int" }, []],
    [{ type: "map", values: "int" }, new Uint8Array(1)],
    [{ type: "map", values: "int" }, { a: "x" }],
    [{ type: "map", values: "int" }, { "\ud800": 1 }],
    [["null", "string"], 5],
    [["int", "string"], null],
    ["string", undefined],
  ] as const)("of %o: %o is refused", (type, value) => {
    expect(write(type, value)).toBe("unfit");
  });

  it("with a key __proto__ is refused", () => {
    expect(write({ type: "map", values: "int" }, JSON.parse('{"__proto__":1}'))).toBe("unfit");
  });

  it("that is absent is written as its default, or null where null is allowed", () => {
    expect(write("int", undefined, { default: 7 })).toBe('{"f":7}');
    expect(write(["null", "int"], undefined)).toBe('{"f":null}');
    expect(write({ type: "array", items: DATE }, undefined, { default: [0] })).toBe('{"f":["1970-01-01"]}');
  });

  it("of a record that names itself is written as deep as it goes", () => {
    const shape = parseSchema('{"type":"record","name":"R","fields":[{"name":"next","type":["null","R"],"default":null}]}').shape;
    expect(compileJsonWriter(shape)({ next: { next: {} } })).toBe('{"next":{"next":{"next":null}}}');
  });
});

describe("any value of any schema", () => {
  const readable = sample.filter(({ schema }) => !ambiguousInJson(schema));

  it("is written as JSON with every member, in the schema's order", () => {
    fc.assert(
      fc.property(sample, ({ schema, value }) => {
        const { shape } = parseSchema(JSON.stringify(schema));
        const back = JSON.parse(compileJsonWriter(shape)(value)) as object;
        const names = shape.fields.map(({ name }) => name);
        expect(new Set(Object.keys(back))).toEqual(new Set(names));
      }),
    );
  });

  it("is read back as it was", () => {
    fc.assert(
      fc.property(readable, ({ schema, value }) => {
        const { shape } = parseSchema(JSON.stringify(schema));
        const scan = new JsonScan(compileJsonWriter(shape)(value));
        const back = compileJsonReader(shape)(scan, "") as Record<string, unknown>;
        expect(scan.places).toEqual([]);
        expect(compileJsonWriter(shape)(back)).toBe(compileJsonWriter(shape)(value));
      }),
    );
  });
});
