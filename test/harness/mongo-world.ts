/** MongoDB engines over throw-away databases, for the suites and the engine's own tests. */
import { randomUUID } from "node:crypto";
import { MongoClient } from "mongodb";
import { openMongo, type Mongo, type MongoLimits } from "#adapters/mongodb/engine.ts";
import type { World } from "#test/conformance/cases.ts";

export const clock = { now: () => Date.now(), sleep: (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms)) };

export type MongoWorld<T> = World<T> &
  Readonly<{
    database: string;
    /** Another node of the same database; closed with the world. */ node(limits?: Partial<MongoLimits>): Promise<Mongo>;
  }>;

export async function mongoWorld<T>(url: string, pick: (engine: Mongo) => T, limits: Partial<MongoLimits> = {}): Promise<MongoWorld<T>> {
  const database = `mbus-${randomUUID()}`;
  const nodes: Mongo[] = [];
  const node = async (own: Partial<MongoLimits> = {}): Promise<Mongo> => {
    const engine = await openMongo({ url, database, node: `n${nodes.length}`, clock, limits: { ...limits, ...own } });
    nodes.push(engine);
    return engine;
  };
  let engine = await node();
  return {
    database,
    node,
    port: pick(engine),
    async restart() {
      await engine.close();
      engine = await node();
      return pick(engine);
    },
    async close() {
      for (const one of nodes) await one.close();
      const client = new MongoClient(url);
      await client.db(database).dropDatabase();
      await client.close();
    },
  };
}
