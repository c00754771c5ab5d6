/**
 * What a message costs when few and when very many wait before it: a group's lanes are full of so many messages that the broker holds,
 * and the first of them are taken. The limit is the backlog of 10⁴ of the same run, so a ratio of 1 is flat. A thousand fit into
 * one window and are all handed out at once, without the cost of settling them: their rate stands beside.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openAmqpBroker } from "#adapters/amqp/transport.ts";
import { openEmbedded, realClock } from "#adapters/embedded/engine.ts";
import { openNatsBroker } from "#adapters/nats/transport.ts";
import type { Broker } from "#bus/broker.ts";
import { openBrokerTransport } from "#bus/cluster/transport.ts";
import type { JournalRecord } from "#bus/journal/record.ts";
import { natsServer } from "#test/harness/nats.ts";
import { rabbitServer } from "#test/harness/rabbitmq.ts";
import type { Server } from "#test/harness/servers.ts";
import type { Figure } from "./figure.ts";
import { median } from "./parts/load.ts";

const TOPIC = "mbus.backlog.v1";
const BODY = Buffer.alloc(128, 7);
/** Messages that are taken and timed, and how often where the backlog is no bigger. */
const TAKEN = 10_000;
const BATCH = 1_000;
const PARTITIONS = 4;

type Engine = Readonly<{ server: () => Promise<Server | undefined>; open: (url: string) => Promise<Broker> }>;
const ENGINES: Readonly<Record<"nats" | "amqp", Engine>> = {
  nats: { server: () => natsServer(), open: (url) => openNatsBroker({ url, node: "bench", deployment: "BACKLOG" }) },
  amqp: { server: rabbitServer, open: (url) => openAmqpBroker({ url, node: "bench", prefix: "backlog" }) },
};

function record(n: number): JournalRecord {
  const id = `b-${n}`;
  const time = Date.now();
  const shared = { id, correlationId: id, time, contract: "backlog.v1" };
  const envelope = { ...shared, source: "bench/load", type: TOPIC, key: `k${n % 997}`, call: {}, headers: {}, body: BODY };
  return { ...shared, step: "accepted", outcome: "ok", topic: TOPIC, envelope };
}

/** Messages per second of the first that are taken, by size of the backlog. */
async function rates(open: () => Promise<Broker>, sizes: readonly number[]): Promise<ReadonlyMap<number, number>> {
  const dataDir = mkdtempSync(join(tmpdir(), "mbus-bench-backlog-"));
  const engine = await openEmbedded({ dataDir });
  const broker = await open();
  const transport = await openBrokerTransport({
    broker,
    journal: engine.journal,
    store: engine.store,
    clock: realClock,
    node: "bench",
    partitions: PARTITIONS,
    onError: (error, where) => console.error(where, error),
  });
  let taken = 0;
  let wanted = Infinity;
  let reached: (() => void) | undefined;
  const options = { concurrency: 256, ordered: true, from: "new" } as const;
  const subscription = await transport.subscribe(TOPIC, "bench", options, () => {
    if (++taken >= wanted) reached?.();
    return Promise.resolve();
  });
  let serial = 0;

  const fill = async (size: number): Promise<void> => {
    for (let left = size; left > 0; left -= BATCH)
      await transport.journal.append(Array.from({ length: Math.min(BATCH, left) }, () => record(serial++)));
    for (let held = 0; held < size; await pause(50)) {
      const lanes = Array.from({ length: PARTITIONS }, (_, partition) => ({ topic: TOPIC, group: "bench", partition }));
      held = (await Promise.all(lanes.map((lane) => broker.depth(lane)))).reduce<number>((sum, depth) => sum + (depth ?? 0), 0);
    }
  };
  const take = async (count: number): Promise<number> => {
    taken = 0;
    wanted = count;
    const done = new Promise<void>((resolve) => (reached = resolve));
    const began = performance.now();
    subscription.pause(false);
    await done;
    return count / ((performance.now() - began) / 1_000);
  };
  const drained = async (): Promise<void> => {
    while ((await subscription.state()).lag > 0) await pause(50);
  };
  const round = async (size: number): Promise<number> => {
    subscription.pause(true);
    await pause(2_500);
    await fill(size);
    return take(Math.min(size, TAKEN));
  };

  await round(5_000); // compiled code, open files
  await drained();
  const found = new Map<number, number>();
  for (const size of sizes) {
    const rounds: number[] = [];
    for (let n = 0; n < (size <= 1_000 ? 7 : size <= 10_000 ? 3 : 1); n++) {
      rounds.push(await round(size));
      if (size !== sizes.at(-1)) await drained();
    }
    found.set(size, median(rounds));
  }
  await transport.close();
  await engine.close();
  rmSync(dataDir, { recursive: true, force: true });
  return found;
}

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** `nats.backlog` goes to 10⁵ messages; `nats.backlog.1e6` compares 10⁴ and 10⁶ and takes minutes. */
export async function backlogFigures(names: readonly string[]): Promise<readonly Figure[]> {
  const figures: Figure[] = [];
  for (const name of names) {
    const engine = name.startsWith("amqp") ? ENGINES.amqp : ENGINES.nats;
    const server = await engine.server();
    if (!server) continue;
    const found = [...(await rates(() => engine.open(server.url), name.endsWith("1e6") ? [10_000, 1_000_000] : [1_000, 10_000, 100_000]))];
    await server.close();
    const limit = found.find(([size]) => size === TAKEN)?.[1] ?? Number.NaN;
    const value = found.at(-1)?.[1] ?? Number.NaN;
    const detail = Object.fromEntries(found.map(([size, rate]) => [`with ${size.toLocaleString("en")}`, rate]));
    figures.push({ name, value, unit: "messages/s", limit, ratio: value / limit, peers: {}, detail });
  }
  return figures;
}
