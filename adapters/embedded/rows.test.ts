import fc from "fast-check";
import { afterEach, describe, expect, it } from "vitest";
import type { JournalRecord } from "#bus/journal/record.ts";
import { envelope } from "#test/conformance/transport.ts";
import { openRoom, type Room } from "#test/harness/engine-room.ts";
import { positionAt, readForward } from "./blocks.ts";
import { eachRecord, unpack } from "./packer.ts";
import type { Records } from "./protocol.ts";
import { allTopics, countAfter, nextMessage, readPage } from "./topics.ts";

const T0 = 1_800_000_000_000;
const rooms: Room[] = [];
afterEach(() => {
  for (const room of rooms.splice(0)) room.remove();
});
function open(options: Parameters<typeof openRoom>[0] = {}): Room {
  const room = openRoom(options);
  rooms.push(room);
  return room;
}
const plain = (n: number, more: Partial<JournalRecord> = {}): JournalRecord => ({
  step: "accepted",
  outcome: "ok",
  time: T0 + n,
  id: `m-${n}`,
  correlationId: `c-${n % 7}`,
  ...more,
});
const message = (n: number, topic: string): JournalRecord => plain(n, { topic, envelope: envelope(n) });
const idsOf = (records: Records): string[] => unpack(records).map((record) => record.id);
const read = (room: Room, from = 1, limit = 1_000_000): string[] => idsOf(readForward(room.state.blocks, from, limit, Infinity));

describe("the rows of a batch", () => {
  const step = fc.oneof(
    {
      weight: 5,
      arbitrary: fc.record({
        do: fc.constant("append" as const),
        topics: fc.array(fc.constantFrom("a", "b", ""), { minLength: 1, maxLength: 8 }),
      }),
    },
    { weight: 2, arbitrary: fc.record({ do: fc.constant("commit" as const), topics: fc.constant([]) }) },
    { weight: 1, arbitrary: fc.record({ do: fc.constant("crash" as const), topics: fc.constant([]) }) },
  );
  it("are found again in the log, whether they were written before the crash or not, for every topic", () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 25 }), (steps) => {
        const room = openRoom({ cacheBytes: 500, fileBytes: 2_000 });
        try {
          const model: { id: string; topic: string }[] = [];
          for (const { do: action, topics } of steps) {
            if (action === "append") {
              const records = topics.map((topic, i) => (topic === "" ? plain(model.length + i) : message(model.length + i, topic)));
              const first = model.length + 1;
              expect(room.append(records)).toEqual(records.map((_, i) => first + i));
              records.forEach((record, i) => model.push({ id: record.id, topic: topics[i] ?? "" }));
            } else if (action === "commit") room.commit();
            else room.reopen();
          }
          room.commit();
          expect(read(room)).toEqual(model.map((one) => one.id));
          const { blocks, topics, db } = room.state;
          const numbers = new Map(allTopics(db, topics).map(([id, name]) => [name, id]));
          for (const name of ["a", "b"]) {
            const wanted = model.flatMap((one, i) => (one.topic === name ? [i + 1] : []));
            const number = numbers.get(name);
            if (number === undefined) {
              expect(wanted).toEqual([]);
              continue;
            }
            expect([...readPage(topics, blocks, number, 0, 1_000, Infinity).records.positions]).toEqual(wanted);
            for (const after of [0, 1, Math.floor(model.length / 2), model.length]) {
              expect(countAfter(topics, number, after)).toBe(wanted.filter((position) => position > after).length);
              expect(nextMessage(topics, number, after)).toBe(wanted.find((position) => position > after));
            }
          }
        } finally {
          room.remove();
        }
      }),
      { numRuns: 30 },
    );
  }, 120_000);

  it("keep a topic's number through a crash before it was written", () => {
    const room = open();
    room.append([message(0, "first"), message(1, "second")]);
    const number = room.topic("second");
    room.reopen();
    expect(allTopics(room.state.db, room.state.topics)).toEqual([
      [1, "first"],
      [2, "second"],
    ]);
    expect(number).toBe(2);
    room.commit();
    room.reopen();
    expect(allTopics(room.state.db, room.state.topics)).toHaveLength(2);
    expect(room.state.topics.unsaved).toEqual([]);
  });
  it("give a topic no number that another has, though neither was written", () => {
    const room = open();
    room.append([message(0, "saved")]);
    room.commit();
    room.append([message(1, "x"), message(2, "y"), message(3, "x")]);
    room.reopen();
    const topics = allTopics(room.state.db, room.state.topics);
    expect(topics.map(([, name]) => name).sort()).toEqual(["saved", "x", "y"]);
    expect(new Set(topics.map(([id]) => id)).size).toBe(3);
  });
  it("count a record with a topic and no envelope to no topic, before and after a crash", () => {
    const room = open();
    room.append([plain(0, { topic: "t" }), message(1, "t")]);
    room.reopen();
    room.commit();
    const { topics, blocks } = room.state;
    expect([...readPage(topics, blocks, 1, 0, 10, Infinity).records.positions]).toEqual([2]);
  });
});

describe("blocks", () => {
  it("are read alike from memory and from disk, from any position and within any limits", () => {
    const cold = open({ cacheBytes: 1, fileBytes: 3_000 });
    const hot = open();
    for (const room of [cold, hot]) {
      for (let n = 0; n < 60; n += 3) {
        room.append([0, 1, 2].map((i) => plain(n + i, { original: new Uint8Array(((n + i) * 97) % 900) })));
        room.commit();
      }
    }
    expect(cold.state.blocks.recent.length).toBeLessThan(hot.state.blocks.recent.length);
    fc.assert(
      fc.property(
        fc.integer({ min: 0, max: 62 }),
        fc.integer({ min: 1, max: 70 }),
        fc.integer({ min: 1, max: 20_000 }),
        (from, limit, bytes) => {
          const [one, other] = [cold, hot].map((room) => readForward(room.state.blocks, from, limit, bytes));
          expect(one).toEqual(other);
          const positions = [...(one?.positions ?? [])];
          expect(positions).toEqual(positions.map((_, i) => Math.max(1, from) + i));
          expect(positions.length).toBeLessThanOrEqual(limit);
          if (from <= 60) expect(positions.length).toBeGreaterThan(0);
        },
      ),
    );
  });
  it("without a row never leave memory, however small the cache", () => {
    const room = open({ cacheBytes: 1 });
    for (let n = 0; n < 50; n++) room.append([plain(n)]);
    expect(room.state.blocks.recent).toHaveLength(50);
    expect(read(room)).toHaveLength(50);
    room.commit();
    room.append([plain(50)]);
    expect(room.state.blocks.recent).toHaveLength(1);
    expect(read(room)).toHaveLength(51);
  });
  it("are cut at 64 KiB, and a record above it has one of its own", () => {
    const room = open();
    room.append(Array.from({ length: 100 }, (_, n) => plain(n, { original: new Uint8Array(3_000) })));
    room.append([plain(100, { original: new Uint8Array(300_000) }), plain(101)]);
    room.commit();
    const sizes = room.state.db.prepare("SELECT count, size FROM block ORDER BY first").all();
    expect(sizes.slice(0, -2).every((row) => Number(row["size"]) <= 65_536)).toBe(true);
    expect(sizes.slice(0, -2).reduce((sum, row) => sum + Number(row["count"]), 0)).toBe(100);
    expect(sizes.slice(-2).map((row) => row["count"])).toEqual([1, 1]);
    expect(read(room)).toHaveLength(102);
  });
  it("answer the first position at or above any time, though many records share one", () => {
    const room = open({ cacheBytes: 1 });
    const times = [0, 0, 5, 5, 5, 9, 20, 20, 21, 40];
    for (const time of times) room.append([plain(0, { time: T0 + time })]);
    room.append([30, 41, 41].map((time) => plain(0, { time: T0 + time })));
    room.commit();
    // Log times never fall: 30 counts as 40.
    const log = [...times, 40, 41, 41];
    for (let time = -1; time <= 42; time++) {
      const found = log.findIndex((one) => one >= time);
      expect(positionAt(room.state.blocks, T0 + time), `${time}`).toBe(found < 0 ? log.length + 1 : found + 1);
    }
    expect(positionAt(room.state.blocks, 0)).toBe(1);
  });
  it("carry bytes through unchanged, with the length of each frame", () => {
    const room = open();
    const originals = Array.from({ length: 40 }, (_, n) => Uint8Array.from({ length: n * 13 }, (__, i) => (i * n) % 256));
    room.append(originals.map((original, n) => plain(n, { original })));
    room.reopen();
    const records = readForward(room.state.blocks, 1, 100, Infinity);
    let total = 0;
    eachRecord(records, (record, position, bytes) => {
      expect(Buffer.from(record.original ?? [])).toEqual(Buffer.from(originals[position - 1] ?? []));
      total += bytes;
    });
    expect(total).toBe(records.data.length);
  });
});

describe("a de-duplication key", () => {
  const HOUR = 3_600_000;
  const once = (n: number, key: string, time = T0, window = HOUR): JournalRecord => plain(n, { time, dedupe: { key, window } });

  it("is refused within its window: in its own batch, in the batch before, after a crash, and from a run on disk", () => {
    const room = open({ runRecords: 10, cacheBytes: 1 });
    expect(room.append([once(0, "a"), once(1, "b"), once(2, "a")])).toEqual([1, 2, -1]);
    expect(room.append([once(3, "b"), once(4, "c")])).toEqual([-2, 3]);
    room.reopen();
    expect(room.append([once(5, "c"), once(6, "a"), once(7, "d")])).toEqual([-3, -1, 4]);
  });
  it("is free again when its window is over, to the millisecond", () => {
    const room = open();
    room.append([once(0, "a")]);
    expect(room.append([once(1, "a", T0 + HOUR - 1)])).toEqual([-1]);
    expect(room.append([once(2, "a", T0 + HOUR)])).toEqual([2]);
    expect(room.append([once(3, "a", T0 + 2 * HOUR - 1)])).toEqual([-2]);
  });
  it("of any mix of batches is written exactly once", () => {
    const keys = fc.array(fc.array(fc.integer({ min: 0, max: 30 }), { minLength: 1, maxLength: 10 }), { maxLength: 20 });
    fc.assert(
      fc.property(keys, (batches) => {
        const room = openRoom();
        try {
          const model = new Map<number, number>();
          let last = 0;
          for (const [i, batch] of batches.entries()) {
            const wanted = batch.map((key) => {
              const before = model.get(key);
              if (before !== undefined) return -before;
              model.set(key, ++last);
              return last;
            });
            expect(room.append(batch.map((key) => once(key, `k-${key}`)))).toEqual(wanted);
            if (i % 5 === 4) room.reopen();
          }
        } finally {
          room.remove();
        }
      }),
      { numRuns: 20 },
    );
  }, 60_000);
});
