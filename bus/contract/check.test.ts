import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { sample } from "#test/harness/avro-arbitrary.ts";
import { refusal } from "#test/harness/refusal.ts";
import { compileType } from "./avro.ts";
import { compileCheck, compileTidy, MAX_PLACES, nameOf } from "./check.ts";
import { jsonCodec } from "./json.ts";
import { parseSchema } from "./parse.ts";

const schemaOf = (fields: readonly object[]): string => JSON.stringify({ type: "record", name: "a.R", fields });
const typeOf = (...fields: readonly object[]) => compileType({ id: "a.b.v1", schemaText: schemaOf(fields), schemaId: 1 });
const ofKind = (type: unknown) => typeOf({ name: "f", type });
const A = { type: "record", name: "A", fields: [{ name: "a", type: "int" }] };
const B = { type: "record", name: "B", fields: [{ name: "b", type: "int" }] };

describe("a value", () => {
  const fixed = { type: "fixed", name: "F", size: 2 };
  const decimal = { type: "bytes", logicalType: "decimal", precision: 4, scale: 2 };
  const narrow = { type: "fixed", name: "N", size: 1, logicalType: "decimal", precision: 4, scale: 2 };
  it.each<[unknown, readonly unknown[], readonly unknown[]]>([
    ["null", [null], [0, "", false]],
    ["boolean", [true, false], [0, 1, "true", null]],
    ["int", [0, -0, 2_147_483_647, -2_147_483_648], [2_147_483_648, -2_147_483_649, 0.5, Number.NaN, "1", 1n, null]],
    ["long", [0, 2n ** 63n - 1n, -(2n ** 63n), 9_007_199_254_740_991], [2n ** 63n, -(2n ** 63n) - 1n, 2 ** 53, 0.5, "1", Infinity]],
    ["float", [0, 1.5, 3.4028234663852886e38, -3.4028234663852886e38, Infinity, Number.NaN], [1e300, -1e300, 3.5e38, 1n, "1", null]],
    ["double", [1e300, Number.MAX_VALUE, Number.MIN_VALUE, Number.NaN], [1n, "1", null]],
    ["string", ["", "𝄞", "\u0000"], ["\ud800", "a\udc00", 1, null, new Uint8Array(1)]],
    ["bytes", [new Uint8Array(0), Buffer.from("a")], ["a", [1], new Uint16Array(1), null]],
    [fixed, [new Uint8Array(2)], [new Uint8Array(1), new Uint8Array(3), "ab", null]],
    [decimal, ["0", "-0", "99.99", "-99.99", "1.500"], ["100", "0.001", "1e1", "", ".5", "01", "+1", 1, null]],
    [narrow, ["1.27", "-1.28"], ["1.28", "-1.29", "99.99"]],
    [{ type: "int", logicalType: "date" }, ["0001-01-01", "9999-12-31", "2000-02-29"], ["1900-02-29", "0000-01-01", "2026-1-1", 1]],
    [{ type: "long", logicalType: "timestamp-millis" }, ["2026-01-31T08:00:00Z"], ["2026-01-31", "2026-01-31T24:00:00Z", 1]],
    [{ type: "enum", name: "E", symbols: ["A", "B"] }, ["A", "B"], ["C", "a", "", "constructor", 0, null]],
    [{ type: "array", items: "int" }, [[], [1, 2]], [{ 0: 1 }, "12", [1, "2"], [null], null]],
    [{ type: "map", values: "int" }, [{}, { "": 1 }], [[], { a: "1" }, 5, null]],
    [
      ["null", "string"],
      [null, "x"],
      [1, {}, "\ud800"],
    ],
    [A, [{ a: 1 }], [{}, { a: "1" }, { a: 1, b: 2 }, [], "a", null]],
  ])("of %j: the check, the Avro writer and the JSON writer agree", (type, good, bad) => {
    const compiled = ofKind(type);
    const json = jsonCodec(compiled);
    for (const value of good) {
      expect([value, compiled.check({ f: value })]).toEqual([value, []]);
      expect(() => compiled.encode({ f: value })).not.toThrow();
      if (typeof value !== "number" || Number.isFinite(value)) expect(() => json.write({ f: value })).not.toThrow();
    }
    for (const value of bad) {
      expect(compiled.check({ f: value }).map((place) => place.path?.split(/[.[]/u)[0])).toContain("f");
      expect(refusal(() => compiled.encode({ f: value })).code).toBe("avro-violation");
      expect(refusal(() => json.write({ f: value })).code).toBe("json-violation");
    }
  });

  it("with one part exchanged for junk: the writers refuse it exactly where the check finds a place", () => {
    const junk = fc.constantFrom<unknown>(
      undefined,
      null,
      "",
      "x",
      "\ud800",
      0,
      -1.5,
      1e300,
      2n ** 70n,
      true,
      [],
      {},
      [null],
      { a: 1 },
      new Uint8Array(3),
      Symbol("s"),
      () => 1,
    );
    const verdicts = { good: 0, bad: 0 };
    fc.assert(
      fc.property(sample, fc.nat(), junk, ({ schema, value }, at, other) => {
        const names = Object.keys(value);
        const name = names[at % names.length];
        if (name === undefined) return;
        const changed = { ...value, [name]: other };
        const type = compileType({ id: "a.b.v1", schemaText: JSON.stringify(schema), schemaId: 1 });
        const places = type.check(changed);
        verdicts[places.length === 0 ? "good" : "bad"]++;
        if (places.length === 0) expect(type.check(type.decode(type.encode(changed)))).toEqual([]);
        else expect(refusal(() => type.encode(changed)).places).toEqual(places);
      }),
      { numRuns: 1_000 },
    );
    expect(Math.min(verdicts.good, verdicts.bad)).toBeGreaterThan(10);
  });
});

describe("members that no schema knows", () => {
  const cases: readonly (readonly [string, unknown, unknown, unknown])[] = [
    ["in a record", A, { a: 1 }, { a: 1, typo: 2 }],
    ["in an optional record", ["null", A], { a: 1 }, { a: 1, typo: 2 }],
    ["in a list of records", { type: "array", items: A }, [{ a: 1 }], [{ a: 1, typo: 2 }]],
    ["in a map of records", { type: "map", values: A }, { k: { a: 1 } }, { k: { a: 1, typo: 2 } }],
    [
      "in the list of a union with a map",
      [
        { type: "map", values: B },
        { type: "array", items: A },
      ],
      [{ a: 1 }],
      [{ a: 1, b: 2 }],
    ],
    [
      "in the map of a union with a list",
      [
        { type: "array", items: A },
        { type: "map", values: B },
      ],
      { k: { b: 1 } },
      { k: { b: 1, a: 2 } },
    ],
    [
      "in the list beside a map of numbers",
      [
        { type: "map", values: "int" },
        { type: "array", items: A },
      ],
      [{ a: 1 }],
      [{ a: 1, x: 2 }],
    ],
    ["in a record beside bytes", ["null", "bytes", A], { a: 1 }, { a: 1, x: 2 }],
    ["in a record beside a list", [{ type: "array", items: "int" }, A], { a: 1 }, { a: 1, x: 2 }],
  ];
  it.each(cases)("%s are refused, and the value without them passes", (_, type, good, bad) => {
    const compiled = ofKind(type);
    expect(JSON.parse(JSON.stringify(compiled.decode(compiled.encode({ f: good }))))).toEqual({ f: good });
    const error = refusal(() => compiled.encode({ f: bad }));
    expect(error.message).toMatch(/is no field of a\.[AB]/u);
    expect(refusal(() => jsonCodec(compiled).write({ f: bad })).places[0]?.text).toMatch(/is no field of/u);
  });

  it("are told with the name that was meant", () => {
    const type = typeOf({ name: "surname", type: "string" });
    expect(refusal(() => type.encode({ surnme: "x" })).message).toContain("surname");
  });

  it("beside bytes, lists of plain items and maps of plain values cost no look at all", () => {
    const tidy = (type: unknown): unknown => compileTidy(parseSchema(schemaOf([{ name: "f", type }])).shape)({ f: { anything: 1 } });
    expect(tidy(["null", "bytes", { type: "map", values: "int" }])).toBe(true);
    expect(tidy({ type: "array", items: "string" })).toBe(true);
  });
});

describe("the places", () => {
  const list = ofKind({ type: "array", items: A });
  it("number the items of lists and name the keys of maps", () => {
    expect(list.check({ f: [{ a: 1 }, { a: "x" }] })[0]?.path).toBe("f[1].a");
    expect(ofKind({ type: "map", values: A }).check({ f: { k: { a: "x" } } })[0]?.path).toBe("f.k.a");
  });
  it(`are at most ${MAX_PLACES}, however many items are wrong`, () => {
    const many = Array.from({ length: 100_000 }, () => ({ a: "x" }));
    expect(list.check({ f: many })).toHaveLength(MAX_PLACES);
    expect(refusal(() => list.encode({ f: many })).message).toMatch(/and 19 more/u);
  });
  it("do not repeat a hostile key at its full length", () => {
    const long = "k".repeat(10_000);
    const places = [...ofKind({ type: "map", values: "int" }).check({ f: { [long]: "x" } }), ...list.check({ [long]: 1, f: [] })];
    for (const place of places) expect(place.path?.length).toBeLessThan(120);
  });
  it("tell a value that contains itself instead of following it", () => {
    const type = typeOf({ name: "next", type: ["null", "a.R"], default: null });
    const round: Record<string, unknown> = {};
    round["next"] = round;
    expect(refusal(() => type.encode(round)).message).toContain("nested deeper than 64 levels");
  });
  it("of a map refuse keys that no reader could give back", () => {
    const type = ofKind({ type: "map", values: "int" });
    const proto = JSON.parse('{"__proto__": 1}') as Record<string, unknown>;
    expect(type.check({ f: proto })).toEqual([{ path: "f", text: "has a key that is not allowed" }]);
    expect(type.check({ f: { "\ud800": 1 } })).toHaveLength(1);
  });
  it("never hold the value: it may be personal", () => {
    const secret = "2000000000001";
    for (const type of ["int", "boolean", "bytes", { type: "enum", name: "E", symbols: ["A"] }, A, { type: "array", items: "int" }])
      expect(JSON.stringify(ofKind(type).check({ f: secret }))).not.toContain(secret);
  });
  it("of the whole value have no path", () => {
    const check = compileCheck(parseSchema(schemaOf([])).shape);
    expect(check("x")).toEqual([{ text: "expected an object (a.R), found text of 1 characters" }]);
    expect(check([])).toHaveLength(1);
  });
});

describe("what a value is called", () => {
  it.each<[unknown, string]>([
    [undefined, "nothing"],
    [null, "null"],
    ["ab", "text of 2 characters"],
    ["\ud800", "text with half a surrogate pair"],
    [1, "a whole number"],
    [1.5, "a number"],
    [Number.NaN, "a number"],
    [1n, "bigint"],
    [true, "boolean"],
    [[1], "a list"],
    [new Uint8Array(3), "3 bytes"],
    [{}, "an object"],
    [() => 1, "function"],
    [Symbol("s"), "symbol"],
  ])("%s is %s", (value, name) => {
    expect(nameOf(value)).toBe(name);
  });
});
