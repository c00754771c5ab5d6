/** What the transport does when broker or store fail it: one group's trouble passes, leaves nothing behind and loses nothing. */
import { describe, expect, it } from "vitest";
import { BusError } from "#bus/errors.ts";
import type { Collection, Json, Store, SubscribeOptions } from "#bus/ports.ts";
import { createBrokerDisk, createMemoryBroker } from "#test/harness/memory-broker.ts";
import { createMemoryDisk, createMemoryJournal, createMemoryStore } from "#test/harness/memory.ts";
import { createVirtualClock } from "#test/harness/virtual-clock.ts";
import { openBrokerTransport, type BrokerTransport } from "./transport.ts";

const TOPIC = "mbus.test.thing.v1";
const OPTIONS: SubscribeOptions = { concurrency: 4, ordered: true, from: "start" };

const envelope = (n: number) => ({
  id: `m-${n}`,
  source: "a/b",
  type: TOPIC,
  time: n,
  key: `k-${n}`,
  correlationId: `m-${n}`,
  contract: "test.thing.v1",
  call: {},
  headers: {},
  body: Uint8Array.of(n),
});

/** Nodes over one journal, store and broker; `away` names the groups that the broker gives no lane. */
function cluster() {
  const disk = createMemoryDisk();
  const queues = createBrokerDisk();
  const clock = createVirtualClock(1_000);
  const journal = createMemoryJournal({ disk });
  const away = new Set<string>();
  /** Groups whose next write of a cursor has its effect, and no answer. */
  const unanswered = new Set<string>();
  const errors: string[] = [];
  const open = (node: string): Promise<BrokerTransport> => {
    const broker = createMemoryBroker(queues);
    return openBrokerTransport({
      broker: {
        ...broker,
        take: (lane, window, handler) =>
          away.has(lane.group) ? Promise.reject(new BusError("transport-unavailable", "no lane now")) : broker.take(lane, window, handler),
      },
      journal: { ...journal, writers: "many", close: () => Promise.resolve() },
      store: losing(createMemoryStore(disk), unanswered),
      clock,
      node,
      partitions: 4,
      onError: (error, where) => errors.push(`${where}: ${String(error)}`),
    });
  };
  return { clock, away, unanswered, errors, open };
}

function losing(store: Store, groups: Set<string>): Store {
  return {
    ...store,
    async collection<T extends Json>(name: string, options?: Readonly<{ unique?: readonly string[]; index?: readonly string[] }>) {
      const inner: Collection<T> = await store.collection<T>(name, options);
      const update: Collection<T>["update"] = async (id, version, value) => {
        await inner.update(id, version, value);
        if (name === "cursors" && groups.delete(id.split("\n")[1] ?? "")) throw new BusError("store-unavailable", "no answer");
      };
      return { ...inner, update };
    },
  };
}

describe("a group that the broker gives no lane", () => {
  it("of a partition that the node gained is tried again until it works, and other groups work meanwhile", async () => {
    const { clock, away, open } = cluster();
    const [a, b] = [await clock.until(open("a")), await clock.until(open("b"))];
    await clock.advance(20_000); // two partitions each
    const got = { good: new Set<string>(), bad: new Set<string>() };
    await clock.until(a.subscribe(TOPIC, "bad", OPTIONS, async ({ envelope: { id } }) => void got.bad.add(id)));
    await clock.until(a.subscribe(TOPIC, "good", OPTIONS, async ({ envelope: { id } }) => void got.good.add(id)));
    away.add("bad");
    await clock.until(b.close());
    await clock.advance(20_000); // all four are a's now
    for (let n = 0; n < 40; n++) await clock.until(a.publish(TOPIC, envelope(n)));
    await clock.advance(20_000);
    expect(got.good.size).toBe(40);
    expect(got.bad.size).toBeLessThan(40);
    away.clear();
    await clock.advance(30_000);
    expect(got.bad.size).toBe(40);
    await clock.until(a.close());
  });

  it("fails its subscription, whose handler then gets nothing", async () => {
    const { clock, away, open } = cluster();
    const a = await clock.until(open("a"));
    const got: string[] = [];
    away.add("bad");
    await expect(clock.until(a.subscribe(TOPIC, "bad", OPTIONS, async () => void got.push("refused one")))).rejects.toThrow("no lane now");
    away.clear();
    await clock.until(a.subscribe(TOPIC, "bad", OPTIONS, async () => void got.push("second one")));
    for (let n = 0; n < 10; n++) await clock.until(a.publish(TOPIC, envelope(n)));
    await clock.advance(20_000);
    expect(got).toEqual(Array.from({ length: 10 }, () => "second one"));
    await clock.until(a.close());
  });
});

describe("a group", () => {
  it("that begins with new messages gets those of partitions whose node does not have it yet", async () => {
    const { clock, open } = cluster();
    const [a, b] = [await clock.until(open("a")), await clock.until(open("b"))];
    await clock.advance(20_000); // two partitions each
    expect([a.owned(), b.owned()]).toEqual([
      [0, 2],
      [1, 3],
    ]);
    await clock.until(a.publish(TOPIC, envelope(100)));
    await clock.advance(1_000);
    const got: string[] = [];
    const handler = async ({ envelope: { id } }: { envelope: { id: string } }): Promise<void> => void got.push(id);
    await clock.until(a.subscribe(TOPIC, "g", { ...OPTIONS, from: "new" }, handler));
    for (let n = 0; n < 40; n++) await clock.until(a.publish(TOPIC, envelope(n)));
    await clock.advance(5_000);
    expect(got.length).toBeLessThan(40);
    const late = await clock.until(b.subscribe(TOPIC, "g", { ...OPTIONS, from: "new" }, handler));
    await clock.advance(20_000);
    expect(got.toSorted()).toEqual(Array.from({ length: 40 }, (_, n) => `m-${n}`).toSorted());
    expect((await late.state()).lag).toBe(0);
    for (let n = 40; n < 60; n++) await clock.until(b.publish(TOPIC, envelope(n)));
    await clock.until(a.close());
    await clock.advance(20_000);
    expect(new Set(got).size).toBe(60);
    expect((await late.state()).lag).toBe(0);
    await clock.until(b.close());
  });

  it("whose cursor was written without an answer goes on by itself, and does nothing twice", async () => {
    const { clock, open, unanswered } = cluster();
    const a = await clock.until(open("a"));
    const got: string[] = [];
    const slow = async ({ envelope: { id }, again }: { envelope: { id: string }; again?: boolean }): Promise<void> => {
      if (again === true && got.includes(id)) return;
      await clock.sleep(200);
      got.push(id);
    };
    await clock.until(a.subscribe(TOPIC, "g", OPTIONS, slow));
    for (let n = 0; n < 60; n++) {
      if (n % 20 === 10) unanswered.add("g");
      await clock.until(a.publish(TOPIC, envelope(n)));
      await clock.advance(300);
    }
    await clock.advance(60_000);
    expect(unanswered.size).toBe(0);
    expect(got).toHaveLength(60);
    await clock.until(a.close());
  });
});
