/**
 * The database of journal and store away under a whole bus, for longer than the bus waits for it: senders are told to come again, nothing
 * that was acknowledged is lost, and when it is back all goes on by itself.
 */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createSite, type BusProcess, type Site } from "#test/harness/bus-process.ts";
import type { FlowEngine, OwnServer } from "#test/harness/flow-engines.ts";
import { createLoad, outOfOrder, whole } from "#test/harness/load.ts";
import { eventually } from "#test/harness/receiver.ts";
import { openSubscribers, type Subscribers } from "#test/harness/world.ts";

/** Milliseconds that it is away. The bus waits for thirty seconds. */
const AWAY = 34_000;
const PACE = 50;

/** How it goes, and how it comes back. */
export type Outage = Readonly<{ name: string; begin(store: OwnServer): Promise<void>; end(store: OwnServer): Promise<void> }>;

export const KILLED: Outage = { name: "killed", begin: (store) => store.kill(), end: (store) => store.revive() };

export const FROZEN: Outage = {
  name: "frozen",
  begin: async (store) => signal(store, "SIGSTOP"),
  end: async (store) => signal(store, "SIGCONT"),
};

function signal(store: OwnServer, name: "SIGSTOP" | "SIGCONT"): void {
  const pid = store.pid?.();
  if (pid === undefined) throw new Error("the server has no process of its own");
  process.kill(pid, name);
}

export function storeFaultFlows(engine: FlowEngine, store: OwnServer, outage: Outage): void {
  describe(`a database that is ${outage.name} under a whole bus`, () => {
    let site: Site;
    let world: Subscribers;
    let bus: BusProcess;
    beforeAll(async () => {
      site = createSite({ ...(await engine.place()).env, MBUS_STORE: "mongodb", MONGODB_URL: store.url });
      site.hurry();
      world = await openSubscribers();
      bus = await site.start({ variables: world.variables });
    }, 120_000);
    afterAll(async () => {
      await site.remove();
      await world.close();
    });

    it("has senders told to come again, loses nothing that was acknowledged, and goes on by itself when it is back", async () => {
      const load = createLoad();
      const stop = new AbortController();
      const sending = load.run(bus, stop.signal, PACE);
      sending.catch(() => undefined); // it is waited for below
      await eventually(
        () => load.events.size > 30 && load.commands.size > 5 && world.townhall.effects.size > 10,
        () => `before the outage ${load.events.size} events were taken and ${world.townhall.effects.size} came`,
        60_000,
      );
      await outage.begin(store);
      await new Promise((resolve) => setTimeout(resolve, AWAY));
      await outage.end(store);
      const { size } = load.events;
      await eventually(
        () => load.events.size > size + 30,
        () => `${load.events.size - size} events were taken after it was back; the last refusal: ${JSON.stringify(load.refusals.at(-1))}`,
        90_000,
      );
      stop.abort();
      await sending;
      await whole(world, load);
      expect(load.refusals.length).toBeGreaterThan(0);
      expect(load.refusals.filter(({ retryAfter }) => !(Number(retryAfter) >= 1)).slice(0, 3)).toEqual([]);
      expect(outOfOrder(world.townhall).slice(0, 10)).toEqual([]);
      const letters = await site.mbus("deadletters", "list", "--json");
      expect(JSON.parse(letters.out)).toEqual([]);
    }, 300_000);
  });
}
