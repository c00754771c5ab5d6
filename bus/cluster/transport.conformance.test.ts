/** The transport over a broker keeps the promises of every transport, over an honest broker in memory. */
import { setTimeout as sleep } from "node:timers/promises";
import type { Clock, Transport } from "#bus/ports.ts";
import type { World } from "#test/conformance/cases.ts";
import { transportSuite } from "#test/conformance/transport.ts";
import { createMemoryDisk, createMemoryJournal, createMemoryStore } from "#test/harness/memory.ts";
import { createBrokerDisk, createMemoryBroker } from "#test/harness/memory-broker.ts";
import { openBrokerTransport } from "./transport.ts";

const clock: Clock = { now: () => Date.now(), sleep: (ms, signal) => sleep(ms, undefined, signal ? { signal } : {}) };
const FEATURES = ["durable", "ordered", "groups", "durable-wait", "request", "restart"];

/** "Restarting" closes the transport and opens it anew on the same journal, store and broker. */
async function world(partitions: number): Promise<World<Transport>> {
  const disk = createMemoryDisk();
  const queues = createBrokerDisk();
  const open = (): Promise<Transport> =>
    openBrokerTransport({
      broker: createMemoryBroker(queues),
      journal: createMemoryJournal({ disk }),
      store: createMemoryStore(disk),
      clock,
      node: "one",
      partitions,
      onError: (error, where) => console.error(where, error),
    });
  let port = await open();
  return {
    port,
    async restart() {
      await port.close();
      port = await open();
      return port;
    },
    close: () => port.close(),
  };
}

transportSuite("a broker with one partition", FEATURES, () => world(1));
transportSuite("a broker with four partitions", FEATURES, () => world(4), {
  "positions grow in order of publishing": "order is promised per key; messages without one lie in four partitions",
});
