/** Whatever a broker does short of working for ever against us: every message comes, once, in the order of its key. */
import fc from "fast-check";
import { setTimeout as sleep } from "node:timers/promises";
import { describe, expect, it } from "vitest";
import type { Envelope } from "#bus/envelope.ts";
import { Redeliver, type Clock, type Delivery, type SubscribeOptions } from "#bus/ports.ts";
import { eventually } from "#test/conformance/cases.ts";
import { createMemoryDisk, createMemoryJournal, createMemoryStore } from "#test/harness/memory.ts";
import { createBrokerDisk, createMemoryBroker, type MemoryBroker, type Vices } from "#test/harness/memory-broker.ts";
import { openBrokerTransport, type BrokerTransport } from "./transport.ts";

const clock: Clock = { now: () => Date.now(), sleep: (ms, signal) => sleep(ms, undefined, signal ? { signal } : {}) };
const TOPIC = "mbus.test.thing.v1";
const OPTIONS: SubscribeOptions = { concurrency: 8, ordered: true, from: "start" };

const envelope = (n: number, key: string): Envelope => ({
  id: `m-${n}`,
  source: "a/b",
  type: TOPIC,
  time: n,
  key,
  correlationId: `m-${n}`,
  contract: "test.thing.v1",
  call: {},
  headers: {},
  body: Uint8Array.of(n % 256),
});

type Opened = { transport: BrokerTransport; broker: MemoryBroker };

/** One disk for journal and store, one broker, and as many processes as are opened over them. */
function cluster(vices: Vices) {
  const disk = createMemoryDisk();
  const queues = createBrokerDisk();
  const journal = createMemoryJournal({ disk });
  const open = async (node: string, writers: "one" | "many" = "one"): Promise<Opened> => {
    const broker = createMemoryBroker(queues, vices);
    const transport = await openBrokerTransport({
      broker,
      journal: { ...journal, writers, close: () => Promise.resolve() },
      store: createMemoryStore(disk),
      clock,
      node,
      partitions: 2,
      drainMs: 2_000,
      onError: () => undefined,
    });
    return { transport, broker };
  };
  return { open };
}

/** Keeps what was done, and what was done in the wrong order or twice without a warning. */
function ledger(fails: (n: number) => boolean = () => false) {
  const done = new Map<string, number[]>();
  const faults: string[] = [];
  const failed = new Set<number>();
  const ended = new Set<string>();
  const handler = async ({ envelope: { id, key }, again }: Delivery): Promise<void> => {
    const n = Number(id.slice(2));
    if (ended.has(id)) {
      // what the branch does with the journal: a delivery that says `again` is looked up, any other would be a second effect
      if (again !== true) faults.push(`${id} came twice and did not say so`);
      return;
    }
    await sleep(Math.random() * 2);
    if (fails(n) && !failed.has(n)) {
      failed.add(n);
      throw new Redeliver(15);
    }
    const line = done.get(key ?? "") ?? [];
    if ((line.at(-1) ?? -1) > n) faults.push(`${id} after m-${line.at(-1)}`);
    done.set(key ?? "", [...line, n]);
    ended.add(id);
  };
  return { handler, faults, ended };
}

/** Even chances that a seed repeats (mulberry32). */
function diceOf(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}

describe("over a broker that", () => {
  const run = async (vices: Vices, count: number, during: (opened: Opened) => void = () => undefined): Promise<void> => {
    const { transport, broker } = await cluster(vices).open("one");
    const kept = ledger((n) => n % 17 === 3);
    await transport.subscribe(TOPIC, "g", OPTIONS, kept.handler);
    for (let n = 0; n < count; n++) {
      await transport.publish(TOPIC, envelope(n, `k${n % 7}`));
      if (n % 40 === 20) during({ transport, broker });
    }
    await eventually(() => kept.ended.size === count, `all ${count} done`, 60_000);
    expect(kept.faults).toEqual([]);
    await transport.close();
  };

  it("is honest", () => run({}, 300));
  it("forgets what it confirmed", () => run({ forgets: 0.02 }, 200), 90_000);
  it("repeats", () => run({ repeats: 0.3 }, 300), 90_000);
  it("hands out in any order", () => run({ swaps: 0.2 }, 200), 90_000);
  it("refuses now and then", () => run({ refuses: 0.02 }, 200), 90_000);
  it("loses its data while it works", () => run({}, 200, ({ broker }) => broker.wipe()), 90_000);
  it("drops its connections", () => run({}, 200, ({ broker }) => broker.reconnect()), 90_000);

  it("does all of it at once, by chance", async () => {
    const chance = fc.integer({ min: 0, max: 4 }).map((n) => n / 100);
    await fc.assert(
      fc.asyncProperty(
        fc.record({ forgets: chance, repeats: chance, swaps: chance, refuses: chance }),
        fc.integer(),
        async (vices, seed) => {
          await run({ ...vices, random: diceOf(seed) }, 80);
        },
      ),
      { numRuns: 6, endOnFailure: true },
    );
  }, 180_000);
});

describe("several nodes over one journal", () => {
  it("share the partitions, and one takes over what another leaves", async () => {
    const { open } = cluster({});
    const kept = ledger();
    const one = await open("one", "many");
    await one.transport.subscribe(TOPIC, "g", OPTIONS, kept.handler);
    const two = await open("two", "many");
    await two.transport.subscribe(TOPIC, "g", OPTIONS, kept.handler);
    for (let n = 0; n < 100; n++) await (n % 2 === 0 ? one : two).transport.publish(TOPIC, envelope(n, `k${n % 7}`));
    await eventually(() => kept.ended.size === 100, "the first hundred", 30_000);
    await one.transport.close();
    for (let n = 100; n < 200; n++) await two.transport.publish(TOPIC, envelope(n, `k${n % 7}`));
    await eventually(() => kept.ended.size === 200, "the second hundred, by the node that is left", 60_000);
    expect(kept.faults).toEqual([]);
    await two.transport.close();
  }, 120_000);

  it("refuse another number of partitions", async () => {
    const disk = createMemoryDisk();
    const parts = { journal: createMemoryJournal({ disk }), store: createMemoryStore(disk), clock, node: "one", onError: () => undefined };
    const first = await openBrokerTransport({ ...parts, broker: createMemoryBroker(), partitions: 4 });
    await first.close();
    await expect(openBrokerTransport({ ...parts, broker: createMemoryBroker(), partitions: 8 })).rejects.toThrow(/MBUS_PARTITIONS=4/u);
  });
});
