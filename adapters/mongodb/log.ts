/**
 * The log: positions without gaps. A writer reserves a range of the counter and fills it in order; what it leaves open is a hole. Nobody
 * reads past a hole. One that stays for the lease is closed with voids by whoever waits for it: then its writer, should it only have
 * been slow, finds its positions taken and has written nothing. The `_id` is the only judge; clocks of nodes are never compared.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { Double, type ClientSession, type Collection } from "mongodb";
import { BusError } from "#bus/errors.ts";
import { isDuplicate, isPassing, type Connection } from "./connection.ts";
import { bytesOf } from "./recent.ts";
import { rowsOf, voidRow, type Row } from "./rows.ts";

const FAILED = "journal-failed";
const COUNTER = "journal";

/** `next`: last position given out. All up to `stable` is final. What was up to `floor` is gone by age. */
export type Counter = Readonly<{ next: number; stable: number; floor: number }>;

/** What became of a position: a record that counts, nothing for ever, or `open`: the position to wait for. */
export type Fate = "record" | "void" | "gone" | Readonly<{ open: number }>;

export type Log = Readonly<{
  rows: Collection<Row>;
  counter(session?: ClientSession): Promise<Counter>;
  /** First of `count` positions. */
  reserve(count: number, stable: number): Promise<number>;
  /** Writes rows of a reserved range, in order. Gives the positions whose records count; all or some. Throws when that is not known. */
  write(rows: readonly Row[]): Promise<ReadonlySet<number>>;
  /** Closes positions that are still open. */
  close(positions: readonly number[]): Promise<void>;
  fates(positions: readonly number[]): Promise<ReadonlyMap<number, Fate>>;
  /** Is the append that ends here complete? */
  complete(ends: Iterable<number>, session?: ClientSession): Promise<ReadonlySet<number>>;
  raiseFloor(floor: number): Promise<void>;
  /** Rows after a position and before `end`, oldest first, as many as the page takes; `more` = it was full. */
  above(
    position: number,
    end: number | undefined,
    page: Page,
    session?: ClientSession,
  ): Promise<Readonly<{ page: readonly Row[]; more: boolean }>>;
}>;

/** `bare`: only positions. */
export type Page = Readonly<{ rows: number; bytes?: number; bare?: boolean }>;

type CounterRow = { _id: string; next: Double | number; stable: number; floor: number };
/** Ends that are known to be records; most reads ask for the newest. */
const REMEMBERED = 20_000;

export async function openLog(connection: Connection, patience: number): Promise<Log> {
  const rows = rowsOf(connection.db);
  const counters = connection.db.collection<CounterRow>("counters");
  const known = new Set<number>();
  const remember = (end: number): void => {
    if (known.size >= REMEMBERED) known.clear();
    known.add(end);
  };
  await connection.run(FAILED, "open the journal", () => prepare(rows, counters));

  const counter = async (session?: ClientSession): Promise<Counter> => {
    const row = await counters.findOne({ _id: COUNTER }, session === undefined ? {} : { session });
    if (row === null)
      throw new BusError(FAILED, "the journal's counter is not in its database any more; restore the database from a backup");
    return { next: Number(row.next), stable: row.stable, floor: row.floor };
  };

  /** What stands at some positions. */
  const standing = async (positions: readonly number[], session?: ClientSession): Promise<Map<number, Row>> => {
    const found = await rows
      .find({ _id: { $in: [...positions] } }, { projection: { x: 1, e: 1 }, ...(session === undefined ? {} : { session }) })
      .toArray();
    return new Map(found.map((row) => [row._id, row]));
  };

  const close = async (positions: readonly number[]): Promise<void> => {
    if (positions.length === 0) return;
    await connection.run(FAILED, "close positions of the journal", () =>
      rows.insertMany(positions.map(voidRow), { ordered: false }).catch((error: unknown) => {
        if (!isDuplicate(error)) throw error;
      }),
    );
  };

  return {
    rows,
    counter,
    reserve: (count, stable) =>
      connection.run(FAILED, "reserve positions of the journal", async () => {
        const change = { $inc: { next: new Double(count) }, $max: { stable } };
        const before = await counters.findOneAndUpdate({ _id: COUNTER }, change, { returnDocument: "before" });
        if (before === null)
          throw new BusError(FAILED, "the journal's counter is not in its database any more; restore the database from a backup");
        return Number(before.next) + 1;
      }),
    async write(batch) {
      const until = performance.now() + patience;
      let rest = batch;
      for (let wait = 20; ; wait = Math.min(wait * 2, 1_000)) {
        const failed = await connection
          .inOrder((session) => rows.insertMany([...rest], { ordered: true, ...(session === undefined ? {} : { session }) }))
          .then(() => undefined)
          .catch((error: unknown) => error);
        if (failed === undefined) return counted(batch, undefined, remember);
        let there = await connection.run(FAILED, "look after an append", () => standing(batch.map((row) => row._id)));
        const missing = batch.filter((row) => !there.has(row._id));
        if (batch.some((row) => row.x === undefined && there.get(row._id)?.x === 1)) {
          // Fenced: the lease was over. What had not been written by then never will be.
          await close(missing.map((row) => row._id));
          there = await connection.run(FAILED, "look after an append", () => standing(batch.map((row) => row._id)));
          return counted(batch, there, remember);
        }
        if (missing.length === 0) return counted(batch, there, remember);
        if ((!isPassing(failed) && !isDuplicate(failed)) || performance.now() + wait > until) {
          const said = failed instanceof Error ? failed.message : "it broke off";
          throw new BusError(FAILED, `the MongoDB server did not confirm an append: ${said}`, { cause: failed, retryAfter: 1_000 });
        }
        rest = missing;
        await sleep(wait);
      }
    },
    close,
    async fates(positions) {
      return connection.run(FAILED, "look for records", async () => {
        const { floor } = await counter();
        const there = await standing(positions);
        const ends = await standing([...there.values()].flatMap((row) => (row.e === undefined ? [] : [row.e])));
        const fate = (position: number): Fate => {
          if (position <= floor) return "gone";
          const row = there.get(position);
          if (row === undefined) return { open: position };
          if (row.x === 1) return "void";
          if (row.e === undefined) return "record";
          const end = ends.get(row.e);
          if (end === undefined) return { open: row.e };
          return end.x === 1 ? "void" : "record";
        };
        return new Map(positions.map((position) => [position, fate(position)]));
      });
    },
    async complete(ends, session) {
      const wanted = new Set(ends);
      const unknown = [...wanted].filter((end) => !known.has(end));
      const there = unknown.length === 0 ? new Map<number, Row>() : await standing(unknown, session);
      for (const end of unknown) {
        if (there.get(end)?.x !== undefined || !there.has(end)) wanted.delete(end);
      }
      for (const end of wanted) remember(end);
      return wanted;
    },
    async raiseFloor(floor) {
      await connection.run(FAILED, "note the age limit of the journal", () =>
        counters.updateOne({ _id: COUNTER }, { $max: { floor, stable: floor } }),
      );
    },
    async above(position, end, { rows: limit, bytes: most = Infinity, bare = false }, session) {
      const filter = { _id: { $gt: position, ...(end === undefined ? {} : { $lt: end }) } };
      const projection = bare ? { _id: 1 } : { k: 0 };
      const found = rows.find(filter, { projection, batchSize: limit, ...(session === undefined ? {} : { session }) });
      const page: Row[] = [];
      let bytes = 0;
      for await (const row of found.sort({ _id: 1 }).limit(limit)) {
        page.push(row);
        bytes += bytesOf(row);
        if (bytes > most) return { page, more: true };
      }
      return { page, more: page.length === limit };
    },
  };
}

/** Positions of records that stand there and whose append is whole; `there` undefined = all of the batch stands. */
function counted(batch: readonly Row[], there: ReadonlyMap<number, Row> | undefined, remember: (end: number) => void): ReadonlySet<number> {
  const stands = (position: number): boolean => there === undefined || there.get(position)?.x === undefined;
  const positions = new Set<number>();
  for (const row of batch) {
    if (row.x !== undefined || !stands(row._id) || !stands(row.e ?? row._id)) continue;
    positions.add(row._id);
    if (row.e === undefined) remember(row._id);
  }
  return positions;
}

async function prepare(rows: Collection<Row>, counters: Collection<CounterRow>): Promise<void> {
  const first = { next: new Double(0), stable: 0, floor: 0 };
  await counters.updateOne({ _id: COUNTER }, { $setOnInsert: first }, { upsert: true }).catch((error: unknown) => {
    if (!isDuplicate(error)) throw error;
  });
  await rows.createIndex({ k: 1, _id: 1 });
  await rows.createIndex({ t: 1 });
  // Only what is published; where the server has no partial indexes, all of it.
  await rows.createIndex({ p: 1, _id: 1 }, { partialFilterExpression: { p: 1 } }).catch((error: unknown) => {
    if (isPassing(error)) throw error;
    return rows.createIndex({ p: 1, _id: 1 });
  });
}
