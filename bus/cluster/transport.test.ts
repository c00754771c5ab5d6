/** What the transport does when the broker cannot give it a lane: one group's trouble passes, and leaves nothing behind. */
import { describe, expect, it } from "vitest";
import { BusError } from "#bus/errors.ts";
import type { SubscribeOptions } from "#bus/ports.ts";
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
  const open = (node: string): Promise<BrokerTransport> => {
    const broker = createMemoryBroker(queues);
    return openBrokerTransport({
      broker: {
        ...broker,
        take: (lane, window, handler) =>
          away.has(lane.group) ? Promise.reject(new BusError("transport-unavailable", "no lane now")) : broker.take(lane, window, handler),
      },
      journal: { ...journal, writers: "many", close: () => Promise.resolve() },
      store: createMemoryStore(disk),
      clock,
      node,
      partitions: 4,
      onError: () => undefined,
    });
  };
  return { clock, away, open };
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
