/**
 * The newest part of the search index, in memory: which positions carry a key. A hash table in typed arrays, each key's
 * positions a chain in ascending order: adding one allocates nothing, which a map of numbers and arrays does for each.
 */

export type Tail = {
  /** Positions it covers, and the log time of the last. */
  readonly first: number;
  last: number;
  time: number;
  /** Keys that are de-duplication keys, each as often as it was added. */
  dedupes: number;
  /** Slots, a power of two: the key (0 = free), first and last link of its chain. */
  slots: Float64Array;
  heads: Int32Array;
  ends: Int32Array;
  keys: number;
  /** Links: position minus `first`, and the next link or -1. */
  offsets: Int32Array;
  nexts: Int32Array;
  links: number;
};

const SLOTS = 1_024;
const LINKS = 4_096;

export function newTail(first: number): Tail {
  return {
    first,
    last: first - 1,
    time: 0,
    dedupes: 0,
    slots: new Float64Array(SLOTS),
    heads: new Int32Array(SLOTS),
    ends: new Int32Array(SLOTS),
    keys: 0,
    offsets: new Int32Array(LINKS),
    nexts: new Int32Array(LINKS),
    links: 0,
  };
}

/** A record of the log; positions ascend. */
export function addPosition(tail: Tail, position: number, time: number): void {
  tail.last = position;
  tail.time = time;
}

/** A key of a record. Keys are whole numbers above 0; positions of a key ascend. */
export function addKey(tail: Tail, key: number, position: number): void {
  if (key % 2 === 1) tail.dedupes++;
  if (tail.keys * 2 >= tail.slots.length) growSlots(tail);
  if (tail.links === tail.offsets.length) growLinks(tail);
  const link = tail.links++;
  tail.offsets[link] = position - tail.first;
  tail.nexts[link] = -1;
  const slot = slotOf(tail.slots, key);
  if (tail.slots[slot] === key) tail.nexts[tail.ends[slot] ?? 0] = link;
  else {
    tail.slots[slot] = key;
    tail.heads[slot] = link;
    tail.keys++;
  }
  tail.ends[slot] = link;
}

/** Positions of a key, ascending. */
export function positionsOf(tail: Tail, key: number): number[] {
  const slot = slotOf(tail.slots, key);
  if (tail.slots[slot] !== key) return [];
  const positions: number[] = [];
  for (let link = tail.heads[slot] ?? -1; link >= 0; link = tail.nexts[link] ?? -1) positions.push(tail.first + (tail.offsets[link] ?? 0));
  return positions;
}

/** All keys, ascending. */
export function sortedKeys(tail: Tail): Float64Array {
  const keys = new Float64Array(tail.keys);
  let count = 0;
  for (const key of tail.slots) if (key !== 0) keys[count++] = key;
  return keys.sort();
}

/** The key's slot, or the free one that it would take. Keys are hashes already: their low bits serve, the lowest says only the kind. */
function slotOf(slots: Float64Array, key: number): number {
  const mask = slots.length - 1;
  let slot = (key >>> 1) & mask;
  for (let here = slots[slot]; here !== 0 && here !== key; here = slots[slot]) slot = (slot + 1) & mask;
  return slot;
}

function growSlots(tail: Tail): void {
  const { slots, heads, ends } = tail;
  tail.slots = new Float64Array(slots.length * 2);
  tail.heads = new Int32Array(slots.length * 2);
  tail.ends = new Int32Array(slots.length * 2);
  for (let i = 0; i < slots.length; i++) {
    const key = slots[i] ?? 0;
    if (key === 0) continue;
    const slot = slotOf(tail.slots, key);
    tail.slots[slot] = key;
    tail.heads[slot] = heads[i] ?? 0;
    tail.ends[slot] = ends[i] ?? 0;
  }
}

function growLinks(tail: Tail): void {
  const { offsets, nexts } = tail;
  tail.offsets = new Int32Array(offsets.length * 2);
  tail.nexts = new Int32Array(offsets.length * 2);
  tail.offsets.set(offsets);
  tail.nexts.set(nexts);
}
