/** Search keys: a record that a query matches has all of the query's keys, so an index by keys misses nothing. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { JournalQuery, JournalRecord } from "./record.ts";
import { dedupeKey, eachKey, hash53, matches, queryKeys } from "./search.ts";

const FIELDS = ["id", "correlationId", "route", "system", "contract", "branch", "topic"] as const;
const few = fc.constantFrom("a", "b", "c", "", "ă", "id", "__proto__");
const fields = Object.fromEntries(FIELDS.map((name) => [name, few])) as Record<(typeof FIELDS)[number], typeof few>;
const step = fc.constantFrom("accepted", "replied", "act");
const outcome = fc.constantFrom("ok", "failed");
const index = fc.dictionary(fc.constantFrom("idnp", "case", "toString"), few, { maxKeys: 3, noNullPrototype: true });

const record = fc.record(
  { ...fields, step, outcome, time: fc.nat(), index },
  { requiredKeys: ["step", "outcome", "time", "id", "correlationId"], noNullPrototype: true },
) as fc.Arbitrary<JournalRecord>;
const query = fc.record({ ...fields, step, outcome, index }, { requiredKeys: [], noNullPrototype: true }) as fc.Arbitrary<JournalQuery>;

const keysOf = (given: JournalRecord): number[] => {
  const keys: number[] = [];
  eachKey(given, (key) => keys.push(key));
  return keys;
};

/** The query that asks for some of what a record says. */
const asked = fc.tuple(record, fc.array(fc.boolean(), { minLength: 10, maxLength: 10 })).map(([given, chosen]) => {
  const members = Object.entries(given).filter(([name], at) => name !== "time" && chosen[at % 10] === true);
  return { given, query: Object.fromEntries(members) as JournalQuery };
});

describe("keys and matches", () => {
  it("agree: what matches has every key of the query", () => {
    fc.assert(
      fc.property(asked, ({ given, query: own }) => {
        expect(matches(own, given)).toBe(true);
        expect(keysOf(given)).toEqual(expect.arrayContaining(queryKeys(own)));
      }),
      { numRuns: 300 },
    );
  });

  it("agree the other way for values as different as these: what has every key matches", () => {
    fc.assert(
      fc.property(record, query, (given, wanted) => {
        const keys = new Set(keysOf(given));
        expect(queryKeys(wanted).every((key) => keys.has(key))).toBe(matches(wanted, given));
      }),
      { numRuns: 500 },
    );
  });

  it("of a query for times alone are none, and it matches everything", () => {
    expect(queryKeys({ from: 1, to: 2, limit: 5, cursor: 7, ascending: true })).toEqual([]);
    fc.assert(
      fc.property(record, (given) => {
        expect(matches({}, given)).toBe(true);
      }),
    );
  });

  it("tell fields apart that hold the same text", () => {
    const given: JournalRecord = { step: "act", outcome: "ok", time: 1, id: "x", correlationId: "y" };
    for (const name of FIELDS.filter((each) => each !== "id")) expect(matches({ [name]: "x" }, given), name).toBe(false);
    expect(new Set(FIELDS.map((name) => hash53(name, "x"))).size).toBe(FIELDS.length);
  });

  it("tell an index field from a member of the same name, and from what every object has", () => {
    const given: JournalRecord = { step: "act", outcome: "ok", time: 1, id: "x", correlationId: "y", route: "r", index: { case: "1" } };
    expect(matches({ index: { route: "r" } }, given)).toBe(false);
    expect(matches({ index: { toString: "function toString() { [native code] }" } }, given)).toBe(false);
    expect(matches({ index: { case: "1" } }, given)).toBe(true);
    expect(hash53("route", "r")).not.toBe(hash53("index.route", "r"));
  });

  it("are the same however often a value was seen before", () => {
    const one = keysOf({ step: "act", outcome: "ok", time: 1, id: "x", correlationId: "y", route: "r" });
    for (let i = 0; i < 10_000; i++) keysOf({ step: "act", outcome: "ok", time: 1, id: "x", correlationId: "y", route: `r${i}` });
    expect(keysOf({ step: "act", outcome: "ok", time: 1, id: "x", correlationId: "y", route: "r" })).toEqual(one);
    expect(queryKeys({ route: "r9999" })).toEqual([hash53("route", "r9999")]);
  });
});

describe("hash53", () => {
  /** As the indexes of existing folders hold it: the two lanes, written down the long way. */
  function plain(field: string, value: string): number {
    let a = 0x9e3779b9 ^ field.length;
    let b = 0x85ebca6b ^ value.length;
    for (const code of [...Array(field.length).keys()].map((i) => field.charCodeAt(i))) {
      a = Math.imul(a ^ code, 0x9e3779b1);
      b = Math.imul(b ^ code, 0x5f356495);
    }
    for (const code of [...Array(value.length).keys()].map((i) => value.charCodeAt(i))) {
      a = Math.imul(a ^ code, 0x9e3779b1);
      b = Math.imul(b ^ code, 0x5f356495);
    }
    a = Math.imul(a ^ (a >>> 16), 0x85ebca6b) ^ Math.imul(b ^ (b >>> 13), 0xc2b2ae35);
    b = Math.imul(b ^ (b >>> 16), 0x85ebca6b) ^ Math.imul(a ^ (a >>> 13), 0xc2b2ae35);
    return (b & 0x1fffff) * 0x1_0000_0000 + ((a & ~1) >>> 0) || 2;
  }
  it("never becomes another: indexes on disk hold it, whichever way it was computed", () => {
    const value = fc.oneof(fc.string(), fc.string({ minLength: 60, maxLength: 140 }));
    fc.assert(
      fc.property(fc.string({ minLength: 1 }), value, value, (name, first, second) => {
        expect(hash53(name, first)).toBe(plain(name, first));
        expect(dedupeKey(first)).toBe(plain("dedupe", first) + 1);
        // Twice in turn: once computed, once remembered.
        for (const text of [first, second, first]) {
          const wanted = [plain("id", text), plain("route", text), plain("topic", text), plain(`index.${name}`, text)];
          expect(queryKeys({ id: text, route: text, topic: text, index: { [name]: text } })).toEqual(wanted);
        }
      }),
    );
  });
  const any = fc.string({ unit: "binary", maxLength: 100 });

  it("is a whole number, even, above 0 and below 2^53, of any text", () => {
    fc.assert(
      fc.property(any, any, (field, value) => {
        const key = hash53(field, value);
        expect(Number.isSafeInteger(key)).toBe(true);
        expect(key).toBeGreaterThan(0);
        expect(key % 2).toBe(0);
      }),
      { numRuns: 1000 },
    );
  });

  it("plus one is a de-duplication key, which no search key equals", () => {
    fc.assert(
      fc.property(any, any, (field, value) => {
        expect(dedupeKey(value)).toBe(hash53("dedupe", value) + 1);
        expect(dedupeKey(value)).not.toBe(hash53(field, value));
        expect(Number.isSafeInteger(dedupeKey(value))).toBe(true);
      }),
    );
  });

  it("changes with any one character, and with where field and value part", () => {
    fc.assert(
      fc.property(fc.string({ minLength: 1, maxLength: 40 }), fc.nat(), (value, at) => {
        const i = at % value.length;
        const changed = value.slice(0, i) + String.fromCharCode(value.charCodeAt(i) ^ 1) + value.slice(i + 1);
        expect(hash53("id", changed)).not.toBe(hash53("id", value));
      }),
    );
    expect(hash53("ab", "c")).not.toBe(hash53("a", "bc"));
    expect(hash53("", "")).not.toBe(hash53("", "\0"));
  });

  it.each([
    ["id", "m-1", 4_663_874_525_277_434],
    ["route", "person-lookup", 3_150_104_510_820_024],
    ["index.idnp", "2004001234567", 204_640_592_521_666],
  ])("of %s %s is the number that logs already hold", (field, value, key) => {
    expect(hash53(field, value)).toBe(key);
  });
});
