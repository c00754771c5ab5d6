import fc from "fast-check";
import { DatabaseSync } from "node:sqlite";
import { afterEach, describe, expect, it } from "vitest";
import { hash53 } from "#bus/journal/search.ts";
import type { JournalRecord } from "#bus/journal/record.ts";
import { openRoom, type Room } from "#test/harness/engine-room.ts";
import { addToBloom, mayHold, newBloom } from "./bloom.ts";
import { find } from "./find.ts";
import { closeTail, dropRunsBelow, finishBuild, hasUpkeep, tailIsFull, upkeep } from "./finder.ts";
import { startMerge, stepMerge } from "./merge.ts";
import { unpack } from "./packer.ts";
import { dropSlice, finishRun, loadRuns, lookUp, openRunTable, putKey, startRun, type Run, type RunTable } from "./runs.ts";

const closing: (() => void)[] = [];
afterEach(() => {
  for (const close of closing.splice(0)) close();
});

function table(): Readonly<{ db: DatabaseSync; runs: RunTable }> {
  const db = new DatabaseSync(":memory:");
  closing.push(() => db.close());
  db.exec(
    "CREATE TABLE run(id INTEGER PRIMARY KEY, state INTEGER, level INTEGER, first INTEGER, last INTEGER, time REAL, chunks INTEGER, fences BLOB, bloom BLOB); CREATE TABLE chunk(id INTEGER PRIMARY KEY, bytes BLOB)",
  );
  return { db, runs: openRunTable(db) };
}

type Lists = ReadonlyMap<number, readonly number[]>;
/** Writes a run of these lists; positions lie from `first` to `last`. */
function write(runs: RunTable, id: number, level: number, first: number, last: number, lists: Lists): Run {
  const writer = startRun(runs, { id, level, first, last, time: last }, lists.size);
  for (const key of [...lists.keys()].sort((a, b) => a - b)) putKey(writer, key, lists.get(key) ?? []);
  return finishRun(writer);
}
const key = fc.oneof(fc.integer({ min: 1, max: 40 }), fc.integer({ min: 1, max: 2 ** 53 - 1 }));
/** Lists of positions within `span` places from `first` on. */
const listsFrom = (first: number, span: number): fc.Arbitrary<Lists> =>
  fc
    .array(fc.tuple(key, fc.uniqueArray(fc.integer({ min: 0, max: span - 1 }), { minLength: 1, maxLength: 12 })), { maxLength: 60 })
    .map((pairs) => new Map(pairs.map(([one, offsets]) => [one, offsets.sort((a, b) => a - b).map((offset) => first + offset)])));

describe("a run of the search index", () => {
  it("gives every key its positions and other keys none, wherever in the log it lies", () => {
    const start = fc.constantFrom(1, 1_000, 2 ** 31, 2 ** 45);
    const input = start.chain((first) => fc.tuple(fc.constant(first), listsFrom(first, 2 ** 20)));
    fc.assert(
      fc.property(input, fc.array(key, { maxLength: 20 }), ([first, lists], others) => {
        const { runs } = table();
        const run = write(runs, 1, 0, first, first + 2 ** 20, lists);
        for (const [one, positions] of lists) expect(lookUp(runs, run, one)).toEqual(positions);
        for (const other of others) expect(lookUp(runs, run, other)).toEqual(lists.get(other) ?? []);
      }),
      { numRuns: 60 },
    );
  });
  it("holds keys of very many positions beside keys of one, over many chunks", () => {
    const { db, runs } = table();
    const lists = new Map<number, number[]>();
    const many = Array.from({ length: 30_000 }, (_, i) => 1 + i);
    for (let n = 1; n <= 3_000; n++) lists.set(n * 10, [n]);
    for (const often of [5, 15_005, 40_000]) lists.set(often, many);
    const run = write(runs, 1, 0, 1, 30_000, lists);
    expect(run.fences.length).toBeGreaterThan(10);
    for (const [one, positions] of lists) expect(lookUp(runs, run, one)).toEqual(positions);
    for (const absent of [1, 6, 15_004, 15_006, 30_001, 50_000]) expect(lookUp(runs, run, absent)).toEqual([]);
    const pages = db.prepare("SELECT max(length(bytes)) AS most FROM chunk").get();
    expect(Number(pages?.["most"])).toBeLessThanOrEqual(8_000);
  });
  it("is the same when it is loaded again, and one that is unfinished or retired is not", () => {
    const { db, runs } = table();
    const lists = new Map([
      [3, [10, 20]],
      [8, [11]],
    ]);
    const second = write(runs, 2, 1, 30, 40, lists);
    const first = write(runs, 7, 0, 10, 20, lists);
    startRun(runs, { id: 8, level: 0, first: 50, last: 60, time: 1 }, 1);
    write(runs, 9, 0, 70, 80, new Map([[1, [70]]]));
    runs.retire.run(9);
    expect(loadRuns(db)).toEqual([first, second]);
    expect(lookUp(runs, loadRuns(db)[0] ?? first, 3)).toEqual([10, 20]);
  });
  it("goes a slice at a time, and takes nothing of its neighbours along", () => {
    const { db, runs } = table();
    const lists = new Map(Array.from({ length: 5_000 }, (_, n) => [n + 1, [n + 1]] as const));
    const neighbours = [1, 3].map((id) => write(runs, id, 0, 1, 5_000, lists));
    const run = write(runs, 2, 0, 1, 5_000, lists);
    const chunks = run.fences.length;
    let slices = 1;
    while (!dropSlice(runs, 2, 2)) slices++;
    expect(slices).toBe(Math.floor(chunks / 2) + 1);
    expect(loadRuns(db).map(({ id }) => id)).toEqual([1, 3]);
    for (const other of neighbours) expect(lookUp(runs, other, 4_999)).toEqual([4_999]);
  });
});

describe("a merge", () => {
  it("of neighbours has exactly what they had, whatever their keys, also a step at a time", () => {
    const sources = fc
      .integer({ min: 1, max: 8 })
      .chain((count) => fc.tuple(...Array.from({ length: count }, (_, i) => listsFrom(1 + i * 1_000, 1_000))));
    fc.assert(
      fc.property(sources, fc.boolean(), (lists, slowly) => {
        const { runs } = table();
        const parts = lists.map((one, i) => write(runs, i + 1, 0, 1 + i * 1_000, (i + 1) * 1_000, one));
        const merge = startMerge(runs, 100, parts);
        let merged: Run | undefined;
        while (merged === undefined) merged = stepMerge(merge, slowly ? 0 : Infinity);
        expect(merged).toMatchObject({ id: 100, level: 1, first: 1, last: parts.length * 1_000, time: parts.length * 1_000 });
        for (const one of new Set(lists.flatMap((map) => [...map.keys()]))) {
          expect(lookUp(runs, merged, one)).toEqual(lists.flatMap((map) => map.get(one) ?? []));
          if (one % 2 === 1) expect(mayHold(merged.bloom, one)).toBe(true);
        }
      }),
      { numRuns: 60 },
    );
  });
});

describe("a filter of de-duplication keys", () => {
  it("never says no of a key that was added, and says yes of few others", () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 5_000 }), fc.nat(), (count, salt) => {
        const bloom = newBloom(count);
        const keyOf = (n: number): number => hash53("dedupe", `${salt}-${n}`) + 1;
        for (let n = 0; n < count; n++) addToBloom(bloom, keyOf(n));
        for (let n = 0; n < count; n++) expect(mayHold(bloom, keyOf(n))).toBe(true);
        let wrong = 0;
        for (let n = 0; n < 2_000; n++) if (mayHold(bloom, keyOf(1_000_000 + n))) wrong++;
        expect(wrong).toBeLessThan(100);
      }),
      { numRuns: 20 },
    );
  });
  it("of no keys holds none", () => {
    expect(mayHold(newBloom(0), 12_345)).toBe(false);
  });
});

describe("the search index as a whole", () => {
  const RUN = 20;
  const T0 = 1_800_000_000_000;
  const record = (n: number): JournalRecord => ({
    step: n % 3 === 0 ? "delivered" : "accepted",
    outcome: "ok",
    time: T0 + n,
    id: `m-${n}`,
    correlationId: `c-${n % 5}`,
    index: { tens: `${Math.floor(n / 10)}` },
  });
  function room(): Room {
    const one = openRoom({ runRecords: RUN, cacheBytes: 1 });
    closing.push(() => one.remove());
    return one;
  }
  /** Appends as the worker does: a full tail becomes a run, of which a slice is written between batches. */
  function fill(one: Room, from: number, to: number, milliseconds: number): void {
    for (let n = from; n < to; n += 10) {
      one.append(Array.from({ length: 10 }, (_, i) => record(n + i)));
      const { finder } = one.state;
      if (tailIsFull(finder)) {
        one.commit(() => finishBuild(finder));
        closeTail(finder);
      }
      if (hasUpkeep(finder, false)) one.commit(() => upkeep(finder, milliseconds, false));
    }
  }
  const ids = (one: Room, keys: readonly number[], ascending: boolean, milliseconds = 1_000): string[] => {
    const found: string[] = [];
    let cursor: number | undefined = 0;
    while (cursor !== undefined) {
      const { blocks, finder } = one.state;
      const answer = find(blocks, finder, { op: "find", keys, from: 0, to: Infinity, ascending, limit: 7, cursor }, milliseconds);
      found.push(...unpack(answer.records).map((each) => each.id));
      cursor = answer.next;
    }
    return found;
  };
  const expected = (records: number, test: (n: number) => boolean): string[] =>
    Array.from({ length: records }, (_, n) => n)
      .filter(test)
      .map((n) => `m-${n}`);

  it("finds the same at every stage: in memory, half written, in runs, merged, and after a crash", () => {
    const one = room();
    fill(one, 0, 700, 0);
    const check = (): void => {
      for (const ascending of [true, false]) {
        const order = (list: string[]): string[] => (ascending ? list : list.reverse());
        expect(ids(one, [hash53("correlationId", "c-3")], ascending)).toEqual(order(expected(700, (n) => n % 5 === 3)));
        expect(ids(one, [hash53("index.tens", "41"), hash53("step", "delivered")], ascending)).toEqual(
          order(expected(700, (n) => Math.floor(n / 10) === 41 && n % 3 === 0)),
        );
      }
      expect(ids(one, [hash53("id", "m-699")], true)).toEqual(["m-699"]);
      expect(ids(one, [hash53("id", "m-700")], true)).toEqual([]);
    };
    check();
    one.reopen();
    check();
    let rounds = 0;
    while (hasUpkeep(one.state.finder, false)) {
      const { finder } = one.state;
      one.commit(() => upkeep(finder, 0, false));
      if (rounds++ % 20 === 0) check();
    }
    check();
    const runs = loadRuns(one.state.db);
    expect(runs.some((run) => run.level > 0)).toBe(true);
    expect(runs.length).toBeLessThan(16);
    for (const [i, run] of runs.entries()) expect(run.first).toBe((runs[i - 1]?.last ?? 0) + 1);
    one.reopen();
    check();
  });
  it("finds each record once and comes to an end, though its time is over after every step", () => {
    const one = room();
    fill(one, 0, 300, 1_000);
    for (const ascending of [true, false]) {
      const all = expected(300, (n) => n % 5 === 3);
      expect(ids(one, [hash53("correlationId", "c-3")], ascending, 0)).toEqual(ascending ? all : all.reverse());
    }
  });
  it("lets merges wait while batches come, but not without bound", () => {
    const one = room();
    for (let n = 0; n < RUN * 40; n += RUN) {
      one.append(Array.from({ length: RUN }, (_, i) => record(n + i)));
      const { finder } = one.state;
      closeTail(finder);
      one.commit(() => finishBuild(finder));
      const runs = finder.runs.filter((run) => run.level === 0).length;
      expect(runs).toBeLessThanOrEqual(32);
      expect(hasUpkeep(finder, true)).toBe(runs >= 32);
      expect(hasUpkeep(finder, false)).toBe(runs >= 8 || finder.retired.length > 0);
      while (hasUpkeep(finder, true)) one.commit(() => upkeep(finder, 1_000, true));
    }
  });
  it("makes a merge anew that a crash cut short, and leaves no rows of it", () => {
    const one = room();
    for (let n = 0; n < RUN * 8; n += RUN) {
      one.append(Array.from({ length: RUN }, (_, i) => record(n + i)));
      closeTail(one.state.finder);
      one.commit(() => finishBuild(one.state.finder));
    }
    one.commit(() => upkeep(one.state.finder, 0, false));
    one.reopen();
    while (hasUpkeep(one.state.finder, false)) one.commit(() => upkeep(one.state.finder, 1_000, false));
    expect(one.state.finder.runs.map(({ level, first, last }) => ({ level, first, last }))).toEqual([
      { level: 1, first: 1, last: RUN * 8 },
    ]);
    const rows = one.state.db.prepare("SELECT count(*) AS runs, (SELECT count(*) FROM chunk) AS chunks FROM run").get();
    expect(rows).toEqual({ runs: 1, chunks: one.state.finder.runs[0]?.fences.length });
  });
  it("forgets runs of what was deleted, also in the middle of their merge", () => {
    const one = room();
    for (let n = 0; n < RUN * 9; n += RUN) {
      one.append(Array.from({ length: RUN }, (_, i) => record(n + i)));
      closeTail(one.state.finder);
      one.commit(() => finishBuild(one.state.finder));
    }
    const { finder } = one.state;
    const [first] = finder.runs;
    if (first === undefined) throw new Error("there is no run");
    finder.merge = startMerge(finder.table, finder.nextRun++, finder.runs.slice(0, 8));
    one.commit(() => dropRunsBelow(finder, RUN * 3 + 1));
    expect(finder.merge).toBeUndefined();
    expect(finder.runs.map((run) => run.first)).toEqual([3, 4, 5, 6, 7, 8].map((n) => n * RUN + 1));
    while (hasUpkeep(finder, false)) one.commit(() => upkeep(finder, 1_000, false));
    expect(loadRuns(one.state.db)).toHaveLength(6);
  });
});
