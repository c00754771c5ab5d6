/** Aggregation through the whole bus when its process is killed at any write: nothing accepted is lost, and one group gives one result. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { grantOf, inboundOf, openBusWorld, setOf, sourceOf, type BusWorld, type Send } from "#test/harness/bus-world.ts";
import { createMemoryDisk, type MemoryDisk, type MemoryPorts } from "#test/harness/memory.ts";
import { branchOf, contractOf, routeOf } from "#test/harness/route.ts";
import { stepParts } from "#test/harness/step-parts.ts";
import { createVirtualClock, type VirtualClock } from "#test/harness/virtual-clock.ts";
import type { Message } from "./envelope.ts";
import { BusError } from "./errors.ts";
import type { Collection, Json } from "./ports.ts";
import type { Step } from "./route/runtime.ts";
import { aggregate } from "./route/steps/aggregate.ts";

const MINUTE = 60_000;

function gatherStep(count: number): Step {
  const correlate = { language: "path", field: "group", path: [] } as const;
  return aggregate({ kind: "aggregate", path: [], correlate, complete: { count, timeout: MINUTE } }, stepParts("event"));
}

const worldOf = (steps: readonly Step[]) =>
  setOf(
    [
      routeOf({
        id: "r",
        contract: contractOf("event", "a.b.v1"),
        sources: [sourceOf()],
        steps,
        branches: [branchOf({ system: "taker/one" })],
      }),
    ],
    [grantOf("maker/one", "producer", "a.b.v1"), grantOf("taker/one", "consumer", "a.b.v1")],
  );

/** A kill: at the n-th write, before or after it, the disk stays as it is and the process does nothing any more. */
type Kill = Readonly<{ at: number; after: boolean }>;

function killed(disk: MemoryDisk, kill: Kill | undefined) {
  const { promise, resolve } = Promise.withResolvers<MemoryDisk>();
  let writes = 0;
  const write = async <T>(work: () => Promise<T>): Promise<T> => {
    writes += 1;
    if (!kill || writes < kill.at) {
      const done = await work();
      // what was under way at the kill may have missed the disk, and the dead process tells nobody that it was written
      return kill && writes >= kill.at ? new Promise<T>(() => undefined) : done;
    }
    if (writes === kill.at) {
      if (kill.after) await work();
      resolve(structuredClone(disk));
    }
    return new Promise<T>(() => undefined);
  };
  const cut = (plain: MemoryPorts): MemoryPorts => ({
    ...plain,
    journal: { ...plain.journal, append: (records) => write(() => plain.journal.append(records)) },
    store: {
      ...plain.store,
      async collection<T extends Json>(name: string, options?: Readonly<{ unique?: readonly string[] }>): Promise<Collection<T>> {
        const whole = await plain.store.collection<T>(name, options);
        return {
          ...whole,
          insert: (id, value) => write(() => whole.insert(id, value)),
          update: (id, version, value) => write(() => whole.update(id, version, value)),
        };
      },
    },
  });
  return { cut, dead: promise };
}

type Sent = { id: string; group: string; accepted: boolean };

/** One process from start to kill (or to the end): sends what was not answered yet, then lets time pass. */
async function live(clock: VirtualClock, disk: MemoryDisk, count: number, messages: readonly Sent[], kill?: Kill) {
  const { cut, dead } = killed(disk, kill);
  let world: BusWorld | undefined;
  // noted here: a kill while the bus starts must not take with it what was sent by then
  const sent: Message[] = [];
  const send: Send = (message) => {
    sent.push(message);
    return { ok: true };
  };
  const run = async (): Promise<undefined> => {
    world = await openBusWorld({ clock, set: worldOf([gatherStep(count)]), disk, ports: cut, send });
    for (const message of messages.filter(({ accepted }) => !accepted)) {
      await world.bus.accept(inboundOf("r", "maker/one", { n: message.id, group: message.group }, { id: message.id }));
      message.accepted = true;
      await clock.advance(10);
    }
    for (let second = 0; second < 180; second += 1) await clock.advance(1000);
    await world.bus.close();
    return undefined;
  };
  // the kill may come while it closes, too
  const left = await Promise.race([run(), dead]);
  return { left, sent, errors: world?.errors ?? [] };
}

const membersOf = ({ value }: Message) => (value["items"] as { n: string; group: string }[]).map(({ n, group }) => `${group} ${n}`);

describe("a process killed while it gathers", () => {
  it("loses no accepted message and gives one result per group, whatever the moment", async () => {
    const kill = fc.record({ at: fc.integer({ min: 1, max: 40 }), after: fc.boolean() });
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 1, max: 3 }),
        fc.array(fc.constantFrom("a", "b"), { minLength: 1, maxLength: 7 }),
        fc.array(kill, { maxLength: 3 }),
        async (count, groups, kills) => {
          const messages = groups.map((group, n): Sent => ({ id: `m-${n}`, group, accepted: false }));
          let disk = createMemoryDisk();
          let now = 1_000_000;
          const results = new Map<string, string[]>();
          for (const each of [...kills, undefined]) {
            const clock = createVirtualClock(now);
            const { left, sent, errors } = await live(clock, disk, count, messages, each);
            expect(errors).toEqual([]);
            for (const message of sent) {
              const members = membersOf(message);
              expect(results.get(message.envelope.id) ?? members).toEqual(members);
              results.set(message.envelope.id, members);
            }
            now = clock.now();
            if (left === undefined) break;
            disk = left;
          }
          const all = [...results.values()];
          expect(all.flat().toSorted()).toEqual(messages.map(({ id, group }) => `${group} ${id}`).toSorted());
          for (const members of all) {
            expect(members.length).toBeLessThanOrEqual(count);
            expect(new Set(members.map((member) => member.slice(0, 1))).size).toBe(1);
          }
        },
      ),
      {
        numRuns: 150,
        examples: [
          [
            1,
            ["a", "a", "a"],
            [
              { at: 7, after: false },
              { at: 3, after: false },
            ],
          ],
        ],
      },
    );
  }, 120_000);
});

describe("a group whose next step fails for good", () => {
  const fails: Step = {
    name: "map",
    place: "r.yaml:12",
    run: () => {
      throw new BusError("map-failed", "no target");
    },
  };

  it.each([
    ["with its last message", 2, 100],
    ["by time", 9, MINUTE + 2000],
  ])("ended %s leaves a dead letter of each message as it was accepted, once", async (_, count, wait) => {
    const clock = createVirtualClock();
    const { bus, sent, errors } = await openBusWorld({ clock, set: worldOf([gatherStep(count), fails]) });
    for (const id of ["m-1", "m-2"]) {
      await bus.accept(inboundOf("r", "maker/one", { n: id, group: "a" }, { id }));
      await clock.advance(10);
    }
    await clock.advance(wait);
    await clock.advance(30_000);
    const letters = await bus.deadletters.list({ route: "r" });
    expect(letters.map(({ messageId, branch, errorCode }) => `${messageId} ${branch} ${errorCode}`).toSorted()).toEqual([
      "m-1 steps map-failed",
      "m-2 steps map-failed",
    ]);
    for (const { id } of letters) {
      const body = (await bus.deadletters.show(id)).record?.envelope?.body;
      expect(JSON.parse(new TextDecoder().decode(body))).toMatchObject({ group: "a" });
    }
    expect([sent, errors]).toEqual([[], []]);
    await bus.close();
  });
});
