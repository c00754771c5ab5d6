/**
 * What subscribers see, on any engine: one that is down catches up in order, a poison event dies with its reason and lives again, replays
 * are exact.
 */
import { afterEach, describe, expect, it } from "vitest";
import { createSite, type BusProcess, type Site } from "#test/harness/bus-process.ts";
import type { FlowEngine } from "#test/harness/flow-engines.ts";
import { outOfOrder, twice } from "#test/harness/load.ts";
import { eventually, openReceiver } from "#test/harness/receiver.ts";
import { idnp, openSubscribers, tell, type Subscribers } from "#test/harness/world.ts";

type Stage = Readonly<{ site: Site; world: Subscribers; bus: BusProcess }>;

async function tellAll(bus: BusProcess, count: number, persons: number): Promise<void> {
  for (let first = 0; first < count; first += persons) {
    const batch = Array.from({ length: Math.min(persons, count - first) }, (_, lane) =>
      tell(bus, { id: `e-${first + lane}`, person: idnp(lane), revision: first / persons + 1 }),
    );
    for (const { status, body } of await Promise.all(batch)) expect(status, body).toBe(200);
  }
}

const json = async (site: Site, ...args: string[]): Promise<unknown> => {
  const { out, err, code } = await site.mbus(...args, "--json");
  if (out === "") throw new Error(`mbus ${args.join(" ")} ended with ${code}: ${err}`);
  return JSON.parse(out);
};

/** `events`: how many the subscriber misses that is down, at most 1,000. `whole`: also what no engine could change. */
export function deliveryFlows(engine: FlowEngine, events: number, whole: boolean): void {
  const stages: Stage[] = [];

  async function stage(): Promise<Stage> {
    const site = createSite((await engine.place()).env);
    site.edit("routes/rsp/person-changed.yaml", (text) => text.replace(", limits: { rate: 50/s }", ""));
    site.edit("routes/policies.yaml", (text) =>
      text.replace("first: 5s, factor: 3", "first: 100ms, factor: 2").replace("openFor: 1m", "openFor: 1s"),
    );
    const world = await openSubscribers();
    const bus = await site.start({ variables: world.variables });
    const made = { site, world, bus };
    stages.push(made);
    return made;
  }

  afterEach(async () => {
    for (const { site, world } of stages.splice(0)) {
      await site.remove();
      await world.close();
    }
  });

  describe(`a subscriber that is down for ${events} events`, () => {
    it("opens its breaker, slows nobody, and catches up in order per key", async () => {
      const { site, world, bus } = await stage();
      const { port } = world.townhall;
      await world.townhall.close();
      await tellAll(bus, events, 50);
      await eventually(
        () => world.pensions.effects.size === events && world.statistics.effects.size === events,
        () => `others have ${world.pensions.effects.size} and ${world.statistics.effects.size} of ${events}`,
        60_000,
      );
      const breakers = (await json(site, "breakers")) as { endpoint: string; breaker: { position: string; history: unknown[] } }[];
      const own = breakers.find(({ endpoint }) => endpoint.includes(`:${port}`));
      expect(own?.breaker.history.length).toBeGreaterThan(0);
      const back = await openReceiver({ port });
      try {
        await eventually(
          () => back.effects.size === events,
          () => `${back.effects.size} of ${events} came after it was back`,
          60_000,
        );
        expect(outOfOrder(back)).toEqual([]);
        expect(twice(back)).toEqual([]);
        const rows = (await json(
          site,
          "journal",
          "find",
          "--route",
          "person-changed",
          "--branch",
          "townhall",
          "--step",
          "delivered",
          "--limit",
          "1000",
        )) as unknown[];
        expect(rows).toHaveLength(events);
      } finally {
        await back.close();
      }
    });
  });

  describe("a poison event", () => {
    it("lands in dead letters with its reason, blocks nobody, and is delivered by a replay after the fix", async () => {
      const { site, world, bus } = await stage();
      world.townhall.answer(({ body }) => (body.includes('"Poison"') ? 422 : 200));
      await tell(bus, { id: "good-1", person: idnp(1), revision: 1 });
      await tell(bus, { id: "bad-1", person: idnp(2), revision: 1, region: "Poison" });
      await tell(bus, { id: "good-2", person: idnp(2), revision: 2 });
      await eventually(
        () => world.townhall.effects.has("good-1") && world.townhall.effects.has("good-2"),
        () => `the town hall has ${[...world.townhall.effects.keys()].join(", ")}`,
      );
      let letters: { id: string; messageId: string; errorClass: string; text: string; branch: string }[] = [];
      await eventually(
        async () => (letters = (await json(site, "deadletters", "list")) as typeof letters).length === 1,
        () => `${letters.length} dead letters`,
      );
      expect(letters[0]).toMatchObject({ messageId: "bad-1", branch: "townhall", errorClass: "provider-fault" });
      expect(letters[0]?.text).toContain("422");
      world.townhall.answer(() => 200);
      const replayed = (await json(site, "deadletters", "replay", letters[0]?.id ?? "", "--reason", "the town hall was mended")) as {
        done: number;
      };
      expect(replayed.done).toBe(1);
      expect(world.townhall.effects.has("bad-1")).toBe(true);
      expect(world.pensions.received.filter(({ id }) => id === "bad-1")).toHaveLength(1);
      expect(await json(site, "deadletters", "list")).toEqual([]);
      const refused = await site.mbus("deadletters", "replay", letters[0]?.id ?? "", "--reason", "again");
      expect(refused.code).toBe(1);
    });
  });

  describe("a replay", () => {
    it("sends exactly what its dry run counts, to one branch, and leaves an act with operator and reason", async () => {
      const { site, world, bus } = await stage();
      await tellAll(bus, 30, 10);
      await eventually(
        () => world.statistics.effects.size === 30 && world.pensions.effects.size === 30,
        () => "the first round is not through",
      );
      await new Promise((resolve) => setTimeout(resolve, 1100));
      const from = new Date().toISOString();
      for (let n = 0; n < 12; n += 1) await tell(bus, { id: `late-${n}`, person: idnp(n), revision: 100 });
      await eventually(
        () => world.statistics.effects.size === 42 && world.pensions.effects.size === 42,
        () => "the second round is not through",
      );
      const before = {
        statistics: world.statistics.received.length,
        pensions: world.pensions.received.length,
        townhall: world.townhall.received.length,
      };
      const to = new Date(Date.now() + 1000).toISOString();
      const args = ["replay", "--route", "person-changed", "--from", from, "--to", to, "--branch", "statistics"];
      expect(await json(site, ...args, "--dry-run")).toMatchObject({ total: 12 });
      expect(world.statistics.received).toHaveLength(before.statistics);
      const without = await site.mbus(...args);
      expect([without.code, without.err]).toEqual([2, expect.stringContaining("--reason")]);
      const started = Date.now();
      expect(await json(site, ...args, "--rate", "10/s", "--reason", "lake was restored", "--operator", "m.rusu")).toMatchObject({
        state: "done",
        total: 12,
        done: 12,
        failed: 0,
      });
      expect(Date.now() - started).toBeGreaterThan(900);
      const again = world.statistics.received.slice(before.statistics);
      expect(again.map(({ id }) => id).toSorted()).toEqual(Array.from({ length: 12 }, (_, n) => `late-${n}`).toSorted());
      expect([world.pensions.received.length, world.townhall.received.length]).toEqual([before.pensions, before.townhall]);
      const acts = (await json(site, "journal", "find", "--step", "act")) as { detail: string }[];
      expect(acts.some(({ detail }) => detail.includes("m.rusu") && detail.includes("lake was restored"))).toBe(true);
      expect((await json(site, "journal", "find", "--step", "replayed", "--route", "person-changed")) as unknown[]).toHaveLength(12);
    });
  });

  if (!whole) return;

  describe("a replay of what nobody waits for any more", () => {
    it("of a query is refused and says why", async () => {
      const { site } = await stage();
      const { code, err } = await site.mbus("replay", "--route", "person-lookup", "--reason", "curious");
      expect(code).toBe(1);
      expect(err).toContain("replay-refused");
    });
  });

  describe("a broken file", () => {
    it("leaves every route running, shows the drift, and is taken when it is right again", async () => {
      const { site, world, bus } = await stage();
      site.edit("routes/rsp/person-changed.yaml", (text) => text.replace("fanOut:", "fanOat:"));
      let status: { drift: boolean; findings: { file: string; line: number; text: string }[] } = { drift: false, findings: [] };
      await eventually(
        async () => (status = (await json(site, "status")) as typeof status).drift,
        () => "no drift was seen",
      );
      expect(status.findings.find(({ text }) => text.includes("fanOut"))).toMatchObject({ file: "routes/rsp/person-changed.yaml" });
      await tell(bus, { id: "e-1", person: idnp(1), revision: 1 });
      await eventually(
        () => world.townhall.effects.has("e-1"),
        () => "the route no longer runs",
      );
      site.edit("routes/rsp/person-changed.yaml", (text) => text.replace("fanOat:", "fanOut:"));
      await eventually(
        async () => !((await json(site, "status")) as typeof status).drift,
        () => "the drift stayed",
      );
    });
  });
}
