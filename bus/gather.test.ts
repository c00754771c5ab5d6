/** Groups of the aggregator: whole by count or predicate, ended by time, taken by exactly one, unharmed by a crash or a quicker writer. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { createMemoryDisk, createMemoryStore } from "#test/harness/memory.ts";
import { messageOf } from "#test/harness/message.ts";
import { createVirtualClock } from "#test/harness/virtual-clock.ts";
import { asBusError } from "./errors.ts";
import { createGatherer, type Closing, type Gatherer } from "./gather.ts";
import { schemasFor } from "./route/schema/kinds.ts";

const MINUTE = 60_000;
const part = (n: number) => messageOf({ n }, { id: `m-${n}`, body: Uint8Array.of(n % 256, 0, 255) });
const numbers = (closing: Closing | undefined) => closing?.messages.map(({ value }) => value["n"]);

async function setup(disk = createMemoryDisk()) {
  const clock = createVirtualClock();
  return { clock, disk, gatherer: await createGatherer({ clock, store: createMemoryStore(disk) }) };
}
const two = { count: 2, timeout: MINUTE };
const due = async (gatherer: Gatherer, route: string) => (await gatherer.due(route)).map(numbers);

describe("a group", () => {
  it("is whole with its last message, once, and the next one begins anew", async () => {
    const { gatherer } = await setup();
    const found = [];
    for (const n of [1, 2, 3, 4, 5]) found.push(numbers(await gatherer.add("r", "g", part(n), two)));
    expect(found).toEqual([undefined, [1, 2], undefined, [3, 4], undefined]);
  });

  it("of one message is whole at once", async () => {
    const { gatherer } = await setup();
    expect(numbers(await gatherer.add("r", "g", part(1), { count: 1, timeout: MINUTE }))).toEqual([1]);
    expect(numbers(await gatherer.add("r", "g", part(2), { count: 1, timeout: MINUTE }))).toEqual([2]);
  });

  it("is whole when the predicate says so of all that came", async () => {
    const { gatherer } = await setup();
    const complete = {
      timeout: MINUTE,
      when: async (group: readonly { value: Record<string, unknown> }[]) =>
        group.reduce((sum, { value }) => sum + Number(value["n"]), 0) >= 6,
    };
    expect(await gatherer.add("r", "g", part(1), complete)).toBeUndefined();
    expect(await gatherer.add("r", "g", part(2), complete)).toBeUndefined();
    expect(numbers(await gatherer.add("r", "g", part(3), complete))).toEqual([1, 2, 3]);
  });

  it("does not mix with another group or with the same name of another route", async () => {
    const { gatherer } = await setup();
    for (const [route, group] of [
      ["r", "g"],
      ["r", "h"],
      ["s", "g"],
    ] as const)
      expect(await gatherer.add(route, group, part(1), two)).toBeUndefined();
    expect(numbers(await gatherer.add("s", "g", part(2), two))).toEqual([1, 2]);
  });

  it("survives a restart with bytes and big integers as they were", async () => {
    const { disk, gatherer } = await setup();
    const first = messageOf({ big: 2n ** 62n, bytes: Uint8Array.of(0, 255) }, { body: Uint8Array.of(9, 8, 7) });
    await gatherer.add("r", "g", first, two);
    const again = await setup(disk);
    const group = await again.gatherer.add("r", "g", part(2), two);
    expect(group?.messages[0]).toEqual(first);
  });

  it("ends at 1,000 messages when its predicate never holds", async () => {
    const { gatherer } = await setup();
    const never = { timeout: MINUTE, when: () => Promise.resolve(false) };
    for (let n = 0; n < 999; n += 1) expect(await gatherer.add("r", "g", part(n), never)).toBeUndefined();
    expect((await gatherer.add("r", "g", part(999), never))?.messages).toHaveLength(1000);
  }, 60_000);

  it("that waits for more than it may hold refuses the next message and keeps the others", async () => {
    const { clock, gatherer } = await setup();
    const greedy = { count: 5000, timeout: MINUTE };
    for (let n = 0; n < 1000; n += 1) await gatherer.add("r", "g", part(n), greedy);
    const error = await gatherer.add("r", "g", part(1000), greedy).catch((thrown: unknown) => asBusError(thrown));
    expect(error).toMatchObject({ code: "inlet-busy", retryAfter: MINUTE, message: expect.stringContaining("`g` holds 1000") });
    await clock.advance(MINUTE);
    expect((await due(gatherer, "r"))[0]).toHaveLength(1000);
  });
});

describe("a message that comes twice", () => {
  it("is in its group once, by source and id", async () => {
    const { gatherer } = await setup();
    expect(await gatherer.add("r", "g", part(1), two)).toBeUndefined();
    expect(await gatherer.add("r", "g", part(1), two)).toBeUndefined();
    const namesake = { ...part(1), envelope: { ...part(1).envelope, source: "another/sender" } };
    expect((await gatherer.add("r", "g", namesake, two))?.messages.map(({ envelope }) => envelope.source)).toEqual([
      "taxoffice/erp",
      "another/sender",
    ]);
  });

  it("after it closed its group gets the same group again, until that is finished; then it counts no more", async () => {
    const { gatherer, disk } = await setup();
    await gatherer.add("r", "g", part(1), two);
    const closing = await gatherer.add("r", "g", part(2), two);
    const { gatherer: restarted } = await setup(disk);
    for (const n of [1, 2]) expect(await restarted.add("r", "g", part(n), two)).toEqual(closing);
    if (closing) await restarted.finish(closing);
    for (const n of [1, 2]) expect(await restarted.add("r", "g", part(n), two)).toBeUndefined();
    expect(numbers(await restarted.add("r", "g", part(3), two))).toBeUndefined();
    expect(numbers(await restarted.add("r", "g", part(4), two))).toEqual([3, 4]);
  });
});

describe("a complete group that nobody finished", () => {
  it("keeps its messages while the next group of its key fills", async () => {
    const { gatherer } = await setup();
    await gatherer.add("r", "g", part(1), two);
    const first = await gatherer.add("r", "g", part(2), two);
    await gatherer.add("r", "g", part(3), two);
    const second = await gatherer.add("r", "g", part(4), two);
    expect([numbers(first), numbers(second)]).toEqual([
      [1, 2],
      [3, 4],
    ]);
    if (first) await gatherer.finish(first);
    expect(numbers(await gatherer.add("r", "g", part(3), two))).toEqual([3, 4]);
  });

  it("is found by time, by one at a time, until it is finished", async () => {
    const { clock, disk, gatherer } = await setup();
    await gatherer.add("r", "g", part(1), two);
    const closing = await gatherer.add("r", "g", part(2), two);
    expect(await due(gatherer, "r")).toEqual([]);
    await clock.advance(10_000);
    const second = await createGatherer({ clock, store: createMemoryStore(disk) });
    expect((await Promise.all([gatherer.due("r"), second.due("r")])).flat().map(numbers)).toEqual([[1, 2]]);
    expect(await due(gatherer, "r")).toEqual([]);
    await clock.advance(10_000);
    expect(await due(gatherer, "r")).toEqual([[1, 2]]);
    for (let times = 0; times < 2; times += 1) if (closing) await gatherer.finish(closing);
    await clock.advance(10_000);
    expect(await due(gatherer, "r")).toEqual([]);
  });

  it("holds up its key when a thousand messages wait to be finished, and loses none", async () => {
    const { gatherer } = await setup();
    const pair = async (n: number) => {
      await gatherer.add("r", "g", part(n), two);
      return gatherer.add("r", "g", part(n + 1), two);
    };
    const first = await pair(0);
    for (let n = 2; n < 1000; n += 2) await pair(n);
    await gatherer.add("r", "g", part(1000), two);
    const waiting: unknown = await gatherer.add("r", "g", part(1001), two).catch((thrown: unknown) => thrown);
    expect(waiting).toMatchObject({ name: "Redeliver", sameAttempt: true });
    if (first) await gatherer.finish(first);
    expect(numbers(await gatherer.add("r", "g", part(1001), two))).toEqual([1000, 1001]);
  }, 60_000);
});

describe("time", () => {
  it("is asked of every group, however many there are", async () => {
    const { clock, gatherer } = await setup();
    for (let n = 0; n < 250; n += 1) await gatherer.add("r", `g${n}`, part(n), two);
    await clock.advance(MINUTE);
    expect((await due(gatherer, "r")).flat().toSorted((a, b) => Number(a) - Number(b))).toEqual(Array.from({ length: 250 }, (_, n) => n));
  });

  it("ends a group at its timeout, counted from its first message, and only once", async () => {
    const { clock, gatherer } = await setup();
    await gatherer.add("r", "g", part(1), { count: 9, timeout: MINUTE });
    await clock.advance(MINUTE - 1);
    await gatherer.add("r", "g", part(2), { count: 9, timeout: MINUTE });
    expect(await due(gatherer, "r")).toEqual([]);
    await clock.advance(1);
    expect(await due(gatherer, "other")).toEqual([]);
    expect(await due(gatherer, "r")).toEqual([[1, 2]]);
    expect(await due(gatherer, "r")).toEqual([]);
  });

  it("is given to one of two that look at once", async () => {
    const { clock, disk, gatherer } = await setup();
    await gatherer.add("r", "g", part(1), { count: 9, timeout: 1 });
    await clock.advance(1);
    const second = await createGatherer({ clock, store: createMemoryStore(disk) });
    const taken = await Promise.all([gatherer.due("r"), second.due("r")]);
    expect(taken.flat()).toHaveLength(1);
  });
});

describe("many writers at once", () => {
  it("put every message into exactly one group, whole groups of the right size", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 2, max: 5 }),
        fc.integer({ min: 1, max: 20 }),
        fc.integer({ min: 1, max: 3 }),
        async (count, messages, writers) => {
          const { clock, disk } = await setup();
          const gatherers = await Promise.all(
            Array.from({ length: writers }, () => createGatherer({ clock, store: createMemoryStore(disk) })),
          );
          const ends = await Promise.all(
            Array.from({ length: messages }, async (_, n) => gatherers[n % writers]?.add("r", "g", part(n), { count, timeout: MINUTE })),
          );
          const whole = ends.filter((group) => group !== undefined);
          for (const closing of whole) await gatherers[0]?.finish(closing);
          await clock.advance(MINUTE);
          const rest = (await gatherers[0]?.due("r")) ?? [];
          expect(whole.every((group) => group.messages.length === count)).toBe(true);
          const all = [...whole, ...rest].flatMap((group) => numbers(group) ?? []);
          expect(all.toSorted((a, b) => Number(a) - Number(b))).toEqual(Array.from({ length: messages }, (_, n) => n));
        },
      ),
      { numRuns: 60 },
    );
  });

  it("do not take a broken store for a quicker writer", async () => {
    const clock = createVirtualClock();
    const store = createMemoryStore();
    const broken = (text: string) => ({
      ...store,
      collection: async (name: string) => ({
        ...(await store.collection(name)),
        insert: () => Promise.reject(new Error(text)),
      }),
    });
    const gatherer = await createGatherer({ clock, store: broken("disk full") as never });
    const failed = await gatherer.add("r", "g", part(1), two).catch((thrown: unknown) => asBusError(thrown));
    expect(failed).toMatchObject({ code: "unexpected", message: expect.stringContaining("disk full") });
  });
});

describe("the largest group that a file may ask for", () => {
  const step = schemasFor([]).defs["step"];
  const most = step?.properties?.["aggregate"]?.properties?.["complete"]?.properties?.["count"]?.maximum ?? 0;

  it("is one that the gatherer can hold: it ends by its count, not by time", async () => {
    const { gatherer } = await setup();
    const complete = { count: most, timeout: MINUTE };
    for (let n = 1; n < most; n += 1) expect(await gatherer.add("r", "g", part(n), complete)).toBeUndefined();
    expect((await gatherer.add("r", "g", part(most), complete))?.messages).toHaveLength(most);
  }, 60_000);
});
