/**
 * The log in the worker, as blocks. Records that became durable together lie together in blocks of about 64 KiB with one
 * checksum. A block lies in a file of the log, its row in SQLite says where; rows are written some time after the answer and
 * found again from the log at start. Positions are dense, so a block needs only its first. Newest blocks stay in memory.
 */
import type { DatabaseSync, StatementSync } from "node:sqlite";
import { crc32 } from "node:zlib";
import type { Entry } from "./batches.ts";
import { EngineFault } from "./database.ts";
import { readBlock, type Log, type Place, type Placed } from "./log.ts";
import { FRAME, type Records } from "./protocol.ts";
import type { Known } from "./recover.ts";

export const BLOCK_BYTES = 65_536;

export type Block = Readonly<{ first: number; count: number; bytes: Uint8Array }>;

export type Blocks = {
  readonly log: Log;
  readonly insert: StatementSync;
  readonly at: StatementSync;
  readonly after: StatementSync;
  readonly edge: StatementSync;
  readonly oldest: StatementSync;
  /** Newest blocks, ascending and without gaps. */
  recent: Block[];
  recentBytes: number;
  readonly cacheBytes: number;
  memo: Block | undefined;
  last: number;
  lastTime: number;
  /** Last position whose block has its row; newer blocks stay in `recent`. */
  rowed: number;
};

const COLUMNS = "first, count, last, crc, bytes, file, at, size";

/** Blocks as the rows know them; `known` tells from where the log has more. */
export function openBlocks(db: DatabaseSync, log: Log, cacheBytes: number): Readonly<{ blocks: Blocks; known: Known }> {
  const newest = db.prepare(`SELECT ${COLUMNS} FROM block ORDER BY first DESC LIMIT 1`).get();
  const last = newest === undefined ? 0 : Number(newest["first"]) + Number(newest["count"]) - 1;
  const blocks: Blocks = {
    log,
    insert: db.prepare("INSERT INTO block(first, count, time, last, crc, bytes, file, at, size) VALUES(?, ?, ?, ?, ?, x'', ?, ?, ?)"),
    at: db.prepare(`SELECT ${COLUMNS} FROM block WHERE first <= ? ORDER BY first DESC LIMIT 1`),
    after: db.prepare(`SELECT ${COLUMNS} FROM block WHERE first > ? ORDER BY first LIMIT 1`),
    edge: db.prepare("SELECT first, count, time, last FROM block WHERE first <= ? ORDER BY first DESC LIMIT 1"),
    oldest: db.prepare("SELECT file, at FROM block ORDER BY first LIMIT 1"),
    recent: [],
    recentBytes: 0,
    cacheBytes,
    memo: undefined,
    last,
    lastTime: newest === undefined ? 0 : Number(newest["last"]),
    rowed: last,
  };
  const file = Number(newest?.["file"] ?? 0);
  return { blocks, known: { last, file, end: Number(newest?.["at"] ?? 0) + Number(newest?.["size"] ?? 0) } };
}

/** The row of a block; inside a transaction. */
export function insertBlock(blocks: Blocks, block: Entry & Place): void {
  blocks.insert.run(block.first, block.count, block.time, block.last, block.crc, block.file, block.at, block.size);
}

/** Blocks became durable: keeps them for hot readers, drops the oldest above the cache size. Without a row none is dropped. */
export function remember(blocks: Blocks, placed: readonly Placed[]): void {
  for (const { first, count, last, bytes } of placed) {
    blocks.recent.push({ first, count, bytes });
    blocks.recentBytes += bytes.length;
    blocks.last = first + count - 1;
    blocks.lastTime = last;
  }
  let drop = 0;
  for (let oldest = blocks.recent[0]; blocks.recentBytes > blocks.cacheBytes && oldest !== undefined; oldest = blocks.recent[drop]) {
    if (drop >= blocks.recent.length - 1 || oldest.first > blocks.rowed) break;
    blocks.recentBytes -= oldest.bytes.length;
    drop++;
  }
  if (drop > 0) blocks.recent.splice(0, drop);
}

function fromRow(blocks: Blocks, row: Record<string, unknown>): Block {
  const first = Number(row["first"]);
  const crc = Number(row["crc"]);
  const file = Number(row["file"]);
  // A block of format 1 lies in its row.
  const inRow = row["bytes"] as Uint8Array;
  const sound = crc32(inRow) === crc ? inRow : undefined;
  const bytes = file === 0 ? sound : readBlock(blocks.log, { file, at: Number(row["at"]) }, Number(row["size"]), crc);
  if (bytes === undefined) {
    throw new EngineFault(
      "journal-failed",
      `the journal block at position ${first} does not match its checksum: the log is damaged; restore it from a backup`,
    );
  }
  return { first, count: Number(row["count"]), bytes };
}

/** The block that holds `position`, or the next one above it where it was deleted. */
export function blockFor(blocks: Blocks, position: number): Block | undefined {
  if (position > blocks.last) return undefined;
  const { recent, memo } = blocks;
  if (memo !== undefined && memo.first <= position && position < memo.first + memo.count) return memo;
  if (recent[0] !== undefined && position >= recent[0].first) {
    let low = 0;
    let high = recent.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if ((recent[middle]?.first ?? 0) <= position) low = middle;
      else high = middle - 1;
    }
    return recent[low];
  }
  let row = blocks.at.get(position);
  if (row === undefined || Number(row["first"]) + Number(row["count"]) <= position) row = blocks.after.get(position);
  if (row === undefined) return undefined;
  return (blocks.memo = fromRow(blocks, row));
}

/** Reads a block from the disk, whatever memory holds; gives its number of records. */
export function readStored(blocks: Blocks, first: number): number {
  const row = blocks.at.get(first);
  return row === undefined ? 0 : fromRow(blocks, row).count;
}

/** A view with the numbers of frames; made once per block walk. */
function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/** Byte offset of the frame number `skip` of a block. */
export function frameAt(view: DataView, skip: number): number {
  let at = 0;
  for (let i = 0; i < skip; i++) at += FRAME + view.getUint32(at, true);
  return at;
}

/** Collects frames and positions for one answer. */
export type Pile = { parts: Uint8Array[]; positions: number[]; bytes: number };
export const newPile = (): Pile => ({ parts: [], positions: [], bytes: 0 });

export function pileUp(pile: Pile): Records {
  const data = new Uint8Array(pile.bytes);
  let at = 0;
  for (const part of pile.parts) {
    data.set(part, at);
    at += part.length;
  }
  return { positions: Float64Array.from(pile.positions), data };
}

/** Adds the record at `position`; false when it is gone. */
export function addRecord(blocks: Blocks, pile: Pile, position: number): boolean {
  const block = blockFor(blocks, position);
  if (block === undefined || block.first > position) return false;
  const view = viewOf(block.bytes);
  const at = frameAt(view, position - block.first);
  const end = at + FRAME + view.getUint32(at, true);
  pile.parts.push(block.bytes.subarray(at, end));
  pile.positions.push(position);
  pile.bytes += end - at;
  return true;
}

/** Records from a position upward up to both limits (at least one). */
export function readForward(blocks: Blocks, from: number, limit: number, bytes: number, until = Infinity): Records {
  const pile = newPile();
  let position = Math.max(1, from);
  while (pile.positions.length < limit && pile.bytes < bytes && position < until) {
    const block = blockFor(blocks, position);
    if (block === undefined) break;
    position = Math.max(position, block.first);
    const count = Math.min(block.first + block.count - position, limit - pile.positions.length, until - position);
    if (count <= 0) break;
    const view = viewOf(block.bytes);
    const start = frameAt(view, position - block.first);
    let end = start;
    for (let i = 0; i < count; i++) {
      end += FRAME + view.getUint32(end, true);
      pile.positions.push(position++);
    }
    pile.parts.push(block.bytes.subarray(start, end));
    pile.bytes += end - start;
  }
  return pileUp(pile);
}

/** First position whose log time is at or above `time`; one above the last where none is. Log times never fall. */
export function positionAt(blocks: Blocks, time: number): number {
  if (time <= 0) return 1;
  if (time > blocks.lastTime) return blocks.last + 1;
  let low = 1;
  let high = blocks.last;
  while (low < high) {
    const middle = Math.floor((low + high) / 2);
    const row = blocks.edge.get(middle);
    if (row === undefined || Number(row["last"]) < time)
      low = row === undefined ? middle + 1 : Math.max(middle + 1, Number(row["first"]) + Number(row["count"]));
    else high = Math.min(middle, Number(row["first"]));
    if (high < low) break;
  }
  const block = blockFor(blocks, low);
  if (block === undefined) return blocks.last + 1;
  const view = viewOf(block.bytes);
  let at = 0;
  for (let i = 0; i < block.count; i++) {
    if (view.getFloat64(at + 4, true) >= time) return block.first + i;
    at += FRAME + view.getUint32(at, true);
  }
  return block.first + block.count;
}
