/**
 * Search index on disk. A run is a sorted, immutable list of (key, positions) of one stretch of the log, cut into chunks of
 * about one page; fences (first key of each chunk) stay in memory. Writing runs in order and merging eight into one keeps
 * the index's share of disk writes small and flat, where a B-tree of random keys would dirty one page for each entry.
 */
import type { DatabaseSync, StatementSync } from "node:sqlite";
import { addToBloom, newBloom, type Bloom } from "./bloom.ts";

/** Fits one leaf page of 8 KiB with its cell header, so a chunk costs one page. */
const CHUNK_BYTES = 8_000;
/** A key with many positions is cut into groups of this size. */
const GROUP = 512;
/** Chunk ids are run * 2^24 + number. */
const SPAN = 16_777_216;

export type Run = Readonly<{
  id: number;
  level: number;
  /** Positions it covers. */
  first: number;
  last: number;
  /** Log time of its last record. */
  time: number;
  fences: Float64Array;
  /** De-duplication keys (odd keys) it may hold. */
  bloom: Bloom;
}>;

export type RunTable = Readonly<{
  begin: StatementSync;
  finish: StatementSync;
  putChunk: StatementSync;
  getChunk: StatementSync;
  retire: StatementSync;
  dropChunks: StatementSync;
  dropRun: StatementSync;
}>;

/** 0 = being written, 1 = in use, 2 = to be deleted. */
export const RUN = { building: 0, live: 1, retired: 2 } as const;

export function openRunTable(db: DatabaseSync): RunTable {
  return {
    begin: db.prepare("INSERT INTO run(id, state, level, first, last, time, chunks) VALUES(?, 0, ?, ?, ?, ?, 0)"),
    finish: db.prepare("UPDATE run SET state = 1, chunks = ?, fences = ?, bloom = ? WHERE id = ?"),
    putChunk: db.prepare("INSERT INTO chunk(id, bytes) VALUES(?, ?)"),
    getChunk: db.prepare("SELECT bytes FROM chunk WHERE id = ?"),
    retire: db.prepare("UPDATE run SET state = 2 WHERE id = ?"),
    dropChunks: db.prepare("DELETE FROM chunk WHERE id IN (SELECT id FROM chunk WHERE id >= ? AND id < ? LIMIT ?)"),
    dropRun: db.prepare("DELETE FROM run WHERE id = ?"),
  };
}

const floats = (bytes: unknown): Float64Array => new Float64Array((bytes as Uint8Array).slice().buffer);

/** Live runs in order of position. */
export function loadRuns(db: DatabaseSync): Run[] {
  const rows = db.prepare("SELECT id, level, first, last, time, fences, bloom FROM run WHERE state = 1 ORDER BY first").all();
  return rows.map((row) => ({
    id: Number(row["id"]),
    level: Number(row["level"]),
    first: Number(row["first"]),
    last: Number(row["last"]),
    time: Number(row["time"]),
    fences: floats(row["fences"]),
    bloom: new Uint32Array((row["bloom"] as Uint8Array).slice().buffer),
  }));
}

/** Chunk rows of a run deleted, at most `limit`; true when none is left. */
export function dropSlice(table: RunTable, id: number, limit: number): boolean {
  const gone = Number(table.dropChunks.run(id * SPAN, (id + 1) * SPAN, limit).changes);
  if (gone === limit) return false;
  table.dropRun.run(id);
  return true;
}

/** Writes a run key by key, in ascending order of key. */
export type RunWriter = {
  readonly table: RunTable;
  readonly id: number;
  readonly level: number;
  readonly first: number;
  readonly last: number;
  readonly time: number;
  readonly fences: number[];
  readonly bloom: Bloom;
  readonly buf: Buffer;
  at: number;
  fence: number;
};

export function startRun(table: RunTable, run: Omit<Run, "fences" | "bloom">, dedupeKeys: number): RunWriter {
  table.begin.run(run.id, run.level, run.first, run.last, run.time);
  return { ...run, table, fences: [], bloom: newBloom(dedupeKeys), buf: Buffer.allocUnsafe(CHUNK_BYTES + GROUP * 8 + 32), at: 0, fence: 0 };
}

export function putKey(writer: RunWriter, key: number, positions: readonly number[]): void {
  if (key % 2 === 1) addToBloom(writer.bloom, key);
  for (let from = 0; from < positions.length; from += GROUP)
    putGroup(writer, key, positions, from, Math.min(positions.length, from + GROUP));
}

function putGroup(writer: RunWriter, key: number, positions: readonly number[], from: number, to: number): void {
  const { buf } = writer;
  const start = writer.at;
  let at = buf.writeDoubleLE(key, start) + 4;
  let before = writer.first;
  for (let i = from; i < to; i++) {
    const position = positions[i] ?? 0;
    let delta = position - before;
    before = position;
    while (delta >= 0x80) {
      buf[at++] = (delta & 0x7f) | 0x80;
      delta = Math.floor(delta / 0x80);
    }
    buf[at++] = delta;
  }
  buf.writeUInt16LE(to - from, start + 8);
  buf.writeUInt16LE(at - start - 12, start + 10);
  if (at > CHUNK_BYTES && start > 0) {
    putChunk(writer, start);
    buf.copyWithin(0, start, at);
    writer.at = at - start;
    writer.fence = key;
    return;
  }
  if (start === 0) writer.fence = key;
  writer.at = at;
}

function putChunk(writer: RunWriter, bytes: number): void {
  writer.table.putChunk.run(writer.id * SPAN + writer.fences.length, writer.buf.subarray(0, bytes));
  writer.fences.push(writer.fence);
}

export function finishRun(writer: RunWriter): Run {
  if (writer.at > 0) putChunk(writer, writer.at);
  const { id, level, first, last, time, bloom } = writer;
  const fences = Float64Array.from(writer.fences);
  writer.table.finish.run(fences.length, new Uint8Array(fences.buffer), new Uint8Array(bloom.buffer), id);
  return { id, level, first, last, time, fences, bloom };
}

/** Chunk `number` of a run, undefined above its last. */
export function readChunk(table: RunTable, run: Run, number: number): Buffer | undefined {
  const bytes = table.getChunk.get(run.id * SPAN + number)?.["bytes"] as Uint8Array | undefined;
  return bytes === undefined ? undefined : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
}

/** Decodes the group that starts at `at` into `into`; gives where the next one starts. */
export function readGroup(chunk: Buffer, at: number, first: number, into: number[]): number {
  const count = chunk.readUInt16LE(at + 8);
  let next = at + 12;
  let position = first;
  for (let i = 0; i < count; i++) {
    let scale = 1;
    let byte = chunk[next++] ?? 0;
    while (byte >= 0x80) {
      position += (byte & 0x7f) * scale;
      scale *= 0x80;
      byte = chunk[next++] ?? 0;
    }
    position += byte * scale;
    into.push(position);
  }
  return next;
}

/** Positions of a key within a run, ascending. */
export function lookUp(table: RunTable, run: Run, key: number): number[] {
  const { fences } = run;
  let low = 0;
  let high = fences.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((fences[middle] ?? 0) < key) low = middle + 1;
    else high = middle;
  }
  const positions: number[] = [];
  for (let number = Math.max(0, low - 1); number < fences.length && (fences[number] ?? 0) <= key; number++) {
    const chunk = readChunk(table, run, number);
    if (chunk === undefined) break;
    let at = 0;
    while (at < chunk.length) {
      const here = chunk.readDoubleLE(at);
      if (here > key) return positions;
      at = here === key ? readGroup(chunk, at, run.first, positions) : at + 12 + chunk.readUInt16LE(at + 10);
    }
  }
  return positions;
}
