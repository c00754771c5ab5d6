/**
 * Two processes of one bus on a broker and one MongoDB. One is killed under load, then one sleeps for longer than its lease: what any of
 * them acknowledged has its effect at every branch, first effects come in the order of their key, and nobody helps.
 */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createSite, type BusProcess, type Site } from "#test/harness/bus-process.ts";
import type { FlowEngine } from "#test/harness/flow-engines.ts";
import { createLoad, outOfOrder, twice, whole as everything } from "#test/harness/load.ts";
import { eventually, type Receiver } from "#test/harness/receiver.ts";
import type { Server } from "#test/harness/servers.ts";
import { openSubscribers, type Subscribers } from "#test/harness/world.ts";

/** Longer than a lease of ten seconds lasts. */
const SLEEP = 14_000;
/** Milliseconds between two messages of a sender; there are eight. */
const PAUSE = 200;
/** While one sleeps: the smallest database of tests reads all its rows for each question, so what piles up must be bounded. */
const SLOW = 1_500;
/** A machine that does other work too needs its time; on an idle one it is a few seconds. */
const PATIENCE = 300_000;
/** What a process may have had in its handlers when it died or fell asleep comes again. */
const IN_HAND = 64;

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** Senders that ask one process after the other. */
function inTurns(buses: readonly BusProcess[]): BusProcess {
  const [first] = buses;
  if (!first) throw new Error("no bus");
  let turn = 0;
  return {
    ...first,
    get http() {
      return buses[turn++ % buses.length]?.http ?? first.http;
    },
  };
}

const firstEffects = (receiver: Receiver): Receiver => ({ ...receiver, received: [...receiver.effects.values()] });

export function nodesFlows(engine: FlowEngine, mongo: Server): void {
  describe("two processes of one bus", () => {
    const sites: Site[] = [];
    const load = createLoad();
    let env: Readonly<Record<string, string>> = {};
    let world: Subscribers;
    let one: BusProcess;
    let two: BusProcess;
    let three: BusProcess;

    const start = (node: string): Promise<BusProcess> => {
      const site = createSite({ ...env, MBUS_NODE: node });
      sites.push(site);
      site.hurry();
      return site.start({ variables: world.variables });
    };
    const during = async (buses: readonly BusProcess[], work: () => Promise<void>, between = PAUSE): Promise<void> => {
      const end = new AbortController();
      const sending = load.run(inTurns(buses), end.signal, between);
      await work();
      end.abort();
      await sending;
    };
    /** So many more, however long that takes here. */
    const acknowledged = (more: number): Promise<void> => {
      const enough = load.events.size + more;
      const tell = (): string => `${load.events.size} messages are acknowledged, not ${enough}`;
      return eventually(() => load.events.size >= enough, tell, PATIENCE);
    };
    const whole = async (when: string): Promise<void> => {
      const began = performance.now();
      await everything(world, load, PATIENCE);
      console.info(`${engine.name}: whole ${Math.round(performance.now() - began)} ms after ${when}`);
      expect(outOfOrder(firstEffects(world.townhall))).toEqual([]);
      for (const receiver of [world.pensions, world.townhall, world.statistics]) expect(twice(receiver).length).toBeLessThan(IN_HAND);
    };

    beforeAll(async () => {
      world = await openSubscribers();
      const database = `nodes_${engine.name}_${process.pid}`;
      env = { ...(await engine.place()).env, MBUS_STORE: "mongodb", MONGODB_URL: mongo.url, MONGODB_DATABASE: database };
      one = await start("one");
      two = await start("two");
    });
    afterAll(async () => {
      await Promise.all(sites.map((site) => site.remove()));
      await world.close();
    });

    it("lose nothing when one of them is killed under load", async () => {
      await during([one, two], () => acknowledged(20));
      await whole("both worked");
      await during([one, two], async () => {
        await acknowledged(10);
        await one.end("SIGKILL");
        await acknowledged(10);
      });
      await whole("one was killed");
    }, 900_000);

    it("lose nothing when one of them sleeps for longer than its lease", async () => {
      three = await start("three");
      await during([two, three], () => acknowledged(10));
      process.kill(two.pid, "SIGSTOP");
      try {
        await during([three], async () => void (await Promise.all([acknowledged(10), pause(SLEEP)])), SLOW);
      } finally {
        process.kill(two.pid, "SIGCONT");
      }
      await during([two, three], () => acknowledged(10));
      await whole("one slept past its lease");
      await Promise.all([two.end("SIGTERM"), three.end("SIGTERM")]);
    }, 900_000);
  });
}
