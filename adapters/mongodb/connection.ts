/**
 * The way to the server, shared by journal and store: every write waits for a majority and its journal, every read for what a majority
 * holds. A lost connection is waited out for a bounded time; what a call did before it was lost is told to the next try.
 */
import { setTimeout as sleep } from "node:timers/promises";
import {
  MongoClient,
  MongoError,
  MongoNetworkError,
  MongoServerError,
  MongoServerSelectionError,
  ReadConcern,
  type ClientSession,
  type Db,
  type Timestamp,
} from "mongodb";
import { BusError, type ErrorCode } from "#bus/errors.ts";

export type Connection = Readonly<{
  db: Db;
  client: MongoClient;
  /**
   * Runs a call until the server answers it, at most `patience` milliseconds; then fails with the code. `again`: an earlier try of this
   * call may have had its effect.
   */
  run<T>(code: ErrorCode, what: string, work: (again: boolean) => Promise<T>): Promise<T>;
  /** Reads that build on each other: the later never sees less than the earlier, also while the primary changes. */
  inOrder<T>(work: (session: ClientSession | undefined) => Promise<T>): Promise<T>;
  close(): Promise<void>;
}>;

export type ConnectionOptions = Readonly<{ url: string; database: string; node: string; /** Milliseconds. */ patience: number }>;

/** Answers of a server that is starting, stepping down or shutting down, or that could not reach a majority in time. */
const PASSING = new Set([6, 7, 64, 89, 91, 189, 262, 9001, 10107, 11600, 11602, 13435, 13436]);
const LONGEST_PAUSE = 1_000;

/** Can the same call work later? */
export function isPassing(error: unknown): boolean {
  if (error instanceof MongoNetworkError || error instanceof MongoServerSelectionError) return true;
  if (!(error instanceof MongoError)) return false;
  if (error.hasErrorLabel("RetryableWriteError") || error.hasErrorLabel("RetryableError")) return true;
  if (PASSING.has(Number(error.code))) return true;
  // A write of many documents wraps what it met.
  const met: unknown = error instanceof MongoServerError ? error.errorResponse : error.cause;
  return met instanceof MongoError && met !== error && isPassing(met);
}

/** A unique value was there already. A compatible server may say it in the words of its own storage. */
export function isDuplicate(error: unknown): boolean {
  return error instanceof MongoError && (error.code === 11_000 || /UNIQUE constraint failed/u.test(error.message));
}

/** Connects; fails with store-unavailable when the server does not answer within `patience`. */
export async function connect({ url, database, node, patience }: ConnectionOptions): Promise<Connection> {
  const client = openClient(url, node, patience);
  let ordered: boolean;
  try {
    await client.connect();
    const hello = await client.db("admin").command({ hello: 1 });
    // Without a replica set there is one copy and nothing to wait for; such servers may refuse sessions.
    ordered = hello["setName"] !== undefined || hello["msg"] === "isdbgrid";
  } catch (error) {
    await client.close();
    throw unavailable("store-unavailable", "connect", error);
  }
  const db = client.db(database, {
    readPreference: "primary",
    readConcern: new ReadConcern("majority"),
    writeConcern: { w: "majority", j: true, wtimeoutMS: patience },
  });
  /** Time of the newest answer that was built on. */
  let latest: Timestamp | undefined;
  return {
    db,
    client,
    async run(code, what, work) {
      const until = performance.now() + patience;
      let again = false;
      for (let wait = 20; ; wait = Math.min(wait * 2, LONGEST_PAUSE)) {
        try {
          return await work(again);
        } catch (error) {
          if (error instanceof BusError) throw error;
          if (!isPassing(error)) throw new BusError(code, `the MongoDB server refused to ${what}: ${textOf(error)}`, { cause: error });
          if (performance.now() + wait > until) throw unavailable(code, what, error);
          again = true;
        }
        await sleep(wait);
      }
    },
    async inOrder(work) {
      if (!ordered) return work(undefined);
      const session = client.startSession({ causalConsistency: true });
      try {
        if (latest !== undefined) session.advanceOperationTime(latest);
        return await work(session);
      } finally {
        const time = session.operationTime;
        if (time !== undefined && (latest === undefined || time.greaterThan(latest))) latest = time;
        await session.endSession();
      }
    },
    close: () => client.close(),
  };
}

function openClient(url: string, node: string, patience: number): MongoClient {
  try {
    return new MongoClient(url, {
      appName: `mconnect-bus ${node}`.slice(0, 128),
      serverSelectionTimeoutMS: Math.min(patience, 5_000),
      connectTimeoutMS: Math.min(patience, 10_000),
      socketTimeoutMS: patience,
      maxPoolSize: 32,
      ignoreUndefined: true,
    });
  } catch (error) {
    throw new BusError("configuration", `the address of the MongoDB server cannot be used: ${textOf(error)}`, { cause: error });
  }
}

function unavailable(code: ErrorCode, what: string, cause: unknown): BusError {
  return new BusError(code, `the MongoDB server did not answer in time to ${what}: ${textOf(cause)}`, { cause, retryAfter: 1_000 });
}

const textOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));
