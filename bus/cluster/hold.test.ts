import { describe, expect, it } from "vitest";
import { createMemoryDisk, createMemoryPorts } from "#test/harness/memory.ts";
import { createVirtualClock } from "#test/harness/virtual-clock.ts";
import { holdLease, openSeat } from "./hold.ts";
import { createLeases, LEASE, type Lease, type Leases } from "./lease.ts";

async function nodes() {
  const clock = createVirtualClock();
  const { store } = createMemoryPorts(clock, createMemoryDisk());
  const of = (node: string): Promise<Leases> => createLeases({ store, clock, node, sole: false });
  return { clock, a: await of("a"), b: await of("b") };
}

/** A lease whose extensions never answer, as when the store is away. */
const hanging = (lease: Lease): Lease => ({ ...lease, renew: () => new Promise(() => undefined) });

async function claimed(leases: Leases, name = "work"): Promise<Lease> {
  const lease = await leases.claim(name);
  if (!lease) throw new Error(`${name} is held`);
  return lease;
}

describe("a hold", () => {
  it("keeps its lease for as long as it lasts, and frees it at once when released", async () => {
    const { clock, a, b } = await nodes();
    const hold = holdLease(await claimed(a), clock);
    for (let minute = 0; minute < 5; minute++) {
      await clock.advance(60_000);
      expect(hold.valid()).toBe(true);
      expect(await b.claim("work")).toBeUndefined();
    }
    await hold.release();
    expect(hold.valid()).toBe(false);
    expect(hold.lost.aborted).toBe(false);
    expect(await b.claim("work")).toBeDefined();
  });

  it("says that it is lost before another can begin, also while an extension hangs", async () => {
    const { clock, a, b } = await nodes();
    const hold = holdLease(hanging(await claimed(a)), clock);
    await clock.advance(LEASE - 1);
    expect(await b.claim("work")).toBeUndefined();
    expect(hold.lost.aborted).toBe(true);
    expect(hold.valid()).toBe(false);
    await clock.advance(1);
    expect(await b.claim("work")).toBeDefined();
  });
});

describe("a seat", () => {
  it("has one node at a time; when that one goes or dies, the other takes it", async () => {
    const { clock, a, b } = await nodes();
    const first = openSeat({
      leases: { ...a, claim: async (name) => a.claim(name).then((lease) => lease && hanging(lease)) },
      clock,
      name: "work",
    });
    const second = openSeat({ leases: b, clock, name: "work" });
    expect([await first.mine(), await second.mine()]).toEqual([true, false]);
    await clock.advance(LEASE + 1000);
    expect([first.valid(), await second.mine(), await first.mine()]).toEqual([false, true, false]);
    await second.close();
    expect([await second.mine(), await first.mine()]).toEqual([false, true]);
  });
});
