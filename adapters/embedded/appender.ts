/** Writes a batch's records: refuses duplicates, cuts blocks, notes topics. Memory changes only after the commit. */
import { readRecord } from "#bus/journal/codec.ts";
import { addRecord, BLOCK_BYTES, insertBlock, newPile, remember, type Block, type Blocks } from "./blocks.ts";
import { addKey, addPosition, dedupePositions, type Finder } from "./finder.ts";
import { FRAME, META, type Batch } from "./protocol.ts";
import { insertQueue, type Topics } from "./topics.ts";

export type Written = Readonly<{ positions: Float64Array; blocks: readonly Block[]; last: number; lastTime: number }>;

type Draft = {
  readonly data: Uint8Array;
  readonly meta: Float64Array;
  readonly positions: Float64Array;
  readonly blocks: Block[];
  readonly topics: Map<number, number[]>;
  /** Bytes of the open block within `data`. */
  start: number;
  end: number;
  first: number;
  next: number;
  time: number;
  lastTime: number;
};

/** Inside the batch's transaction. */
export function writeRecords(blocks: Blocks, topics: Topics, finder: Finder, batch: Batch): Written {
  const meta = new Float64Array(batch.meta);
  const draft: Draft = {
    data: new Uint8Array(batch.data),
    meta,
    positions: new Float64Array(batch.records),
    blocks: [],
    topics: new Map(),
    start: 0,
    end: 0,
    first: blocks.last + 1,
    next: blocks.last + 1,
    time: 0,
    lastTime: blocks.lastTime,
  };
  /** De-duplication keys of this batch: number of the record. */
  const seen = new Map<number, number[]>();
  for (let i = 0, m = 0; i < batch.records; i++, m += META.size + (meta[m + META.keys] ?? 0)) {
    const before = (meta[m + META.dedupe] ?? 0) === 0 ? 0 : findDuplicate(blocks, finder, draft, m, seen);
    if (before > 0) {
      draft.positions[i] = -before;
      continue;
    }
    take(blocks, topics, draft, i, m);
  }
  flush(blocks, topics, draft);
  return { positions: draft.positions, blocks: draft.blocks, last: draft.next - 1, lastTime: draft.lastTime };
}

function take(blocks: Blocks, topics: Topics, draft: Draft, i: number, m: number): void {
  const { meta } = draft;
  const offset = meta[m + META.offset] ?? 0;
  const length = meta[m + META.length] ?? 0;
  const time = meta[m + META.time] ?? 0;
  if (draft.end !== offset || offset + length - draft.start > BLOCK_BYTES) {
    flush(blocks, topics, draft);
    draft.start = offset;
  }
  if (draft.next === draft.first) draft.time = time;
  draft.end = offset + length;
  draft.lastTime = time;
  const position = draft.next++;
  draft.positions[i] = position;
  const topic = meta[m + META.topic] ?? 0;
  if (topic === 0) return;
  const list = draft.topics.get(topic);
  if (list === undefined) draft.topics.set(topic, [position]);
  else list.push(position);
}

/** Closes the open block. */
function flush(blocks: Blocks, topics: Topics, draft: Draft): void {
  const count = draft.next - draft.first;
  if (count > 0) {
    const block: Block = { first: draft.first, count, bytes: draft.data.subarray(draft.start, draft.end) };
    insertBlock(blocks, block, draft.time, draft.lastTime);
    draft.blocks.push(block);
    for (const [topic, positions] of draft.topics) insertQueue(topics, topic, positions);
    draft.topics.clear();
  }
  draft.first = draft.next;
}

/** Position of an earlier record with the same key inside the window; 0 = none. */
function findDuplicate(blocks: Blocks, finder: Finder, draft: Draft, m: number, seen: Map<number, number[]>): number {
  const { meta } = draft;
  const key = meta[m + META.dedupe] ?? 0;
  const since = (meta[m + META.time] ?? 0) - (meta[m + META.window] ?? 0);
  const mine = dedupeOf(draft.data, m, meta);
  const here = seen.get(key);
  for (const other of here ?? []) if (dedupeOf(draft.data, other, meta) === mine) return positionOf(draft, other);
  for (const position of dedupePositions(finder, key, since)) {
    const pile = newPile();
    const frame = addRecord(blocks, pile, position) ? pile.parts[0] : undefined;
    if (frame === undefined) continue;
    const bytes = Buffer.from(frame.buffer, frame.byteOffset, frame.length);
    if (bytes.readDoubleLE(4) <= since) break;
    if (readRecord(bytes, FRAME).dedupe?.key === mine) return position;
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
function positionOf(draft: Draft, wanted: number): number {
  let i = 0;
  for (let m = 0; m < wanted; m += META.size + (draft.meta[m + META.keys] ?? 0)) i++;
  return draft.positions[i] ?? 0;
}

/** After the commit: what was written becomes visible to readers and searches. */
export function applyRecords(blocks: Blocks, finder: Finder, batch: Batch, written: Written): void {
  const meta = new Float64Array(batch.meta);
  for (let i = 0, m = 0; i < batch.records; i++) {
    const keys = meta[m + META.keys] ?? 0;
    const position = written.positions[i] ?? 0;
    if (position > 0) {
      addPosition(finder.tail, position, meta[m + META.time] ?? 0);
      const dedupe = meta[m + META.dedupe] ?? 0;
      if (dedupe !== 0) addKey(finder.tail, dedupe, position);
      for (let k = 0; k < keys; k++) addKey(finder.tail, meta[m + META.size + k] ?? 0, position);
    }
    m += META.size + keys;
  }
  for (const block of written.blocks) remember(blocks, block);
  blocks.last = written.last;
  blocks.lastTime = written.lastTime;
}
