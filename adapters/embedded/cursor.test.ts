import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { changes, due, finished, floorOf, newCursor, scanned, started, taken, unwritten, waits, type Cursor } from "./cursor.ts";
import type { GroupRow, RetryRow } from "./protocol.ts";

/** The tables, as the worker keeps them. */
type Disk = { scan: number; pending: Float64Array; retries: Map<number, RetryRow> };
const emptyDisk = (): Disk => ({ scan: 0, pending: new Float64Array(0), retries: new Map() });

function write(disk: Disk, cursor: Cursor): void {
  const { scan, pending, upsert, drop } = changes(cursor);
  disk.scan = scan;
  disk.pending = pending;
  for (const position of drop) disk.retries.delete(position);
  for (let i = 0; i < upsert.length; i += 4) {
    const position = upsert[i] ?? 0;
    disk.retries.set(position, { position, attempt: upsert[i + 1] ?? 0, nextAt: upsert[i + 2] ?? 0, firstAt: upsert[i + 3] ?? 0 });
  }
}
const reopen = (disk: Disk): Cursor =>
  newCursor({ scan: disk.scan, pending: disk.pending, retries: [...disk.retries.values()] } satisfies Omit<GroupRow, "group">);
const unfinished = (cursor: Cursor, published: number): number[] =>
  Array.from({ length: published }, (_, i) => i + 1).filter((p) => p > cursor.scan || cursor.pending.has(p) || cursor.retries.has(p));

const step = fc.oneof(
  { weight: 4, arbitrary: fc.constant({ do: "take" as const, pick: 0 }) },
  { weight: 4, arbitrary: fc.record({ do: fc.constant("finish" as const), pick: fc.nat(50) }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant("wait" as const), pick: fc.nat(50) }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant("due" as const), pick: fc.nat(50) }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant("flush" as const), pick: fc.constant(0) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("lose a flush" as const), pick: fc.constant(0) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("crash" as const), pick: fc.constant(0) }) },
);

describe("the cursor of a consumer group", () => {
  it("never forgets an unfinished message and never repeats one whose end was written, whatever happens when", () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 120 }), (steps) => {
        const disk = emptyDisk();
        let cursor = newCursor({ scan: 0, pending: disk.pending, retries: [] });
        /** The model: what the handler finished, and what of it was written. */
        let done = new Set<number>();
        let written = new Set<number>();
        const published = 40;
        for (const { do: action, pick } of steps) {
          const pending = [...cursor.pending.keys()];
          const waiting = [...cursor.retries.keys()];
          const chosen = pending[pick % Math.max(1, pending.length)];
          if (action === "take" && cursor.scan < published) taken(cursor, cursor.scan + 1);
          else if (action === "finish" && chosen !== undefined) {
            started(cursor, chosen, 1);
            finished(cursor, chosen);
            done.add(chosen);
          } else if (action === "wait" && chosen !== undefined) {
            started(cursor, chosen, 1);
            waits(cursor, chosen, 100 + pick, pick % 2 === 0);
          } else if (action === "due") {
            const ready = waiting[pick % Math.max(1, waiting.length)];
            if (ready !== undefined) due(cursor, ready);
          } else if (action === "flush") {
            write(disk, cursor);
            written = new Set(done);
          } else if (action === "lose a flush") unwritten(cursor, changes(cursor));
          else if (action === "crash") {
            cursor = reopen(disk);
            done = new Set(written);
          }
          const open = unfinished(cursor, published);
          const expected = Array.from({ length: published }, (_, i) => i + 1).filter((position) => !done.has(position));
          expect(open).toEqual(expected);
          expect(floorOf(cursor)).toBe(Math.min(cursor.scan + 1, ...expected));
        }
      }),
      { numRuns: 300 },
    );
  });

  it("counts attempts and remembers the first", () => {
    const cursor = newCursor({ scan: 0, pending: new Float64Array(0), retries: [] });
    taken(cursor, 5);
    expect(started(cursor, 5, 70)).toEqual({ attempt: 1, firstAt: 70 });
    waits(cursor, 5, 100, false);
    expect(due(cursor, 5)).toBe(true);
    expect(due(cursor, 5)).toBe(false);
    expect(started(cursor, 5, 100)).toEqual({ attempt: 2, firstAt: 70 });
    waits(cursor, 5, 200, true);
    due(cursor, 5);
    expect(started(cursor, 5, 200)).toEqual({ attempt: 2, firstAt: 70 });
  });

  it("counts an attempt that a crash cut short, once it was written", () => {
    const disk = emptyDisk();
    const cursor = newCursor({ scan: 0, pending: disk.pending, retries: [] });
    taken(cursor, 1);
    started(cursor, 1, 10);
    write(disk, cursor);
    expect(started(reopen(disk), 1, 500)).toEqual({ attempt: 2, firstAt: 10 });
  });

  it("writes again what a lost write would have said, of waits begun and of waits ended", () => {
    const disk = emptyDisk();
    const cursor = newCursor({ scan: 0, pending: disk.pending, retries: [] });
    taken(cursor, 1);
    taken(cursor, 2);
    waits(cursor, 1, 100, false);
    write(disk, cursor);
    due(cursor, 1);
    finished(cursor, 1);
    waits(cursor, 2, 200, false);
    unwritten(cursor, changes(cursor));
    expect(cursor.dirty).toBe(true);
    write(disk, cursor);
    expect([...disk.retries.keys()]).toEqual([2]);
    expect(unfinished(reopen(disk), 2)).toEqual([2]);
  });

  it("is as small as what is unfinished", () => {
    const cursor = newCursor({ scan: 0, pending: new Float64Array(0), retries: [] });
    taken(cursor, 1);
    for (let position = 2; position < 10_000; position++) {
      taken(cursor, position);
      finished(cursor, position);
    }
    scanned(cursor, 20_000);
    scanned(cursor, 5);
    expect(changes(cursor)).toMatchObject({ scan: 20_000, pending: Float64Array.of(1, 0, 0) });
    expect(cursor.dirty).toBe(false);
  });
});
