/** Deletes the oldest of the log, a slice at a time, never what a consumer group still needs. Runs in the worker. */
import { EngineFault } from "./database.ts";
import { dropRunsBelow } from "./finder.ts";
import { bytesFrom } from "./log.ts";
import type { WriteOp } from "./protocol.ts";
import type { State } from "./state.ts";

const SLICE = 64;
/** A body is put aside before its record is written: within this time. */
const BLOB_SLACK = 3_600_000;

export type Retained = Readonly<{ records: number; blobs: number; /** Call again. */ more: boolean }>;

export function retain(state: State, op: Extract<WriteOp, { op: "retain" }>): Retained {
  if (!(op.before >= 0) || !(op.maxBytes > 0))
    throw new EngineFault("configuration", "retention needs an age of at least 0 and a size above 0");
  const { db, blocks } = state;
  const floor = Math.min(op.keepFrom, op.ignoreGroups ? Infinity : state.consumers.floor(state.topics));
  let over = op.maxBytes === Infinity ? 0 : usedBytes(state) - op.maxBytes;
  const rows = db.prepare("SELECT first, count, last, length(bytes) + size AS bytes FROM block ORDER BY first LIMIT ?").all(SLICE);
  let records = 0;
  let end = 0;
  for (const row of rows) {
    const next = Number(row["first"]) + Number(row["count"]);
    // The newest block stays: it holds the last position and log time.
    if (next > floor || next > blocks.last || (Number(row["last"]) >= op.before && over <= 0)) break;
    over -= Number(row["bytes"]);
    records += Number(row["count"]);
    end = next;
  }
  if (end > 0) dropBelow(state, end);
  const blobs = op.blobs === undefined ? 0 : dropBlobs(state, blobsBefore(state, op.before), op.blobs);
  return { records, blobs, more: (end > 0 && rows.length === SLICE && Number(rows.at(-1)?.["first"]) < end) || blobs === SLICE };
}

function dropBelow(state: State, end: number): void {
  const { db, blocks } = state;
  db.prepare("DELETE FROM block WHERE first < ?").run(end);
  const queues = db.prepare("DELETE FROM queue WHERE topic = ? AND first < ?");
  for (const row of db.prepare("SELECT id FROM topic").all()) queues.run(Number(row["id"]), end);
  dropRunsBelow(state.finder, end);
  if (blocks.memo !== undefined && blocks.memo.first < end) blocks.memo = undefined;
  const keep = blocks.recent.findIndex((block) => block.first >= end);
  const gone = blocks.recent.splice(0, keep < 0 ? blocks.recent.length : keep);
  for (const block of gone) blocks.recentBytes -= block.bytes.length;
}

/** Bodies go with the records that name them, which were written soon after: those of records that stay, stay. */
function blobsBefore(state: State, before: number): number {
  const kept = state.db.prepare("SELECT time FROM block ORDER BY first LIMIT 1").get();
  return kept === undefined ? before : Math.min(before === 0 ? Infinity : before, Number(kept["time"]) - BLOB_SLACK);
}

function dropBlobs(state: State, before: number, prefix: string): number {
  const rows = state.db
    .prepare("SELECT id FROM blob WHERE time < ? AND substr(id, 1, ?) = ? LIMIT ?")
    .all(before, prefix.length, prefix, SLICE);
  for (const row of rows) state.documents.removeBlob(String(row["id"]));
  return rows.length;
}

/**
 * Pages in use, free ones not counted (the file keeps its size and fills the gaps again), and the log from its oldest block
 * on. A file of the log leaves the disk when all its blocks are deleted.
 */
export function usedBytes(state: State): number {
  const value = (pragma: string): number => Number(Object.values(state.db.prepare(`PRAGMA ${pragma}`).get() ?? {})[0] ?? 0);
  const oldest = state.blocks.oldest.get();
  const log = oldest === undefined ? 0 : bytesFrom(state.log, { file: Number(oldest["file"]), at: Number(oldest["at"]) });
  return (value("page_count") - value("freelist_count")) * value("page_size") + log;
}
