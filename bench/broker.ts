/**
 * Messages of 1 KiB through the bus's transport over a broker (journalled durably, carried by the broker, taken in order by one group)
 * beside the bare client doing durable publish and acknowledged consume on the same server, turn by turn in one run.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { AckPolicy, jetstream, jetstreamManager, StorageType } from "@nats-io/jetstream";
import { connect as connectNats } from "@nats-io/transport-node";
import { connect as connectAmqp } from "amqplib";
import { openAmqpBroker } from "#adapters/amqp/transport.ts";
import { openEmbedded, realClock } from "#adapters/embedded/engine.ts";
import { openNatsBroker } from "#adapters/nats/transport.ts";
import type { Broker } from "#bus/broker.ts";
import { openBrokerTransport } from "#bus/cluster/transport.ts";
import { natsServer } from "#test/harness/nats.ts";
import { rabbitServer } from "#test/harness/rabbitmq.ts";
import type { Figure } from "./figure.ts";
import { median } from "./parts/load.ts";

const COUNT = 15_000;
const ROUNDS = 3;
/** Publishers that wait for their acknowledgement. */
const IN_FLIGHT = 512;
const BODY = Buffer.alloc(1024, 7);
const TOPIC = "mbus.bench.v1";

/** Messages per second, published and taken to the last. */
type Carry = (count: number) => Promise<number>;

/** Runs `publish` for each number, so many at once, until `taken` says that all came back. */
async function timed(count: number, publish: (n: number) => Promise<unknown>, taken: () => number): Promise<number> {
  const started = performance.now();
  let next = 0;
  const worker = async (): Promise<void> => {
    for (let n = next++; n < count; n = next++) await publish(n);
  };
  await Promise.all(Array.from({ length: IN_FLIGHT }, worker));
  while (taken() < count) await new Promise((resolve) => setTimeout(resolve, 1));
  return count / ((performance.now() - started) / 1000);
}

async function withBus(openBroker: () => Promise<Broker>, use: (carry: Carry) => Promise<void>): Promise<void> {
  const dataDir = mkdtempSync(join(tmpdir(), "mbus-bench-broker-"));
  const engine = await openEmbedded({ dataDir });
  const transport = await openBrokerTransport({
    broker: await openBroker(),
    journal: engine.journal,
    store: engine.store,
    clock: realClock,
    node: "bench",
    partitions: 4,
    onError: (error, where) => console.error(where, error),
  });
  let taken = 0;
  await transport.subscribe(TOPIC, "bench", { concurrency: 256, ordered: true, from: "new" }, () => {
    taken++;
    return Promise.resolve();
  });
  let serial = 0;
  await use((count) => {
    taken = 0;
    const base = (serial += count);
    const envelope = (n: number) => ({
      id: `m-${base + n}`,
      source: "bench/load",
      type: TOPIC,
      time: Date.now(),
      key: `k${n % 997}`,
      correlationId: `m-${base + n}`,
      contract: "bench.v1",
      call: {},
      headers: {},
      body: BODY,
    });
    return timed(
      count,
      (n) => transport.publish(TOPIC, envelope(n)),
      () => taken,
    );
  });
  await transport.close();
  await engine.close();
  rmSync(dataDir, { recursive: true, force: true });
}

async function bareNats(url: string): Promise<{ carry: Carry; close: () => Promise<void> }> {
  const connection = await connectNats({ servers: url });
  const manager = await jetstreamManager(connection);
  await manager.streams.add({ name: "BARE", subjects: ["bare"], storage: StorageType.File });
  await manager.consumers.add("BARE", { durable_name: "bare", ack_policy: AckPolicy.Explicit, max_ack_pending: 1000 });
  const stream = jetstream(connection);
  const messages = await (await stream.consumers.get("BARE", "bare")).consume({ max_messages: 1000 });
  let taken = 0;
  const reading = (async () => {
    for await (const message of messages) {
      message.ack();
      taken++;
    }
  })();
  return {
    carry(count) {
      taken = 0;
      return timed(
        count,
        () => stream.publish("bare", BODY),
        () => taken,
      );
    },
    async close() {
      await messages.close();
      await reading;
      await connection.close();
    },
  };
}

async function bareAmqp(url: string): Promise<{ carry: Carry; close: () => Promise<void> }> {
  const connection = await connectAmqp(url, { noDelay: true });
  const sending = await connection.createConfirmChannel();
  const taking = await connection.createChannel();
  await sending.assertQueue("bare", { durable: true, arguments: { "x-queue-type": "quorum" } });
  await taking.prefetch(1000);
  let taken = 0;
  await taking.consume("bare", (message) => {
    if (!message) return;
    taking.ack(message);
    taken++;
  });
  return {
    carry(count) {
      taken = 0;
      const publish = (): Promise<void> =>
        new Promise((resolve, reject) => {
          sending.sendToQueue("bare", BODY, { persistent: true }, (error: unknown) =>
            error ? reject(error instanceof Error ? error : new Error("refused")) : resolve(),
          );
        });
      return timed(count, publish, () => taken);
    },
    close: () => connection.close(),
  };
}

async function figure(
  name: string,
  bare: Readonly<{ carry: Carry; close: () => Promise<void> }>,
  openBroker: () => Promise<Broker>,
): Promise<Figure> {
  const ours: number[] = [];
  const limits: number[] = [];
  const backlog: Record<string, number> = {};
  await withBus(openBroker, async (carry) => {
    await carry(2_000);
    await bare.carry(2_000);
    for (let round = 0; round < ROUNDS; round++) {
      limits.push(await bare.carry(COUNT));
      ours.push(await carry(COUNT));
    }
    backlog["with 1,000"] = await carry(1_000);
    backlog["with 60,000"] = await carry(60_000);
  });
  await bare.close();
  const [value, limit] = [median(ours), median(limits)];
  return { name, value, unit: "messages/s", limit, ratio: value / limit, peers: {}, detail: backlog };
}

export async function brokerFigures(names: readonly string[]): Promise<readonly Figure[]> {
  const figures: Figure[] = [];
  if (names.includes("nats.carry")) {
    const server = await natsServer();
    if (server) {
      const { url } = server;
      figures.push(
        await figure("nats.carry", await bareNats(url), () =>
          openNatsBroker({ url, node: "bench", deployment: "BENCH", maxBytes: 2 ** 30 }),
        ),
      );
      await server.close();
    }
  }
  if (names.includes("amqp.carry")) {
    const server = await rabbitServer();
    if (server) {
      const { url } = server;
      figures.push(await figure("amqp.carry", await bareAmqp(url), () => openAmqpBroker({ url, node: "bench", prefix: "bench" })));
      await server.close();
    }
  }
  return figures;
}
