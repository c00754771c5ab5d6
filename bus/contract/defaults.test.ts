/** Defaults: the JSON of a schema as a value in memory, made anew each time, refused where it does not fit. */
import { describe, expect, it } from "vitest";
import { asBusError } from "../errors.ts";
import { absentValue, checkDefaults } from "./defaults.ts";
import { parseSchema } from "./parse.ts";
import type { FieldShape } from "./shape.ts";

const schemaOf = (...fields: object[]) => parseSchema(JSON.stringify({ type: "record", name: "R", fields })).shape;
function fieldOf(type: unknown, value?: unknown): FieldShape {
  const [field] = schemaOf({ name: "f", type, ...(value === undefined ? {} : { default: value }) }).fields;
  if (field === undefined) throw new Error("no field");
  return field;
}
const fault = (run: () => unknown): string => {
  try {
    run();
  } catch (error) {
    return `${asBusError(error).code}: ${asBusError(error).message}`;
  }
  return "nothing was thrown";
};

const DATE = { type: "int", logicalType: "date" };
const INSTANT = { type: "long", logicalType: "timestamp-millis" };
const MONEY = { type: "bytes", logicalType: "decimal", precision: 5, scale: 2 };
const HASH = { type: "fixed", name: "Hash", size: 2 };
const SEX = { type: "enum", name: "Sex", symbols: ["F", "M"] };
const ADDRESS = {
  type: "record",
  name: "Address",
  fields: [
    { name: "country", type: "string", default: "MD" },
    { name: "city", type: "string" },
  ],
};

describe("a default", () => {
  it.each([
    ["null", null, null],
    ["boolean", true, true],
    ["int", -5, -5],
    ["long", 9_007_199_254_740_991, 9_007_199_254_740_991],
    ["double", 0.5, 0.5],
    ["float", 1, 1],
    ["string", "Chișinău", "Chișinău"],
    ["bytes", "\u0000\u00ff", Uint8Array.of(0, 255)],
    [HASH, "ab", Uint8Array.of(97, 98)],
    [SEX, "M", "M"],
    [DATE, 0, "1970-01-01"],
    [INSTANT, 1, "1970-01-01T00:00:00.001Z"],
    [MONEY, "\u0004\u00e2", "12.50"],
    [MONEY, "\u00ff", "-0.01"],
    [{ type: "array", items: DATE }, [0, 1], ["1970-01-01", "1970-01-02"]],
    [{ type: "map", values: "int" }, { a: 1 }, { a: 1 }],
    [ADDRESS, { city: "Orhei" }, { country: "MD", city: "Orhei" }],
    [["null", "string"], null, null],
    [["string", "null"], "x", "x"],
  ])("of %j written %j is %j in memory", (type, written, value) => {
    expect(absentValue(fieldOf(type, written))?.()).toEqual(value);
  });

  it.each([
    ["null", 0, "null"],
    ["boolean", "true", "boolean"],
    ["int", 2 ** 31, "int"],
    ["int", 1.5, "int"],
    ["int", "1", "int"],
    ["long", 2 ** 53, "long"],
    ["double", "0.5", "double"],
    ["string", 1, "string"],
    ["string", "\ud800", "string"],
    ["bytes", "ă", "bytes"],
    ["bytes", [1], "bytes"],
    [HASH, "a", "fixed"],
    [HASH, "abc", "fixed"],
    [SEX, "X", "enum"],
    [SEX, "toString", "enum"],
    [DATE, 1e9, "date"],
    [DATE, "1970-01-01", "date"],
    [INSTANT, 1e18, "timestamp"],
    [MONEY, "\u007f\u00ff\u00ff", "decimal"],
    [{ type: "array", items: "int" }, {}, "array"],
    [{ type: "array", items: "int" }, ["x"], "int"],
    [{ type: "map", values: "int" }, [], "map"],
    [{ type: "map", values: "int" }, null, "map"],
    [ADDRESS, "x", "record"],
    [ADDRESS, [], "record"],
  ])("of %j written %j is refused by the name of its kind", (type, written, kind) => {
    expect(fault(() => absentValue(fieldOf(type, written)))).toBe(
      `configuration: the schema at \`f\`: the default does not fit ${kind}; the default of a union must fit its first branch`,
    );
  });

  it("of a union is one of its first branch", () => {
    expect(fault(() => absentValue(fieldOf(["null", "string"], "x")))).toContain("does not fit null; the default of a union");
    expect(fault(() => absentValue(fieldOf(["string", "null"], null)))).toContain("does not fit string");
  });

  it("of a record that leaves out what is required is refused with the path inside", () => {
    expect(fault(() => absentValue(fieldOf(ADDRESS, {})))).toContain("the schema at `f.city`");
  });

  it("with a key __proto__ is refused, for it would be no member", () => {
    const [field] = parseSchema(
      '{"type":"record","name":"R","fields":[{"name":"f","type":{"type":"map","values":"int"},"default":{"__proto__":1}}]}',
    ).shape.fields;
    if (field === undefined) throw new Error("no field");
    expect(fault(() => absentValue(field))).toContain("the default does not fit map");
  });

  it("that contains itself without end is refused", () => {
    const text =
      '{"type":"record","name":"R","fields":[{"name":"inner","type":["null","R"],"default":null},{"name":"list","type":{"type":"array","items":"R"},"default":[{}]}]}';
    expect(fault(() => checkDefaults(parseSchema(text).shape))).toContain("the default contains itself without end");
  });
});

describe("an absent field", () => {
  it("without a default is null where null is allowed, else required", () => {
    expect(absentValue(fieldOf(["null", "string"]))?.()).toBeNull();
    expect(absentValue(fieldOf(["string", "null"]))?.()).toBeNull();
    expect(absentValue(fieldOf("null"))?.()).toBeNull();
    expect(absentValue(fieldOf("string"))).toBeUndefined();
    expect(absentValue(fieldOf({ type: "array", items: "int" }))).toBeUndefined();
  });

  it("gets lists and objects of its own each time: one message never changes the next", () => {
    for (const [type, written] of [
      [{ type: "array", items: "int" }, [1]],
      [{ type: "map", values: "int" }, { a: 1 }],
      ["bytes", "a"],
      [ADDRESS, { city: "Orhei" }],
    ] as const) {
      const absent = absentValue(fieldOf(type, written));
      expect(absent?.()).not.toBe(absent?.());
      expect(absent?.()).toEqual(absent?.());
    }
  });
});

describe("checkDefaults", () => {
  it("finds a bad default however deep it lies, once for each record", () => {
    const bad = { type: "record", name: "Deep", fields: [{ name: "n", type: "int", default: "x" }] };
    for (const type of [bad, { type: "array", items: bad }, { type: "map", values: ["null", bad] }, ["null", bad]])
      expect(fault(() => checkDefaults(schemaOf({ name: "f", type })))).toContain("the schema at `n`");
  });

  it("ends on records that name each other", () => {
    const text = '{"type":"record","name":"R","fields":[{"name":"next","type":["null","R"],"default":null}]}';
    expect(fault(() => checkDefaults(parseSchema(text).shape))).toBe("nothing was thrown");
  });
});
