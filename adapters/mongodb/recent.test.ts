import fc from "fast-check";
import { Binary } from "mongodb";
import { describe, expect, it } from "vitest";
import { bytesOf, openRecent } from "./recent.ts";
import { voidRow, type Row } from "./rows.ts";

const row = (position: number, more: Partial<Row> = {}): Row => ({ _id: position, t: position, r: Buffer.alloc(10), ...more });
const all = (): boolean => true;
const idsOf = (rows: readonly Row[] | undefined): readonly number[] | undefined => rows?.map(({ _id }) => _id);
const filled = (from: number, to: number, limits = { bytes: 1e6, rows: 1e6 }) => {
  const recent = openRecent(limits);
  for (let position = from; position <= to; position++) recent.add(row(position));
  return recent;
};

describe("the newest rows in memory", () => {
  it("are given from a position up to the last that is final, as many as are asked for", () => {
    const recent = filled(5, 12);
    expect(idsOf(recent.rows(7, 10, 100, all))).toEqual([7, 8, 9, 10]);
    expect(idsOf(recent.rows(7, 10, 2, all))).toEqual([7, 8]);
    expect(idsOf(recent.rows(13, 12, 2, all))).toEqual([]);
  });
  it("count only those towards the limit that are wanted", () => {
    const recent = openRecent({ bytes: 1e6, rows: 1e6 });
    for (let position = 1; position <= 6; position++) recent.add(position % 2 === 0 ? row(position, { p: 1 }) : voidRow(position));
    expect(idsOf(recent.rows(1, 6, 2, ({ p }) => p === 1))).toEqual([2, 4]);
  });
  it("say that they do not know where one of the range is not here", () => {
    const recent = filled(5, 12);
    expect(recent.rows(4, 10, 100, all)).toBeUndefined();
    expect(recent.rows(7, 13, 100, all)).toBeUndefined();
    expect(openRecent({ bytes: 1, rows: 1 }).rows(1, 1, 1, all)).toBeUndefined();
  });
  it("begin anew behind a gap, and when they are told to", () => {
    const recent = filled(5, 12);
    recent.add(row(14));
    expect(recent.rows(12, 14, 10, all)).toBeUndefined();
    expect(idsOf(recent.rows(14, 14, 10, all))).toEqual([14]);
    recent.restart();
    expect(recent.rows(14, 14, 10, all)).toBeUndefined();
  });
  it("forget what is gone by age, and no more", () => {
    const recent = filled(5, 12);
    recent.forget(8);
    expect(recent.rows(8, 12, 10, all)).toBeUndefined();
    expect(idsOf(recent.rows(9, 12, 10, all))).toEqual([9, 10, 11, 12]);
    recent.forget(99);
    recent.add(row(100));
    expect(idsOf(recent.rows(100, 100, 10, all))).toEqual([100]);
  });
  it("weigh a record however it came", () => {
    expect(bytesOf(row(1, { r: Buffer.alloc(1_000) }))).toBe(bytesOf(row(1, { r: new Binary(Buffer.alloc(1_000)) })));
    expect(bytesOf(row(1, { r: Buffer.alloc(1_000) }))).toBeGreaterThan(1_000);
  });
  it("are never more than their bounds, and always those that were added last, without gaps", () => {
    const steps = fc.array(fc.record({ gap: fc.constantFrom(0, 0, 0, 0, 3), size: fc.integer({ min: 0, max: 400 }) }), { maxLength: 200 });
    fc.assert(
      fc.property(steps, fc.integer({ min: 1, max: 40 }), (made, rows) => {
        const limits = { bytes: 8_000, rows };
        const recent = openRecent(limits);
        let position = 0;
        let model: Row[] = [];
        for (const { gap, size } of made) {
          position += 1 + gap;
          const next = row(position, { r: Buffer.alloc(size) });
          model = [...(gap === 0 ? model : []), next];
          const weight = (): number => model.reduce((sum, one) => sum + bytesOf(one), 0);
          while (model.length > limits.rows || weight() > limits.bytes) model.shift();
          recent.add(next);
          const first = model[0]?._id ?? position + 1;
          expect(idsOf(recent.rows(first, position, 1_000, all))).toEqual(idsOf(model));
          expect(recent.rows(first - 1, position, 1_000, all)).toBeUndefined();
        }
      }),
    );
  });
});
