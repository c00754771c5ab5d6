/** Rows in: each row of an outbox, or behind a cursor, is one message. */
import type pg from "pg";
import { asBusError, BusError } from "#bus/errors.ts";
import type { Accept, Clock, Inlet } from "#bus/ports.ts";
import type { Codec, EdgeLimits, SourceBinding } from "#bus/wire.ts";
import { connect, type Database } from "./connect.ts";
import { takeBehindCursor, type CursorTable, type Places } from "./cursor.ts";
import { databaseFailure } from "./failure.ts";
import { takeOutbox, type OutboxTable, type Round, type Take } from "./outbox.ts";
import { takeRows } from "./rows.ts";

/** Rows of one run. `left`: stay for a later one; `text` says what stopped it. */
export type TableReport = Readonly<{ taken: number; known: number; failed: number; left: number; text?: string }>;

export type PostgresInletSettings = Readonly<{
  database: Database;
  source:
    | Readonly<{ kind: "outbox"; table: OutboxTable }>
    | Readonly<{ kind: "cursor"; table: CursorTable; places: () => Promise<Places> }>;
  codec: Codec;
  binding: SourceBinding;
  /** Milliseconds between looks; undefined = only when `run` is called (a schedule). */
  every: number | undefined;
  limits: EdgeLimits;
  clock: Clock;
}>;

export type PostgresInlet = Inlet & Readonly<{ run(): Promise<TableReport> }>;
/** `drain`: milliseconds that `close` waits for rows still in the bus; default 10 s. */
export type PostgresInletOptions = Readonly<{ drain?: number; onReport?: (report: TableReport) => void }>;

/** Batches of one run: what comes in meanwhile waits for the next, so that a run ends. */
const MOST_BATCHES = 1_000;

export function createPostgresInlet(settings: PostgresInletSettings, options: PostgresInletOptions = {}): PostgresInlet {
  const [closing, abandoned] = [new AbortController(), new AbortController()];
  let accept: Accept | undefined;
  let current: Promise<TableReport> | undefined;
  const run = (): Promise<TableReport> => {
    if (accept === undefined || closing.signal.aborted) return Promise.reject(new BusError("bus-stopping", "this table is not open"));
    current ??= runOnce(settings, accept, closing.signal, abandoned.signal)
      .then((report) => {
        if (report.text !== undefined || report.failed > 0) options.onReport?.(report);
        return report;
      })
      .finally(() => (current = undefined));
    return current;
  };
  const rhythm = async (every: number): Promise<void> => {
    while (!closing.signal.aborted) {
      await run().catch(() => undefined);
      await settings.clock.sleep(every, closing.signal).catch(() => undefined);
    }
  };
  return {
    run,
    start(given) {
      accept = given;
      if (settings.every !== undefined) void rhythm(settings.every);
      return Promise.resolve();
    },
    async close() {
      closing.abort();
      if (current === undefined) return;
      const timer = setTimeout(() => abandoned.abort(), options.drain ?? 10_000);
      await current.catch(() => undefined);
      clearTimeout(timer);
    },
  };
}

async function runOnce(
  settings: PostgresInletSettings,
  accept: Accept,
  closing: AbortSignal,
  abandoned: AbortSignal,
): Promise<TableReport> {
  const { database, source } = settings;
  const count = { taken: 0, known: 0, failed: 0, left: 0 };
  let client: pg.Client | undefined;
  try {
    client = await connect(database);
    const take: Take = (rows) => takeRows({ ...settings, rows, table: source.table.table, accept, closing, abandoned });
    for (let batches = 0; batches < MOST_BATCHES && !closing.aborted; batches++) {
      const round = await oneRound(client, source, take);
      for (const result of round.results) count[typeof result === "string" ? result : "failed"] += 1;
      if (!round.more) break;
    }
    return count;
  } catch (error) {
    return { ...count, text: databaseFailure(asKnown(error), database.name).message };
  } finally {
    // without its commit the server takes back what a broken-off transaction did
    await client?.end().catch(() => undefined);
  }
}

async function oneRound(client: pg.Client, source: PostgresInletSettings["source"], take: Take): Promise<Round> {
  return source.kind === "outbox"
    ? takeOutbox(client, source.table, take)
    : takeBehindCursor(client, source.table, await source.places(), take);
}

/** Errors of the store are the bus's own; those of the driver are judged by their state. */
const asKnown = (error: unknown): unknown => (error instanceof BusError ? asBusError(error) : error);
