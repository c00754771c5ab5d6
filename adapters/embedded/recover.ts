/**
 * Start of the log: reads the batches that the index does not know yet, and cuts what a crash left half written. Only the
 * last batch can be torn, for each was flushed before the next was begun; anything else that does not fit is damage.
 */
import { crc32 } from "node:zlib";
import { announced, decodeHead, HEAD_BYTES, SALT_BYTES, type Head } from "./batches.ts";
import { EngineFault } from "./database.ts";
import type { Log, Placed } from "./log.ts";
import { cutSegment, FILE_HEAD, openSegment, readBytes, rewrite, type Segment } from "./segment.ts";

/** What the index knows: the last position, and where the block that holds it ends (file 0: no block of the log's files). */
export type Known = Readonly<{ last: number; file: number; end: number }>;

const WINDOW = 1_048_576;

/** Gives each batch to `take`, in order. Afterwards the newest file is open for writing, durable up to its end. */
export function recover(log: Log, known: Known, take: (blocks: readonly Placed[]) => void): void {
  const bases = [...log.sizes.keys()].filter((base) => base >= known.file);
  if (known.file > 0 && bases[0] !== known.file) throw damage(`log file ${known.file} is missing`);
  let next = known.last + 1;
  for (const [i, base] of bases.entries()) {
    if (base !== known.file && base !== next) throw damage(`the log goes on at position ${base} where ${next} was expected`);
    const segment = openSegment(log.folder, base, "r+");
    // Known to the log before its batches are: whoever takes them may read them.
    if (i === bases.length - 1) log.newest = segment;
    else log.open.set(base, segment);
    next = readOn(segment, base === known.file ? known.end : FILE_HEAD, next, take);
    log.sizes.set(base, segment.end);
  }
}

/** Reads a file's batches from `start`; gives the position after them. */
function readOn(segment: Segment, start: number, position: number, take: (blocks: readonly Placed[]) => void): number {
  if (start > segment.size) throw damage(`${segment.path} ends at byte ${segment.size}, before byte ${start}, which the index knows`);
  let at = start;
  let next = position;
  let last: Readonly<{ at: number; bytes: number }> | undefined;
  for (;;) {
    const read = readBatch(segment, at);
    if (read === undefined) break;
    const { head, blocks } = read;
    if (head.first !== next) throw damage(`${segment.path} has position ${head.first} at byte ${at} where ${next} was expected`);
    take(blocks);
    last = { at, bytes: head.bytes + head.size };
    at += last.bytes;
    next += head.entries.reduce((sum, entry) => sum + entry.count, 0);
  }
  const torn = segment.size > at;
  if (torn && findHead(segment, at + 1)) {
    throw damage(`${segment.path} is damaged at byte ${at} (position ${next}): whole batches lie behind it`);
  }
  segment.end = at;
  if (torn) cutSegment(segment);
  if (last !== undefined) rewrite(segment, readBytes(segment, last.at, last.bytes), last.at);
  return next;
}

type Batch = Readonly<{ head: Head; blocks: readonly Placed[] }>;

/** The whole batch at `at`, or undefined. */
function readBatch(segment: Segment, at: number): Batch | undefined {
  const bytes = announced(readBytes(segment, at, HEAD_BYTES), segment.salt);
  if (bytes === undefined || at + bytes > segment.size) return undefined;
  const head = decodeHead(readBytes(segment, at, bytes), segment.salt);
  if (head === undefined || at + head.bytes + head.size > segment.size) return undefined;
  const data = readBytes(segment, at + head.bytes, head.size);
  const blocks: Placed[] = [];
  let from = 0;
  for (const entry of head.entries) {
    const block = data.subarray(from, from + entry.size);
    if (block.length !== entry.size || crc32(block) !== entry.crc) return undefined;
    blocks.push({ ...entry, file: segment.base, at: at + head.bytes + from, bytes: block });
    from += entry.size;
  }
  return { head, blocks };
}

/** Is there a whole batch behind `from`? No message can hold the file's random number, so each place with it is a head. */
function findHead(segment: Segment, from: number): boolean {
  const { salt, size } = segment;
  for (let at = from; at < size; at += WINDOW) {
    const window = readBytes(segment, at, WINDOW + SALT_BYTES);
    for (let found = window.indexOf(salt); found >= 0; found = window.indexOf(salt, found + 1)) {
      const head = at + found - 8;
      if (head >= from && readBatch(segment, head) !== undefined) return true;
    }
  }
  return false;
}

function damage(what: string): EngineFault {
  return new EngineFault("journal-failed", `the journal is damaged: ${what}; restore the data folder from a backup`);
}
