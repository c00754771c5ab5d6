/**
 * One, two and four bus processes on one NATS and one MongoDB: how much they publish and take together, and whose CPU it costs. The limit
 * is what one process does; where the machine's cores are used up by the servers, their share says so.
 */
import { spawn, type ChildProcess } from "node:child_process";
import { readFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { mongoServer } from "#test/harness/mongodb.ts";
import { natsServer } from "#test/harness/nats.ts";
import type { Server } from "#test/harness/servers.ts";
import type { Figure } from "./figure.ts";

const PARTITIONS = 8;
const RUN_MS = 10_000;
/** Until the partitions are shared evenly. */
const SETTLE_MS = 15_000;
/** Publishers of each process. */
const IN_FLIGHT = 256;
const TICKS = 100;

type Said = Readonly<{ published: number; taken: number; cpu: number }>;
type Node = Readonly<{ ready: Promise<void>; go(): Promise<Said>; end(): Promise<void> }>;

function startNode(given: Readonly<Record<string, string | number>>): Node {
  const path = fileURLToPath(new URL("parts/node.ts", import.meta.url));
  const child: ChildProcess = spawn(process.execPath, [path, JSON.stringify(given)], { stdio: ["pipe", "pipe", "inherit"] });
  const { stdin, stdout } = child;
  if (!stdin || !stdout) throw new Error("a node has no input or no output");
  const gone = new Promise<void>((resolve) => child.once("exit", () => resolve()));
  const ready = Promise.withResolvers<void>();
  let told = Promise.withResolvers<Said>();
  createInterface({ input: stdout }).on("line", (line) => {
    const said = JSON.parse(line) as Said & { done?: boolean };
    if (said.done === true) told.resolve(said);
    else ready.resolve();
  });
  child.once("exit", (code) => ready.reject(new Error(`a node ended with ${code}`)));
  return {
    ready: ready.promise,
    go() {
      told = Promise.withResolvers<Said>();
      stdin.write(`go ${RUN_MS}\n`);
      return told.promise;
    },
    async end() {
      stdin.write("end\n");
      await gone;
    },
  };
}

/** CPU seconds of a process so far. */
function cpuOf(server: Server): number {
  const pid = server.pid?.();
  if (pid === undefined) return 0;
  const fields = readFileSync(`/proc/${pid}/stat`, "utf8").split(") ")[1]?.split(" ") ?? [];
  return (Number(fields[11]) + Number(fields[12])) / TICKS;
}

type Run = Readonly<{ perSecond: number; buses: number; store: number; broker: number }>;

/** Messages per second that were taken, and CPU seconds for each second of the run. */
async function run(count: number, nats: Server, mongo: Server): Promise<Run> {
  const shared = {
    mongo: mongo.url,
    nats: nats.url,
    database: `cluster${count}`,
    partitions: PARTITIONS,
    inFlight: IN_FLIGHT,
  };
  const nodes = Array.from({ length: count }, (_, n) => startNode({ ...shared, node: `n${n}` }));
  await Promise.all(nodes.map((node) => node.ready));
  await new Promise((resolve) => setTimeout(resolve, SETTLE_MS));
  const before = { store: cpuOf(mongo), broker: cpuOf(nats) };
  const began = performance.now();
  const said = await Promise.all(nodes.map((node) => node.go()));
  const seconds = (performance.now() - began) / 1_000;
  const after = { store: cpuOf(mongo), broker: cpuOf(nats) };
  await Promise.all(nodes.map((node) => node.end()));
  const sum = (pick: (one: Said) => number): number => said.reduce((total, one) => total + pick(one), 0);
  return {
    perSecond: sum(({ taken }) => taken) / seconds,
    buses: sum(({ cpu }) => cpu) / seconds,
    store: (after.store - before.store) / seconds,
    broker: (after.broker - before.broker) / seconds,
  };
}

export async function clusterFigures(): Promise<readonly Figure[]> {
  const [nats, mongo] = [await natsServer(), await mongoServer()];
  if (!nats || !mongo) return [];
  const runs = new Map<number, Run>();
  for (const count of [1, 2, 4]) runs.set(count, await run(count, nats, mongo));
  await nats.close();
  await mongo.close();
  const limit = runs.get(1)?.perSecond ?? Number.NaN;
  const cores = availableParallelism();
  return [2, 4].flatMap((count) => {
    const one = runs.get(count);
    if (!one) return [];
    const shares = (of: Run): string =>
      `buses ${of.buses.toFixed(2)}, store ${of.store.toFixed(2)}, broker ${of.broker.toFixed(2)} of ${cores} cores`;
    const detail = {
      "one process": shares(runs.get(1) ?? one),
      [`${count} processes`]: shares(one),
      servers: `${nats.version}, ${mongo.version}`,
    };
    return [{ name: `cluster.${count}`, value: one.perSecond, unit: "messages/s", limit, ratio: one.perSecond / limit, peers: {}, detail }];
  });
}
