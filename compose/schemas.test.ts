import { describe, expect, it } from "vitest";
import { BusError } from "#bus/errors.ts";
import type { Registry } from "#bus/ports.ts";
import { createMemoryDisk, createMemoryPorts } from "#test/harness/memory.ts";
import { createVirtualClock } from "#test/harness/virtual-clock.ts";
import { keptTexts, openSchemas } from "./schemas.ts";

const onError = (error: unknown): never => {
  throw error;
};

/** A registry that gives ids by first sight, shared by all who ask it. */
function registryOf(clashes = 0): Registry {
  const ids = new Map<string, number>();
  let left = clashes;
  return {
    async register(_, schema) {
      if (left-- > 0) throw new BusError("store-duplicate", "another process was faster");
      ids.set(schema, ids.get(schema) ?? ids.size + 1);
      return ids.get(schema) ?? 0;
    },
    schema: () => Promise.reject(new BusError("schema-unknown", "not asked")),
    compatibility: () => Promise.resolve([]),
    close: () => Promise.resolve(),
  };
}

describe("schemas of a cluster", () => {
  it("a new id waits until the other process knows its text, and only then", async () => {
    const clock = createVirtualClock();
    const { store } = createMemoryPorts(clock, createMemoryDisk());
    const shared = { registry: registryOf(), texts: await keptTexts(store), clock, shared: true, onError };
    const [a, b] = [await openSchemas(shared), await openSchemas(shared)];
    const id = await a.idOf("person", '"string"');
    let settled = false;
    void a.settled().then(() => (settled = true));
    await clock.settle();
    expect([b.lookup(id), settled]).toEqual([undefined, false]);
    await clock.advance(3_000);
    expect([b.lookup(id), settled]).toEqual(['"string"', true]);
    await b.settled();
    await Promise.all([a.close(), b.close()]);
  });

  it("texts that were used stay known after a restart, also where an outside registry gave the ids", async () => {
    const clock = createVirtualClock();
    const { store } = createMemoryPorts(clock, createMemoryDisk());
    const parts = { registry: registryOf(), texts: await keptTexts(store), clock, shared: false, onError };
    const id = await (await openSchemas(parts)).idOf("person", '"long"');
    expect((await openSchemas({ ...parts, texts: await keptTexts(store) })).lookup(id)).toBe('"long"');
  });

  it("two processes that register at the same time both get the id", async () => {
    const clock = createVirtualClock();
    const { store } = createMemoryPorts(clock, createMemoryDisk());
    const parts = { texts: await keptTexts(store), clock, shared: false, onError };
    expect(await (await openSchemas({ ...parts, registry: registryOf(2) })).idOf("person", '"int"')).toBe(1);
    await expect((await openSchemas({ ...parts, registry: registryOf(9) })).idOf("person", '"int"')).rejects.toThrow("faster");
  });
});
