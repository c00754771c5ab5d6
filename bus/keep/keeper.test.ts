/** Keeping house: one process deletes what is old, nobody loses what is needed, and every act is in the journal. */
import { describe, expect, it } from "vitest";
import { createLeases } from "#bus/cluster/lease.ts";
import type { JournalRecord } from "#bus/journal/record.ts";
import { createMemoryDisk, createMemoryPorts } from "#test/harness/memory.ts";
import { createVirtualClock } from "#test/harness/virtual-clock.ts";
import type { GroupName } from "./keeping.ts";
import { LEAST_AGE, startKeeper, type Keeper, type KeeperParts } from "./keeper.ts";

const DAY = 86_400_000;
const NOW = 1_800_000_000_000;

type Asked = Parameters<KeeperParts["retain"]>[0];

function world() {
  const clock = createVirtualClock(NOW);
  const { journal, store } = createMemoryPorts(clock, createMemoryDisk());
  const asked: (Asked & { by: string })[] = [];
  const marked: string[] = [];
  const errors: string[] = [];
  const over: GroupName[] = [];
  const counted: number[] = [];
  const needs = { groups: Infinity, letters: Infinity };
  let complete = true;
  const node = async (by: string, more: Partial<KeeperParts> & { cluster?: boolean } = {}): Promise<Keeper> =>
    startKeeper({
      journal,
      clock,
      leases: more.cluster === true ? await createLeases({ store, clock, node: by, sole: false }) : undefined,
      rules: { maxAge: 40 * DAY, maxBytes: undefined },
      retain: async (rules) => (asked.push({ ...rules, by }), { records: 3, blobs: 1 }),
      keeping: { groups: async () => [], needs: async () => needs.groups, forget: () => Promise.resolve() },
      known: {
        transport: undefined as never,
        mark: async () => void marked.push(by),
        unclaimed: async () => [],
        count: async (elapsed) => (counted.push(elapsed), over.splice(0)),
        forget: ({ group }) => (group === "taken" ? Promise.reject(new Error("in use again")) : Promise.resolve()),
      },
      deadletters: async () => needs.letters,
      complete: () => complete,
      onError: (error, where) => void errors.push(`${where}: ${String(error)}`),
      ...more,
    });
  const record = (age: number): JournalRecord => ({ step: "accepted", outcome: "ok", time: NOW - age, id: "m", correlationId: "m" });
  return { clock, journal, asked, marked, errors, over, counted, needs, node, record, files: (right: boolean) => void (complete = right) };
}

describe("the keeper", () => {
  it("begins a minute after the start and goes on every hour, with a row of what it deleted", async () => {
    const { clock, journal, asked, node } = world();
    const keeper = await node("a");
    await clock.advance(50_000);
    expect(asked).toEqual([]);
    await clock.advance(20_000);
    expect(asked).toHaveLength(1);
    await clock.advance(2 * 3_600_000);
    expect(asked).toHaveLength(3);
    expect(journal.records.map(({ step, detail }) => `${step}: ${detail}`)).toEqual(
      Array.from({ length: 3 }, () => "act: retention deleted 3 records of the journal and 1 bodies"),
    );
    await keeper.close();
  });

  it("works on one process of a cluster; another goes on when that one is gone", async () => {
    const { clock, asked, node } = world();
    const [a, b] = [await node("a", { cluster: true }), await node("b", { cluster: true })];
    await clock.advance(4 * 3_600_000);
    const [first] = asked.map(({ by }) => by);
    expect(new Set(asked.map(({ by }) => by)).size).toBe(1);
    expect(asked).toHaveLength(4);
    await (first === "a" ? a : b).close();
    await clock.advance(3_600_000);
    expect(asked.at(-1)?.by).not.toBe(first);
    await Promise.all([a.close(), b.close()]);
  });

  it.each([
    ["what a group has not finished", { groups: 2, letters: 4 }, 2],
    ["what a dead letter needs", { groups: 4, letters: 1 }, 1],
    ["what is younger than de-duplication looks back", { groups: Infinity, letters: Infinity }, 3],
  ])("keeps %s", async (_, needed, from) => {
    const { journal, asked, needs, node, record } = world();
    Object.assign(needs, needed);
    await journal.append([record(LEAST_AGE + DAY), record(LEAST_AGE + 1), record(LEAST_AGE - 1), record(0)]);
    const keeper = await node("a");
    await keeper.round(0);
    expect(asked).toEqual([{ by: "a", maxAge: 40 * DAY, keepFrom: from, blobs: "claim/" }]);
    await keeper.close();
  });

  it("deletes nothing where no bound is set, and hands on both where both are", async () => {
    const { asked, node } = world();
    const none = await node("a", { rules: { maxAge: undefined, maxBytes: undefined } });
    await none.round(0);
    expect(asked).toEqual([]);
    const both = await node("b", { rules: { maxAge: 50 * DAY, maxBytes: 7 } });
    await both.round(0);
    expect(asked).toMatchObject([{ maxAge: 50 * DAY, maxBytes: 7 }]);
    await Promise.all([none.close(), both.close()]);
  });

  it("forgets the groups whose time is over, each with its row first, and goes on past one that is in use again", async () => {
    const { journal, errors, over, node } = world();
    over.push({ topic: "t", group: "taken" }, { topic: "t", group: "old" });
    const keeper = await node("a", { rules: { maxAge: undefined, maxBytes: undefined } });
    expect(await keeper.round(0)).toEqual({ records: 0, blobs: 0, forgotten: [{ topic: "t", group: "old" }] });
    expect(journal.records.map(({ detail }) => detail?.split(":")[0])).toEqual([
      "group taken of topic t is forgotten",
      "group old of topic t is forgotten",
    ]);
    expect(errors).toEqual(["forgetting a group: Error: in use again"]);
    await keeper.close();
  });

  it("counts only time in which it kept house itself", async () => {
    const { clock, counted, node } = world();
    const keeper = await node("a");
    await clock.advance(70_000 + 2 * 3_600_000);
    expect(counted).toEqual([0, 3_600_000, 3_600_000]);
    await keeper.close();
  });

  it("misses no group while the files are faulty: a route may be out for that alone", async () => {
    const { counted, over, node, files } = world();
    over.push({ topic: "t", group: "old" });
    const keeper = await node("a");
    files(false);
    expect((await keeper.round(3_600_000)).forgotten).toEqual([]);
    expect(counted).toEqual([]);
    files(true);
    expect((await keeper.round(3_600_000)).forgotten).toHaveLength(1);
    await keeper.close();
  });

  it("marks this process's groups every ten minutes, also where another process keeps house", async () => {
    const { clock, marked, node } = world();
    const [a, b] = [await node("a", { cluster: true }), await node("b", { cluster: true })];
    await clock.advance(1_850_000);
    expect([marked.filter((by) => by === "a").length, marked.filter((by) => by === "b").length]).toEqual([3, 3]);
    await Promise.all([a.close(), b.close()]);
  });

  it("goes on after a round that failed", async () => {
    const { clock, errors, asked, node } = world();
    let fail = true;
    const keeper = await node("a", {
      deadletters: () => (fail ? Promise.reject(new Error("store away")) : Promise.resolve(Infinity)),
    });
    await clock.advance(70_000);
    expect([asked.length, errors]).toEqual([0, ["keeping house: Error: store away"]]);
    fail = false;
    await clock.advance(3_600_000);
    expect(asked).toHaveLength(1);
    await keeper.close();
  });
});
