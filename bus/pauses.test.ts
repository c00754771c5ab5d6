/** A pause is an operator's word for the whole deployment: every process keeps to it, and so does the next one. */
import { afterEach, describe, expect, it } from "vitest";
import { changed, GRANTS, inboundOf, lookup, openBusWorld, setOf, START, type BusWorld } from "#test/harness/bus-world.ts";
import { createMemoryDisk, createMemoryStore } from "#test/harness/memory.ts";
import { createVirtualClock } from "#test/harness/virtual-clock.ts";
import { createPauses } from "./pauses.ts";
import type { FindOptions } from "./ports.ts";

const open: BusWorld[] = [];
afterEach(async () => {
  await Promise.all(open.splice(0).map(({ bus }) => bus.close()));
});

const ask = (world: BusWorld): Promise<string> =>
  world.bus.accept(inboundOf("lookup", "asker/one", { n: 1 })).then(
    ({ kind }) => kind,
    (error: unknown) => (error as { code: string }).code,
  );

const say = async ({ bus }: BusWorld, id: string, paused: boolean): Promise<void> => {
  const running = bus.view().routes.get(id);
  if (running) await bus.pause(running.route, paused);
};

/** Processes over one store; a journal each, for what they deliver is not asked here. */
function cluster() {
  const clock = createVirtualClock(START);
  const disk = createMemoryDisk();
  const start = async (node: string | undefined, set = setOf([lookup(), changed()], GRANTS)): Promise<BusWorld> => {
    const world = await openBusWorld({ clock, set, disk: { ...createMemoryDisk(), documents: disk.documents }, ...(node && { node }) });
    open.push(world);
    return world;
  };
  return { clock, disk, start };
}

describe("a pause", () => {
  it("said to one process holds on every other within a second, and so does its end", async () => {
    const { clock, start } = cluster();
    const [a, b] = [await start("a"), await start("b")];
    await say(a, "lookup", true);
    expect(await ask(a)).toBe("route-paused");
    await clock.advance(1_000);
    expect(await ask(b)).toBe("route-paused");
    await say(b, "lookup", false);
    expect(await ask(b)).toBe("reply");
    await clock.advance(1_000);
    expect(await ask(a)).toBe("reply");
  });

  it("holds branches of events on every process", async () => {
    const { clock, start } = cluster();
    const [a, b] = [await start("a"), await start("b")];
    await say(a, "changed", true);
    await clock.advance(1_000);
    await b.bus.accept(inboundOf("changed", "maker/one", { n: 1 }));
    await clock.advance(60_000);
    expect(b.sent).toEqual([]);
    await say(a, "changed", false);
    await clock.advance(2_000);
    expect(b.sent.map(({ branch }) => branch).toSorted()).toEqual(["a", "b"]);
  });

  it("outlives the processes, and an edit of the route's file", async () => {
    const { start } = cluster();
    const a = await start(undefined);
    await say(a, "lookup", true);
    await a.bus.apply(setOf([lookup({ revision: "r2" }), changed()], GRANTS));
    expect(await ask(a)).toBe("route-paused");
    await a.bus.close();
    expect(await ask(await start(undefined))).toBe("route-paused");
  });

  it("that the file says is ended by an operator, until the file is edited", async () => {
    const { start } = cluster();
    const held = (revision: string) => setOf([lookup({ state: "paused", revision })], GRANTS);
    const a = await start(undefined, held("r1"));
    expect(await ask(a)).toBe("route-paused");
    await say(a, "lookup", false);
    expect(await ask(a)).toBe("reply");
    expect(await ask(await start(undefined, held("r1")))).toBe("reply");
    expect(await ask(await start(undefined, held("r2")))).toBe("route-paused");
  });

  it("is told again where an operator resumes what another process thinks runs: a branch that stopped by itself goes on there", async () => {
    const { clock, disk } = cluster();
    const told: string[] = [];
    const node = (name: string) =>
      createPauses({
        store: createMemoryStore(disk),
        clock,
        shared: true,
        changed: (route) => void told.push(`${name} ${route}`),
        onError: () => undefined,
      });
    const [a, b] = [await node("a"), await node("b")];
    await a.say(lookup(), false);
    await a.say(lookup(), false);
    await clock.advance(1_000);
    expect(told).toEqual(["a lookup", "a lookup", "b lookup"]);
    await clock.advance(10_000);
    expect(told).toHaveLength(3);
    await Promise.all([a.close(), b.close()]);
  });

  it("of two processes at one moment stands once, and both acts count", async () => {
    const { clock, disk } = cluster();
    const parts = { store: createMemoryStore(disk), clock, shared: false, changed: () => undefined, onError: () => undefined };
    const [a, b] = [await createPauses(parts), await createPauses(parts)];
    await Promise.all([a.say(lookup(), true), b.say(lookup(), true)]);
    expect(disk.documents.get("pauses")?.get("lookup")?.value).toEqual({ paused: true, revision: lookup().revision, acts: 2 });
  });

  it("is looked for again after the store was away", async () => {
    const { clock, disk } = cluster();
    const failures: unknown[] = [];
    const store = createMemoryStore(disk);
    let away = false;
    const flaky: typeof store = {
      ...store,
      collection: async (name, options) => {
        const documents = await store.collection<never>(name, options);
        return { ...documents, find: (query: FindOptions) => (away ? Promise.reject(new Error("away")) : documents.find(query)) };
      },
    };
    const b = await createPauses({ store: flaky, clock, shared: true, changed: () => undefined, onError: (e) => void failures.push(e) });
    const a = await createPauses({ store, clock, shared: false, changed: () => undefined, onError: () => undefined });
    away = true;
    await a.say(lookup(), true);
    await clock.advance(3_000);
    expect([failures.length, b.of(lookup())]).toEqual([3, false]);
    away = false;
    await clock.advance(1_000);
    expect(b.of(lookup())).toBe(true);
    await b.close();
  });
});
