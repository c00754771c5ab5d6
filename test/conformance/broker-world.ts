/** A transport over a real broker and an embedded journal in a throw-away folder, as one process of the bus has it. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openEmbedded, realClock, type Embedded } from "#adapters/embedded/engine.ts";
import type { Broker } from "#bus/broker.ts";
import { openBrokerTransport, type BrokerTransport } from "#bus/cluster/transport.ts";
import type { World } from "./cases.ts";

/** Declared by every transport over a broker. */
export const BROKER_FEATURES = ["durable", "ordered", "groups", "durable-wait", "request", "restart"] as const;

export async function brokerTransportWorld(openBroker: () => Promise<Broker>, partitions: number): Promise<World<BrokerTransport>> {
  const dataDir = await mkdtemp(join(tmpdir(), "mbus-broker-"));
  let engine: Embedded;
  const open = async (): Promise<BrokerTransport> => {
    engine = await openEmbedded({ dataDir });
    return openBrokerTransport({
      broker: await openBroker(),
      journal: engine.journal,
      store: engine.store,
      clock: realClock,
      node: "one",
      partitions,
      drainMs: 5_000,
      onError: (error, where) => console.warn(where, error),
    });
  };
  const shut = async (): Promise<void> => {
    await port.close();
    await engine.close();
  };
  let port = await open();
  return {
    port,
    async restart() {
      await shut();
      port = await open();
      return port;
    },
    async close() {
      await shut();
      await rm(dataDir, { recursive: true, force: true });
    },
  };
}
