/** Hostile Avro bytes and schemas: refused with a clear error before anything is allocated for them. */
import { describe, expect, it } from "vitest";
import { compileType } from "#bus/contract/avro.ts";
import { refusal } from "#test/harness/refusal.ts";

const typeOf = (fields: readonly object[], lookup?: (id: number) => string | undefined) =>
  compileType({ id: "a.b.v1", schemaId: 1, schemaText: JSON.stringify({ type: "record", name: "Root", fields }), lookup });
const field = (type: unknown, extra: object = {}) => ({ name: "f", type, ...extra });
const framed = (...bytes: readonly number[]) => framedAll(bytes);
const framedAll = (bytes: readonly number[]) => Uint8Array.from([0, 0, 0, 0, 1].concat(bytes));

/** Zigzag varint of a positive number. */
function varint(value: number): number[] {
  const bytes: number[] = [];
  let rest = BigInt(value) * 2n;
  for (; rest > 0x7fn; rest >>= 7n) bytes.push(Number(rest & 0x7fn) | 0x80);
  return [...bytes, Number(rest)];
}

describe("hostile bytes", () => {
  const nulls = typeOf([field({ type: "array", items: "null" })]);
  const empty = typeOf([field({ type: "array", items: { type: "record", name: "Empty", fields: [] } })]);
  it.each([50_000_000, 2 ** 40, 2 ** 52])("a list of %d items that take no bytes", (count) => {
    const before = process.memoryUsage().heapUsed;
    for (const type of [nulls, empty]) expect(refusal(() => type.decode(framed(...varint(count), 0))).code).toBe("avro-limit");
    expect(process.memoryUsage().heapUsed - before).toBeLessThan(50_000_000);
  });
  it("many blocks that each stay below the limit", () => {
    const block = varint(60_000);
    expect(refusal(() => nulls.decode(framed(...block, ...block, 0))).code).toBe("avro-limit");
  });
  it("a record that contains itself a million times", () => {
    const type = typeOf([field(["null", "Root"])]);
    expect(refusal(() => type.decode(framedAll(Array.from({ length: 1_000_000 }, () => 2)))).code).toBe("avro-limit");
    expect(type.decode(framed(2, 2, 0))).toEqual({ f: { f: { f: null } } });
  });
  it.each([
    ["a text longer than the message", "string", [...varint(1_000_000), 65]],
    ["a negative length", "string", [1]],
    ["a text that is not UTF-8", "string", [4, 0xc3, 0x28]],
    ["a union index out of range", ["null", "int"], [4]],
    ["a negative union index", ["null", "int"], [1]],
    ["an enum index out of range", { type: "enum", name: "E", symbols: ["A"] }, [2]],
    ["a boolean of 2", "boolean", [2]],
    ["a number of eleven bytes", "long", [...Array.from({ length: 10 }, () => 0x80), 0]],
    ["a number of more than 64 bits", "long", [...Array.from({ length: 9 }, () => 0xff), 0x7f]],
    ["an int beyond 32 bits", "int", varint(2 ** 31)],
    ["a block whose size is a lie", { type: "array", items: "int" }, [1, 20, 2, 0]],
    ["a block of negative size", { type: "array", items: "int" }, [1, 1, 2, 0]],
    ["a map with the key __proto__", { type: "map", values: "int" }, [2, 18, ...Buffer.from("__proto__"), 2, 0]],
    ["bytes after the end", "int", [2, 0]],
    ["nothing at all", "int", []],
  ])("%s", (_, type, bytes) => {
    const error = refusal(() => typeOf([field(type)]).decode(framed(...bytes)));
    expect(error.code).toBe("avro-malformed");
    if (!_.startsWith("bytes after")) expect(error.places[0]?.path).toBe("f");
  });
  it("a decimal of a megabyte", () => {
    const type = typeOf([field({ type: "bytes", logicalType: "decimal", precision: 9, scale: 2 })]);
    expect(refusal(() => type.decode(framedAll(varint(1_000_000).concat(Array.from({ length: 1_000_000 }, () => 0))))).code).toBe(
      "avro-limit",
    );
  });
  it("a date that no calendar has", () => {
    const type = typeOf([field({ type: "int", logicalType: "date" })]);
    expect(refusal(() => type.decode(framed(...varint(2_000_000_000)))).class).toBe("contract-violation");
  });
  it.each([
    ["no frame", []],
    ["another magic byte", [1, 0, 0, 0, 1, 2]],
  ])("%s", (_, bytes) => {
    expect(refusal(() => typeOf([field("int")]).decode(Uint8Array.from(bytes))).code).toBe("avro-malformed");
  });
});

describe("schema ids", () => {
  const texts = new Map([
    [2, JSON.stringify({ type: "record", name: "Root", fields: [field({ type: "array", items: "null" }, { name: "old" })] })],
    [3, JSON.stringify({ type: "record", name: "Stranger", fields: [] })],
    [4, "no schema"],
  ]);
  const type = typeOf([field("int", { default: 5 })], (id) => texts.get(id));
  const withId = (id: number, ...bytes: number[]) => Uint8Array.of(0, 0, 0, 0, id, ...bytes);
  it("that nobody registered are unknown", () => {
    expect(refusal(() => type.decode(withId(9, 0))).code).toBe("schema-unknown");
  });
  it("of another version are read with their defaults, behind the same limits", () => {
    expect(type.decode(withId(2, 0))).toEqual({ f: 5 });
    expect(refusal(() => type.decode(withId(2, ...varint(50_000_000), 0))).code).toBe("avro-limit");
  });
  it("of another type, or of no schema, are refused", () => {
    expect(refusal(() => type.decode(withId(3))).code).toBe("avro-malformed");
    expect(refusal(() => type.decode(withId(4))).code).toBe("avro-malformed");
  });
});

describe("another version's schema, which anybody may have registered", () => {
  const DECIMAL = { type: "bytes", logicalType: "decimal", precision: 9, scale: 2 };
  const reading = (own: object, theirs: unknown, body: readonly number[]): (() => unknown) => {
    const type = typeOf([own], () => JSON.stringify({ type: "record", name: "Root", fields: theirs }));
    return () => type.decode(Uint8Array.from([0, 0, 0, 0, 2].concat(body)));
  };
  const many = (count: number): number[] => varint(count).concat(Array.from({ length: count }, () => 0x61));

  it.each(["string", "bytes"])("calls a decimal %s: its digits are not worked out, whatever their number", (kind) => {
    const error = refusal(reading(field(DECIMAL), [field(kind)], many(2_000_000)));
    expect([error.code, error.message]).toEqual(["avro-limit", "a decimal is longer than 64 bytes"]);
    expect(reading(field(DECIMAL), [field(kind)], [2, 0x7d])()).toEqual({ f: "1.25" });
  });

  it("calls a text bytes: what is not UTF-8 is refused, not mended", () => {
    expect(refusal(reading(field("string"), [field("bytes")], [4, 0xc3, 0x28])).code).toBe("avro-malformed");
    expect(reading(field("string"), [field("bytes")], [8, 0xef, 0xbb, 0xbf, 0x41])()).toEqual({ f: "\ufeffA" });
  });

  /** Records that hold the record before them `wide` times, each time by a default. */
  const layers = (high: number, wide: number, extra: object = { default: {} }): object[] =>
    Array.from({ length: high }, (_, i) => ({
      name: `layer${i}`,
      type: {
        type: "record",
        name: `L${i}`,
        fields: Array.from({ length: wide }, (_, k) => ({
          name: `f${k}`,
          type: i === 0 ? "int" : `L${i - 1}`,
          ...(i === 0 ? { default: 0 } : extra),
        })),
      },
      ...extra,
    }));

  it("has defaults that unfold to millions of values: it is refused before one is made", () => {
    const error = refusal(reading(field("int", { default: 1 }), layers(8, 12), [0]));
    expect(error.code).toBe("avro-malformed");
    expect(error.message).toContain("the default holds more than 2000 values");
  });

  it("as a contract of one's own is refused for the same reason, and for paths without number", () => {
    expect(refusal(() => typeOf(layers(8, 12))).message).toContain("the default holds more than 2000 values");
    expect(refusal(() => typeOf(layers(8, 12, {}))).message).toContain("more than 20000 fields");
  });
});

describe("absurd schemas", () => {
  const deep = (levels: number): unknown => (levels === 0 ? "int" : { type: "array", items: deep(levels - 1) });
  const records = Array.from({ length: 4_100 }, (_, i) => ({ name: `f${i}`, type: "int" }));
  it.each([
    ["nested too deeply", [field(deep(30))], "nested deeper"],
    ["with too many fields", records, "more than 500 fields"],
    ["with a record that must contain itself", [field("Root")], "can never end"],
    ["with a default that contains itself", [field(["Root", "null"], { default: {} })], "without end"],
    ["with a default of another type", [field("int", { default: "x" })], "default does not fit"],
    ["with two numbers in a union", [field(["int", "double"])], "ambiguous"],
    [
      "with two records in a union",
      [
        field([
          { type: "record", name: "A", fields: [] },
          { type: "record", name: "B", fields: [] },
        ]),
      ],
      "ambiguous",
    ],
    ["with text and date in a union", [field(["string", { type: "int", logicalType: "date" }])], "ambiguous"],
    ["with an unknown type", [field("Nope")], "not defined"],
    ["with a field twice", [field("int"), field("int")], "stands twice"],
    ["with a field that every object has", [{ name: "constructor", type: "int" }], "reserved"],
    ["with a field named __proto__", [{ name: "__proto__", type: "int" }], "reserved"],
    ["with a field that is no name", [{ name: "a-b", type: "int" }], "no field name"],
    ["with a fixed of a gigabyte", [field({ type: "fixed", name: "F", size: 2 ** 30 })], "size"],
    ["with a decimal of no precision", [field({ type: "bytes", logicalType: "decimal" })], "precision"],
    ["with two keys", [field("int", { key: true }), { name: "g", type: "int", key: true }], "one key"],
    [
      "with a key inside a list",
      [field({ type: "array", items: { type: "record", name: "Item", fields: [{ name: "id", type: "string", key: true }] } })],
      "a key stands in records only",
    ],
    [
      "with a key inside a map",
      [field({ type: "map", values: { type: "record", name: "Item", fields: [{ name: "id", type: "string", key: true }] } })],
      "a key stands in records only",
    ],
    ["with a key that is a list", [field({ type: "array", items: "int" }, { key: true })], "text or a number"],
    ["with a mark that is no yes or no", [field("int", { personal: "yes" })], "true or false"],
  ])("%s", (_, fields, hint) => {
    const error = refusal(() => typeOf(fields));
    expect(error.code).toBe("configuration");
    expect(error.message).toContain(hint);
  });
  it("that are no record, no JSON, or too long", () => {
    const compile = (schemaText: string) => refusal(() => compileType({ id: "a.b.v1", schemaId: 1, schemaText })).message;
    expect(compile('"int"')).toContain("must be a record");
    expect(compile("{")).toContain("is not JSON");
    expect(compile(`"${"x".repeat(300_000)}"`)).toContain("longer than");
  });
});
