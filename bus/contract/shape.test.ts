/** How shapes look in memory and in words: what a value of each is called, and that no two branches of a union are alike. */
import * as fc from "fast-check";
import { describe as group, expect, it } from "vitest";
import { sample } from "#test/harness/avro-arbitrary.ts";
import { parseShape } from "./parse.ts";
import { describe, lookOf, lookOfValue, nullable, recordIn, withoutNull } from "./shape.ts";
import type { Shape } from "./shape.ts";

const RECORD = { type: "record", name: "md.asp.Person", fields: [{ name: "n", type: "int" }] };

group("words", () => {
  it.each([
    ["null", "null"],
    ["boolean", "true or false"],
    ["int", "a whole number of 32 bits"],
    ["long", "a whole number of 64 bits"],
    ["float", "a number of 32 bits"],
    ["double", "a number"],
    ["string", "text"],
    ["bytes", "bytes"],
    [{ type: "int", logicalType: "date" }, 'a date such as "2026-01-31"'],
    [{ type: "long", logicalType: "timestamp-millis" }, 'an instant such as "2026-01-31T08:00:00.000Z"'],
    [{ type: "bytes", logicalType: "decimal", precision: 9, scale: 2 }, "a decimal as text, at most 9 digits, 2 of them decimals"],
    [{ type: "fixed", name: "H", size: 16 }, "exactly 16 bytes"],
    [{ type: "enum", name: "E", symbols: ["A", "B"] }, "one of A, B"],
    [{ type: "array", items: "int" }, "a list"],
    [{ type: "map", values: "int" }, "an object with text keys"],
    [RECORD, "an object (md.asp.Person)"],
    [["null", "int"], "null or a whole number of 32 bits"],
    [["string", "int", "null"], "text or a whole number of 32 bits or null"],
  ])("of %j are: %s", (schema, words) => {
    expect(describe(parseShape(schema))).toBe(words);
  });

  it("of an enum name twelve symbols at most", () => {
    const symbols = Array.from({ length: 30 }, (_, i) => `S${i}`);
    expect(describe(parseShape({ type: "enum", name: "E", symbols }))).toBe(`one of ${symbols.slice(0, 12).join(", ")}, …`);
  });
});

group("the look of a value", () => {
  it.each([
    ["x", "text"],
    ["", "text"],
    [0, "number"],
    [Number.NaN, "number"],
    [1n, "number"],
    [true, "boolean"],
    [null, "nothing"],
    [[], "list"],
    [{}, "object"],
    [new Uint8Array(0), "bytes"],
    [Buffer.from("x"), "bytes"],
    [undefined, undefined],
    [Symbol("x"), undefined],
    [() => 1, undefined],
  ] as const)("%# is %s", (value, look) => {
    expect(lookOfValue(value)).toBe(look);
  });

  it("is the look of its shape, for every value of every schema", () => {
    const visit = (shape: Shape, value: unknown): void => {
      if (shape.kind === "union") return expect(shape.branches.map(lookOf)).toContain(lookOfValue(value));
      expect(lookOfValue(value)).toBe(lookOf(shape));
      if (shape.kind === "record") for (const field of shape.fields) visit(field.type, (value as Record<string, unknown>)[field.name]);
      if (shape.kind === "array") for (const item of value as unknown[]) visit(shape.items, item);
      if (shape.kind === "map") for (const item of Object.values(value as object)) visit(shape.values, item);
    };
    fc.assert(fc.property(sample, ({ schema, value }) => visit(parseShape(schema), value)));
  });
});

group("null", () => {
  it("is allowed by null and by unions that hold it", () => {
    expect([parseShape("null"), parseShape(["null", "int"]), parseShape(["int", "null"])].map(nullable)).toEqual([true, true, true]);
    expect([parseShape("int"), parseShape(["int", "string"]), parseShape({ type: "array", items: "null" })].map(nullable)).toEqual([
      false,
      false,
      false,
    ]);
  });

  it("is taken off an optional value; a union of more stays one", () => {
    expect(withoutNull(parseShape(["null", "int"]))).toEqual({ kind: "int" });
    expect(withoutNull(parseShape(["int", "null"]))).toEqual({ kind: "int" });
    expect(withoutNull(parseShape("int"))).toEqual({ kind: "int" });
    expect(withoutNull(parseShape(["null", "int", "string"])).kind).toBe("union");
    expect(withoutNull(parseShape(["int"]))).toEqual({ kind: "int" });
  });
});

it("the record in a shape is itself or a branch, never an item", () => {
  expect(recordIn(parseShape(RECORD))?.name).toBe("md.asp.Person");
  expect(recordIn(parseShape(["null", RECORD]))?.name).toBe("md.asp.Person");
  expect(recordIn(parseShape({ type: "array", items: RECORD }))).toBeUndefined();
  expect(recordIn(parseShape("int"))).toBeUndefined();
});
