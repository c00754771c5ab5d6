/** One lane over a broker that a test plays: what is handed out, parked, asked for again, and what a former owner may not do. */
import { describe, expect, it } from "vitest";
import type { Broker, Taken } from "#bus/broker.ts";
import type { Envelope } from "#bus/envelope.ts";
import { createMemoryBroker } from "#test/harness/memory-broker.ts";
import { createMemoryDisk, createMemoryJournal, createMemoryStore } from "#test/harness/memory.ts";
import { createVirtualClock } from "#test/harness/virtual-clock.ts";
import type { CursorDocument } from "./cursor.ts";
import type { Work } from "./keys.ts";
import { openLane, type RunningLane } from "./lane.ts";
import { openParked } from "./parked.ts";
import type { Relay } from "./relay.ts";

const LANE = { topic: "t", group: "g", partition: 0 };

/** Store, broker and relay as the lane sees them. */
function world() {
  const disk = createMemoryDisk();
  const clock = createVirtualClock(1_000);
  const store = createMemoryStore(disk);
  const rewinds: number[] = [];
  const settled: number[] = [];
  const paused: boolean[] = [];
  const errors: string[] = [];
  const state = { last: 0, valid: true, depth: 0 as number | undefined | Promise<number>, readies: 0, fenced: 0 };
  /** Writing down that a message waits takes until then. */
  const holds = new Map<number, Promise<void>>();
  let handler: (message: Taken) => void = () => undefined;
  const broker: Broker = {
    ...createMemoryBroker(),
    take: (_lane, _window, given) => {
      handler = given;
      return Promise.resolve({ pause: (next) => void paused.push(next), close: () => Promise.resolve() });
    },
    depth: () => Promise.resolve(state.depth),
  };
  const relay: Relay = {
    gained: () => Promise.resolve(),
    lost: () => Promise.resolve(),
    appended: () => undefined,
    last: () => ({ position: state.last, count: state.last }),
    idle: () => true,
    countAt: (_topic, _partition, position) => Promise.resolve(position),
    rewind: (_topic, _partition, after) => void rewinds.push(after),
    settled: () => Promise.resolve(),
    close: () => Promise.resolve(),
  };
  return {
    clock,
    rewinds,
    settled,
    paused,
    errors,
    state,
    holds,
    park: async (position: number, key: string): Promise<void> =>
      (await openParked(store)).put({ lane: "t\ng\n0", position, key, attempts: 0, firstAt: 0, due: 0 }),
    open: async (ordered = true): Promise<RunningLane> => {
      const parked = await openParked(store);
      return openLane({
        lane: LANE,
        ordered,
        broker,
        journal: createMemoryJournal({ disk }),
        clock,
        relay,
        cursors: await store.collection<CursorDocument>("cursors"),
        parked: {
          ...parked,
          async put(one) {
            await holds.get(one.position);
            await parked.put(one);
          },
        },
        lease: { name: "partition 0", valid: () => state.valid, renew: () => Promise.resolve(true), release: () => Promise.resolve() },
        begin: () => Promise.resolve(0),
        fenced: () => void state.fenced++,
        ready: () => void state.readies++,
        onError: (error) => errors.push(String(error)),
      });
    },
    come: (position: number, key?: string, more: Partial<Taken> = {}): void => {
      state.last = Math.max(state.last, position);
      handler({
        envelope: { id: `m-${position}`, ...(key === undefined ? undefined : { key }) } as Envelope,
        position,
        after: position - 1,
        redelivered: false,
        settle: () => void settled.push(position),
        ...more,
      });
    },
    cursor: (): CursorDocument => disk.documents.get("cursors")?.get("t\ng\n0")?.value as unknown as CursorDocument,
    /** How often the cursor was written. */
    writes: (): number => disk.documents.get("cursors")?.get("t\ng\n0")?.version ?? 0,
    parkedCount: (): number => disk.documents.get("parked")?.size ?? 0,
    /** Another node takes the cursor. */
    takeOver: async (): Promise<void> => {
      const cursors = await store.collection<CursorDocument>("cursors");
      const known = await cursors.get("t\ng\n0");
      if (known) await cursors.update(known.id, known.version, known.value);
    },
  };
}

const taken = (lane: RunningLane): Work[] => {
  const works: Work[] = [];
  for (let work = lane.next(); work !== undefined; work = lane.next()) works.push(work);
  return works;
};
const one = (lane: RunningLane): Work => {
  const work = lane.next();
  if (!work) throw new Error("the lane hands out nothing");
  return work;
};

describe("a lane", () => {
  it("writes its cursor once for all that come while it is written, not once for each", async () => {
    const { clock, open, come, writes } = world();
    const lane = await open();
    const before = writes();
    for (let position = 1; position <= 500; position++) come(position);
    await clock.settle();
    expect(taken(lane)).toHaveLength(500);
    expect(writes() - before).toBeLessThanOrEqual(2);
    await clock.until(lane.close());
  });
  it("says again what is ready when its lease was renewed after it had lapsed, though nothing more comes", async () => {
    const { clock, state, open, come } = world();
    const lane = await open();
    state.valid = false;
    come(1);
    await clock.settle();
    expect(state.readies).toBe(1); // the group looked, and found no lane that may work
    await clock.advance(5_000);
    expect(state.readies).toBe(1);
    state.valid = true;
    await clock.advance(1_000);
    expect(state.readies).toBeGreaterThan(1);
    expect(taken(lane).map(({ position }) => position)).toEqual([1]);
    const { readies } = state;
    await clock.advance(5_000);
    expect(state.readies).toBe(readies);
    await clock.until(lane.close());
  });
  it("hands out nothing before its cursor covers it", async () => {
    const { clock, open, come, cursor } = world();
    const lane = await open();
    come(1);
    expect(lane.next()).toBeUndefined();
    await clock.settle();
    expect(cursor().reach).toBeGreaterThanOrEqual(1);
    expect(taken(lane).map(({ position }) => position)).toEqual([1]);
    await clock.until(lane.close());
  });

  it("settles a message when it is done, and its copies with it", async () => {
    const { clock, open, come, settled } = world();
    const lane = await open();
    come(1);
    come(1);
    await clock.settle();
    expect(settled).toEqual([]);
    await lane.finished(one(lane));
    expect(settled).toEqual([1, 1]);
    come(1);
    expect(settled).toEqual([1, 1, 1]);
    expect(lane.next()).toBeUndefined();
    await clock.until(lane.close());
  });

  it("says what is ready also while the broker is slow to say how much it has", async () => {
    const { clock, open, come, state } = world();
    state.depth = new Promise<number>(() => undefined);
    const lane = await open();
    come(1);
    await clock.settle();
    state.last = 9; // more was sent: from now on the lane asks the broker
    state.valid = false;
    await clock.advance(5_000);
    const before = state.readies;
    state.valid = true;
    await clock.advance(1_000);
    expect(state.readies).toBeGreaterThan(before);
    await lane.finished(one(lane));
  });

  it("takes nothing behind a gap: it asks for what is missing, once", async () => {
    const { clock, open, come, settled, rewinds } = world();
    const lane = await open();
    come(1);
    come(3);
    come(4);
    await clock.settle();
    expect(taken(lane).map(({ position }) => position)).toEqual([1]);
    expect(settled).toEqual([3, 4]);
    expect(rewinds).toEqual([1]);
    await clock.until(lane.close());
  });

  it("asks again when it is silent although more was sent, and the broker has no more", async () => {
    const { clock, open, rewinds, state } = world();
    const lane = await open();
    state.last = 5;
    await clock.advance(1_500);
    expect(rewinds).toEqual([]);
    await clock.advance(2_000);
    expect(rewinds).toEqual([0]);
    await clock.advance(2_000);
    expect(rewinds).toEqual([0]);
    await clock.advance(2_500); // the longer nothing comes of it, the more seldom
    expect(rewinds).toEqual([0, 0]);
    await clock.advance(60_000);
    expect(rewinds.length).toBeLessThan(8);
    const { length } = rewinds;
    await clock.advance(16_000);
    expect(rewinds.length).toBe(length + 1);
    await clock.until(lane.close());
  });

  it("waits longer while the broker says that it has messages, and asks in the end", async () => {
    const { clock, open, come, rewinds, state } = world();
    const lane = await open();
    come(1);
    Object.assign(state, { last: 5, depth: 5 });
    await clock.advance(10_000);
    expect(rewinds).toEqual([]);
    await clock.advance(6_000);
    expect(rewinds).toEqual([1]);
    await clock.until(lane.close());
  });

  it("that nothing ever came to asks soon: what the broker has may be in the hands of a node that died", async () => {
    const { clock, open, rewinds, state } = world();
    const lane = await open();
    Object.assign(state, { last: 5, depth: 5 });
    await clock.advance(3_000);
    expect(rewinds).toEqual([0]);
    await clock.until(lane.close());
  });

  it("asks for nothing while it is paused, nor when nothing is missing", async () => {
    const { clock, open, rewinds, state, come } = world();
    const lane = await open();
    come(1);
    await clock.advance(10_000);
    expect(rewinds).toEqual([]);
    state.last = 5;
    lane.pause(true);
    await clock.advance(30_000);
    expect(rewinds).toEqual([]);
    lane.pause(false);
    await clock.advance(3_000);
    expect(rewinds).toEqual([1]);
    await clock.until(lane.close());
  });

  it("parks what waits durably, with those of its key, and settles the broker's copies", async () => {
    const { clock, open, come, settled, parkedCount } = world();
    const lane = await open();
    come(1, "k");
    come(2, "k");
    come(3, "l");
    await clock.settle();
    await lane.wait(one(lane), 1, clock.now() + 5_000);
    come(4, "k"); // comes while its head waits
    await clock.settle();
    expect(settled.toSorted((a, b) => a - b)).toEqual([1, 2, 4]);
    expect(parkedCount()).toBe(3);
    expect(await lane.state()).toMatchObject({ floor: 1, waiting: 1, blockedKeys: 1, lag: 4 });
    expect(taken(lane).map(({ position }) => position)).toEqual([3]);
    await clock.advance(5_000);
    const head = one(lane);
    expect(head).toMatchObject({ position: 1, attempts: 1, again: false });
    await lane.finished(head);
    expect(taken(lane).map(({ position }) => position)).toEqual([2]);
    expect(parkedCount()).toBe(2);
    await clock.until(lane.close());
  });

  it("opened again goes on with what was parked, each saying that it may have ended", async () => {
    const { clock, open, come, state } = world();
    const first = await open();
    for (const position of [1, 2, 3]) come(position, "k");
    await clock.settle();
    await first.wait(one(first), 2, clock.now() + 9_000);
    await clock.until(first.close());
    state.last = 3;
    const second = await open();
    expect(second.next()).toBeUndefined();
    await clock.advance(9_000);
    const head = one(second);
    expect(head).toMatchObject({ position: 1, attempts: 2, again: true });
    await second.finished(head);
    expect(one(second)).toMatchObject({ position: 2, attempts: 0, again: true });
    await clock.until(second.close());
  });

  it("closed before all of a crashed life came again, still says of the rest that it may have ended", async () => {
    const { clock, open, come } = world();
    const crashed = await open();
    for (const position of [1, 2, 3]) come(position);
    await clock.settle();
    for (const work of taken(crashed)) await crashed.finished(work); // and dies before the cursor is written
    const short = await open();
    come(1);
    await clock.settle();
    expect(one(short)).toMatchObject({ position: 1, again: true });
    await clock.until(short.close());
    const last = await open();
    for (const position of [1, 2, 3]) come(position);
    await clock.settle();
    expect(taken(last).map(({ position, again }) => [position, again])).toEqual([
      [1, true],
      [2, true],
      [3, true],
    ]);
    await clock.until(last.close());
  });

  it("opened again after a good end says of new messages nothing of the kind", async () => {
    const { clock, open, come } = world();
    const first = await open();
    come(1);
    await clock.settle();
    await first.finished(one(first));
    await clock.until(first.close());
    const second = await open();
    come(1);
    come(2);
    await clock.settle();
    expect(taken(second).map(({ position, again }) => [position, again])).toEqual([[2, false]]);
    await clock.until(second.close());
  });

  it("whose cursor another took is fenced: it writes nothing more and hands nothing out as valid", async () => {
    const { clock, open, come, cursor, takeOver, errors, state } = world();
    const lane = await open();
    come(1);
    await clock.settle();
    const work = one(lane);
    await takeOver();
    const before = cursor();
    await lane.finished(work);
    await clock.advance(1_000);
    expect(lane.valid()).toBe(false);
    expect(state.fenced).toBe(1); // told once: should the partition still be ours, it is opened anew
    await clock.until(lane.close());
    expect(state.fenced).toBe(1);
    expect(cursor()).toEqual(before);
    expect(errors).toEqual([]); // that is no error: the partition moved
  });

  it("keeps nothing behind a head before the head's own wait is durable: a death between would let it go first", async () => {
    const { clock, open, come, holds, parkedCount } = world();
    const held = Promise.withResolvers<void>();
    holds.set(1, held.promise);
    const lane = await open();
    come(1, "k");
    await clock.settle();
    const waiting = lane.wait(one(lane), 1, clock.now() + 5_000);
    come(2, "k");
    await clock.settle();
    expect(parkedCount()).toBe(0);
    held.resolve();
    await waiting;
    expect(parkedCount()).toBe(2);
    await clock.until(lane.close());
  });

  it("opened after a death lets nothing that was parked go before what was in front of it has come again", async () => {
    const { clock, open, come, park } = world();
    await park(3, "k");
    await park(2, "l");
    const lane = await open();
    await clock.advance(1_000);
    expect(taken(lane)).toEqual([]);
    come(1, "k");
    await clock.settle();
    expect(taken(lane).map(({ position }) => position)).toEqual([1]);
    come(2, "l");
    come(3, "k");
    await clock.settle();
    const [second] = taken(lane);
    expect(second?.position).toBe(2); // 3 stands behind 1, which runs
    await clock.until(lane.close());
  });

  it("opened after a death lets one that was parked wait for one between it and its head, also when the head has ended", async () => {
    const { clock, open, come, park } = world();
    await park(1, "k");
    await park(3, "k"); // the death came before 2 was parked
    const lane = await open();
    come(1, "k");
    await clock.advance(1_000);
    await lane.finished(one(lane));
    expect(taken(lane)).toEqual([]);
    come(2, "k");
    await clock.settle();
    const second = one(lane);
    expect(second.position).toBe(2);
    come(3, "k");
    await lane.finished(second);
    expect(one(lane).position).toBe(3);
    await clock.until(lane.close());
  });

  it("whose message ended while it was being written down that it waits leaves nothing behind", async () => {
    const { clock, open, come, holds, parkedCount, settled } = world();
    const lane = await open();
    come(1, "k");
    await clock.settle();
    await lane.wait(one(lane), 1, clock.now() + 1_000);
    const held = Promise.withResolvers<void>();
    holds.set(2, held.promise);
    come(2, "k"); // its head waits, so it is parked; that takes long
    await clock.advance(1_000);
    await lane.finished(one(lane));
    await lane.finished(one(lane));
    held.resolve();
    await clock.settle();
    expect(parkedCount()).toBe(0);
    expect(settled).toEqual([1, 2]);
    await clock.until(lane.close());
  });

  it.each([
    ["waits for its handlers as long as its lease lasts", true],
    ["does not wait for them when it lost its lease", false],
  ])("that is closed %s", async (_, keeps) => {
    const { clock, open, come, state, cursor } = world();
    const lane = await open();
    come(1);
    await clock.settle();
    const work = one(lane);
    let closed = false;
    const closing = lane.close().then(() => (closed = true));
    await clock.advance(1_000);
    expect(closed).toBe(false);
    if (keeps) await lane.finished(work);
    else state.valid = false;
    await clock.advance(500);
    expect(closed).toBe(true);
    expect(cursor().floor).toBe(keeps ? 1 : 0);
    await closing;
  });

  it("that is closed waits for no handler for ever", async () => {
    const { clock, open, come } = world();
    const lane = await open();
    come(1);
    await clock.settle();
    one(lane);
    await clock.until(lane.close(), 15_000);
  });

  it("is valid only as long as its lease is", async () => {
    const { clock, open, state } = world();
    const lane = await open();
    expect(lane.valid()).toBe(true);
    state.valid = false;
    expect(lane.valid()).toBe(false);
    await clock.until(lane.close());
  });

  it("takes nothing more while ten thousand are parked, and again when one is done", async () => {
    const { clock, open, come, paused, parkedCount } = world();
    const lane = await open();
    for (let position = 1; position <= 9_999; position++) {
      come(position);
      if (position % 500 === 0 || position === 9_999) {
        await clock.settle();
        for (const work of taken(lane)) await lane.wait(work, 1, clock.now() + 86_400_000);
      }
    }
    expect(parkedCount()).toBe(9_999);
    expect(paused).toEqual([]);
    come(10_000);
    await clock.settle();
    await lane.wait(one(lane), 1, clock.now() + 1_000);
    expect(paused).toEqual([true]);
    await clock.advance(1_000);
    await lane.finished(one(lane));
    expect(paused).toEqual([true, false]);
    await clock.until(lane.close());
  }, 120_000);
});
