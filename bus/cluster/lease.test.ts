/** Leases on a virtual clock: one holder at a time, whoever does what when, and a holder that slept too long learns it. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Collection, Json, Store } from "#bus/ports.ts";
import { createMemoryDisk, createMemoryStore, type MemoryDisk } from "#test/harness/memory.ts";
import { createVirtualClock, type VirtualClock } from "#test/harness/virtual-clock.ts";
import { createLeases, LEASE, type Lease, type Leases } from "./lease.ts";

type Nodes = Readonly<{ disk: MemoryDisk; clock: VirtualClock; open: (node: string, sole?: boolean) => Promise<Leases> }>;

function nodes(): Nodes {
  const disk = createMemoryDisk();
  const clock = createVirtualClock(1_000);
  return {
    disk,
    clock,
    open: (node, sole = false) => createLeases({ store: createMemoryStore(disk), clock, node, sole }),
  };
}

/** A store whose reads of one kind take so long. */
function slowReads(store: Store, slow: () => Promise<void>): Store {
  return {
    ...store,
    async collection<T extends Json>(name: string): Promise<Collection<T>> {
      const documents = await store.collection<T>(name);
      return {
        ...documents,
        async get(id) {
          await slow();
          return documents.get(id);
        },
      };
    },
  };
}

const held = (lease: Lease | undefined): Lease => {
  if (!lease) throw new Error("the lease was refused");
  return lease;
};

describe("a lease", () => {
  it("is held by one: another is refused until its time is over", async () => {
    const { clock, open } = nodes();
    const [a, b] = [await open("a"), await open("b")];
    expect(held(await a.claim("x")).valid()).toBe(true);
    expect(await b.claim("x")).toBeUndefined();
    await clock.advance(LEASE - 1);
    expect(await b.claim("x")).toBeUndefined();
    await clock.advance(1);
    expect(held(await b.claim("x")).valid()).toBe(true);
  });

  it("is trusted for less than its time, so that a holder stops before another begins", async () => {
    const { clock, open } = nodes();
    const lease = held(await (await open("a")).claim("x"));
    await clock.advance(LEASE * 0.8 - 1);
    expect(lease.valid()).toBe(true);
    await clock.advance(1);
    expect(lease.valid()).toBe(false);
    expect(await (await open("b")).claim("x")).toBeUndefined();
  });

  it("is trusted from before it was asked for, however slow the store is", async () => {
    const { clock, disk } = nodes();
    const store = slowReads(createMemoryStore(disk), () => clock.sleep(3_000));
    const slow = await createLeases({ store, clock, node: "a", sole: false });
    const lease = held(await clock.until(slow.claim("x")));
    await clock.advance(LEASE * 0.8 - 6_000 - 1);
    expect(lease.valid()).toBe(true);
    await clock.advance(1);
    expect(lease.valid()).toBe(false);
  });

  it("goes on as long as it is renewed", async () => {
    const { clock, open } = nodes();
    const [a, b] = [await open("a"), await open("b")];
    const lease = held(await a.claim("x"));
    for (let round = 0; round < 20; round++) {
      await clock.advance(LEASE / 2);
      expect(await lease.renew()).toBe(true);
      expect(lease.valid()).toBe(true);
      expect(await b.claim("x")).toBeUndefined();
    }
  });

  it("of a holder that slept is refused when it went to another, for ever", async () => {
    const { clock, open } = nodes();
    const [a, b] = [await open("a"), await open("b")];
    const slept = held(await a.claim("x"));
    await clock.advance(LEASE);
    const next = held(await b.claim("x"));
    expect(await slept.renew()).toBe(false);
    expect(slept.valid()).toBe(false);
    await clock.advance(LEASE);
    expect(await slept.renew()).toBe(false);
    await slept.release();
    expect(await next.renew()).toBe(true);
  });

  it("of a holder that slept is renewed when nobody took it", async () => {
    const { clock, open } = nodes();
    const lease = held(await (await open("a")).claim("x"));
    await clock.advance(LEASE * 3);
    expect(lease.valid()).toBe(false);
    expect(await lease.renew()).toBe(true);
    expect(lease.valid()).toBe(true);
  });

  it("that another took while its first holder still read the answer is not the first holder's", async () => {
    const { clock, disk, open } = nodes();
    let reads = 0;
    const store = slowReads(createMemoryStore(disk), () => (++reads === 2 ? clock.sleep(LEASE + 1) : Promise.resolve()));
    const claiming = (await createLeases({ store, clock, node: "a", sole: false })).claim("x");
    await clock.advance(LEASE);
    const second = held(await (await open("b")).claim("x"));
    await clock.advance(1);
    const first = await claiming;
    expect((await first?.renew()) ?? false).toBe(false);
    expect(await second.renew()).toBe(true);
  });

  it("released is free at once, and the former holder may not use it any more", async () => {
    const { open } = nodes();
    const [a, b] = [await open("a"), await open("b")];
    const lease = held(await a.claim("x"));
    await lease.release();
    expect(lease.valid()).toBe(false);
    expect(await lease.renew()).toBe(false);
    expect((await b.held()).has("x")).toBe(false);
    const next = held(await b.claim("x"));
    await lease.release();
    expect(next.valid()).toBe(true);
    expect(await next.renew()).toBe(true);
  });

  it("of a process that died is free at once where no other process can use the store", async () => {
    const { open } = nodes();
    await (await open("before")).claim("x");
    expect(await (await open("now")).claim("x")).toBeUndefined();
    expect(held(await (await open("now", true)).claim("x")).valid()).toBe(true);
  });

  it("of a process that died is free at once for one of the same name, and the dead one's object is fenced", async () => {
    const { open } = nodes();
    const dead = held(await (await open("a")).claim("x"));
    const alive = held(await (await open("a")).claim("x"));
    expect(await dead.renew()).toBe(false);
    expect(await alive.renew()).toBe(true);
  });

  it("claimed by many at once goes to one", async () => {
    const { clock, open } = nodes();
    const all = await Promise.all(Array.from({ length: 20 }, (_, n) => open(`n${n}`)));
    for (let round = 0; round < 3; round++) {
      const got = await Promise.all(all.map((leases) => leases.claim("x")));
      expect(got.filter((lease) => lease !== undefined)).toHaveLength(1);
      await clock.advance(LEASE);
    }
  });

  it("that the store cannot renew is an error, and is trusted no longer than before", async () => {
    const { clock, disk } = nodes();
    const store = createMemoryStore(disk);
    const lease = held(await (await createLeases({ store, clock, node: "a", sole: false })).claim("x"));
    await store.close();
    await clock.advance(LEASE / 2);
    await expect(lease.renew()).rejects.toThrow(/closed/u);
    expect(lease.valid()).toBe(true);
    await clock.advance(LEASE / 2);
    expect(lease.valid()).toBe(false);
  });

  it("is listed with its owner while it runs", async () => {
    const { clock, open } = nodes();
    const [a, b] = [await open("a"), await open("b")];
    await a.claim("x");
    await clock.advance(LEASE / 2);
    await b.claim("y");
    expect([...(await a.held())]).toEqual([
      ["x", "a"],
      ["y", "b"],
    ]);
    await clock.advance(LEASE / 2);
    expect([...(await a.held())]).toEqual([["y", "b"]]);
  });

  it("has at most one holder who trusts it, in any order of claims, renewals, releases, pauses and deaths", async () => {
    const node = fc.nat({ max: 3 });
    const act = fc.oneof(
      { weight: 4, arbitrary: node.map((n) => ({ do: "claim" as const, n })) },
      { weight: 4, arbitrary: node.map((n) => ({ do: "renew" as const, n })) },
      { weight: 1, arbitrary: node.map((n) => ({ do: "release" as const, n })) },
      { weight: 1, arbitrary: node.map((n) => ({ do: "die" as const, n })) },
      { weight: 4, arbitrary: fc.integer({ min: 1, max: LEASE }).map((n) => ({ do: "wait" as const, n })) },
    );
    const together = fc.array(act, { minLength: 1, maxLength: 4 });
    await fc.assert(
      fc.asyncProperty(fc.array(together, { maxLength: 25 }), async (rounds) => {
        const { clock, open } = nodes();
        const all = await Promise.all([0, 1, 2, 3].map((n) => open(`n${n}`)));
        const kept: Lease[][] = [[], [], [], []];
        const play = async (one: (typeof rounds)[number][number]): Promise<void> => {
          if (one.do === "wait") return;
          const mine = kept[one.n] ?? [];
          const lease = mine.at(-1);
          if (one.do === "claim") {
            const made = await all[one.n]?.claim("x");
            if (made) mine.push(made);
          } else if (one.do === "renew") await lease?.renew();
          else if (one.do === "release") await lease?.release();
          else mine.length = 0; // what the dead one held is nobody's until its time is over
        };
        for (const round of rounds) {
          await Promise.all(round.map(play)); // these meet in the store
          const trusting = kept.filter((mine) => mine.some((lease) => lease.valid()));
          expect(trusting.length).toBeLessThanOrEqual(1);
          for (const one of round) if (one.do === "wait") await clock.advance(one.n);
        }
      }),
      { numRuns: 60 },
    );
  });
});
