/**
 * The files of the log, oldest first. Only the newest is written; the others are read, and removed whole when retention has
 * deleted all that they hold. Runs in the worker.
 */
import { mkdirSync, readdirSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";
import { crc32 } from "node:zlib";
import type { Entry } from "./batches.ts";
import { appendBatch, baseOf, closeSegment, createSegment, cutSegment, openSegment, readBytes, segmentName } from "./segment.ts";
import { syncFolder, type Segment } from "./segment.ts";

/** Files open for reading at once. */
const MOST_OPEN = 64;

/** Where a block lies: `file` = the file's base. */
export type Place = Readonly<{ file: number; at: number }>;
export type Placed = Entry & Place & Readonly<{ bytes: Uint8Array }>;

export type Log = {
  readonly folder: string;
  /** A file of this size gets no further batch. */
  readonly fileBytes: number;
  /** Bytes of each file but the newest, by base, oldest first. */
  readonly sizes: Map<number, number>;
  newest: Segment | undefined;
  /** Least recently used first. */
  readonly open: Map<number, Segment>;
};

/** Finds the files; the newest is opened for writing by `recover`, which knows where it ends. */
export function openLog(dataDir: string, fileBytes: number): Log {
  const folder = join(dataDir, "log");
  mkdirSync(folder, { recursive: true });
  const bases: number[] = [];
  for (const name of readdirSync(folder)) {
    const base = baseOf(name);
    if (base !== undefined) bases.push(base);
    else if (name.endsWith(".log.new")) rmSync(join(folder, name), { force: true });
  }
  bases.sort((a, b) => a - b);
  const sizes = new Map(bases.map((base) => [base, statSync(join(folder, segmentName(base))).size]));
  return { folder, fileBytes, sizes, newest: undefined, open: new Map() };
}

/** One batch, one flush. Blocks have consecutive positions; their bytes are not copied. */
export function appendLog(log: Log, blocks: readonly Uint8Array[], entries: readonly Entry[]): Placed[] {
  const first = entries[0]?.first ?? 1;
  if (log.newest === undefined || log.newest.end >= log.fileBytes) roll(log, first);
  const segment = log.newest;
  if (segment === undefined) throw new RangeError("the log has no file to write");
  let at = appendBatch(segment, entries, blocks);
  return entries.map((entry, i) => {
    const placed = { ...entry, file: segment.base, at, bytes: blocks[i] ?? new Uint8Array(0) };
    at += entry.size;
    return placed;
  });
}

function roll(log: Log, first: number): void {
  const full = log.newest;
  const next = createSegment(log.folder, first);
  if (full !== undefined) {
    cutSegment(full);
    log.sizes.set(full.base, full.end);
    keepOpen(log, full);
  }
  log.newest = next;
}

/** The file that holds positions from `base` on. */
export function segmentAt(log: Log, base: number): Segment {
  if (log.newest?.base === base) return log.newest;
  const segment = log.open.get(base) ?? openSegment(log.folder, base, "r");
  log.open.delete(base);
  keepOpen(log, segment);
  return segment;
}

function keepOpen(log: Log, segment: Segment): void {
  log.open.set(segment.base, segment);
  for (const [base, oldest] of log.open) {
    if (log.open.size <= MOST_OPEN) return;
    log.open.delete(base);
    closeSegment(oldest);
  }
}

/** A block's bytes; undefined when they do not match their checksum. */
export function readBlock(log: Log, place: Place, size: number, crc: number): Uint8Array | undefined {
  const bytes = readBytes(segmentAt(log, place.file), place.at, size);
  return bytes.length === size && crc32(bytes) === crc ? bytes : undefined;
}

/** Removes files below the one that holds the oldest block. Call when the deletion of their blocks is durable. */
export function dropFiles(log: Log, below: number): void {
  const unused = [...log.sizes.keys()].filter((base) => base < below && base !== log.newest?.base);
  for (const base of unused) {
    const open = log.open.get(base);
    if (open !== undefined) closeSegment(open);
    log.open.delete(base);
    rmSync(join(log.folder, segmentName(base)), { force: true });
    log.sizes.delete(base);
  }
  if (unused.length > 0) syncFolder(log.folder);
}

/** Bytes from a place to the end of the log. */
export function bytesFrom(log: Log, place: Place): number {
  let bytes = 0;
  for (const [base, size] of log.sizes) if (base >= place.file && base !== log.newest?.base) bytes += size;
  return Math.max(0, bytes + (log.newest?.end ?? 0) - place.at);
}

export function closeLog(log: Log): void {
  for (const segment of log.open.values()) closeSegment(segment);
  log.open.clear();
  if (log.newest !== undefined) closeSegment(log.newest);
  log.newest = undefined;
}
