/** The partition function decides where messages already lie: its values are pinned and may never change. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { MOST_PARTITIONS, partitionOf } from "./partition.ts";

describe("the partition of a message", () => {
  it.each([
    ["", 64, 60],
    ["k1", 4, 2],
    ["k1", 64, 58],
    ["2004012345678", 8, 1],
    ["2004012345679", 8, 6],
    ["șțăîâ", 16, 6],
    ["01JD8Z6V5T3N2Q7X9A4B6C8D0E", 64, 26],
    ["person/7", 64, 4],
  ])("of key %j among %i is pinned", (key, partitions, pinned) => {
    expect(partitionOf({ id: "any", key }, partitions)).toBe(pinned);
  });

  it("is decided by the key before the id, and by the id where there is no key", () => {
    fc.assert(
      fc.property(fc.string(), fc.string(), fc.string(), fc.integer({ min: 1, max: MOST_PARTITIONS }), (key, id, other, partitions) => {
        expect(partitionOf({ id, key }, partitions)).toBe(partitionOf({ id: other, key }, partitions));
        expect(partitionOf({ id: key }, partitions)).toBe(partitionOf({ id: other, key }, partitions));
      }),
    );
  });

  it("is a whole number from 0 to the last, for any key and any number of them", () => {
    fc.assert(
      fc.property(fc.uint16Array({ maxLength: 20 }), fc.integer({ min: 1, max: MOST_PARTITIONS }), (units, partitions) => {
        const key = String.fromCharCode(...units);
        const partition = partitionOf({ id: "any", key }, partitions);
        expect(Number.isInteger(partition) && partition >= 0 && partition < partitions).toBe(true);
      }),
    );
  });

  it.each([2, 3, 4, 8, 16, 64])("spreads keys that differ by a count over %i evenly", (partitions) => {
    const each = 500;
    for (const start of ["", "2004012", "person/", "a-very-long-name-of-a-key-"]) {
      const counts = Array.from({ length: partitions }, () => 0);
      for (let n = 0; n < partitions * each; n++) {
        const partition = partitionOf({ id: "any", key: `${start}${n}` }, partitions);
        counts[partition] = (counts[partition] ?? 0) + 1;
      }
      expect(Math.min(...counts), `${start} least`).toBeGreaterThan(each / 2);
      expect(Math.max(...counts), `${start} most`).toBeLessThan(each * 2);
    }
  });
});
