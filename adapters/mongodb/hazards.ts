/** What is found at the server that can lose what it confirmed, or let two nodes win where one may. */
import type { Hazard } from "#bus/broker.ts";
import type { Connection } from "./connection.ts";

/** What servers say of themselves; what one does not know is undefined. */
export type ServerFacts = Readonly<{
  /** Another product that speaks MongoDB's protocol. */
  product: string | undefined;
  replicaSet: string | undefined;
  /** Members that hold data. */
  members: number;
  sharded: boolean;
  majorityJournaled: boolean | undefined;
  committedReads: boolean | undefined;
  persistent: boolean | undefined;
}>;

export async function findHazards(connection: Connection): Promise<readonly Hazard[]> {
  return connection.run("store-unavailable", "tell its settings", async () => hazardsOf(await look(connection)));
}

async function look({ client }: Connection): Promise<ServerFacts> {
  const admin = client.db("admin");
  const ask = (command: Record<string, unknown>): Promise<Record<string, unknown>> => admin.command(command).catch(() => ({}));
  const hello = await admin.command({ hello: 1 });
  const build = await admin.command({ buildInfo: 1 });
  const config = (await ask({ replSetGetConfig: 1 }))["config"] as Record<string, unknown> | undefined;
  const engine = (await ask({ serverStatus: 1 }))["storageEngine"] as Record<string, unknown> | undefined;
  const flag = (value: unknown): boolean | undefined => (typeof value === "boolean" ? value : undefined);
  const count = (value: unknown): number => (Array.isArray(value) ? value.length : 0);
  return {
    product: build["ferretdbVersion"] === undefined ? undefined : "FerretDB",
    replicaSet: typeof hello["setName"] === "string" ? hello["setName"] : undefined,
    members: count(hello["hosts"]) + count(hello["passives"]),
    sharded: hello["msg"] === "isdbgrid",
    majorityJournaled: flag(config?.["writeConcernMajorityJournalDefault"]),
    committedReads: flag(engine?.["supportsCommittedReads"]),
    persistent: flag(engine?.["persistent"]),
  };
}

export function hazardsOf(facts: ServerFacts): readonly Hazard[] {
  const found: Hazard[] = [];
  if (facts.product !== undefined)
    found.push({
      setting: "mongodb.product",
      found: `The server is ${facts.product}, not MongoDB.`,
      danger: "Where its updates of one document are not atomic, two nodes can take one position or one lease, and fail or act twice.",
      change: "Use MongoDB 5.0 or later.",
    });
  if (facts.replicaSet === undefined && !facts.sharded)
    found.push({
      setting: "mongodb.replica-set",
      found: "The server is no member of a replica set.",
      danger: "What it confirmed lies on one disk: when that is lost, so are the journal and the documents of every node.",
      change: "Start it as a replica set of three members and name the set in MONGODB_URL.",
    });
  else if (!facts.sharded && facts.members < 3)
    found.push({
      setting: "mongodb.members",
      found: `The replica set "${facts.replicaSet}" has ${facts.members === 1 ? "one member that holds" : `${facts.members} members that hold`} data.`,
      danger: "When one is lost, what only it had confirmed is lost, or nothing can be confirmed any more.",
      change: "Add members until three hold data.",
    });
  if (facts.majorityJournaled === false)
    found.push({
      setting: "mongodb.journal",
      found: "The replica set has writeConcernMajorityJournalDefault false.",
      danger: "Its majority can be counted from members that hold a write in memory only, and reads can show what a power cut takes back.",
      change: "Set writeConcernMajorityJournalDefault to true in the configuration of the replica set.",
    });
  if (facts.committedReads === false)
    found.push({
      setting: "mongodb.majority",
      found: "The server cannot read what a majority holds.",
      danger: "A reader can see records that a failover takes back.",
      change: "Use the WiredTiger storage engine and do not switch majority reads off.",
    });
  if (facts.persistent === false)
    found.push({
      setting: "mongodb.storage",
      found: "The server's storage engine keeps nothing on disk.",
      danger: "Everything is lost when it ends.",
      change: "Use the WiredTiger storage engine.",
    });
  return found;
}
