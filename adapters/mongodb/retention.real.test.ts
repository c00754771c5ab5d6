/** Retention of the shared journal: by age and by size, in any mixture, and never what is needed. */
import { afterAll, afterEach, describe, expect, it } from "vitest";
import type { JournalRecord } from "#bus/journal/record.ts";
import { codeOf } from "#test/conformance/cases.ts";
import { mongoWorld, type MongoWorld } from "#test/harness/mongo-world.ts";
import { mongoServer } from "#test/harness/mongodb.ts";
import type { Mongo } from "./engine.ts";

const server = await mongoServer();
afterAll(() => server?.close());
const HOUR = 3_600_000;

const record = (id: string, more: Partial<JournalRecord> = {}): JournalRecord => ({
  step: "accepted",
  outcome: "ok",
  time: Date.now(),
  id,
  correlationId: id,
  ...more,
});
const many = (count: number, bytes: number, more: Partial<JournalRecord> = {}): JournalRecord[] =>
  Array.from({ length: count }, (_, n) => record(`m${n}`, { original: new Uint8Array(bytes).fill(n), ...more }));

describe.skipIf(!server)("retention of a journal in MongoDB", () => {
  const closing: (() => Promise<void>)[] = [];
  afterEach(async () => {
    for (const close of closing.splice(0).reverse()) await close();
  });
  const world = async (): Promise<MongoWorld<Mongo>> => {
    const made = await mongoWorld(server?.url ?? "", (engine) => engine);
    closing.push(() => made.close());
    return made;
  };
  const left = async ({ journal }: Mongo): Promise<readonly number[]> => (await journal.read(0, 5_000)).map(({ position }) => position);

  it("by size keeps the newest records that fit, of one size and of many", async () => {
    const { port } = await world();
    for (let n = 0; n < 10; n++) await port.journal.append(many(100, 4_000));
    await port.retain({ maxBytes: 2_000_000 });
    const even = await left(port);
    expect(even.at(-1)).toBe(1_000);
    expect(even.length).toBeGreaterThan(400);
    expect(even.length).toBeLessThan(500);
    await port.journal.append(many(100, 40_000)); // as many bytes as all before
    await port.retain({ maxBytes: 2_000_000 });
    const uneven = await left(port);
    expect(uneven.at(-1)).toBe(1_100);
    expect(uneven.length).toBeGreaterThan(40);
    expect(uneven.length).toBeLessThan(55);
    expect((await port.retain({ maxBytes: 2_000_000 })).records).toBe(0);
  });

  it("by size keeps all where all fits, and the newest record where none does", async () => {
    const { port } = await world();
    await port.journal.append(many(50, 1_000));
    expect((await port.retain({ maxBytes: 1_000_000 })).records).toBe(0);
    await port.retain({ maxBytes: 1 });
    expect(await left(port)).toEqual([50]);
  });

  it("keeps what is needed, whatever age and size say", async () => {
    const { port } = await world();
    await port.journal.append(many(50, 10_000, { time: Date.now() - 10 * HOUR }));
    await port.journal.append(many(1, 10));
    expect((await port.retain({ maxAge: HOUR, maxBytes: 1_000, keepFrom: 30 })).records).toBe(29);
    expect((await left(port))[0]).toBe(30);
  });

  it("by both deletes what either would delete", async () => {
    const { port } = await world();
    await port.journal.append(many(20, 1_000, { time: Date.now() - 10 * HOUR }));
    await port.journal.append(many(80, 1_000));
    await port.retain({ maxAge: HOUR, maxBytes: 10_000_000 });
    expect((await left(port))[0]).toBe(21);
    await port.retain({ maxAge: HOUR, maxBytes: 40_000 });
    expect((await left(port))[0]).toBeGreaterThan(60);
  });

  it("takes bodies along with the records that name them, not with their own age", async () => {
    const { port } = await world();
    const day = 24 * HOUR;
    await port.store.blobs.put("claim/waits", Uint8Array.of(1));
    await port.store.blobs.put("document/old", Uint8Array.of(1));
    await port.journal.append([
      record("gone", { time: Date.now() }),
      record("waits", { time: Date.now() }),
      record("young", { time: Date.now() + 3 * day }),
    ]);
    // all but the last is old by now, but the second is needed: its body stays
    expect(await port.retain({ maxAge: 0, keepFrom: 2, blobs: "claim/" })).toEqual({ records: expect.any(Number), blobs: 0 });
    expect(await port.store.blobs.read("claim/waits")).toBeDefined();
    expect(await port.retain({ maxBytes: 1, blobs: "claim/" })).toMatchObject({ blobs: 1 });
    expect(await port.store.blobs.read("claim/waits")).toBeUndefined();
    expect(await port.store.blobs.read("document/old")).toBeDefined();
  });

  it("refuses bounds that are none", async () => {
    const { port } = await world();
    for (const rules of [{ maxBytes: 0 }, { maxAge: -1 }, { maxAge: Number.NaN }])
      expect(await codeOf(port.retain(rules))).toBe("configuration");
  });
});
