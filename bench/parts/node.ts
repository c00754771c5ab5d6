/** One process of a cluster for a benchmark: publishes and takes through its transport when told `go MS`, and says what it did. Args: JSON of addresses. */
import { createInterface } from "node:readline";
import { realClock } from "#adapters/embedded/engine.ts";
import { openMongo } from "#adapters/mongodb/engine.ts";
import { openNatsBroker } from "#adapters/nats/transport.ts";
import { openBrokerTransport } from "#bus/cluster/transport.ts";

type Given = Readonly<{ mongo: string; nats: string; database: string; node: string; partitions: number; inFlight: number }>;

const { mongo, nats, database, node, partitions, inFlight } = JSON.parse(process.argv[2] ?? "{}") as Given;
const TOPIC = "mbus.cluster.v1";
const BODY = Buffer.alloc(1_024, 7);

const onError = (error: unknown, where: string): void => console.error(node, where, error);
const engine = await openMongo({ url: mongo, database, node, clock: realClock });
const broker = await openNatsBroker({ url: nats, node, deployment: database.toUpperCase() });
const { journal, store } = engine;
const transport = await openBrokerTransport({ broker, journal, store, clock: realClock, node, partitions, onError });
let taken = 0;
await transport.subscribe(TOPIC, "bench", { concurrency: 256, ordered: true, from: "new" }, () => {
  taken++;
  return Promise.resolve();
});
console.log(JSON.stringify({ url: "ready", node }));

async function go(ms: number): Promise<void> {
  const cpu = process.cpuUsage();
  const [before, until] = [taken, performance.now() + ms];
  let published = 0;
  const worker = async (n: number): Promise<void> => {
    for (let turn = 0; performance.now() < until; turn++) {
      const id = `${node}-${n}-${turn}`;
      const shared = { id, correlationId: id, time: Date.now(), contract: "cluster.v1" };
      await transport.publish(TOPIC, {
        ...shared,
        source: "bench/load",
        type: TOPIC,
        key: `k${(n * 31 + turn) % 997}`,
        call: {},
        headers: {},
        body: BODY,
      });
      published++;
    }
  };
  await Promise.all(Array.from({ length: inFlight }, (_, n) => worker(n)));
  const used = process.cpuUsage(cpu);
  console.log(JSON.stringify({ done: true, node, published, taken: taken - before, cpu: (used.user + used.system) / 1e6 }));
}

createInterface({ input: process.stdin })
  .on("close", () => process.exit(0))
  .on("line", (line) => {
    const [word, ms] = line.split(" ");
    if (word === "go") void go(Number(ms));
    else
      void transport
        .close()
        .then(() => engine.close())
        .then(() => process.exit(0));
  });
