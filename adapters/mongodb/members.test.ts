/** Searches become filters of the server without ever becoming its operators, and mean the same where the server cannot help. */
import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { FindOptions } from "#bus/ports.ts";
import { fieldOf, filterOf, fits, plainMember, searchFields, uniqueFields } from "./members.ts";

const NASTY = ["$where", "$gt", "a.b", ".", "$", "", "__proto__", "constructor", "a\u0000b", "m.x", "_id", "ș", "%2E", "_", "a b"];

describe("a member's name as a field", () => {
  it.each(NASTY)("%j has no dot, no dollar, no NUL, and is never empty", (name) => {
    expect(fieldOf(name)).toMatch(/^_[^.$\u0000]*$/u);
  });
  it("is another for each well-formed name", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary" }), fc.string({ unit: "binary" }), (a, b) => {
        if (!a.isWellFormed() || !b.isWellFormed()) return;
        expect(fieldOf(a) === fieldOf(b)).toBe(a === b);
      }),
    );
    expect(new Set(NASTY.map(fieldOf)).size).toBe(NASTY.length);
  });
});

describe("a filter", () => {
  /** Every key at every depth. */
  const keys = (value: unknown): string[] =>
    typeof value === "object" && value !== null ? Object.entries(value).flatMap(([key, inner]) => [key, ...keys(inner)]) : [];

  it.each(NASTY)("for the member %j has no operator but those of its own ranges", (name) => {
    const { filter } = filterOf({ where: { [name]: "$ne" }, range: { member: name, from: "a", to: "b" }, after: "$x" }, new Set([name]));
    expect(keys(filter).filter((key) => key.startsWith("$") && !["$gt", "$gte", "$lt"].includes(key))).toEqual([]);
    for (const key of Object.keys(filter)) if (key !== "_id") expect(key).toBe(`m.${fieldOf(name)}`);
  });
  it("whose values came as objects finds nothing: an operator in a value is compared, not obeyed", () => {
    const smuggled = JSON.parse('{"where":{"role":{"$ne":null}},"range":{"member":"age","from":{"$gt":0}}}') as FindOptions;
    for (const document of [{ role: "admin", age: 5 }, { role: null, age: 0 }, {}]) {
      expect(fits(document, smuggled)).toBe(false);
      expect(fits(document, { where: smuggled.where ?? {} })).toBe(false);
    }
  });
  it("says whether it is the whole search", () => {
    const indexed = new Set(["a", "b"]);
    expect(filterOf({}, indexed)).toEqual({ filter: { _id: { $gt: "" } }, whole: true });
    expect(filterOf({ where: { a: 1 } }, indexed)).toEqual({ filter: { _id: { $gt: "" }, "m._a": 1 }, whole: true });
    expect(filterOf({ where: { a: 1, c: 2 } }, indexed)).toEqual({ filter: { _id: { $gt: "" }, "m._a": 1 }, whole: false });
    expect(filterOf({ range: { member: "b", from: 1 } }, indexed)).toEqual({
      filter: { _id: { $gt: "" }, "m._b": { $gte: 1 } },
      whole: true,
    });
    expect(filterOf({ range: { member: "b" } }, indexed).whole).toBe(false);
    expect(filterOf({ range: { member: "c", to: 1 } }, indexed).whole).toBe(false);
    // One field takes one condition.
    expect(filterOf({ where: { a: 1 }, range: { member: "a", from: 0 } }, indexed).whole).toBe(false);
  });
});

describe("a document", () => {
  it.each<[unknown, string, unknown]>([
    [{ a: "x" }, "a", "x"],
    [{ a: 0 }, "a", 0],
    [{ a: false }, "a", false],
    [{ a: null }, "a", undefined],
    [{ a: { b: 1 } }, "a", undefined],
    [{ a: [1] }, "a", undefined],
    [{}, "toString", undefined],
    [{}, "__proto__", undefined],
    [JSON.parse('{"__proto__":"x"}'), "__proto__", "x"],
    [null, "a", undefined],
    ["text", "length", undefined],
    [[1], "0", 1],
  ])("%j has as its member %s: %j", (document, name, value) => {
    expect(plainMember(document, name)).toBe(value);
  });
  it("is searched by the members it has", () => {
    expect(searchFields({ a: 1, b: null, "c.d": "x" }, ["a", "b", "c.d", "e"])).toEqual({ _a: 1, "_c%2Ed": "x" });
  });
  it("without a unique member meets no other without it, nor one that is called like its id", () => {
    const of = (id: string, document: unknown) => uniqueFields(id, document, ["u"])["_u"];
    expect(of("1", {})).not.toBe(of("2", {}));
    const texts = [
      of("1", {}),
      of("x", { u: "1" }),
      of("x", { u: 1 }),
      of("x", { u: true }),
      of("x", { u: "true" }),
      of("x", { u: "-1" }),
      of("x", { u: "n1" }),
    ];
    expect(new Set(texts).size).toBe(texts.length);
  });
});

describe("what fits", () => {
  it.each<[unknown, FindOptions, boolean]>([
    [{ n: 5 }, { range: { member: "n", from: 5 } }, true],
    [{ n: 5 }, { range: { member: "n", to: 5 } }, false],
    [{ n: 5 }, { range: { member: "n", from: 4, to: 6 } }, true],
    [{ n: "5" }, { range: { member: "n", from: 4, to: 6 } }, false],
    [{ n: 5 }, { range: { member: "n", from: "4", to: "6" } }, false],
    [{ n: true }, { range: { member: "n", from: 0 } }, false],
    [{}, { range: { member: "n", from: 0 } }, false],
    [{ n: 5 }, { range: { member: "n" } }, true],
    [{ n: 1 }, { where: { n: 1 } }, true],
    [{ n: 1 }, { where: { n: "1" } }, false],
    [{ n: 0 }, { where: { n: false } }, false],
    [{ n: 1, m: 2 }, { where: { n: 1, m: 3 } }, false],
    [{ n: "b" }, { where: { n: "b" }, range: { member: "n", from: "c" } }, false],
    [{ s: "𝄞" }, { range: { member: "s", from: "\uffff" } }, true],
    [{ s: "Z" }, { range: { member: "s", from: "a" } }, false],
  ])("%j under %j: %s", (document, options, wanted) => {
    expect(fits(document, options)).toBe(wanted);
  });
  it("orders texts by their bytes, whatever JavaScript thinks of surrogates", () => {
    fc.assert(
      fc.property(fc.string({ unit: "grapheme" }), fc.string({ unit: "grapheme" }), (a, b) => {
        expect(fits({ s: a }, { range: { member: "s", from: b } })).toBe(Buffer.compare(Buffer.from(a), Buffer.from(b)) >= 0);
      }),
    );
  });
});
