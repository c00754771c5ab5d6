/**
 * Nodes that die and that sleep past their leases, over a store whose answers get lost: every message of the journal has its effect at
 * every group, first effects in the order of their key, and what the journal has an outcome of is not done again.
 */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Envelope } from "#bus/envelope.ts";
import { Redeliver, type Delivery, type SubscribeOptions } from "#bus/ports.ts";
import { createFrailNode, type FrailNode } from "#test/harness/frail-node.ts";
import { createMemoryDisk, createMemoryJournal, createMemoryStore } from "#test/harness/memory.ts";
import { createBrokerDisk, createMemoryBroker } from "#test/harness/memory-broker.ts";
import { createVirtualClock } from "#test/harness/virtual-clock.ts";
import { openBrokerTransport, type BrokerTransport } from "./transport.ts";

const TOPIC = "mbus.test.thing.v1";
const GROUPS = ["g", "h"];
const OPTIONS: SubscribeOptions = { concurrency: 4, ordered: true, from: "new" };
const KEYS = 5;
/** Milliseconds after the last fault and message within which all is done: a lease, a heartbeat, and two rounds of asking again. */
const RECOVERY = 60_000;

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

type Node = { readonly name: string; readonly frail: FrailNode; readonly transport: BrokerTransport };
export type Faults = Readonly<{ lost: number; late: number; longest: number }>;

function cluster(seed: number, faults: Faults) {
  const clock = createVirtualClock(1_000_000);
  const random = diceOf(seed);
  const disk = createMemoryDisk();
  const queues = createBrokerDisk();
  const journal = createMemoryJournal({ disk });
  const nodes: Node[] = [];
  const acknowledged = new Set<string>();
  const effects = new Map<string, string[]>(GROUPS.map((group) => [group, []]));
  const wrong: string[] = [];
  const failing = new Set<string>();

  const ended = (group: string, id: string): boolean =>
    journal.records.some((record) => record.step === "delivered" && record.branch === group && record.id === id);

  /** As a branch does it: looks up what may have ended, acts, writes the outcome down, and only then is done. */
  const branch =
    (frail: FrailNode, group: string) =>
    async (delivery: Delivery): Promise<void> => {
      const { envelope: each, again } = delivery;
      if (again === true) {
        const { records } = await frail.journal.find({ id: each.id, branch: group, step: "delivered" });
        if (records.length > 0) return;
      } else if (ended(group, each.id)) wrong.push(`${each.id} came again to ${group} and did not say so`);
      await frail.clock.sleep(Math.floor(random() * 40));
      if (random() < 0.05 && !failing.has(`${group} ${each.id}`)) {
        failing.add(`${group} ${each.id}`);
        throw new Redeliver(Math.floor(random() * 3_000));
      }
      effects.get(group)?.push(each.id);
      await frail.clock.sleep(Math.floor(random() * 10));
      const { id, correlationId, contract } = each;
      await frail.journal.append([{ step: "delivered", outcome: "ok", time: clock.now(), id, correlationId, contract, branch: group }]);
    };

  const nodeOf = (): FrailNode =>
    createFrailNode({
      clock,
      random,
      ...faults,
      heartbeat: 20_000,
      broker: createMemoryBroker(queues),
      journal: { ...journal, writers: "many", close: () => Promise.resolve() },
      store: createMemoryStore(disk),
    });

  /** A start that meets a lost answer fails, as a process does, and another is started. */
  async function start(name: string): Promise<void> {
    for (;;) {
      const frail = nodeOf();
      try {
        const transport = await openBrokerTransport({ ...frail, node: name, partitions: 3, drainMs: 2_000, onError: () => undefined });
        for (const group of GROUPS) await transport.subscribe(TOPIC, group, OPTIONS, branch(frail, group));
        nodes.push({ name, frail, transport });
        return;
      } catch {
        await frail.kill();
      }
    }
  }

  /** One register speaks of one key in one line; it asks another node when one does not answer. */
  async function speak(key: number, count: number, gap: number): Promise<void> {
    for (let n = 0; n < count; n++) {
      const message = envelope(n * KEYS + key, `k-${key}`);
      const alive = nodes.filter(({ frail }) => !frail.dead());
      const { transport } = alive[Math.floor(random() * alive.length)] ?? {};
      const answer = transport?.publish(TOPIC, message).then(
        () => acknowledged.add(message.id),
        () => undefined,
      );
      await Promise.race([answer, clock.sleep(2_000)]);
      await clock.sleep(Math.floor(random() * gap));
    }
  }

  const published = (): Envelope[] => journal.records.flatMap(({ envelope: each, topic }) => (topic === TOPIC && each ? [each] : []));
  const missing = (): string[] =>
    GROUPS.flatMap((group) => {
      const done = new Set(effects.get(group));
      return published().flatMap(({ id }) => (done.has(id) ? [] : [`${id} at ${group}`]));
    });

  /** First effects of a key come in the order of the journal. */
  const outOfOrder = (): string[] => {
    const order = new Map(published().map(({ id, key }, at) => [id, { key, at }]));
    const faultsOf = (group: string): string[] => {
      const last = new Map<string, number>();
      return [...new Set(effects.get(group))].flatMap((id) => {
        const { key = "", at = -1 } = order.get(id) ?? {};
        const before = last.get(key) ?? -1;
        last.set(key, Math.max(before, at));
        return at < before ? [`${id} too late at ${group}`] : [];
      });
    };
    return GROUPS.flatMap(faultsOf);
  };

  async function whole(): Promise<void> {
    for (let passed = 0; missing().length > 0 && passed < RECOVERY; passed += 500) await clock.advance(500);
  }
  return { clock, nodes, random, start, speak, whole, missing, outOfOrder, acknowledged, wrong, published };
}

const act = fc.record({
  after: fc.integer({ min: 0, max: 8_000 }),
  node: fc.nat({ max: 5 }),
  do: fc.oneof(
    fc.record({ kind: fc.constant("sleep" as const), ms: fc.integer({ min: 500, max: 40_000 }) }),
    fc.record({ kind: fc.constant("die" as const), ms: fc.integer({ min: 0, max: 15_000 }) }),
    fc.record({ kind: fc.constant("join" as const), ms: fc.constant(0) }),
  ),
});
type Act = typeof act extends fc.Arbitrary<infer T> ? T : never;

async function play(seed: number, faults: Faults, acts: readonly Act[]): Promise<void> {
  const all = cluster(seed, faults);
  const { clock } = all;
  await clock.until(Promise.all([all.start("a"), all.start("b")]), 300_000);
  const speaking = Promise.all(Array.from({ length: KEYS }, (_, key) => all.speak(key, 25, 1_200)));
  let names = 0;
  const fates: Promise<void>[] = [];
  for (const { after, node, do: fate } of acts) {
    await clock.advance(after);
    const alive = all.nodes.filter(({ frail }) => !frail.dead());
    const chosen = alive[node % alive.length];
    if (fate.kind === "join") fates.push(all.start(`n${++names}`));
    else if (fate.kind === "sleep" && chosen) {
      chosen.frail.pause();
      fates.push(clock.sleep(fate.ms).then(() => chosen.frail.resume()));
    } else if (chosen && alive.length > 1) {
      await chosen.frail.kill();
      fates.push(clock.sleep(fate.ms).then(() => all.start(`n${++names}`)));
    }
  }
  await clock.until(Promise.all([...fates, speaking]), 300_000);
  await all.whole();
  expect(all.missing(), "not done in time").toEqual([]);
  expect(all.outOfOrder()).toEqual([]);
  expect(all.wrong).toEqual([]);
  const written = new Set(all.published().map(({ id }) => id));
  expect([...all.acknowledged].filter((id) => !written.has(id))).toEqual([]);
  expect(all.acknowledged.size).toBeGreaterThan(50);
}

describe("nodes over one journal and one store", () => {
  it("bring every message, once where the journal knows its outcome, in the order of its key, whoever dies and sleeps when", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.integer(),
        fc.record({ lost: fc.constantFrom(0, 0.005, 0.02), late: fc.constantFrom(0.02, 0.2), longest: fc.constantFrom(30, 400) }),
        fc.array(act, { minLength: 1, maxLength: 5 }),
        play,
      ),
      { numRuns: Number(process.env["MBUS_CHAOS_RUNS"] ?? 6), endOnFailure: true },
    );
  }, 300_000);
});
