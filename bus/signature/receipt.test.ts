/** A signed message through the pipeline: its receipt, its second coming, and who must sign. */
import { describe, expect, it } from "vitest";
import type { Signed } from "#bus/edge/signatures.ts";
import { OASIS_STYLE } from "#bus/edge/signatures.ts";
import { createMemoryPorts } from "#test/harness/memory.ts";
import { createVirtualClock } from "#test/harness/virtual-clock.ts";
import {
  changed,
  GRANTS,
  inboundOf,
  lookup,
  openBusWorld,
  register,
  setOf,
  START,
  SYSTEMS,
  type BusWorld,
} from "#test/harness/bus-world.ts";
import type { RouteSet } from "#bus/route/runtime.ts";

const signed = (seen: string, over: Partial<Signed> = {}): Signed => ({
  certificate: "ab".repeat(32),
  algorithm: "RSA-SHA256",
  created: START,
  seen,
  remember: 1_000_000,
  covers: "message",
  style: OASIS_STYLE,
  ...over,
});
const ask = (world: BusWorld, seen: string | undefined, system = "asker/one", over: Partial<Signed> = {}): Promise<unknown> =>
  world.bus.accept(inboundOf("lookup", system, { n: 1 }, seen === undefined ? {} : { signed: signed(seen, over) }));
const replayed = expect.objectContaining({ code: "signature-replayed" });

/** The usual routes, where `asker/one` must sign. */
const strict = (): RouteSet => {
  const set = setOf([lookup(), changed(), register()], GRANTS);
  const one = SYSTEMS.get("asker/one");
  if (one === undefined) throw new Error("no such system");
  return { ...set, systems: new Map([...set.systems, ["asker/one", { ...one, signatures: { ...one.signatures, required: true } }]]) };
};

describe("a signed message", () => {
  it("leaves a receipt that is durable before the provider is asked", async () => {
    const world = await openBusWorld();
    await ask(world, "one");
    expect(world.rows()).toEqual(["verified ok", "accepted ok", "replied ok"]);
    expect(world.sent[0]?.rows).toBeGreaterThanOrEqual(1);
    const [receipt] = world.journal.records;
    expect(receipt).toMatchObject({ system: "asker/one", route: "lookup", index: { certificate: "ab".repeat(32) } });
    expect(receipt?.detail).toContain("RSA-SHA256 by certificate abab");
    expect(receipt?.digest).toMatch(/^[0-9a-f]{64}$/u);
    await world.bus.close();
  });

  it("keeps its bytes where the route keeps payloads, and their digest everywhere", async () => {
    const route = lookup();
    for (const payload of ["full", "hash"] as const) {
      const world = await openBusWorld({ set: setOf([{ ...route, journal: { ...route.journal, payload } }], GRANTS) });
      await ask(world, "one");
      expect(world.journal.records[0]?.original !== undefined).toBe(payload === "full");
      await world.bus.close();
    }
  });

  it("is refused the second time, and nobody is asked", async () => {
    const world = await openBusWorld();
    await ask(world, "one");
    await expect(ask(world, "one")).rejects.toThrow(replayed);
    expect(world.sent).toHaveLength(1);
    expect(world.rows().at(-1)).toBe("refused failed signature-replayed");
    await expect(ask(world, "two")).resolves.toMatchObject({ kind: "reply" });
    await world.bus.close();
  });

  it("is refused after a restart, and on another process that shares the journal", async () => {
    const clock = createVirtualClock(START);
    const first = await openBusWorld({ clock });
    await ask(first, "one");
    await first.bus.close();
    const second = await openBusWorld({ clock, disk: first.disk });
    await expect(ask(second, "one")).rejects.toThrow(replayed);
    expect(second.sent).toHaveLength(0);
    await second.bus.close();
  });

  it("counts again only when its time is over, which its own times then refuse", async () => {
    const clock = createVirtualClock(START);
    const world = await openBusWorld({ clock });
    await ask(world, "one");
    await clock.advance(999_000);
    await expect(ask(world, "one")).rejects.toThrow(replayed);
    await world.bus.close();
  });

  it("of another system with the same words is another one", async () => {
    const world = await openBusWorld();
    await ask(world, "one");
    await expect(ask(world, "one", "asker/two")).resolves.toMatchObject({ kind: "reply" });
    await world.bus.close();
  });

  it("that cannot be told from another is received as often as it comes", async () => {
    const world = await openBusWorld();
    await ask(world, "one", "asker/one", { remember: 0 });
    await expect(ask(world, "one", "asker/one", { remember: 0 })).resolves.toMatchObject({ kind: "reply" });
    await world.bus.close();
  });

  it("is not received where the journal cannot keep the receipt", async () => {
    const clock = createVirtualClock(START);
    const plain = createMemoryPorts(clock);
    const append: typeof plain.journal.append = (records) =>
      records.some(({ step }) => step === "verified") ? Promise.reject(new Error("disk full")) : plain.journal.append(records);
    const world = await openBusWorld({ clock, ports: () => ({ ...plain, journal: { ...plain.journal, append } }) });
    await expect(ask(world, "one")).rejects.toThrow("disk full");
    expect(world.sent).toHaveLength(0);
    await world.bus.close();
  });
});

describe("a system that must sign", () => {
  it("is refused unsigned, with the line that demands it", async () => {
    const world = await openBusWorld({ set: strict() });
    await expect(ask(world, undefined)).rejects.toThrow(
      expect.objectContaining({ code: "signature-missing", message: expect.stringContaining("systems.yaml:1") }),
    );
    expect(world.sent).toHaveLength(0);
    await expect(ask(world, "one")).resolves.toMatchObject({ kind: "reply" });
    await world.bus.close();
  });

  it("is the only one that must", async () => {
    const world = await openBusWorld({ set: strict() });
    await expect(ask(world, undefined, "asker/two")).resolves.toMatchObject({ kind: "reply" });
    await world.bus.close();
  });
});
