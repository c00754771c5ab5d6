/** The limit walk at its limits: what is within is passed, one more is refused, and no form of the same bytes gets around it. */
import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { sample } from "#test/harness/avro-arbitrary.ts";
import { refusal } from "#test/harness/refusal.ts";
import { compileType } from "./avro.ts";
import { parseSchema } from "./parse.ts";
import { compileWalk, WALK_LIMITS, type WalkLimits } from "./walk.ts";

const schemaOf = (type: unknown): string => JSON.stringify({ type: "record", name: "R", fields: [{ name: "f", type }] });
const walkOf = (type: unknown, limits: Partial<WalkLimits> = {}) => {
  const walk = compileWalk(parseSchema(schemaOf(type)).shape, { ...WALK_LIMITS, ...limits });
  return (...bytes: readonly number[]) => walk(Uint8Array.from(bytes), 0);
};
/** Zigzag varint of any number of up to 64 bits. */
function varint(value: number | bigint): number[] {
  const bytes: number[] = [];
  let rest = BigInt.asUintN(64, (BigInt(value) << 1n) ^ (BigInt(value) >> 63n));
  for (; rest > 0x7fn; rest >>= 7n) bytes.push(Number(rest & 0x7fn) | 0x80);
  return [...bytes, Number(rest)];
}
const list = (items: unknown) => ({ type: "array", items });
const map = (values: unknown) => ({ type: "map", values });

describe("the number of items", () => {
  it.each<[string, unknown, readonly number[]]>([
    ["of a list of nothing", list("null"), []],
    ["of a list of empty records", list({ type: "record", name: "E", fields: [] }), []],
    ["of a list of numbers", list("int"), [0]],
    ["of a map", map("null"), [2, 0x61]],
  ])("%s is counted in one block, in many, and in blocks that tell their size", (_, type, item) => {
    const walk = walkOf(type, { items: 10 });
    const items = (count: number): number[] => Array.from({ length: count }, () => item).flat();
    const sized = (count: number): number[] => [...varint(-count), ...varint(items(count).length), ...items(count)];
    for (const good of [
      [...varint(10), ...items(10), 0],
      [...varint(4), ...items(4), ...varint(6), ...items(6), 0],
      [...sized(10), 0],
      [...sized(3), ...varint(7), ...items(7), 0],
    ])
      expect(() => walk(...good)).not.toThrow();
    for (const bad of [
      [...varint(11), ...items(11), 0],
      [...varint(4), ...items(4), ...varint(7), ...items(7), 0],
      [...sized(11), 0],
      [...sized(10), ...sized(1), 0],
      [...varint(2n ** 62n)],
      [...varint(-(2n ** 63n)), 0],
      [...varint(-(2n ** 62n)), 0],
    ])
      expect(refusal(() => walk(...bad)).code).toBe("avro-limit");
  });

  it("is that of the whole message: lists inside of lists share it", () => {
    const walk = walkOf(list(list("null")), { items: 10 });
    // Two lists of four are ten items, the lists themselves counted.
    expect(() => walk(...varint(2), ...varint(4), 0, ...varint(4), 0, 0)).not.toThrow();
    expect(refusal(() => walk(...varint(2), ...varint(4), 0, ...varint(5), 0, 0)).code).toBe("avro-limit");
  });
});

describe("the length of a value", () => {
  it.each(["string", "bytes"])("of %s ends at the limit", (type) => {
    const walk = walkOf(type, { text: 5 });
    expect(() => walk(...varint(5), 1, 2, 3, 4, 5)).not.toThrow();
    expect(refusal(() => walk(...varint(6), 1, 2, 3, 4, 5, 6)).code).toBe("avro-limit");
    expect(refusal(() => walk(...varint(2n ** 62n))).code).toBe("avro-limit");
    expect(refusal(() => walk(...varint(5), 1, 2, 3, 4)).code).toBe("avro-malformed");
  });
  it("of a map's key ends there too", () => {
    expect(refusal(() => walkOf(map("null"), { text: 1 })(2, 4, 0x61, 0x61, 0)).code).toBe("avro-limit");
  });
  it("of a decimal is at most 64 bytes", () => {
    const walk = walkOf({ type: "bytes", logicalType: "decimal", precision: 9, scale: 2 });
    const zeros = (count: number): number[] => [...varint(count), ...Array.from({ length: count }, () => 0)];
    expect(() => walk(...zeros(64))).not.toThrow();
    expect(refusal(() => walk(...zeros(65))).code).toBe("avro-limit");
  });
});

describe("the depth", () => {
  it("of records inside each other ends at the limit, the message itself counted", () => {
    const walk = walkOf(["null", "R"], { depth: 5 });
    expect(() => walk(2, 2, 2, 2, 0)).not.toThrow();
    expect(refusal(() => walk(2, 2, 2, 2, 2, 0)).code).toBe("avro-limit");
  });
  it("of lists and maps counts as well, and ends with each of them", () => {
    const walk = walkOf(list(map(list("null"))), { depth: 4 });
    const inner = [...varint(1), 2, 0x61, ...varint(1), 0, 0];
    expect(() => walk(...varint(2), ...inner, ...inner, 0)).not.toThrow();
    expect(refusal(() => walkOf(list(map(list("null"))), { depth: 3 })(...varint(1), ...inner, 0)).code).toBe("avro-limit");
  });
});

describe("a number", () => {
  it.each<[string, unknown, readonly number[], boolean]>([
    ["an int at its end", "int", varint(2_147_483_647), true],
    ["an int at its other end", "int", varint(-2_147_483_648), true],
    ["an int beyond", "int", varint(2_147_483_648), false],
    ["an int beyond the other end", "int", varint(-2_147_483_649), false],
    ["a date beyond", { type: "int", logicalType: "date" }, varint(2_147_483_648), false],
    ["a long at its end", "long", varint(2n ** 63n - 1n), true],
    ["a long at its other end", "long", varint(-(2n ** 63n)), true],
    ["a long of 65 bits", "long", [...Array.from({ length: 9 }, () => 0xff), 0x02], false],
    ["a long in more bytes than it needs", "long", [0x80, 0x80, 0x00], true],
    ["a long of ten bytes that is zero", "long", [...Array.from({ length: 9 }, () => 0x80), 0x00], true],
    ["a long of eleven bytes", "long", [...Array.from({ length: 10 }, () => 0x80), 0x00], false],
    ["a long without its end", "long", [0x80, 0x80], false],
    ["a float cut short", "float", [0, 0, 0], false],
    ["a double cut short", "double", [0, 0, 0, 0, 0, 0, 0], false],
    ["a fixed cut short", { type: "fixed", name: "F", size: 3 }, [0, 0], false],
    ["a boolean", "boolean", [1], true],
    ["a boolean of 255", "boolean", [255], false],
  ])("%s", (_, type, bytes, fits) => {
    if (fits) expect(() => walkOf(type)(...bytes)).not.toThrow();
    else expect(refusal(() => walkOf(type)(...bytes)).code).toBe("avro-malformed");
  });
});

describe("a fault", () => {
  it("names the field through all records, and the byte", () => {
    const inner = {
      type: "record",
      name: "Inner",
      fields: [
        { name: "a", type: "int" },
        { name: "b", type: list({ type: "record", name: "Item", fields: [{ name: "c", type: "boolean" }] }) },
      ],
    };
    const error = refusal(() => walkOf(["null", inner])(2, 0, ...varint(1), 7, 0));
    expect(error.places[0]).toMatchObject({ path: "f.b.c", rule: "avro" });
    expect(error.message).toBe("a boolean is neither 0 nor 1 at `f.b.c`, byte 4");
  });
  it("in a record that holds itself has a path of bounded length", () => {
    const error = refusal(() => walkOf(["null", "R"])(...Array.from({ length: 63 }, () => 2), 9));
    expect(error.places[0]?.path?.split(".").length).toBeLessThanOrEqual(20);
  });
});

describe("what avsc reads", () => {
  it("of any message is what was walked: never a byte more or less", () => {
    fc.assert(
      fc.property(sample, fc.nat(), fc.uint8Array({ maxLength: 5 }), ({ schema, value }, cut, tail) => {
        const schemaText = JSON.stringify(schema);
        const type = compileType({ id: "a.b.v1", schemaText, schemaId: 1 });
        const walk = compileWalk(parseSchema(schemaText).shape);
        const body = type.encode(value);
        expect(() => walk(body, 5)).not.toThrow();
        if (tail.length > 0) expect(refusal(() => walk(Buffer.concat([body, tail]), 5)).code).toBe("avro-malformed");
        if (body.length > 5) expect(refusal(() => walk(body.subarray(0, 5 + (cut % (body.length - 5))), 5)).code).toBe("avro-malformed");
      }),
      { numRuns: 300 },
    );
  });
});
