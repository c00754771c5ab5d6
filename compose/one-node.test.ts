import { describe, expect, it } from "vitest";
import { createLeases, type Leases } from "#bus/cluster/lease.ts";
import type { Accept, Inlet } from "#bus/ports.ts";
import { createMemoryDisk, createMemoryPorts } from "#test/harness/memory.ts";
import { createVirtualClock } from "#test/harness/virtual-clock.ts";
import { onOneNode } from "./one-node.ts";

const taken: Accept = async () => ({ kind: "accepted", id: "1", correlationId: "1", position: 1, duplicate: false });

async function world() {
  const clock = createVirtualClock();
  const { store } = createMemoryPorts(clock, createMemoryDisk());
  const said: string[] = [];
  const accepts = new Map<string, Accept>();
  const dead = new Set<string>();
  const node = async (name: string): Promise<Inlet> => {
    const own = await createLeases({ store, clock, node: name, sole: false });
    // a process that died neither extends nor claims
    const leases: Leases = {
      ...own,
      async claim(what) {
        const lease = dead.has(name) ? undefined : await own.claim(what);
        return lease && { ...lease, renew: () => (dead.has(name) ? new Promise(() => undefined) : lease.renew()) };
      },
    };
    return onOneNode({ leases, clock, onError: (error) => void said.push(String(error)) }, "inlet nightly/drop", () => ({
      async start(accept) {
        said.push(`${name} starts`);
        accepts.set(name, accept);
      },
      async close() {
        said.push(`${name} closes`);
      },
    }));
  };
  return { clock, said, accepts, dead, node };
}

describe("an inlet of one node", () => {
  it("runs as it is where there is one process only", () => {
    const inlet: Inlet = { start: () => Promise.resolve(), close: () => Promise.resolve() };
    expect(onOneNode({ leases: undefined, clock: createVirtualClock(), onError: () => undefined }, "x", () => inlet)).toBe(inlet);
  });

  it("runs on the first, and on the next when that one closes", async () => {
    const { clock, said, node } = await world();
    const [a, b] = [await node("a"), await node("b")];
    await a.start(taken);
    await b.start(taken);
    await clock.advance(60_000);
    expect(said).toEqual(["a starts"]);
    await a.close();
    await clock.advance(1_000);
    expect(said).toEqual(["a starts", "a closes", "b starts"]);
    await b.close();
    expect(said.at(-1)).toBe("b closes");
  });

  it("is closed by a process that lost its turn, refuses what still comes there, and runs again when the turn is back", async () => {
    const { clock, said, accepts, dead, node } = await world();
    const [a, b] = [await node("a"), await node("b")];
    await a.start(taken);
    await b.start(taken);
    const late = accepts.get("a");
    dead.add("a");
    await clock.advance(20_000);
    expect(said).toEqual(["a starts", "a closes", "b starts"]);
    await expect(late?.({} as never)).rejects.toMatchObject({ code: "bus-stopping" });
    await expect(accepts.get("b")?.({} as never)).resolves.toMatchObject({ kind: "accepted" });
    dead.delete("a");
    await b.close();
    await clock.advance(1_000);
    expect(said.slice(3)).toEqual(["b closes", "a starts"]);
    await a.close();
  });
});
