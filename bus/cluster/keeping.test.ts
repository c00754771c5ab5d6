/** What the groups of a broker's transport need of the journal, and how one is forgotten, over a broker in memory. */
import { describe, expect, it } from "vitest";
import { Redeliver, type SubscribeOptions } from "#bus/ports.ts";
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

function world() {
  const clock = createVirtualClock(1_000);
  const disk = createMemoryDisk();
  const queues = createBrokerDisk();
  const journal = createMemoryJournal({ disk });
  const open = (): Promise<BrokerTransport> =>
    openBrokerTransport({
      broker: createMemoryBroker(queues),
      journal: { ...journal, close: () => Promise.resolve() },
      store: createMemoryStore(disk),
      clock,
      node: "one",
      partitions: 4,
      onError: () => undefined,
    });
  return { clock, disk, queues, journal, open };
}

async function publish(transport: BrokerTransport, clock: ReturnType<typeof createVirtualClock>, from: number, to: number): Promise<void> {
  for (let n = from; n < to; n++) await clock.until(transport.publish(TOPIC, envelope(n)));
  await clock.advance(5_000);
}

describe("what groups need of the journal", () => {
  it("is nothing when all is finished, however long ago", async () => {
    const { clock, journal, open } = world();
    const one = await clock.until(open());
    await clock.until(one.subscribe(TOPIC, "g", OPTIONS, () => Promise.resolve()));
    await publish(one, clock, 0, 20);
    await journal.append([{ step: "act", outcome: "ok", time: 5, id: "x", correlationId: "x" }]);
    expect(await one.keeping.needs()).toBe(Infinity);
    await clock.until(one.close());
  });

  it("is the first message that a handler has not finished, and what lies behind it", async () => {
    const { clock, open } = world();
    const one = await clock.until(open());
    await clock.until(
      one.subscribe(TOPIC, "g", OPTIONS, ({ position }) => (position === 7 ? new Promise(() => undefined) : Promise.resolve())),
    );
    await publish(one, clock, 0, 20);
    const needs = await one.keeping.needs();
    expect(needs).toBeLessThanOrEqual(7);
    expect(needs).toBeGreaterThan(1);
  });

  it("is the first message that waits for its time, when all around it is finished", async () => {
    const { clock, open } = world();
    const one = await clock.until(open());
    const handler = ({ position }: { position: number }): Promise<void> =>
      position === 7 ? Promise.reject(new Redeliver(86_400_000)) : Promise.resolve();
    await clock.until(one.subscribe(TOPIC, "g", OPTIONS, handler));
    await publish(one, clock, 0, 20);
    expect(await one.keeping.needs()).toBe(7);
    await clock.until(one.close());
    expect(await (await clock.until(open())).keeping.needs()).toBe(7);
  });

  it("is the first message that was never sent to the broker", async () => {
    const { clock, journal, open } = world();
    const one = await clock.until(open());
    await clock.until(one.subscribe(TOPIC, "g", OPTIONS, () => Promise.resolve()));
    await publish(one, clock, 0, 3);
    await clock.until(one.close());
    const e = envelope(9);
    await journal.append([{ step: "act", outcome: "ok", time: 5, id: "x", correlationId: "x" }]);
    const [appended] = await journal.append([
      { step: "accepted", outcome: "ok", time: 9, id: e.id, correlationId: e.id, topic: TOPIC, envelope: e },
    ]);
    const stopped = await clock.until(open());
    expect(await stopped.keeping.needs()).toBe(appended?.position);
    await clock.until(stopped.close());
  });

  it("follows a group that nobody subscribes until it is forgotten", async () => {
    const { clock, disk, queues, open } = world();
    const one = await clock.until(open());
    const stays = await clock.until(one.subscribe(TOPIC, "stays", OPTIONS, () => Promise.resolve()));
    const goes = await clock.until(one.subscribe(TOPIC, "goes", OPTIONS, () => Promise.reject(new Redeliver(86_400_000))));
    await publish(one, clock, 0, 20);
    await clock.until(goes.close());
    expect(await one.keeping.needs()).toBe(1);
    expect((await one.keeping.groups()).map(({ group }) => group).toSorted()).toEqual(["goes", "stays"]);
    expect(disk.documents.get("parked")?.size).toBe(20);
    await one.keeping.forget({ topic: TOPIC, group: "goes" });
    await one.keeping.forget({ topic: TOPIC, group: "goes" });
    expect(await one.keeping.needs()).toBe(Infinity);
    expect((await one.keeping.groups()).map(({ group }) => group)).toEqual(["stays"]);
    expect(disk.documents.get("parked")?.size).toBe(0);
    expect([...queues.queues.keys()].filter((name) => name.includes("goes"))).toEqual([]);
    await publish(one, clock, 20, 30);
    expect((await stays.state()).lag).toBe(0);
    await clock.until(one.close());
  });

  it("is not forgotten of a group that this process subscribes", async () => {
    const { clock, open } = world();
    const one = await clock.until(open());
    await clock.until(one.subscribe(TOPIC, "g", OPTIONS, () => Promise.resolve()));
    await expect(one.keeping.forget({ topic: TOPIC, group: "g" })).rejects.toMatchObject({ code: "store-conflict" });
    await clock.until(one.close());
  });
});
