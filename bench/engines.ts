/**
 * The main job on outside engines: a SOAP exchange, and an event to three branches, with NATS or RabbitMQ as transport and MongoDB as journal
 * and store, beside the same bus on its embedded parts in the same run, which is the limit. One process each; the servers are on the machine.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openAmqpBroker } from "#adapters/amqp/transport.ts";
import { openMongo } from "#adapters/mongodb/engine.ts";
import { openNatsBroker } from "#adapters/nats/transport.ts";
import type { Broker } from "#bus/broker.ts";
import { openBrokerTransport } from "#bus/cluster/transport.ts";
import { systemClock } from "#compose/clock.ts";
import { mongoServer } from "#test/harness/mongodb.ts";
import { natsServer } from "#test/harness/nats.ts";
import { rabbitServer } from "#test/harness/rabbitmq.ts";
import type { Server } from "#test/harness/servers.ts";
import { embeddedEngine, measureEvents, type OpenEventEngine } from "./event.ts";
import type { Figure } from "./figure.ts";
import { load, median, type Measured, type Target } from "./parts/load.ts";
import { REQUEST } from "./parts/messages.ts";
import { startProgram, type Program } from "./parts/process.ts";

const IN_FLIGHT = 64;
const ROUNDS = 5;
const ROUND_MS = 2_000;
const WARM_ROUNDS = 4;
const HEADERS = { "content-type": "text/xml; charset=utf-8", soapaction: '""', "x-system": "cnas/pensions" };

type Ground = Readonly<{
  server: () => Promise<Server | undefined>;
  env: (url: string) => Readonly<Record<string, string>>;
  broker: (url: string) => Promise<Broker>;
}>;
const GROUNDS: Readonly<Record<"nats" | "amqp", Ground>> = {
  nats: {
    server: () => natsServer(),
    env: (url) => ({ MBUS_TRANSPORT: "nats", NATS_URL: url }),
    broker: (url) => openNatsBroker({ url, node: "bench", deployment: "BENCH", maxBytes: 2 ** 30 }),
  },
  amqp: {
    server: rabbitServer,
    env: (url) => ({ MBUS_TRANSPORT: "amqp", AMQP_URL: url }),
    broker: (url) => openAmqpBroker({ url, node: "bench", prefix: "bench" }),
  },
};

export async function engineFigures(names: readonly string[]): Promise<readonly Figure[]> {
  const figures: Figure[] = [];
  for (const name of ["nats", "amqp"] as const) {
    const wanted = names.filter((one) => one.endsWith(`.${name}`));
    if (wanted.length === 0) continue;
    const [server, mongo] = [await GROUNDS[name].server(), await mongoServer()];
    const engines = `${server?.version ?? "no broker"}, ${mongo?.version ?? "no MongoDB"}`;
    if (server && mongo) {
      if (wanted.includes(`soap.exchange.${name}`)) figures.push(await exchange(name, server.url, mongo.url, engines));
      if (wanted.includes(`event.route3.${name}`)) figures.push(await event(name, server.url, mongo.url, engines));
    }
    await server?.close();
    await mongo?.close();
  }
  return figures;
}

async function exchange(name: "nats" | "amqp", url: string, mongo: string, engines: string): Promise<Figure> {
  const folder = mkdtempSync(join(tmpdir(), "mbus-bench-engines-"));
  const programs: Program[] = [];
  const start = async (file: string, args: readonly string[]): Promise<Program> => {
    const program = await startProgram(file, args);
    programs.push(program);
    return program;
  };
  try {
    const provider = await start("./provider.ts", []);
    const systems = ["rsp.url", "cnas.url", "primaria.url", "bns.url"].map((variable) => [variable, provider.url] as const);
    const variables = JSON.stringify({ ...Object.fromEntries(systems), "vehicles.drop": join(folder, "drop") });
    const env = { ...GROUNDS[name].env(url), MBUS_STORE: "mongodb", MONGODB_URL: mongo, MONGODB_DATABASE: "bench-exchange" };
    const target = (program: Program): Target => {
      const path = "/mconnect/soap/rsp/population/PersonRegistry";
      return { url: program.url, path, headers: HEADERS, body: REQUEST };
    };
    const targets = {
      ours: target(await start("./bus.ts", [variables, "", "", JSON.stringify(env)])),
      embedded: target(await start("./bus.ts", [variables])),
    };
    for (let round = 0; round < WARM_ROUNDS; round += 1) for (const one of Object.values(targets)) await load(one, IN_FLIGHT, ROUND_MS);
    const rounds: Record<keyof typeof targets, Measured[]> = { ours: [], embedded: [] };
    for (let round = 0; round < ROUNDS; round += 1) {
      for (const party of ["ours", "embedded"] as const) {
        const measured = await load(targets[party], IN_FLIGHT, ROUND_MS);
        if (measured.failed > 0) throw new Error(`${party}: ${measured.failed} calls failed, the first with ${measured.firstFailure}`);
        rounds[party].push(measured);
      }
    }
    const rate = (party: keyof typeof targets): number => median(rounds[party].map((round) => round.perSecond));
    const p50 = (party: keyof typeof targets): number => median(rounds[party].map((round) => round.p50));
    const [value, limit] = [rate("ours"), rate("embedded")];
    const detail = { "p50 ms": p50("ours"), "embedded p50 ms": p50("embedded"), "in flight": IN_FLIGHT, engines };
    return { name: `soap.exchange.${name}`, value, unit: "exchanges/s", limit, ratio: value / limit, peers: {}, detail };
  } finally {
    await Promise.all(programs.map((program) => program.close()));
    rmSync(folder, { recursive: true, force: true });
  }
}

async function event(name: "nats" | "amqp", url: string, mongo: string, engines: string): Promise<Figure> {
  const { perSecond: limit } = await measureEvents(embeddedEngine);
  const { perSecond: value, acceptedPerSecond, deliveriesPerSecond } = await measureEvents(outside(await GROUNDS[name].broker(url), mongo));
  const detail = { "accepted/s": acceptedPerSecond, "deliveries/s": deliveriesPerSecond, branches: 3, engines };
  return { name: `event.route3.${name}`, value, unit: "events/s", limit, ratio: value / limit, peers: {}, detail };
}

const outside =
  (broker: Broker, url: string): OpenEventEngine =>
  async () => {
    const base = await openMongo({ url, database: "bench-events", node: "bench", clock: systemClock });
    const { journal, store } = base;
    const onError = (error: unknown, where: string): void => console.error(where, error);
    const transport = await openBrokerTransport({ broker, journal, store, clock: systemClock, node: "bench", partitions: 4, onError });
    return {
      journal: transport.journal,
      store,
      transport,
      leases: transport.leases,
      async close() {
        await transport.close();
        await base.close();
      },
    };
  };
