/** Groups of removed routes are forgotten after a grace in which the bus ran without them, and never one that somebody has. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { SubscribeOptions } from "#bus/ports.ts";
import { createMemoryDisk, createMemoryPorts, createMemoryStore } from "#test/harness/memory.ts";
import { createVirtualClock } from "#test/harness/virtual-clock.ts";
import type { GroupKeeping, GroupName } from "./keeping.ts";
import { ABSENT, openKnownGroups, type KnownGroups } from "./known-groups.ts";

const DAY = 86_400_000;
const HOUR = 3_600_000;
const OPTIONS: SubscribeOptions = { concurrency: 1, ordered: false, from: "start" };
const NAME: GroupName = { topic: "t", group: "g" };
const quiet = (): Promise<void> => Promise.resolve();

function world() {
  const clock = createVirtualClock(1_000_000);
  const disk = createMemoryDisk();
  const gone: string[] = [];
  const there: GroupName[] = [];
  const keeping: GroupKeeping = {
    groups: async () => there,
    needs: async () => Infinity,
    forget: async ({ topic, group }) => void gone.push(`${topic} ${group}`),
  };
  const node = (over: Partial<GroupKeeping> = {}): Promise<KnownGroups> => {
    const { transport } = createMemoryPorts(clock, disk);
    return openKnownGroups({ store: createMemoryStore(disk), clock, transport, keeping: { ...keeping, ...over }, grace: 7 * DAY });
  };
  return { clock, disk, gone, there, node };
}

/** As the keeper's rounds: an hour each. */
async function hours(known: KnownGroups, clock: ReturnType<typeof createVirtualClock>, count: number): Promise<readonly GroupName[]> {
  let over: readonly GroupName[] = [];
  for (let n = 0; n < count; n++) {
    await clock.advance(HOUR);
    await known.mark();
    over = await known.count(HOUR);
  }
  return over;
}

describe("known groups", () => {
  it("that nobody has any more are shown with the time that is left, and forgotten when it is over", async () => {
    const { clock, gone, node } = world();
    const known = await node();
    await (await known.transport.subscribe("t", "g", OPTIONS, quiet)).close();
    expect(await known.unclaimed()).toEqual([]); // a restart is not a removal
    await clock.advance(ABSENT);
    expect(await hours(known, clock, 24)).toEqual([]);
    expect(await known.unclaimed()).toEqual([{ ...NAME, unclaimedFor: DAY, forgottenIn: 6 * DAY }]);
    expect(await hours(known, clock, 6 * 24)).toEqual([NAME]);
    await known.forget(NAME);
    expect(gone).toEqual(["t g"]);
    expect(await known.unclaimed()).toEqual([]);
    expect(await hours(known, clock, 1)).toEqual([]);
  });

  it("that any process has are never counted", async () => {
    const { clock, node } = world();
    const [a, b] = [await node(), await node()];
    await a.transport.subscribe("t", "g", OPTIONS, quiet);
    for (let n = 0; n < 30 * 24; n++) {
      await clock.advance(HOUR);
      await a.mark();
      expect(await b.count(HOUR)).toEqual([]);
    }
    expect([await a.unclaimed(), await b.unclaimed()]).toEqual([[], []]);
  });

  it("begin their time anew when a route comes back", async () => {
    const { clock, node } = world();
    const known = await node();
    await (await known.transport.subscribe("t", "g", OPTIONS, quiet)).close();
    await hours(known, clock, 6 * 24);
    await (await known.transport.subscribe("t", "g", OPTIONS, quiet)).close();
    expect(await hours(known, clock, 6 * 24)).toEqual([]);
  });

  it("lose no time while the bus stands still, however long", async () => {
    const { clock, node } = world();
    await (await (await node()).transport.subscribe("t", "g", OPTIONS, quiet)).close();
    await clock.advance(365 * DAY);
    const known = await node();
    expect(await known.count(0)).toEqual([]);
    expect(await known.unclaimed()).toEqual([{ ...NAME, unclaimedFor: 0, forgottenIn: 7 * DAY }]);
  });

  it("include those of the engine that nobody subscribed since groups are known", async () => {
    const { clock, there, node } = world();
    there.push({ topic: "t", group: "old" });
    const known = await node();
    await known.count(0);
    expect(await hours(known, clock, 7 * 24 + 1)).toEqual([{ topic: "t", group: "old" }]);
  });

  it("are not forgotten before their time, whoever asks", async () => {
    const { clock, gone, node } = world();
    const known = await node();
    await (await known.transport.subscribe("t", "g", OPTIONS, quiet)).close();
    await hours(known, clock, 7 * 24 - 1);
    await expect(known.forget(NAME)).rejects.toMatchObject({ code: "store-conflict" });
    expect(gone).toEqual([]);
  });

  it("are not forgotten when somebody took them up after they were counted", async () => {
    const { clock, gone, node } = world();
    const [a, b] = [await node(), await node()];
    await (await a.transport.subscribe("t", "g", OPTIONS, quiet)).close();
    expect(await hours(a, clock, 7 * 24 + 1)).toEqual([NAME]);
    await b.transport.subscribe("t", "g", OPTIONS, quiet);
    await expect(a.forget(NAME)).rejects.toMatchObject({ code: "store-conflict" });
    expect(gone).toEqual([]);
  });

  it("that are just being forgotten are taken up when that is done, or after a minute when its process died", async () => {
    for (const dies of [false, true]) {
      const { clock, node } = world();
      const done = Promise.withResolvers<void>();
      const a = await node({ forget: () => done.promise });
      const b = await node();
      await (await a.transport.subscribe("t", "g", OPTIONS, quiet)).close();
      await hours(a, clock, 7 * 24 + 1);
      const forgetting = a.forget(NAME);
      let taken = false;
      const taking = b.transport.subscribe("t", "g", OPTIONS, quiet).then(() => (taken = true));
      await clock.advance(30_000);
      expect(taken).toBe(false);
      if (dies) await clock.advance(40_000);
      else done.resolve();
      await clock.advance(1_000);
      await taking;
      expect(taken).toBe(true);
      done.resolve();
      await forgetting;
    }
  });

  it("that several subscriptions of a process share are its own until the last is closed", async () => {
    const { clock, node } = world();
    const known = await node();
    const one = await known.transport.subscribe("t", "g", OPTIONS, quiet);
    const two = await known.transport.subscribe("t", "g", OPTIONS, quiet);
    await one.close();
    await one.close();
    expect(await hours(known, clock, 8 * 24)).toEqual([]);
    await two.close();
    expect(await hours(known, clock, 7 * 24 + 1)).toEqual([NAME]);
  });

  it("whose subscription fails are not this process's", async () => {
    const { clock, node } = world();
    const known = await node();
    await known.transport.close();
    await expect(known.transport.subscribe("t", "g", OPTIONS, quiet)).rejects.toMatchObject({ code: "bus-stopping" });
    expect(await hours(known, clock, 7 * 24 + 1)).toEqual([NAME]);
  });

  it("are never due before seven days of running in which nobody had them, in any order of events", async () => {
    const acts = fc.array(fc.record({ node: fc.nat(1), act: fc.constantFrom("take", "leave", "hours") }), { maxLength: 40 });
    await fc.assert(
      fc.asyncProperty(acts, async (steps) => {
        const { clock, node } = world();
        const nodes = [await node(), await node()];
        const open: (() => Promise<void>)[][] = [[], []];
        let missed = 0;
        for (const { node: at, act } of steps) {
          const known = nodes[at];
          if (!known) continue;
          if (act === "take") {
            const subscription = await known.transport.subscribe("t", "g", OPTIONS, quiet);
            open[at]?.push(() => subscription.close());
            missed = 0;
          } else if (act === "leave") await open[at]?.pop()?.();
          else {
            const held = open.flat().length > 0;
            for (let n = 0; n < 30; n++) {
              await clock.advance(HOUR);
              await nodes[0]?.mark();
              await nodes[1]?.mark();
              missed = held ? 0 : missed + HOUR;
              const over = await known.count(HOUR);
              if (missed < 7 * DAY) expect(over).toEqual([]);
            }
          }
        }
      }),
      { numRuns: 40 },
    );
  });
});
