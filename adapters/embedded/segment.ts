/**
 * One file of the log: a head with the file's random number, then batches one after the other. Each batch is flushed before
 * the next is written, so only the last can be torn. Small batches overwrite zeros laid down before: their flush has no new
 * size or place to record.
 */
import { randomBytes } from "node:crypto";
import { closeSync, fdatasyncSync, fstatSync, fsyncSync, ftruncateSync, openSync, readSync, renameSync, writevSync } from "node:fs";
import { join } from "node:path";
import { crc32 } from "node:zlib";
import { encodeHead, SALT_BYTES, type Entry } from "./batches.ts";
import { EngineFault } from "./database.ts";

export const FILE_HEAD = 64;
/** "MBLOG001" */
const MAGIC = Buffer.from("MBLOG001", "latin1");
/** Zeros laid down ahead of small batches. */
const RESERVE = Buffer.alloc(524_288);
/** A batch of this size pays for its own growth. */
const LARGE = 131_072;

export type Segment = {
  /** Position of its first record; the file's name. */
  readonly base: number;
  readonly path: string;
  readonly fd: number;
  readonly salt: Buffer;
  /** Bytes of whole batches, and of the file. */
  end: number;
  size: number;
};

export const segmentName = (base: number): string => `${String(base).padStart(16, "0")}.log`;
/** Position that a file name stands for; undefined for other files. */
export const baseOf = (name: string): number | undefined => (/^\d{16}\.log$/u.test(name) ? Number(name.slice(0, 16)) : undefined);

function encodeFileHead(base: number, salt: Uint8Array): Buffer {
  const head = Buffer.alloc(FILE_HEAD);
  head.set(MAGIC);
  head.set(salt, 8);
  head.writeDoubleLE(base, 24);
  head.writeUInt32LE(crc32(head.subarray(0, 60)), 60);
  return head;
}

/** Makes the file whole under another name first: a file of the right name always has its head. */
export function createSegment(folder: string, base: number): Segment {
  const path = join(folder, segmentName(base));
  const salt = randomBytes(SALT_BYTES);
  const fd = openSync(`${path}.new`, "w+");
  try {
    writeAll(fd, [encodeFileHead(base, salt)], 0);
    fsyncSync(fd);
    renameSync(`${path}.new`, path);
    syncFolder(folder);
  } catch (error) {
    closeSync(fd);
    throw error;
  }
  return { base, path, fd, salt, end: FILE_HEAD, size: FILE_HEAD };
}

/** Opens a file to read, or to go on writing where `end` is found by reading it. */
export function openSegment(folder: string, base: number, flags: "r" | "r+"): Segment {
  const path = join(folder, segmentName(base));
  let fd: number;
  try {
    fd = openSync(path, flags);
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT")
      throw new EngineFault("journal-failed", `the log file ${path} is missing; restore the data folder from a backup`);
    throw error;
  }
  const head = Buffer.alloc(FILE_HEAD);
  const salt = head.subarray(8, 8 + SALT_BYTES);
  if (readSync(fd, head, 0, FILE_HEAD, 0) !== FILE_HEAD || !head.equals(encodeFileHead(base, salt))) {
    closeSync(fd);
    throw new EngineFault("journal-failed", `the log file ${path} has no valid head: it is damaged; restore it from a backup`);
  }
  const { size } = fstatSync(fd);
  return { base, path, fd, salt, end: size, size };
}

/** A new or removed name is durable only with its folder. Windows has no such flush. */
export function syncFolder(folder: string): void {
  if (process.platform === "win32") return;
  const fd = openSync(folder, "r");
  try {
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}

/** Writes one batch and flushes it; gives the offset of its first block. Throws with nothing of it kept when the disk is full. */
export function appendBatch(segment: Segment, entries: readonly Entry[], blocks: readonly Uint8Array[]): number {
  const head = encodeHead(segment.salt, entries);
  const bytes = blocks.reduce((sum, block) => sum + block.length, head.length);
  const parts = [head, ...blocks];
  const ahead = segment.end + bytes > segment.size && bytes < LARGE;
  try {
    if (!ahead || !layAhead(segment, parts, bytes)) writeAll(segment.fd, parts, segment.end);
  } catch (error) {
    // What a later, shorter batch would leave of this one must not lie behind it.
    cutSegment(segment);
    throw error;
  }
  flush(segment);
  const at = segment.end + head.length;
  segment.end += bytes;
  segment.size = Math.max(segment.size, segment.end);
  return at;
}

/** Whatever its reason, also a full disk: after a failed flush nobody knows what the file holds. */
function flush(segment: Segment): void {
  try {
    fdatasyncSync(segment.fd);
  } catch (error) {
    throw new Error(`the flush of ${segment.path} failed: ${error instanceof Error ? error.message : String(error)}`, { cause: error });
  }
}

/** The batch with zeros behind it; false where they did not fit. */
function layAhead(segment: Segment, parts: readonly Uint8Array[], bytes: number): boolean {
  try {
    writeAll(segment.fd, [...parts, RESERVE], segment.end);
    segment.size = segment.end + bytes + RESERVE.length;
    return true;
  } catch {
    return false;
  }
}

function writeAll(fd: number, parts: readonly Uint8Array[], at: number): void {
  let rest = parts;
  let next = at;
  while (rest.length > 0) {
    let written = writevSync(fd, rest, next);
    next += written;
    let whole = 0;
    while (whole < rest.length && written >= (rest[whole]?.length ?? 0)) written -= rest[whole++]?.length ?? 0;
    rest = rest.slice(whole);
    if (written > 0 && rest[0] !== undefined) rest = [rest[0].subarray(written), ...rest.slice(1)];
  }
}

/** Takes away everything behind the last whole batch, durably. */
export function cutSegment(segment: Segment): void {
  ftruncateSync(segment.fd, segment.end);
  segment.size = segment.end;
  flush(segment);
}

/** Writes the same bytes again: after a flush that failed, the system may think they were written. */
export function rewrite(segment: Segment, bytes: Uint8Array, at: number): void {
  writeAll(segment.fd, [bytes], at);
  flush(segment);
}

/** At most `size` bytes from `at`; fewer at the end of the file. */
export function readBytes(segment: Segment, at: number, size: number): Buffer {
  const bytes = Buffer.allocUnsafeSlow(size);
  let have = 0;
  while (have < size) {
    const read = readSync(segment.fd, bytes, have, size - have, at + have);
    if (read === 0) break;
    have += read;
  }
  return bytes.subarray(0, have);
}

export function closeSegment(segment: Segment): void {
  closeSync(segment.fd);
}
