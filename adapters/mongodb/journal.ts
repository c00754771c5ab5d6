/** The journal port over MongoDB: many nodes append to one log. */
import type { ClientSession, Filter } from "mongodb";
import { BusError } from "#bus/errors.ts";
import type { JournalQuery, StoredRecord } from "#bus/journal/record.ts";
import { matches, queryKeys } from "#bus/journal/search.ts";
import type { Journal } from "#bus/ports.ts";
import { openClaims, type Claims } from "./claims.ts";
import type { Connection } from "./connection.ts";
import { openHorizon, type Horizon } from "./horizon.ts";
import { openLog, type Log } from "./log.ts";
import { encode, recordOf, type Row } from "./rows.ts";
import { openWriter, type WriterLimits } from "./writer.ts";

export type JournalLimits = WriterLimits & Readonly<{ recordBytes: number }>;
export type MongoJournal = Journal & Readonly<{ parts: Readonly<{ log: Log; claims: Claims; horizon: Horizon }> }>;

const DEFAULT_LIMIT = 100;
/** Rows of one question to the server. */
const PAGE = 2_000;

export async function openJournal(connection: Connection, limits: JournalLimits): Promise<MongoJournal> {
  const log = await openLog(connection, limits.patience);
  const claims = await openClaims(connection, log);
  const horizon = openHorizon(connection, log, limits.lease);
  await horizon.look();
  const writer = openWriter(log, claims, horizon, limits);
  let closed = false;
  const open = (): void => {
    if (closed) throw new BusError("bus-stopping", "the journal is closed");
  };
  const reading = async <T>(work: (last: number, session: ClientSession | undefined) => Promise<T>): Promise<T> => {
    open();
    const last = await horizon.look();
    return connection.run("journal-failed", "read the journal", () => connection.inOrder((session) => work(last, session)));
  };
  return {
    writers: "many",
    parts: { log, claims, horizon },
    async append(records) {
      open();
      return records.length === 0 ? [] : writer.append(encode(records, limits.recordBytes));
    },
    async read(from, limit, only) {
      open();
      const near = (last: number, session: ClientSession | undefined): Promise<StoredRecord[] | undefined> =>
        nearest(log, horizon, { from, last, limit, published: only !== undefined }, session);
      // who is behind gets full pages of what is final anyway, without asking how far the log is by now
      const known = await connection.run("journal-failed", "read the journal", () =>
        connection.inOrder((session) => near(horizon.at(), session)),
      );
      if (known?.length === limit) return known;
      return reading(async (last, session) => {
        if (from > last) return []; // what tails the log asks often: an answer without news costs one question
        const found = await near(last, session);
        if (found !== undefined) return found;
        const published: Filter<Row> = only === undefined ? {} : { p: 1 };
        const filter = (after: number | undefined): Filter<Row> => ({
          ...published,
          _id: { $gte: after === undefined ? from : after + 1, $lte: last },
        });
        return collect(log, filter, { ascending: true, limit, session, accept: () => true });
      });
    },
    async find(query) {
      const limit = query.limit ?? DEFAULT_LIMIT;
      if (!(limit >= 1)) throw new BusError("configuration", `a journal search has limit ${limit}; it must be at least 1`);
      return reading(async (last, session) => {
        const accept = (record: StoredRecord): boolean => matches(query, record);
        const ascending = query.ascending ?? false;
        // One more than asked for tells whether there is a next page.
        const found = await collect(log, searchFilter(query, last), { ascending, limit: limit + 1, session, accept });
        const records = found.length > limit ? found.slice(0, limit) : found;
        return { records, cursor: found.length > limit ? records.at(-1)?.position : undefined };
      });
    },
    async close() {
      closed = true;
      await writer.drained();
    },
  };
}

function searchFilter(query: JournalQuery, last: number): (after: number | undefined) => Filter<Row> {
  const keys = queryKeys(query);
  const filter: Filter<Row> = {};
  if (keys.length > 0) filter["k"] = { $all: keys };
  if (query.from !== undefined || query.to !== undefined) {
    filter["t"] = { ...(query.from === undefined ? {} : { $gte: query.from }), ...(query.to === undefined ? {} : { $lt: query.to }) };
  }
  return (after = query.cursor) => {
    if (after === undefined) return { ...filter, _id: { $lte: last } };
    return { ...filter, _id: query.ascending === true ? { $gt: after, $lte: last } : { $lt: Math.min(after, last + 1) } };
  };
}

type Collecting = Readonly<{
  ascending: boolean;
  limit: number;
  session: ClientSession | undefined;
  accept: (record: StoredRecord) => boolean;
}>;

type Near = Readonly<{ from: number; last: number; limit: number; published: boolean }>;

/** Records that are in memory; undefined = some of them are not. */
async function nearest(log: Log, horizon: Horizon, wanted: Near, session: ClientSession | undefined): Promise<StoredRecord[] | undefined> {
  const { from, last, limit, published } = wanted;
  const found: StoredRecord[] = [];
  for (let after = from - 1; found.length < limit;) {
    const size = limit - found.length;
    const page = horizon.recent.rows(after + 1, last, size, (row) => row.r !== undefined && (!published || row.p === 1));
    if (page === undefined) return undefined;
    const ends = page.flatMap((row) => (row.e === undefined ? [] : [row.e]));
    const complete = await log.complete(ends, session);
    for (const row of page) {
      after = row._id;
      const record = row.e === undefined || complete.has(row.e) ? recordOf(row) : undefined;
      if (record !== undefined) found.push(record);
    }
    if (page.length < size) break;
  }
  return found;
}

/** Records that count, page by page, until there are enough. */
async function collect(log: Log, filter: (after: number | undefined) => Filter<Row>, options: Collecting): Promise<StoredRecord[]> {
  const { ascending, limit, session, accept } = options;
  const found: StoredRecord[] = [];
  for (let after: number | undefined; found.length < limit;) {
    const size = Math.min(limit - found.length, PAGE);
    const page = await log.rows
      .find(filter(after), { projection: { k: 0 }, promoteBuffers: true, batchSize: size, ...(session === undefined ? {} : { session }) })
      .sort({ _id: ascending ? 1 : -1 })
      .limit(size)
      .toArray();
    const ends = page.flatMap((row) => (row.e === undefined ? [] : [row.e]));
    const complete = await log.complete(ends, session);
    for (const row of page) {
      after = row._id;
      if (row.e !== undefined && !complete.has(row.e)) continue;
      const record = recordOf(row);
      if (record !== undefined && accept(record)) found.push(record);
    }
    if (page.length < size) break;
  }
  return found;
}
