/**
 * Rows out: one statement for each message, in a transaction of its own. With `once` the message's id is kept in a table of the receiver
 * in the same transaction, so that whatever the statement does is done once however often the message is delivered.
 */
import type pg from "pg";
import type { AvroRecord, Message } from "#bus/envelope.ts";
import { BusError } from "#bus/errors.ts";
import type { Outlet } from "#bus/ports.ts";
import type { Codec } from "#bus/wire.ts";
import { openPool, type Database } from "./connect.ts";
import { databaseFailure } from "./failure.ts";
import { compileStatement, quoted } from "./statement.ts";
import { types } from "./values.ts";

export type PostgresOutletSettings = Readonly<{
  database: Database;
  statement: string;
  /** Table with a unique text column `message_id`. */
  once: string | undefined;
  /** The first row is the reply, by its column names. Undefined = rows are not looked at. */
  replyCodec: Codec | undefined;
  /** Connections at once. */
  connections: number;
}>;

/** Throws `configuration` where the statement cannot be used. */
export function createPostgresOutlet({ database, statement, once, replyCodec, connections }: PostgresOutletSettings): Outlet {
  const { text, values } = compileStatement(statement);
  const { name } = database;
  const remember = once === undefined ? undefined : `INSERT INTO ${quoted(once)} (message_id) VALUES ($1) ON CONFLICT DO NOTHING`;
  const pool = openPool(database, connections);
  let closed: Promise<void> | undefined;

  async function transact(client: pg.PoolClient, message: Message, signal: AbortSignal): Promise<AvroRecord | undefined> {
    await client.query("BEGIN");
    const first = remember === undefined || (await client.query(remember, [message.envelope.id])).rowCount === 1;
    const rows = first ? (await client.query<AvroRecord>({ text, values: [...values(message)], types })).rows : [];
    const reply = replyCodec && readReply(replyCodec, rows[0], name);
    signal.throwIfAborted();
    await client.query("COMMIT");
    return reply;
  }

  return {
    endpoint: `postgres://${name}`,
    async send(message, signal) {
      let client: pg.PoolClient | undefined;
      const given = Promise.withResolvers<never>();
      const abort = (): void =>
        given.reject(signal.reason instanceof BusError ? signal.reason : new BusError("attempt-timeout", `${name} did not answer in time`));
      if (signal.aborted) abort();
      signal.addEventListener("abort", abort, { once: true });
      const connecting = signal.aborted ? undefined : pool.connect();
      try {
        client = await Promise.race(connecting ? [connecting, given.promise] : [given.promise]);
        const reply = await Promise.race([transact(client, message, signal), given.promise]);
        client.release();
        return reply;
      } catch (error) {
        // without its commit the server takes back what a broken-off connection did; it is told, or it would notice late
        client?.release(true);
        if (client && signal.aborted) cancel(pool, client);
        if (!client)
          connecting?.then(
            (late) => late.release(),
            () => undefined,
          );
        throw databaseFailure(error, name);
      } finally {
        signal.removeEventListener("abort", abort);
        given.promise.catch(() => undefined);
      }
    },
    close: () => (closed ??= pool.end()),
  };
}

function cancel(pool: pg.Pool, { processID }: pg.PoolClient & { processID?: number }): void {
  if (processID !== undefined) pool.query("SELECT pg_cancel_backend($1)", [processID]).catch(() => undefined);
}

function readReply(codec: Codec, row: AvroRecord | undefined, name: string): AvroRecord {
  if (row === undefined) throw new BusError("provider-fault", `${name} has no such row`, { providerCode: "no-row" });
  try {
    return codec.read(Buffer.from(JSON.stringify(row)));
  } catch (error) {
    const places = error instanceof BusError ? error.places : [];
    throw new BusError("provider-reply-invalid", `the row of ${name} does not fit the reply's contract`, { places, cause: error });
  }
}
