/** Answers searches from the newest stretch to the oldest (or the other way), a bounded piece of work at a time. */
import { addRecord, newPile, pileUp, positionAt, readForward, type Blocks } from "./blocks.ts";
import type { Finder } from "./finder.ts";
import type { Found, ReadOp } from "./protocol.ts";
import { lookUp } from "./runs.ts";
import { positionsOf } from "./tail.ts";

type Query = Extract<ReadOp, { op: "find" }>;
/** One search step may hold the writer up this long. */
const STEP_MS = 4;

/** Candidates in order; `next` = where to go on, undefined when nothing is left. Hash collisions are for the caller to sort out. */
export function find(blocks: Blocks, finder: Finder, query: Query, milliseconds = STEP_MS): Found {
  let low = positionAt(blocks, query.from);
  let high = (query.to > blocks.lastTime ? blocks.last + 1 : positionAt(blocks, query.to)) - 1;
  if (query.cursor > 0) {
    if (query.ascending) low = Math.max(low, query.cursor + 1);
    else high = Math.min(high, query.cursor - 1);
  }
  if (low > high) return { records: pileUp(newPile()), next: undefined };
  return query.keys.length === 0
    ? stretch(blocks, query, low, high)
    : search(blocks, finder, query, low, high, performance.now() + milliseconds);
}

/** No keys: the positions themselves. */
function stretch(blocks: Blocks, query: Query, low: number, high: number): Found {
  if (query.ascending) {
    const records = readForward(blocks, low, query.limit, 4_194_304, high + 1);
    const end = records.positions.at(-1) ?? high;
    return { records, next: end < high ? end : undefined };
  }
  const pile = newPile();
  let position = high;
  while (position >= low && pile.positions.length < query.limit && pile.bytes < 4_194_304) {
    // Positions below the oldest block are gone for good: nothing is left to look at.
    if (!addRecord(blocks, pile, position)) break;
    position--;
  }
  const cut = position >= low && pile.positions.length > 0 && pile.positions.at(-1) === position + 1;
  return { records: pileUp(pile), next: cut ? position + 1 : undefined };
}

/** Parts of the log with their own lists, in the order of the search. */
function search(blocks: Blocks, finder: Finder, query: Query, low: number, high: number, until: number): Found {
  const pile = newPile();
  const { build, runs, tail } = finder;
  const inMemory = (build === undefined ? [tail] : [build.tail, tail]).map((part) => ({
    first: part.first,
    last: part.last,
    list: (key: number) => positionsOf(part, key),
  }));
  const onDisk = runs.map((run) => ({ first: run.first, last: run.last, list: (key: number) => lookUp(finder.table, run, key) }));
  const parts = [...onDisk, ...inMemory];
  if (!query.ascending) parts.reverse();
  let begun = false;
  for (const part of parts) {
    if (part.last < low || part.first > high) continue;
    // A part at least, so that each step comes nearer to the end; and never back to where the search has been.
    if (begun && performance.now() > until)
      return { records: pileUp(pile), next: query.ascending ? Math.max(low, part.first) - 1 : Math.min(high, part.last) + 1 };
    begun = true;
    const positions = intersect(query.keys, part.list).filter((position) => position >= low && position <= high);
    if (!query.ascending) positions.reverse();
    for (const position of positions) {
      if (pile.positions.length >= query.limit || pile.bytes > 4_194_304) return { records: pileUp(pile), next: pile.positions.at(-1) };
      addRecord(blocks, pile, position);
    }
  }
  return { records: pileUp(pile), next: undefined };
}

/** Positions in every list. Most selective members come first in a query's keys (id, correlation id). */
function intersect(keys: readonly number[], list: (key: number) => readonly number[]): number[] {
  let common: number[] | undefined;
  for (const key of keys) {
    const next = list(key);
    if (common === undefined) common = [...next];
    else if (common.length < 16) common = common.filter((position) => includes(next, position));
    else {
      const set = new Set(next);
      common = common.filter((position) => set.has(position));
    }
    if (common.length === 0) return [];
  }
  return common ?? [];
}

/** Binary search; lists ascend. */
function includes(list: readonly number[], wanted: number): boolean {
  let low = 0;
  let high = list.length - 1;
  while (low <= high) {
    const middle = (low + high) >> 1;
    const value = list[middle] ?? 0;
    if (value === wanted) return true;
    if (value < wanted) low = middle + 1;
    else high = middle - 1;
  }
  return false;
}
