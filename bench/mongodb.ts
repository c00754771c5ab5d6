/**
 * Appends to the journal in MongoDB beside the bare client with the same rows on the same server in the same run: the bare one writes what
 * waits as one ordered insertMany for a majority and its journal, one after the other, and does nothing else.
 */
import { randomUUID } from "node:crypto";
import { Binary, MongoClient } from "mongodb";
import { realClock } from "#adapters/embedded/engine.ts";
import { openMongo } from "#adapters/mongodb/engine.ts";
import type { JournalRecord } from "#bus/journal/record.ts";
import { mongoServer } from "#test/harness/mongodb.ts";
import type { Figure } from "./figure.ts";
import { closedLoop } from "./load.ts";
import { median } from "./parts/load.ts";

const RUN_MS = 4_000;
const ROUNDS = 3;
const BODY = new Uint8Array(724).fill(0x61);
const DURABLE = { w: "majority", journal: true } as const;

function message(publisher: number, turn: number): JournalRecord {
  const id = `${publisher}-${turn}-${randomUUID()}`;
  const time = 1_800_000_000_000 + turn;
  const contract = "population.person-changed.v1";
  const shared = { id, correlationId: id, time, contract };
  const envelope = { ...shared, source: "asp/registry", type: `mbus.${contract}`, key: `${publisher}`, call: {}, headers: {}, body: BODY };
  return { ...shared, step: "accepted", outcome: "ok", route: "population/person-changed", system: "asp/registry", topic: "t", envelope };
}

/** What waits is written as one batch when the one before is durable. */
async function bare(url: string) {
  const client = new MongoClient(url);
  const name = `bench-${randomUUID()}`;
  const rows = client.db(name).collection<{ _id: number; k: number[]; t: number; p: 1; r: Binary }>("journal", { writeConcern: DURABLE });
  await rows.createIndex({ k: 1, _id: 1 });
  await rows.createIndex({ t: 1 });
  await rows.createIndex({ p: 1, _id: 1 });
  const bytes = Buffer.alloc(1_024, 0x61);
  let position = 0;
  let waiting: (() => void)[] = [];
  let writing = false;
  const flush = async (): Promise<void> => {
    writing = true;
    while (waiting.length > 0) {
      const batch = waiting.splice(0, 1_000);
      const made = batch.map(() => {
        const at = ++position;
        return { _id: at, t: at, k: Array.from({ length: 8 }, (_, n) => at * 31 + n), p: 1 as const, r: new Binary(bytes) };
      });
      await rows.insertMany(made, { ordered: true });
      for (const done of batch) done();
    }
    writing = false;
  };
  const append = (): Promise<void> =>
    new Promise((resolve, reject) => {
      waiting.push(resolve);
      if (!writing) flush().catch(reject);
    });
  return {
    append,
    async close() {
      waiting = [];
      await client.db(name).dropDatabase();
      await client.close();
    },
  };
}

async function figure(url: string, publishers: number): Promise<Figure> {
  const database = `bench-${randomUUID()}`;
  const engine = await openMongo({ url, database, node: "bench", clock: realClock });
  const limit = await bare(url);
  const ours: number[] = [];
  const limits: number[] = [];
  let p99 = 0;
  for (let round = 0; round < ROUNDS; round++) {
    limits.push((await closedLoop(publishers, RUN_MS, () => limit.append())).perSecond);
    const load = await closedLoop(publishers, RUN_MS, (publisher, turn) => engine.journal.append([message(publisher, turn)]));
    ours.push(load.perSecond);
    p99 = load.p99;
  }
  await limit.close();
  await engine.close();
  const client = new MongoClient(url);
  await client.db(database).dropDatabase();
  await client.close();
  const [value, bound] = [median(ours), median(limits)];
  return {
    name: `mongodb.publish.${publishers}`,
    value,
    unit: "records/s",
    limit: bound,
    ratio: value / bound,
    peers: {},
    detail: { "ack p99 ms": p99 },
  };
}

export async function mongoFigures(names: readonly string[]): Promise<readonly Figure[]> {
  const server = await mongoServer();
  if (!server) return [];
  const figures: Figure[] = [];
  for (const name of names) figures.push(await figure(server.url, Number(name.split(".").at(-1))));
  await server.close();
  return figures.map((each) => ({ ...each, detail: { ...each.detail, server: server.version } }));
}
