/** kill -9 of the bus at any moment under load, on any engine: what was acknowledged is delivered to every branch. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createSite, type Site } from "#test/harness/bus-process.ts";
import type { FlowEngine } from "#test/harness/flow-engines.ts";
import { createLoad, outOfOrder, whole } from "#test/harness/load.ts";
import { eventually } from "#test/harness/receiver.ts";
import { openSubscribers } from "#test/harness/world.ts";

export function killFlows(engine: FlowEngine, kills: number): void {
  describe("kill -9 under load", () => {
    let site: Site;
    let close: () => Promise<void> = () => Promise.resolve();
    beforeAll(async () => {
      site = createSite((await engine.place()).env);
    });
    afterAll(async () => {
      await site.remove();
      await close();
    });

    it(`loses nothing that was acknowledged, over ${kills} kills`, async () => {
      const world = await openSubscribers();
      close = world.close;
      site.hurry();
      const load = createLoad();
      for (let kill = 0; kill < kills; kill += 1) {
        const bus = await site.start({ variables: world.variables });
        const life = new AbortController();
        const sending = load.run(bus, life.signal);
        const before = load.events.size;
        // a life begins when it has work: how soon that is depends on the machine
        await eventually(
          () => load.events.size > before,
          () => `life ${kill} acknowledges nothing`,
          30_000,
        );
        await new Promise((resolve) => setTimeout(resolve, Math.random() * 350));
        await bus.end("SIGKILL");
        life.abort();
        await sending;
      }
      expect(load.events.size).toBeGreaterThan(kills * 5);
      expect(load.commands.size).toBeGreaterThan(kills);
      const bus = await site.start({ variables: world.variables });
      await whole(world, load);
      expect(outOfOrder(world.townhall)).toEqual([]);
      const letters = await site.mbus("deadletters", "list", "--json");
      expect(JSON.parse(letters.out)).toEqual([]);
      await bus.end("SIGTERM");
    }, 600_000);
  });
}
