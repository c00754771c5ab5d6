import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { encodeId, namesOf } from "./names.ts";

/** Any string, also ones of half surrogate pairs, and long ones. */
const ids = fc.oneof(
  fc.string({ unit: "binary", maxLength: 40 }),
  fc.array(fc.integer({ min: 0, max: 0xffff }), { maxLength: 12 }).map((codes) => String.fromCharCode(...codes)),
  fc.string({ minLength: 90, maxLength: 300 }),
  fc.stringMatching(/^[_xu0-9a-f.]{0,12}$/),
);

describe("names on the broker", () => {
  it("keep letters, digits and dashes, and nothing that a broker reads", () => {
    expect(encodeId("mbus.person-v1")).toBe("mbus_2eperson-v1");
    expect(encodeId("a*b#\r\n_ț")).toBe("a_2ab_23_0d_0a_5f_c8_9b");
  });
  it("are of few characters and bounded, whatever the id", () => {
    fc.assert(
      fc.property(ids, (id) => {
        expect(encodeId(id)).toMatch(/^[A-Za-z0-9_-]{0,110}$/);
      }),
      { numRuns: 2_000 },
    );
  });
  it("never meet", () => {
    fc.assert(
      fc.property(ids, ids, (a, b) => {
        expect(encodeId(a) === encodeId(b)).toBe(a === b);
      }),
      { numRuns: 2_000 },
    );
  });
  it("never meet near each other: one character more, less or other", () => {
    fc.assert(
      fc.property(ids, fc.nat(), fc.string({ unit: "binary", maxLength: 1 }), (id, at, char) => {
        const place = id.length === 0 ? 0 : at % id.length;
        const other = id.slice(0, place) + char + id.slice(place + 1);
        expect(encodeId(id) === encodeId(other)).toBe(id === other);
      }),
      { numRuns: 2_000 },
    );
  });
  it("fit a routing key and a queue name even at their longest", () => {
    const names = namesOf("mbus");
    const long = "ț".repeat(500);
    expect(names.key(long, 99_999).length).toBeLessThanOrEqual(255);
    expect(names.lane({ topic: long, group: long, partition: 99_999 }).length).toBeLessThanOrEqual(255);
  });
});
