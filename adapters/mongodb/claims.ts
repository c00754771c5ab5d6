/**
 * De-duplication: one document per key names the position that claims it. A claim is made before its record is written, so a claim counts
 * only if its position became a record; one whose position is void, or whose window is over, is taken over by compare-and-set.
 */
import type { AnyBulkWriteOperation, Collection } from "mongodb";
import { isDuplicate, isPassing, type Connection } from "./connection.ts";
import type { Fate, Log } from "./log.ts";

/** `p`osition, `t`ime of its record, `x` = when the server may forget it. */
type ClaimRow = { _id: string; p: number; t: number; x: Date };
export type Wish = Readonly<{ key: string; window: number; time: number; position: number }>;
/** `open`: somebody's position is not decided yet; ask again when it is. */
export type Verdict = Readonly<{ kind: "mine" } | { kind: "duplicate"; of: number } | { kind: "open"; position: number }>;

export type Claims = Readonly<{
  /** One verdict for each wish, in order. No key may come twice. */
  claim(wishes: readonly Wish[]): Promise<readonly Verdict[]>;
  forget(before: number): Promise<void>;
}>;

/** Clocks of nodes and of the server may differ by this much. */
const SLACK = 3_600_000;
const ROUNDS = 6;
const MINE: Verdict = { kind: "mine" };

/** A key as text that the server keeps exactly. */
const idOf = (key: string): string => (key.isWellFormed() ? `k${key}` : `j${JSON.stringify(key)}`);
const rowOf = (wish: Wish): ClaimRow => ({
  _id: idOf(wish.key),
  p: wish.position,
  t: wish.time,
  x: new Date(wish.time + wish.window + SLACK),
});

export async function openClaims(connection: Connection, log: Log): Promise<Claims> {
  const rows = connection.db.collection<ClaimRow>("journal_claims");
  await connection.run("journal-failed", "open the journal", async () => {
    // Where the server forgets nothing by itself, retention does it.
    await rows.createIndex({ x: 1 }, { expireAfterSeconds: 0 }).catch((error: unknown) => {
      if (isPassing(error)) throw error;
    });
  });
  const decide = (work: () => Promise<Map<Wish, Verdict>>): Promise<Map<Wish, Verdict>> =>
    connection.run("journal-failed", "look for duplicates", work);

  return {
    async claim(wishes) {
      if (wishes.length === 0) return [];
      const verdicts = await decide(() => insert(rows, wishes));
      for (let round = 0; verdicts.size < wishes.length; round++) {
        const open = wishes.filter((wish) => !verdicts.has(wish));
        for (const [wish, verdict] of await decide(() => contest(rows, log, open, round))) verdicts.set(wish, verdict);
      }
      return wishes.map((wish) => verdicts.get(wish) ?? MINE);
    },
    async forget(before) {
      await connection.run("journal-failed", "forget old claims", () => rows.deleteMany({ x: { $lt: new Date(before) } }));
    },
  };
}

/** The usual case: nobody has any of the keys. */
async function insert(rows: Collection<ClaimRow>, wishes: readonly Wish[]): Promise<Map<Wish, Verdict>> {
  try {
    await rows.insertMany(wishes.map(rowOf), { ordered: false });
    return new Map(wishes.map((wish) => [wish, MINE]));
  } catch (error) {
    if (!isDuplicate(error)) throw error;
    // Which of them exist, and whose they are, is read back.
    return new Map();
  }
}

/** Judges claims that exist; takes over those that do not count. What it leaves out is for the next round. */
async function contest(rows: Collection<ClaimRow>, log: Log, wishes: readonly Wish[], round: number): Promise<Map<Wish, Verdict>> {
  const found = await rows.find({ _id: { $in: wishes.map((wish) => idOf(wish.key)) } }).toArray();
  const there = new Map(found.map((row) => [row._id, row]));
  const verdicts = new Map<Wish, Verdict>();
  const rivals: [Wish, ClaimRow][] = [];
  const takeovers: AnyBulkWriteOperation<ClaimRow>[] = [];
  const takeOver = (wish: Wish, row: ClaimRow): void => {
    const { _id, ...change } = rowOf(wish);
    takeovers.push({ updateOne: { filter: { _id, p: row.p }, update: { $set: change } } });
  };
  const missing: Wish[] = [];
  for (const wish of wishes) {
    const row = there.get(idOf(wish.key));
    if (row === undefined) missing.push(wish);
    else if (row.p === wish.position) verdicts.set(wish, MINE);
    else if (row.t <= wish.time - wish.window) takeOver(wish, row);
    else rivals.push([wish, row]);
  }
  if (missing.length > 0) await insert(rows, missing);
  const fates: ReadonlyMap<number, Fate> = rivals.length === 0 ? new Map() : await log.fates(rivals.map(([, row]) => row.p));
  for (const [wish, row] of rivals) {
    const fate = fates.get(row.p) ?? "void";
    if (fate === "void") takeOver(wish, row);
    else if (fate === "record" || fate === "gone") verdicts.set(wish, { kind: "duplicate", of: row.p });
    else verdicts.set(wish, { kind: "open", position: fate.open });
  }
  if (takeovers.length > 0) await rows.bulkWrite(takeovers, { ordered: false });
  // Rivals that keep changing hands: let others go first.
  if (round >= ROUNDS) for (const wish of wishes) if (!verdicts.has(wish)) verdicts.set(wish, { kind: "open", position: 0 });
  return verdicts;
}
