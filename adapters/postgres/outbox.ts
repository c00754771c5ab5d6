/**
 * An outbox: rows are taken, marked or deleted in one transaction, which ends only after the bus has them durably. Rows that another
 * process holds are passed over. A crash before the end leaves the rows as they were; the bus knows those that it has by their ids.
 */
import type pg from "pg";
import { BusError } from "#bus/errors.ts";
import type { Row } from "./rows.ts";
import { quoted } from "./statement.ts";
import type { Taken } from "#bus/edge/take.ts";
import { types } from "./values.ts";

export type OutboxTable = Readonly<{
  table: string;
  key: string;
  columns: readonly string[];
  /** Column (timestamp) that says when the row was taken; undefined = the row is deleted. */
  done: string | undefined;
  /** Column (text) that gets the code of a refusal; rows that have one are not read again. */
  failed: string;
  batch: number;
}>;

/** Rows of the table that are handed over by one call, and whether there may be more. */
export type Round = Readonly<{ results: readonly Taken[]; more: boolean }>;
export type Take = (rows: readonly Row[]) => Promise<readonly Taken[]>;

/** Throws the driver's errors; then nothing was marked. */
export async function takeOutbox(client: pg.Client, outbox: OutboxTable, take: Take): Promise<Round> {
  const { table, key, columns, done, failed, batch } = outbox;
  const open = [`${quoted(failed)} IS NULL`, ...(done === undefined ? [] : [`${quoted(done)} IS NULL`])].join(" AND ");
  await client.query("BEGIN");
  // a name of its own: ORDER BY looks among the output's names first, and a text is in another order than a number
  const found = await client.query<unknown[]>({
    text: `SELECT ${quoted(key)}::text AS "mbus:key", ${columns.map(quoted).join(", ")} FROM ${quoted(table)} WHERE ${open} ORDER BY ${quoted(key)} LIMIT ${batch} FOR UPDATE SKIP LOCKED`,
    rowMode: "array",
    types,
  });
  const rows = found.rows.map((row) => rowOf(row, columns));
  const results = rows.length === 0 ? [] : await take(rows);
  const keys = (wanted: (result: Taken | undefined) => boolean): string[] =>
    rows.flatMap((row, at) => (wanted(results[at]) ? [row.key] : []));
  const over = keys((result) => result === "taken" || result === "known");
  const end = done === undefined ? `DELETE FROM ${quoted(table)}` : `UPDATE ${quoted(table)} SET ${quoted(done)} = now()`;
  if (over.length > 0) await client.query(`${end} WHERE ${quoted(key)} = ANY($1)`, [over]);
  for (const code of new Set(results.flatMap((result) => (result instanceof BusError ? [result.code] : [])))) {
    const refused = keys((result) => result instanceof BusError && result.code === code);
    await client.query(`UPDATE ${quoted(table)} SET ${quoted(failed)} = $2 WHERE ${quoted(key)} = ANY($1)`, [refused, code]);
  }
  await client.query("COMMIT");
  return { results, more: rows.length === batch && !results.includes("left") };
}

/** Key as text first, then the columns of the message. */
export function rowOf(row: readonly unknown[], columns: readonly string[], ahead = 1): Row {
  return { key: String(row[0]), content: Object.fromEntries(columns.map((column, at) => [column, row[at + ahead]])) };
}
