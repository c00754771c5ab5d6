/**
 * A broker and a network that fail under a whole bus, one after the other under load: what was acknowledged comes, once, in order per
 * person, to every subscriber, and nobody has to do anything about it. The journal is the bus's own: senders notice nothing.
 */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createSite, type BusProcess, type Site } from "#test/harness/bus-process.ts";
import type { FlowEngine, OwnServer } from "#test/harness/flow-engines.ts";
import { createLoad, outOfOrder, twice, type Load, whole } from "#test/harness/load.ts";
import { eventually } from "#test/harness/receiver.ts";
import { roughLink, type RoughLink } from "#test/harness/rough-link.ts";
import { openSubscribers, type Subscribers } from "#test/harness/world.ts";

/** Milliseconds between two messages of a lane: some hundred a second in all. */
const PACE = 20;
const SEED = 20_261_125;
/** Bytes after which a connection breaks at the latest; a few hundred messages. */
const MOST_BYTES = 200_000;

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** A fault that one broker alone knows; `act` resolves when it is over. */
export type OwnFault = Readonly<{ name: string; act: (server: OwnServer) => Promise<void> }>;

export function brokerFaultFlows(engine: FlowEngine, own: readonly OwnFault[] = []): void {
  describe("a broker that fails under a whole bus", () => {
    let server: OwnServer;
    let site: Site;
    let link: RoughLink;
    let world: Subscribers;
    let bus: BusProcess;
    beforeAll(async () => {
      const place = await engine.place();
      if (!place.server) throw new Error("the engine has no server to fail");
      ({ server } = place);
      const { hostname, port } = new URL(server.url);
      link = await roughLink(hostname, Number(port));
      const through = Object.entries(place.env).map(([name, value]) => [name, value.replace(`:${port}`, `:${link.port}`)]);
      site = createSite(Object.fromEntries(through) as Record<string, string>);
      site.hurry();
      world = await openSubscribers();
      bus = await site.start({ variables: world.variables });
    }, 120_000);
    afterAll(async () => {
      await site.remove();
      await link.close();
      await world.close();
    });

    /** Load before, during and after the fault; then everything is there. */
    async function under(fault: () => Promise<void>): Promise<Load> {
      const load = createLoad();
      const stop = new AbortController();
      const sending = load.run(bus, stop.signal, PACE);
      sending.catch(() => undefined); // it is waited for below
      await eventually(
        () => [...load.events].filter((id) => world.townhall.effects.has(id)).length > 20,
        () => "nothing comes before the fault",
        60_000,
      );
      await fault();
      const { size } = load.events;
      await eventually(
        () => load.events.size > size + 50,
        () => "senders are not answered after the fault",
        60_000,
      );
      stop.abort();
      await sending;
      await whole(world, load);
      expect(load.refusals, "the broker's trouble is not the senders'").toEqual([]);
      for (const receiver of [world.pensions, world.townhall, world.statistics]) expect(twice(receiver).slice(0, 10)).toEqual([]);
      expect(outOfOrder(world.townhall).slice(0, 10)).toEqual([]);
      const letters = await site.mbus("deadletters", "list", "--json");
      expect(JSON.parse(letters.out)).toEqual([]);
      return load;
    }

    it("connections reset in the middle of frames", async () => {
      await under(async () => {
        const before = link.cuts();
        link.reset(SEED, MOST_BYTES);
        await eventually(
          () => link.cuts() >= before + 12,
          () => `only ${link.cuts() - before} connections were reset`,
          60_000,
        );
        link.calm();
      });
    }, 240_000);

    it("confirmations lost on their way, then the connection", async () => {
      await under(async () => {
        const before = link.lost();
        link.swallow();
        await pause(4_000);
        link.calm();
        expect(link.lost()).toBeGreaterThan(before);
      });
    }, 240_000);

    it.each(own)("$name", async ({ act }) => void (await under(() => act(server))), 240_000);

    it("killed at full speed and started again", async () => {
      await under(async () => {
        await server.kill();
        await pause(2_000);
        await server.revive();
      });
    }, 240_000);

    it("killed and all its data gone", async () => {
      await under(async () => {
        await server.kill();
        await server.wipe();
        await server.revive();
      });
    }, 240_000);
  });
}
