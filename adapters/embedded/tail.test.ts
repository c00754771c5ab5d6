import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { dedupeKey, hash53 } from "#bus/journal/search.ts";
import { addKey, addPosition, newTail, positionsOf, sortedKeys } from "./tail.ts";

/** Few keys that share their slots, and many that do not. */
const key = fc.oneof(
  fc.constantFrom(1, 2, 3, 2_048, 2_049, 2 ** 40, 2 ** 40 + 2, 2 ** 53 - 1, 2 ** 53 - 2),
  fc.integer({ min: 1, max: 2 ** 53 - 1 }),
  fc.integer({ min: 1, max: 50 }).map((n) => n * 2 ** 32),
);

describe("the tail of the search index", () => {
  it("has the positions of every key that was added, in order, and of no other, whatever the keys", () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 2 ** 40 }), fc.array(fc.array(key, { maxLength: 6 }), { maxLength: 300 }), (first, records) => {
        const tail = newTail(first);
        const model = new Map<number, number[]>();
        records.forEach((keys, i) => {
          addPosition(tail, first + i, i);
          for (const one of keys) {
            addKey(tail, one, first + i);
            model.set(one, [...(model.get(one) ?? []), first + i]);
          }
        });
        for (const [one, positions] of model) expect(positionsOf(tail, one)).toEqual(positions);
        expect([...sortedKeys(tail)]).toEqual([...model.keys()].sort((a, b) => a - b));
        for (const absent of [4, 2 ** 41, 2 ** 52 + 1]) expect(positionsOf(tail, absent)).toEqual(model.get(absent) ?? []);
        expect(tail.last).toBe(first + records.length - 1);
        expect(tail.time).toBe(Math.max(0, records.length - 1));
      }),
    );
  });
  it("keeps them while it grows to a hundred thousand keys and one key of as many positions", () => {
    const tail = newTail(7);
    const often = hash53("step", "accepted");
    for (let i = 0; i < 100_000; i++) {
      addKey(tail, often, 7 + i);
      addKey(tail, hash53("id", `m-${i}`), 7 + i);
    }
    expect(positionsOf(tail, often)).toHaveLength(100_000);
    expect(positionsOf(tail, often).at(-1)).toBe(100_006);
    for (const i of [0, 1, 999, 65_536, 99_999]) expect(positionsOf(tail, hash53("id", `m-${i}`))).toEqual([7 + i]);
    expect(positionsOf(tail, hash53("id", "m-100000"))).toEqual([]);
    expect(sortedKeys(tail)).toHaveLength(100_001);
  });
  it("counts de-duplication keys, for which a run's filter is made", () => {
    const tail = newTail(1);
    for (let i = 0; i < 10; i++) {
      addKey(tail, dedupeKey(`k-${i % 4}`), i + 1);
      addKey(tail, hash53("id", `m-${i}`), i + 1);
    }
    expect(tail.dedupes).toBe(10);
  });
  it("is empty before its first record", () => {
    const tail = newTail(5);
    expect(tail.last - tail.first + 1).toBe(0);
    expect(positionsOf(tail, 2)).toEqual([]);
    expect(sortedKeys(tail)).toEqual(new Float64Array(0));
  });
});
