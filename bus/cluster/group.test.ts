/** Members of a group over lanes that a test fills: who gets what, how many at once, and what happens while the store is away. */
import { describe, expect, it } from "vitest";
import type { Envelope } from "#bus/envelope.ts";
import { BusError } from "#bus/errors.ts";
import { Redeliver, type Delivery } from "#bus/ports.ts";
import { createVirtualClock } from "#test/harness/virtual-clock.ts";
import { openGroup, type Member } from "./group.ts";
import type { Work } from "./keys.ts";
import type { RunningLane } from "./lane.ts";

/** A lane in memory: work is put in, what became of it is read off. */
function laneOf(partition: number) {
  const clock = { ready: (): void => undefined };
  const works: Work[] = [];
  const done: number[] = [];
  const waits: { position: number; attempts: number; due: number }[] = [];
  const seen = { valid: true, paused: [] as boolean[], closed: 0, storeFails: 0, gone: new Set<number>() };
  const write = (): void => {
    if (seen.storeFails-- > 0) throw new BusError("transport-unavailable", "the store is away");
  };
  const lane: RunningLane = {
    next() {
      const work = works.shift();
      if (work) work.state = "running";
      return work;
    },
    back: (work) => void works.unshift(work),
    envelope: (work) => Promise.resolve(seen.gone.has(work.position) ? undefined : ({ id: `${partition}/${work.position}` } as Envelope)),
    async finished(work) {
      write();
      done.push(work.position);
    },
    async wait(work, attempts, due) {
      write();
      waits.push({ position: work.position, attempts, due });
    },
    valid: () => seen.valid,
    pause: (paused) => void seen.paused.push(paused),
    state: () => Promise.resolve({ floor: partition * 10, lag: works.length, waiting: waits.length, blockedKeys: 0 }),
    async close() {
      seen.closed++;
    },
  };
  return {
    lane,
    done,
    waits,
    seen,
    bind: (ready: () => void) => void (clock.ready = ready),
    put(...positions: number[]): void {
      for (const position of positions)
        works.push({ position, key: undefined, attempts: 0, firstAt: 0, again: false, parked: false, due: 0, state: "ready" });
      clock.ready();
    },
    putWork: (work: Partial<Work>): void => {
      works.push({ position: 1, key: undefined, attempts: 0, firstAt: 0, again: false, parked: false, due: 0, state: "ready", ...work });
      clock.ready();
    },
  };
}

type LaneInMemory = ReturnType<typeof laneOf>;

function world(partitions = 1) {
  const clock = createVirtualClock(1_000);
  const lanes: LaneInMemory[] = Array.from({ length: partitions }, (_, partition) => laneOf(partition));
  const errors: string[] = [];
  const group = openGroup({
    clock,
    async open(partition, ready) {
      const made = lanes[partition];
      if (!made) throw new BusError("bus-stopping", "no such lane");
      made.bind(ready);
      return made.lane;
    },
    onError: (error, where) => errors.push(`${where}: ${String(error)}`),
  });
  const join = (handler: Member["handler"], concurrency = 1): Member => {
    const member: Member = { concurrency, handler, running: 0, paused: false, closed: false, idle: undefined };
    group.members.add(member);
    group.pump();
    return member;
  };
  const first = lanes[0] ?? laneOf(0);
  return { clock, lanes, first, errors, group, join };
}

const gated = () => {
  const running: { delivery: Delivery; end(): void }[] = [];
  return { running, handler: (delivery: Delivery) => new Promise<void>((end) => void running.push({ delivery, end })) };
};

describe("the members of a group", () => {
  it("share the messages: each is handled by one, and all have their part", async () => {
    const { clock, first, group, join } = world();
    const counts = [0, 0, 0];
    for (const n of [0, 1, 2])
      join(async () => {
        counts[n] = (counts[n] ?? 0) + 1;
        await clock.sleep(10);
      });
    await group.gained(0);
    first.put(...Array.from({ length: 30 }, (_, n) => n + 1));
    await clock.advance(1_000);
    expect(counts).toEqual([10, 10, 10]);
    expect([...first.done].sort((a, b) => a - b)).toEqual(Array.from({ length: 30 }, (_, n) => n + 1));
  });

  it("get nothing whose lease ran out while it was read, and get it when the lease is valid again", async () => {
    const { clock, first, group, join } = world();
    const got: number[] = [];
    join(async ({ position }) => void got.push(position));
    await group.gained(0);
    first.put(1);
    first.seen.valid = false; // the message is on its way from the journal
    await clock.settle();
    expect(got).toEqual([]);
    first.seen.valid = true;
    first.put(2);
    await clock.settle();
    expect(got).toEqual([1, 2]);
    expect(first.done).toEqual([1, 2]);
  });

  it.each([
    ["that throws", new Error("the journal does not answer"), true],
    ["that asks for it again", new Redeliver(50), false],
  ])("are told of a message that it may have ended after a handler %s: %s, %s", async (_, thrown, again) => {
    const { clock, first, group, join } = world();
    const got: Work[] = [];
    join(() => Promise.reject(thrown));
    await group.gained(0);
    const work: Work = { position: 1, key: undefined, attempts: 0, firstAt: 0, again: false, parked: false, due: 0, state: "ready" };
    first.lane.next = () => (got.includes(work) ? undefined : (got.push(work), work));
    first.put();
    await clock.advance(10);
    expect(work.again).toBe(again);
  });

  it("have no more in their handlers than they said", async () => {
    const { clock, first, group, join } = world();
    const [one, two] = [gated(), gated()];
    join(one.handler, 2);
    join(two.handler, 3);
    await group.gained(0);
    first.put(...Array.from({ length: 20 }, (_, n) => n + 1));
    await clock.settle();
    expect([one.running.length, two.running.length]).toEqual([2, 3]);
    expect((await group.state()).inFlight).toBe(5);
    one.running[0]?.end();
    await clock.settle();
    expect([one.running.length, two.running.length]).toEqual([3, 3]);
  });

  it("get nothing while they are paused or closed; the others go on", async () => {
    const { clock, first, group, join } = world();
    const [one, two] = [gated(), gated()];
    const [paused, closed] = [join(one.handler, 9), join(one.handler, 9)];
    paused.paused = true;
    closed.closed = true;
    join(two.handler, 9);
    await group.gained(0);
    first.put(1, 2, 3);
    await clock.settle();
    expect([one.running.length, two.running.length]).toEqual([0, 3]);
  });

  it("stop their lanes only when all are paused", async () => {
    const { first, group, join } = world();
    const [a, b] = [join(gated().handler), join(gated().handler)];
    await group.gained(0);
    a.paused = true;
    group.pauses();
    expect(first.seen.paused.at(-1)).toBe(false);
    b.closed = true;
    group.pauses();
    expect(first.seen.paused.at(-1)).toBe(true);
  });

  it("serve the lanes in turns: a full one does not keep the others waiting", async () => {
    const { clock, lanes, group, join } = world(3);
    const order: string[] = [];
    join(async ({ envelope }) => void order.push(envelope.id.slice(0, 1)));
    for (const partition of [0, 1, 2]) await group.gained(partition);
    group.members.forEach((member) => (member.paused = true));
    for (const lane of lanes) lane.put(...Array.from({ length: 10 }, (_, n) => n + 1));
    group.members.forEach((member) => (member.paused = false));
    group.pump();
    await clock.settle();
    await clock.settle();
    expect(order).toHaveLength(30);
    for (let n = 0; n < 30; n += 3) expect(order.slice(n, n + 3).toSorted((a, b) => a.localeCompare(b))).toEqual(["0", "1", "2"]);
  });
});

describe("what becomes of a message", () => {
  it("is finished when its handler returns", async () => {
    const { clock, first, group, join } = world();
    join(() => Promise.resolve());
    await group.gained(0);
    first.put(4);
    await clock.settle();
    expect(first.done).toEqual([4]);
  });

  it("waits as long as Redeliver says, counted unless it says not to, and a second for any other error", async () => {
    const { clock, first, group, join } = world();
    const errors = [new Redeliver(500), new Redeliver(700, true), new Error("any")];
    join(() => Promise.reject(errors.shift() ?? new Error("no more")));
    await group.gained(0);
    first.put(1, 2, 3);
    await clock.settle();
    expect(first.waits).toEqual([
      { position: 1, attempts: 1, due: 1_500 },
      { position: 2, attempts: 0, due: 1_700 },
      { position: 3, attempts: 1, due: 2_000 },
    ]);
    expect(first.done).toEqual([]);
  });

  it("carries its attempt, the first one's time, and whether an earlier one may have ended", async () => {
    const { first, group, join } = world();
    const { running, handler } = gated();
    join(handler, 5);
    await group.gained(0);
    first.putWork({ position: 1 });
    first.putWork({ position: 2, attempts: 3, firstAt: 77, again: true });
    await Promise.resolve();
    expect(running.map(({ delivery }) => delivery)).toEqual([
      { envelope: { id: "0/1" }, position: 1, attempt: 1, firstAttemptAt: 1_000 },
      { envelope: { id: "0/2" }, position: 2, attempt: 4, firstAttemptAt: 77, again: true },
    ]);
  });

  it("that the journal has no more is finished without a handler", async () => {
    const { clock, first, group, join } = world();
    const { running, handler } = gated();
    join(handler);
    await group.gained(0);
    first.seen.gone.add(1);
    first.put(1, 2);
    await clock.settle();
    expect(first.done).toEqual([1]);
    expect(running.map(({ delivery }) => delivery.position)).toEqual([2]);
  });

  it.each(["finished", "wait"] as const)("is written down (%s) when the store is back, and counts as running until then", async (how) => {
    const { clock, first, group, join, errors } = world();
    const member = join(() => (how === "wait" ? Promise.reject(new Redeliver(500)) : Promise.resolve()));
    await group.gained(0);
    first.seen.storeFails = 3;
    first.put(1, 2);
    await clock.advance(2_500);
    expect([...first.done, ...first.waits]).toEqual([]);
    expect(member.running).toBe(1); // and the second message is not begun
    await clock.advance(1_000);
    expect(how === "wait" ? first.waits.map(({ position }) => position) : first.done).toEqual([1, 2]);
    expect(errors).toHaveLength(3);
    expect(errors[0]).toContain("writing down what became of a message");
  });
});

describe("the lanes of a group", () => {
  it("without a valid lease hand out nothing, and hand out again when it is renewed", async () => {
    const { clock, lanes, first, group, join } = world(2);
    join(() => Promise.resolve());
    await group.gained(0);
    await group.gained(1);
    first.seen.valid = false;
    for (const lane of lanes) lane.put(1, 2);
    await clock.settle();
    expect(lanes.map(({ done }) => done)).toEqual([[], [1, 2]]);
    first.seen.valid = true;
    group.pump();
    await clock.settle();
    expect(first.done).toEqual([1, 2]);
  });

  it("are opened once for a partition, and closed when it is lost", async () => {
    const { first, group } = world();
    await Promise.all([group.gained(0), group.gained(0)]);
    await group.lost(0);
    await group.lost(0);
    expect(first.seen.closed).toBe(1);
  });

  it("that could not be opened can be tried again", async () => {
    const { group, lanes, first } = world(1);
    lanes.length = 0;
    await expect(group.gained(0)).rejects.toThrow("no such lane");
    lanes.push(first);
    await group.gained(0);
    expect((await group.state()).floor).toBe(0);
    await group.close();
    expect(first.seen.closed).toBe(1);
  });

  it("count together; the floor is the lowest of those that have something to do", async () => {
    const { group, lanes } = world(3);
    for (const partition of [0, 1, 2]) await group.gained(partition);
    expect(await group.state()).toMatchObject({ floor: 20, lag: 0 });
    lanes[1]?.put(1, 2);
    lanes[2]?.put(3);
    expect(await group.state()).toMatchObject({ floor: 10, lag: 3, inFlight: 0 });
  });

  it("of a closed group hand out nothing more", async () => {
    const { clock, first, group, join } = world();
    const { running, handler } = gated();
    join(handler, 5);
    await group.gained(0);
    await group.close();
    first.put(1);
    await clock.settle();
    expect(running).toEqual([]);
    await group.gained(0);
    expect(first.seen.closed).toBe(1);
  });
});
