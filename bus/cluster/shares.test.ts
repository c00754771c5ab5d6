/** Who owns which partition, with several nodes over one store and one virtual clock. */
import { describe, expect, it } from "vitest";
import type { Store } from "#bus/ports.ts";
import { createMemoryDisk, createMemoryStore } from "#test/harness/memory.ts";
import { createVirtualClock, type VirtualClock } from "#test/harness/virtual-clock.ts";
import { createLeases, LEASE, type Lease } from "./lease.ts";
import { startShares, type Shares } from "./shares.ts";

type Node = {
  readonly name: string;
  readonly shares: Shares;
  /** What it was told, `+3` and `-3`, and the leases it may work under. */
  readonly told: string[];
  readonly working: Map<number, Lease>;
  /** The node reaches the store no more, and does not know it is dead. */
  cut(): Promise<void>;
};

type World = Readonly<{
  clock: VirtualClock;
  start(name: string, gained?: (partition: number) => Promise<void>, lost?: (partition: number) => Promise<void>): Promise<Node>;
  errors: string[];
  /** How many partitions each node works on, by name. */
  counts(): readonly number[];
  /** Somebody else has the lease for a moment. */
  seize(name: string): Promise<void>;
  nodes: Node[];
}>;

function world(partitions: number): World {
  const disk = createMemoryDisk();
  const clock = createVirtualClock(1_000);
  const nodes: Node[] = [];
  const errors: string[] = [];
  return {
    clock,
    nodes,
    errors,
    async seize(name) {
      const leases = await createMemoryStore(disk).collection<{ owner: string; until: number }>("leases");
      const known = await leases.get(name);
      if (known) await leases.update(name, known.version, { owner: "", until: 0 });
    },
    counts: () => nodes.map(({ working }) => [...working.values()].filter((lease) => lease.valid()).length),
    async start(name, gained = () => Promise.resolve(), lost = () => Promise.resolve()) {
      const store: Store = createMemoryStore(disk);
      const told: string[] = [];
      const working = new Map<number, Lease>();
      const shares = await startShares({
        leases: await createLeases({ store, clock, node: name, sole: false }),
        clock,
        node: name,
        partitions,
        async gained(partition, lease) {
          told.push(`+${partition}`);
          working.set(partition, lease);
          await gained(partition);
        },
        async lost(partition) {
          told.push(`-${partition}`);
          await lost(partition);
          working.delete(partition);
        },
        onError: (error) => errors.push(String(error)),
      });
      const node: Node = { name, shares, told, working, cut: () => store.close() };
      nodes.push(node);
      return node;
    },
  };
}

/** No partition is worked on by two nodes that may. */
function single({ nodes }: World, partitions: number): void {
  for (let partition = 0; partition < partitions; partition++) {
    const owners = nodes.filter(({ working }) => working.get(partition)?.valid() === true);
    expect(owners.length, `owners of partition ${partition}`).toBeLessThanOrEqual(1);
  }
}

const sum = (all: readonly number[]): number => all.reduce((total, one) => total + one, 0);

describe("the shares of nodes", () => {
  it("are all of it for a node that is alone, before it says it has started", async () => {
    const all = world(8);
    const { shares, told } = await all.start("a");
    expect(shares.owned()).toEqual([0, 1, 2, 3, 4, 5, 6, 7]);
    expect(told).toEqual(shares.owned().map((partition) => `+${partition}`));
    await shares.close();
  });

  it.each([1, 2, 3, 4, 5])("are even among %i that came one after another, and stay so", async (count) => {
    const all = world(16);
    for (let n = 0; n < count; n++) {
      await all.start(`n${n}`);
      for (let step = 0; step < 30; step++) {
        await all.clock.advance(LEASE / 10);
        single(all, 16);
      }
    }
    const counts = all.counts();
    expect(sum(counts)).toBe(16);
    expect(Math.max(...counts) - Math.min(...counts)).toBeLessThanOrEqual(1);
    const told = all.nodes.map((node) => node.told.length);
    await all.clock.advance(LEASE * 5);
    expect(all.nodes.map((node) => node.told.length)).toEqual(told); // nothing moves that need not
    for (const { shares } of all.nodes) await shares.close();
  });

  it("of a node that falls silent go to the others, and none before it stops by itself", async () => {
    const all = world(8);
    const [a, b] = [await all.start("a"), await all.start("b")];
    await all.clock.advance(LEASE * 2);
    expect(all.counts()).toEqual([4, 4]);
    await a.cut();
    for (let step = 0; step < 40; step++) {
      await all.clock.advance(LEASE / 10);
      single(all, 8);
    }
    expect(all.counts()).toEqual([0, 8]);
    expect(b.shares.owned()).toHaveLength(8);
    expect(all.errors.length).toBeGreaterThan(0); // the cut node says what is wrong
    await b.shares.close();
  });

  it("of a node that ends in good order go on at the next round of the others", async () => {
    const all = world(8);
    const [a, b] = [await all.start("a"), await all.start("b")];
    await all.clock.advance(LEASE * 2);
    await a.shares.close();
    await all.clock.advance(LEASE / 5);
    expect(b.shares.owned()).toHaveLength(8);
    expect(a.told.filter((word) => word.startsWith("-"))).toHaveLength(8);
    await b.shares.close();
  });

  it("are given back when a node joins: the work ends before the lease does", async () => {
    const all = world(8);
    const a = await all.start("a");
    const b = await all.start("b");
    expect(b.shares.owned()).toEqual([]);
    await all.clock.advance(LEASE);
    expect(all.counts()).toEqual([4, 4]);
    expect(a.told.filter((word) => word.startsWith("-"))).toEqual(["-1", "-3", "-5", "-7"]);
    expect(b.told).toEqual(["+1", "+3", "+5", "+7"]);
    for (const { shares } of all.nodes) await shares.close();
  });

  it("are told in pairs: no partition is gained twice or lost unowned, whoever comes and goes", async () => {
    const all = world(6);
    for (const name of ["c", "a", "d", "b"]) {
      await all.start(name);
      await all.clock.advance(LEASE * 1.5);
    }
    await all.nodes[1]?.shares.close();
    await all.clock.advance(LEASE * 2);
    await all.nodes[0]?.shares.close();
    await all.clock.advance(LEASE * 2);
    for (const { shares } of all.nodes) await shares.close();
    for (const { told, working } of all.nodes) {
      expect(working.size).toBe(0);
      for (let partition = 0; partition < 6; partition++) {
        const signs = told.filter((word) => word.slice(1) === String(partition)).map((word) => word[0]);
        expect(signs.join("")).toMatch(/^(?:\+-)*$/u);
      }
    }
  });

  it("whose work could not begin are given up and tried again, not held without work", async () => {
    const all = world(4);
    const begun = new Set<number>();
    let away = false;
    const node = await all.start("a", (partition) => {
      if (away) return Promise.reject(new Error("the store is away"));
      begun.add(partition);
      return Promise.resolve();
    });
    const other = await all.start("b");
    await all.clock.advance(LEASE * 2);
    begun.clear();
    away = true;
    await other.shares.close(); // a must take over, and cannot
    await all.clock.advance(LEASE);
    expect(begun.size).toBe(0);
    expect(all.errors).toContainEqual(expect.stringContaining("the store is away"));
    away = false;
    await all.clock.advance(LEASE);
    expect([...begun].toSorted((a, b) => a - b)).toEqual([1, 3]);
    expect(node.shares.owned()).toHaveLength(4);
    await node.shares.close();
  });

  it.each(["begins", "ends"] as const)("stay where they are while the work of one %s for longer than a lease", async (which) => {
    const all = world(4);
    const slow = (partition: number): Promise<void> => (partition === 1 ? all.clock.sleep(LEASE * 3) : Promise.resolve());
    const quick = (): Promise<void> => Promise.resolve();
    const a = await all.start("a", quick, which === "ends" ? slow : quick);
    const b = await all.start("b", which === "begins" ? slow : quick);
    for (let step = 0; step < 25; step++) {
      await all.clock.advance(LEASE / 10);
      single(all, 4);
      const others = [a.working.get(0), a.working.get(2), step > 5 ? b.working.get(3) : a.working.get(0)];
      expect(others.map((lease) => lease?.valid())).toEqual([true, true, true]);
    }
    await all.clock.advance(LEASE * 2);
    expect(all.counts()).toEqual([2, 2]);
    expect(a.told.filter((word) => word.startsWith("-"))).toEqual(["-1", "-3"]);
    expect(b.told).toEqual(expect.arrayContaining(["+1", "+3"]));
    expect(b.told).toHaveLength(2);
    await Promise.all([all.clock.until(a.shares.close()), all.clock.until(b.shares.close())]);
  });

  it("whose lease is lost while their work begins are ended when it has begun, and claimed anew", async () => {
    const all = world(1);
    let slow = false;
    const node = await all.start("b", () => (slow ? all.clock.sleep(LEASE * 2) : Promise.resolve()));
    const other = await all.start("a");
    await all.clock.advance(LEASE); // it is the other's now: its name comes first
    expect(all.counts()).toEqual([0, 1]);
    slow = true;
    await other.shares.close();
    await all.clock.advance(LEASE / 2);
    expect(node.told).toEqual(["+0", "-0", "+0"]);
    await all.seize("partition 0");
    await all.clock.advance(LEASE);
    expect(node.working.get(0)?.valid()).toBe(false);
    await all.clock.advance(LEASE * 4);
    expect(node.told).toEqual(["+0", "-0", "+0", "-0", "+0"]);
    expect(all.counts()).toEqual([1, 0]);
    await all.clock.until(node.shares.close());
  });

  it("are all given up at the end, also when the end of one fails", async () => {
    const all = world(4);
    const a = await all.start(
      "a",
      () => Promise.resolve(),
      (partition) => (partition === 1 ? Promise.reject(new Error("it does not end")) : Promise.resolve()),
    );
    await a.shares.close();
    expect(a.told.filter((word) => word.startsWith("-"))).toEqual(["-0", "-1", "-2", "-3"]);
    expect(all.errors).toEqual([expect.stringContaining("it does not end")]);
    const b = await all.start("b");
    expect(b.shares.owned()).toEqual([0, 1, 2, 3]); // at once: no lease was left behind
    await b.shares.close();
  });
});
