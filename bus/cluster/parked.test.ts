/** Waits that outlive the process: what was parked is loaded whole, in order, and of its own lane only. */
import { describe, expect, it } from "vitest";
import { createMemoryDisk, createMemoryStore } from "#test/harness/memory.ts";
import { openParked, type Parked } from "./parked.ts";

const parked = (position: number, more: Partial<Parked> = {}): Parked => ({
  lane: "topic\ngroup\n0",
  position,
  key: "k",
  attempts: 1,
  firstAt: 100,
  due: 5_000,
  ...more,
});

describe("parked messages", () => {
  it("are there after a restart, with attempts, first attempt and due time", async () => {
    const disk = createMemoryDisk();
    const before = await openParked(createMemoryStore(disk));
    await before.put(parked(7, { attempts: 3, firstAt: 42, due: 99, key: null }));
    const after = await openParked(createMemoryStore(disk));
    expect(await after.load("topic\ngroup\n0")).toEqual([parked(7, { attempts: 3, firstAt: 42, due: 99, key: null })]);
  });

  it("load in order of position, whatever the number of digits, and more than a page of them", async () => {
    const messages = await openParked(createMemoryStore());
    const all = Array.from({ length: 2_500 }, (_, n) => n + 1);
    for (const position of all.toReversed()) await messages.put(parked(position));
    await messages.put(parked(1_234_567_890_123));
    expect((await messages.load("topic\ngroup\n0")).map(({ position }) => position)).toEqual([...all, 1_234_567_890_123]);
  });

  it("of exactly one page load whole and once", async () => {
    const messages = await openParked(createMemoryStore());
    for (let position = 1; position <= 1_000; position++) await messages.put(parked(position));
    expect(await messages.load("topic\ngroup\n0")).toHaveLength(1_000);
  });

  it("of one lane are no other lane's, also where one name begins with the other", async () => {
    const messages = await openParked(createMemoryStore());
    await messages.put(parked(1, { lane: "t\ng\n1" }));
    await messages.put(parked(2, { lane: "t\ng\n11" }));
    await messages.put(parked(3, { lane: "t\ng" }));
    expect((await messages.load("t\ng\n1")).map(({ position }) => position)).toEqual([1]);
    await messages.remove({ lane: "t\ng\n1", position: 2 });
    expect(await messages.load("t\ng\n11")).toHaveLength(1);
  });

  it("put again are replaced, not doubled", async () => {
    const messages = await openParked(createMemoryStore());
    await messages.put(parked(1));
    await messages.put(parked(1, { attempts: 2, due: 9_000 }));
    expect(await messages.load("topic\ngroup\n0")).toEqual([parked(1, { attempts: 2, due: 9_000 })]);
  });

  it("put twice at once are kept once, and neither put fails", async () => {
    const messages = await openParked(createMemoryStore());
    await Promise.all([messages.put(parked(1)), messages.put(parked(1))]);
    await Promise.all([messages.put(parked(1)), messages.put(parked(1))]);
    expect(await messages.load("topic\ngroup\n0")).toHaveLength(1);
  });

  it("removed are gone, and removing one that is not there harms nothing", async () => {
    const messages = await openParked(createMemoryStore());
    await messages.put(parked(1));
    await messages.put(parked(2));
    await messages.remove({ lane: "topic\ngroup\n0", position: 1 });
    await messages.remove({ lane: "topic\ngroup\n0", position: 1 });
    expect((await messages.load("topic\ngroup\n0")).map(({ position }) => position)).toEqual([2]);
  });
});
