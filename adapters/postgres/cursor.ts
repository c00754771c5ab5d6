/**
 * A table or view that is only read: rows in the order of a column that grows, from where the last run ended. The place is kept by the
 * bus after its rows are durable there; rows behind a crash are read again, and the bus knows those that it has.
 */
import type pg from "pg";
import type { Collection } from "#bus/ports.ts";
import { rowOf, type Round, type Take } from "./outbox.ts";
import { quoted } from "./statement.ts";
import { types } from "./values.ts";

export type CursorTable = Readonly<{
  table: string;
  /** Unique together with the cursor. */
  key: string;
  columns: readonly string[];
  cursor: string;
  /** Milliseconds that a row's time must lie behind; undefined = rows are read at once. Transactions end in another order than they begin. */
  settle: number | undefined;
  batch: number;
}>;

/** Where a source stands: cursor and key of the last row that is over, as the database writes them. */
export type Place = Readonly<{ cursor: string; key: string }>;
export type Places = Readonly<{ places: Collection<Place>; id: string }>;

export async function takeBehindCursor(client: pg.Client, source: CursorTable, { places, id }: Places, take: Take): Promise<Round> {
  const { table, key, columns, cursor, settle, batch } = source;
  const before = await places.get(id);
  const place = before?.value;
  const settled = settle === undefined ? "TRUE" : `${quoted(cursor)} <= now() - interval '${settle} milliseconds'`;
  const behind = place ? `(${quoted(cursor)}, ${quoted(key)}) > ($1, $2)` : `${quoted(cursor)} IS NOT NULL`;
  const { rows: found } = await client.query<unknown[]>({
    text:
      `SELECT ${quoted(key)}::text AS "mbus:key", ${quoted(cursor)}::text AS "mbus:cursor", ${columns.map(quoted).join(", ")} FROM ${quoted(table)} ` +
      `WHERE ${behind} AND ${settled} ORDER BY ${quoted(cursor)}, ${quoted(key)} LIMIT ${batch}`,
    values: place ? [place.cursor, place.key] : [],
    rowMode: "array",
    types,
  });
  const results = found.length === 0 ? [] : await take(found.map((row) => rowOf(row, columns, 2)));
  const left = results.indexOf("left");
  const last = found[(left < 0 ? found.length : left) - 1];
  if (last !== undefined) {
    const value = { key: String(last[0]), cursor: String(last[1]) };
    // a lost update means that another process went on from here: its place stands
    await (before ? places.update(id, before.version, value) : places.insert(id, value));
  }
  return { results, more: found.length === batch && left < 0 };
}
