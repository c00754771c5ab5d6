/** Prepares a batch's records: refuses duplicates, cuts blocks, notes topics. What readers see changes only when the log has them. */
import { crc32 } from "node:zlib";
import { readRecord } from "#bus/journal/codec.ts";
import type { Entry } from "./batches.ts";
import { addRecord, BLOCK_BYTES, newPile, type Blocks } from "./blocks.ts";
import { dedupePositions, type Finder } from "./finder.ts";
import { FRAME, META, type Batch } from "./protocol.ts";
import type { ByTopic } from "./rows.ts";
import { addKey, addPosition } from "./tail.ts";

/** `entries`, `blocks` and `topics` go side by side. */
export type Draft = Readonly<{
  /** Of each record; negative = an earlier record has its key. */
  positions: Float64Array;
  entries: readonly Entry[];
  blocks: readonly Uint8Array[];
  topics: readonly ByTopic[];
}>;

type Work = {
  readonly data: Uint8Array;
  readonly meta: Float64Array;
  readonly positions: Float64Array;
  readonly entries: Entry[];
  readonly blocks: Uint8Array[];
  readonly topics: ByTopic[];
  /** Topics of the open block, and its bytes within `data`. */
  open: Map<number, number[]>;
  start: number;
  end: number;
  first: number;
  next: number;
  time: number;
  last: number;
};

export function draftRecords(blocks: Blocks, finder: Finder, batch: Batch): Draft {
  const meta = new Float64Array(batch.meta);
  const work: Work = {
    data: new Uint8Array(batch.data),
    meta,
    positions: new Float64Array(batch.records),
    entries: [],
    blocks: [],
    topics: [],
    open: new Map(),
    start: 0,
    end: 0,
    first: blocks.last + 1,
    next: blocks.last + 1,
    time: 0,
    last: blocks.lastTime,
  };
  /** De-duplication keys of this batch: number of the record. */
  const seen = new Map<number, number[]>();
  for (let i = 0, m = 0; i < batch.records; i++, m += META.size + (meta[m + META.keys] ?? 0)) {
    const before = (meta[m + META.dedupe] ?? 0) === 0 ? 0 : findDuplicate(blocks, finder, work, m, seen);
    if (before > 0) work.positions[i] = -before;
    else take(work, i, m);
  }
  closeBlock(work);
  return work;
}

function take(work: Work, i: number, m: number): void {
  const { meta } = work;
  const offset = meta[m + META.offset] ?? 0;
  const length = meta[m + META.length] ?? 0;
  const time = meta[m + META.time] ?? 0;
  if (work.end !== offset || offset + length - work.start > BLOCK_BYTES) {
    closeBlock(work);
    work.start = offset;
  }
  if (work.next === work.first) work.time = time;
  work.end = offset + length;
  work.last = time;
  const position = work.next++;
  work.positions[i] = position;
  const topic = meta[m + META.topic] ?? 0;
  if (topic === 0) return;
  const list = work.open.get(topic);
  if (list === undefined) work.open.set(topic, [position]);
  else list.push(position);
}

function closeBlock(work: Work): void {
  const count = work.next - work.first;
  if (count > 0) {
    const bytes = work.data.subarray(work.start, work.end);
    work.entries.push({ first: work.first, count, size: bytes.length, crc: crc32(bytes), time: work.time, last: work.last });
    work.blocks.push(bytes);
    work.topics.push(work.open);
    work.open = new Map();
  }
  work.first = work.next;
}

/** Position of an earlier record with the same key inside the window; 0 = none. */
function findDuplicate(blocks: Blocks, finder: Finder, work: Work, m: number, seen: Map<number, number[]>): number {
  const { meta } = work;
  const key = meta[m + META.dedupe] ?? 0;
  const since = (meta[m + META.time] ?? 0) - (meta[m + META.window] ?? 0);
  let text: string | undefined;
  const mine = (): string | undefined => (text ??= dedupeOf(work.data, m, meta));
  const here = seen.get(key);
  for (const other of here ?? []) if (dedupeOf(work.data, other, meta) === mine()) return positionOf(work, other);
  for (const position of dedupePositions(finder, key, since)) {
    const pile = newPile();
    const frame = addRecord(blocks, pile, position) ? pile.parts[0] : undefined;
    if (frame === undefined) continue;
    const bytes = Buffer.from(frame.buffer, frame.byteOffset, frame.length);
    if (bytes.readDoubleLE(4) <= since) break;
    if (readRecord(bytes, FRAME).dedupe?.key === mine()) return position;
  }
  if (here === undefined) seen.set(key, [m]);
  else here.push(m);
  return 0;
}

function dedupeOf(data: Uint8Array, m: number, meta: Float64Array): string | undefined {
  const offset = meta[m + META.offset] ?? 0;
  const bytes = Buffer.from(data.buffer, data.byteOffset, data.byteLength);
  return readRecord(bytes, offset + FRAME, offset + (meta[m + META.length] ?? 0)).dedupe?.key;
}

/** Position already given to the record whose meta starts at `wanted`. */
function positionOf(work: Work, wanted: number): number {
  let i = 0;
  for (let m = 0; m < wanted; m += META.size + (work.meta[m + META.keys] ?? 0)) i++;
  return work.positions[i] ?? 0;
}

/** Makes durable records known to searches. */
export function indexRecords(finder: Finder, batch: Batch, positions: Float64Array): void {
  const meta = new Float64Array(batch.meta);
  for (let i = 0, m = 0; i < batch.records; i++) {
    const keys = meta[m + META.keys] ?? 0;
    const position = positions[i] ?? 0;
    if (position > 0) {
      addPosition(finder.tail, position, meta[m + META.time] ?? 0);
      const dedupe = meta[m + META.dedupe] ?? 0;
      if (dedupe !== 0) addKey(finder.tail, dedupe, position);
      for (let k = 0; k < keys; k++) addKey(finder.tail, meta[m + META.size + k] ?? 0, position);
    }
    m += META.size + keys;
  }
}
