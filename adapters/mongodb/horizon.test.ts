import fc from "fast-check";
import { setTimeout as sleep } from "node:timers/promises";
import { describe, expect, it } from "vitest";
import { openHorizon, type Filling } from "./horizon.ts";
import type { Page } from "./log.ts";
import { voidRow, type Row } from "./rows.ts";

const row = (position: number): Row => ({ _id: position, t: position, r: Buffer.of(1) });
const range = (first: number, last: number): Row[] => Array.from({ length: last - first + 1 }, (_, n) => row(first + n));
const idsOf = (rows: readonly Row[] | undefined): readonly number[] | undefined => rows?.map(({ _id }) => _id);
const LEASE = 60_000;

/** A server with the rows of all nodes, and this node's horizon over it. */
function world(lease = LEASE) {
  const there = new Map<number, Row>();
  const counter = { next: 0, stable: 0, floor: 0 };
  const asked: (readonly [after: number, end: number | undefined, bare: boolean])[] = [];
  const closed: number[] = [];
  const write = (rows: readonly Row[]): void => {
    for (const one of rows) {
      if (!there.has(one._id)) there.set(one._id, one);
      counter.next = Math.max(counter.next, one._id);
    }
  };
  const connection = {
    run: <T>(_code: string, _what: string, work: (again: boolean) => Promise<T>): Promise<T> => work(false),
    inOrder: <T>(work: (session: undefined) => Promise<T>): Promise<T> => work(undefined),
  };
  const log = {
    counter: () => Promise.resolve({ ...counter }),
    above(position: number, end: number | undefined, { rows, bare = false }: Page) {
      asked.push([position, end, bare]);
      const found = [...there.values()].filter(({ _id }) => _id > position && (end === undefined || _id < end));
      const page = found.sort((a, b) => a._id - b._id).slice(0, rows);
      return Promise.resolve({ page, more: page.length === rows });
    },
    close(positions: readonly number[]) {
      closed.push(...positions);
      write(positions.map(voidRow));
      return Promise.resolve();
    },
  };
  const horizon = openHorizon(connection, log, lease);
  const begun = (first: number, last: number): Filling => {
    const filling = horizon.begin();
    filling.placed(first, last);
    return filling;
  };
  const own = (first: number, last: number): void => {
    const filling = begun(first, last);
    write(range(first, last));
    filling.filled(range(first, last));
    filling.end();
  };
  return { there, counter, asked, closed, write, horizon, begun, own };
}

describe("how far the log is final", () => {
  it("what a node wrote itself it neither looks for nor reads again", async () => {
    const { horizon, own, asked } = world();
    own(1, 3);
    own(4, 5);
    expect(await horizon.look()).toBe(5);
    expect(asked).toEqual([]);
    expect(idsOf(horizon.recent.rows(1, 5, 10, () => true))).toEqual([1, 2, 3, 4, 5]);
  });
  it("what others wrote is read once, with its records, and only up to what is its own", async () => {
    const { horizon, own, write, asked } = world();
    write(range(1, 3));
    own(4, 6);
    write(range(7, 9));
    expect(await horizon.look()).toBe(9);
    expect(asked).toEqual([
      [0, 4, false],
      [6, undefined, false],
    ]);
    expect(await horizon.look()).toBe(9);
    expect(asked).toHaveLength(2);
    expect(idsOf(horizon.recent.rows(1, 9, 10, () => true))).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9]);
  });
  it("a hole below what is its own ends it, and is closed when it stays for the lease, whole and no further", async () => {
    const { horizon, own, write, closed } = world(40);
    write(range(1, 2));
    own(5, 6);
    expect(await horizon.look()).toBe(2);
    expect(closed).toEqual([]);
    await sleep(60);
    expect(await horizon.look()).toBe(6);
    expect(closed).toEqual([3, 4]);
  });
  it("what it is just writing is waited for, and then not read", async () => {
    const { begun, horizon, write, asked } = world();
    write(range(1, 1));
    const filling = begun(2, 3);
    write(range(2, 3));
    const looking = horizon.look();
    await sleep(20);
    expect(asked).toEqual([[0, 2, false]]);
    filling.filled(range(2, 3));
    filling.end();
    expect(await looking).toBe(3);
    expect(asked).toHaveLength(1);
  });
  it("what it is just reserving may be what comes next: it is waited for as well", async () => {
    const { horizon, write, counter, asked } = world();
    const filling = horizon.begin();
    counter.next = 2;
    const looking = horizon.look();
    await sleep(20);
    filling.placed(1, 2);
    write(range(1, 2));
    await sleep(20);
    filling.filled(range(1, 2));
    filling.end();
    expect(await looking).toBe(2);
    expect(asked).toEqual([]);
  });
  it("a look ends while writing goes on", async () => {
    const { begun, horizon, write } = world();
    let last = 0;
    const writing = new AbortController();
    const work = (async () => {
      while (!writing.signal.aborted) {
        const [first, end] = [last + 1, last + 2];
        last = end;
        const filling = begun(first, end);
        write(range(first, end));
        await sleep(2);
        filling.filled(range(first, end));
        filling.end();
      }
    })();
    expect(await horizon.look()).toBeGreaterThan(0);
    const seen = last;
    expect(await horizon.look()).toBeGreaterThanOrEqual(seen);
    writing.abort();
    await work;
  });
  it.each(["gave up", "does not answer"])("what it began and %s it looks for at the server like anybody's", async (how) => {
    const { begun, horizon, write } = world();
    const filling = begun(1, 2);
    write(range(1, 3));
    const looking = horizon.look();
    if (how === "gave up") filling.end();
    expect(await looking).toBe(3);
    filling.filled(range(1, 2));
    filling.end();
    expect(await horizon.look()).toBe(3);
    expect(idsOf(horizon.recent.rows(1, 3, 10, () => true))).toEqual([1, 2, 3]);
  });
  it("the writer of a hole who comes in time is waited for", async () => {
    const { horizon, own, write, closed } = world();
    own(3, 4);
    expect(await horizon.look()).toBe(0);
    write(range(1, 2));
    expect(await horizon.look()).toBe(4);
    expect(closed).toEqual([]);
  });
  it("what was reserved and not written at the end holds up nobody and is left alone", async () => {
    const { horizon, own, counter, closed } = world(1);
    own(1, 2);
    counter.next = 9;
    await horizon.look();
    await sleep(5);
    expect(await horizon.look()).toBe(2);
    expect(closed).toEqual([]);
  });
  it("begins where others say that all is final, and where age ends", async () => {
    const { horizon, counter, write, asked } = world();
    counter.next = 100;
    counter.stable = 100;
    expect(await horizon.look()).toBe(100);
    expect(asked).toEqual([]);
    write(range(101, 102));
    expect(await horizon.look()).toBe(102);
    counter.floor = 101;
    await horizon.look();
    expect(horizon.recent.rows(101, 102, 10, () => true)).toBeUndefined();
    expect(idsOf(horizon.recent.rows(102, 102, 10, () => true))).toEqual([102]);
  });
  it("far behind, it looks for holes and reads no records", async () => {
    const { horizon, own, write, asked } = world();
    own(1, 1);
    write(range(2, 20_000));
    expect(await horizon.look()).toBe(20_000);
    expect(asked[0]).toEqual([1, undefined, true]);
    expect(asked.at(-1)?.[2]).toBe(false);
  });
  it("is the end of what stands without a gap, whoever wrote what in which order, and the rows in memory are those that stand", async () => {
    const batches = fc.array(fc.record({ size: fc.integer({ min: 1, max: 5 }), own: fc.boolean(), look: fc.boolean() }), {
      minLength: 1,
      maxLength: 30,
    });
    await fc.assert(
      fc.asyncProperty(batches, fc.infiniteStream(fc.nat()), async (made, dice) => {
        const { horizon, own, write, there, asked } = world();
        let next = 1;
        const waiting = made.map((batch) => {
          const first = next;
          next += batch.size;
          return { ...batch, first, last: next - 1 };
        });
        while (waiting.length > 0) {
          const [batch] = waiting.splice((dice.next().value ?? 0) % waiting.length, 1);
          if (!batch) break;
          if (batch.own) own(batch.first, batch.last);
          else write(range(batch.first, batch.last));
          if (!batch.look) continue;
          let final = 0;
          while (there.has(final + 1)) final++;
          expect(await horizon.look()).toBe(final);
        }
        expect(await horizon.look()).toBe(next - 1);
        expect(idsOf(horizon.recent.rows(1, next - 1, 1_000, () => true))).toEqual(idsOf(range(1, next - 1)));
        if (made.every((batch) => batch.own)) expect(asked.every(([, end]) => end !== undefined)).toBe(true);
      }),
    );
  });
});
