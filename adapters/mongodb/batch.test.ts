import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { fortunes, planBatch, rowsOfBatch, settle, undecided } from "./batch.ts";
import type { Verdict } from "./claims.ts";
import type { Item } from "./rows.ts";

const item = (key: string | undefined): Item => ({
  bytes: Buffer.of(1),
  keys: [],
  time: 1_000,
  published: false,
  dedupe: key === undefined ? undefined : { key, window: 10 },
});

/** Appends of records with few keys, a verdict for each key, and the position from which another node closed what is left. */
const worlds = fc.record({
  appends: fc.array(fc.array(fc.option(fc.constantFrom("a", "b", "c", "d"), { nil: undefined }), { minLength: 1, maxLength: 4 }), {
    minLength: 1,
    maxLength: 8,
  }),
  verdicts: fc.dictionary(fc.constantFrom("a", "b", "c", "d"), fc.constantFrom<"duplicate" | "open">("duplicate", "open")),
  closedFrom: fc.option(fc.integer({ min: 100, max: 130 }), { nil: Infinity }),
});

function play({
  appends,
  verdicts,
  closedFrom,
}: {
  appends: (string | undefined)[][];
  verdicts: Record<string, "duplicate" | "open">;
  closedFrom: number;
}) {
  const { parts, placed } = planBatch(appends.map((keys) => ({ items: keys.map(item) })));
  const { wishes, judge } = settle(placed, 100);
  judge(
    wishes.map(({ key }): Verdict => {
      const kind = Object.hasOwn(verdicts, key) ? verdicts[key] : undefined;
      if (kind === "duplicate") return { kind, of: key.charCodeAt(0) - 90 };
      return kind === "open" ? { kind, position: 50 } : { kind: "mine" };
    }),
  );
  const waiting = undecided(parts);
  const rows = rowsOfBatch(parts, waiting);
  const stands = (position: number | undefined): boolean => position !== undefined && position < closedFrom;
  const counted = new Set(rows.filter((row) => row.x === undefined && stands(row._id) && stands(row.e ?? row._id)).map((row) => row._id));
  return { parts, placed, wishes, rows, counted, answers: [...fortunes(parts, waiting, counted).values()] };
}

describe("a batch of appends", () => {
  it("fills every reserved position once, in order", () => {
    fc.assert(
      fc.property(worlds, (world) => {
        const { placed, rows } = play(world);
        expect(rows.map((row) => row._id)).toEqual(placed.map((_, n) => 100 + n));
      }),
    );
  });
  it("claims each key once", () => {
    fc.assert(
      fc.property(worlds, (world) => {
        const keys = play(world).wishes.map(({ key }) => key);
        expect(keys).toEqual([...new Set(world.appends.flat().filter((key) => key !== undefined))]);
      }),
    );
  });
  it("answers an append with positions only if all of its own records count", () => {
    fc.assert(
      fc.property(worlds, (world) => {
        const { parts, answers, counted, rows } = play(world);
        const told = new Set<number>();
        answers.forEach((answer, n) => {
          if (!("appended" in answer)) return;
          expect(answer.appended).toHaveLength(parts[n]?.places.length ?? 0);
          for (const { position, duplicateOf } of answer.appended) {
            if (duplicateOf === undefined) {
              expect(counted.has(position)).toBe(true);
              expect(told.has(position)).toBe(false);
              told.add(position);
            } else expect(duplicateOf < 50 || counted.has(duplicateOf)).toBe(true);
          }
        });
        // Nothing counts that nobody was told of, as long as nobody closed anything.
        if (world.closedFrom === Infinity) expect([...counted]).toEqual(rows.filter((row) => row.x === undefined).map((row) => row._id));
        expect([...counted].every((position) => told.has(position))).toBe(true);
      }),
    );
  });
  it("names the end of an append on each of its records but the last", () => {
    const { rows } = play({ appends: [[undefined, "a", undefined], [undefined]], verdicts: {}, closedFrom: Infinity });
    expect(rows.map((row) => row.e)).toEqual([102, 102, undefined, undefined]);
  });
  it("lets an append wait whose twin has to wait", () => {
    const { answers } = play({ appends: [["a"], ["b", "a"], [undefined]], verdicts: { a: "open" }, closedFrom: Infinity });
    expect(answers).toEqual([{ open: 50 }, { open: 0 }, { appended: [{ position: 102 }] }]);
  });
});
