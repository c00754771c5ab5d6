/**
 * MongoDB as the shared journal and store of a cluster: one connection, one database. Nodes need no names for it: a position belongs to
 * whoever reserved it, and a silent writer is closed out by the next who waits for it.
 */
import type { Hazard } from "#bus/broker.ts";
import type { Clock, Journal, Store } from "#bus/ports.ts";
import { connect } from "./connection.ts";
import { findHazards } from "./hazards.ts";
import { openJournal } from "./journal.ts";
import { retain, type Retention } from "./retention.ts";
import { openStore } from "./store.ts";

export type MongoLimits = Readonly<{
  /** Milliseconds that a call waits for a server that is away. */
  patience: number;
  /** Milliseconds after which a writer that reserved positions and left them open is closed out. */
  lease: number;
  /** Bytes and records of appends that are not answered; above it journal-busy. */
  queueBytes: number;
  queueRecords: number;
  /** A document of the server holds 16 MiB. */
  recordBytes: number;
  documentBytes: number;
  blobBytes: number;
}>;

const DEFAULTS: MongoLimits = {
  patience: 30_000,
  lease: 5_000,
  queueBytes: 67_108_864,
  queueRecords: 200_000,
  recordBytes: 15_728_640,
  documentBytes: 3_145_728,
  blobBytes: 134_217_728,
};

export type MongoOptions = Readonly<{
  url: string;
  /** Default `mbus`. */
  database?: string;
  /** Name of this node, as the server's own log shows its connections. */
  node: string;
  clock: Clock;
  limits?: Partial<MongoLimits>;
}>;

export type Mongo = Readonly<{
  journal: Journal;
  store: Store;
  hazards(): Promise<readonly Hazard[]>;
  /** Deletes what is older, and what nobody can need. */
  retain(rules: Retention): Promise<Readonly<{ records: number; blobs: number }>>;
  /** Waits for what is under way. Idempotent. */
  close(): Promise<void>;
}>;

export async function openMongo({ url, database = "mbus", node, clock, limits }: MongoOptions): Promise<Mongo> {
  const all = { ...DEFAULTS, ...limits };
  const connection = await connect({ url, database, node, patience: all.patience });
  try {
    const journal = await openJournal(connection, all);
    const store = openStore(connection, clock, all);
    let closing: Promise<void> | undefined;
    return {
      journal,
      store,
      hazards: () => findHazards(connection),
      retain: (rules) => retain(journal.parts, store.blobs, clock, rules),
      close() {
        closing ??= Promise.allSettled([journal.close(), store.close()]).then(() => connection.close());
        return closing;
      },
    };
  } catch (error) {
    await connection.close();
    throw error;
  }
}
