/**
 * What carries a whole bus in a flow test. A place is what one bus needs of an engine, with nothing of another's in it: on NATS a server
 * of its own, which starts in no time, on RabbitMQ a virtual host of its own. The default is what the environment of the tests says.
 */
import { natsServer } from "./nats.ts";
import { rabbitServer, virtualHost } from "./rabbitmq.ts";
import type { Server } from "./servers.ts";

/** A server that a test may end and start again. */
export type OwnServer = Server & Required<Pick<Server, "kill" | "revive" | "wipe">>;

/** `env`: for createSite. `server`: undefined where the bus is its own engine. */
export type Place = Readonly<{ env: Readonly<Record<string, string>>; server?: OwnServer }>;

export type FlowEngine = Readonly<{ name: string; place(): Promise<Place>; close(): Promise<void> }>;

export const DEFAULT_ENGINE: FlowEngine = {
  name: "the default engine",
  place: () => Promise.resolve({ env: {} }),
  close: () => Promise.resolve(),
};

/** Undefined where no server of our own can be had: one that is given may carry others' messages, and is not ours to end. */
export async function brokerEngine(name: "nats" | "amqp"): Promise<FlowEngine | undefined> {
  return name === "nats" ? natsEngine() : amqpEngine();
}

async function natsEngine(): Promise<FlowEngine | undefined> {
  let spare = await natsServer();
  if (!spare || !ours(spare)) {
    await spare?.close();
    return undefined;
  }
  const open = new Set<Server>([spare]);
  return {
    name: "NATS",
    async place() {
      const server = spare ?? (await natsServer());
      spare = undefined;
      if (!server || !ours(server)) throw new Error("a second NATS server cannot be had");
      open.add(server);
      return { env: { MBUS_TRANSPORT: "nats", NATS_URL: server.url }, server };
    },
    close: async () => void (await Promise.all([...open].map((server) => server.close()))),
  };
}

async function amqpEngine(): Promise<FlowEngine | undefined> {
  const server = await rabbitServer();
  if (!server || !ours(server) || !server.ctl) {
    await server?.close();
    return undefined;
  }
  let places = 0;
  return {
    name: "RabbitMQ",
    async place() {
      const name = `place-${(places += 1)}`;
      const first = places === 1; // the virtual host that is there by itself, also after the server's data was wiped
      const url = first ? server.url : await virtualHost(server, name);
      return { env: { MBUS_TRANSPORT: "amqp", AMQP_URL: url }, server };
    },
    close: () => server.close(),
  };
}

function ours<S extends Server>(server: S): server is S & OwnServer {
  return server.kill !== undefined && server.revive !== undefined && server.wipe !== undefined;
}
