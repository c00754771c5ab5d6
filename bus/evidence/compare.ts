/**
 * The consistency check: the journal, row by row, beside the leaves that were sealed of it. Rows below the first one that the journal
 * still has may have been removed by retention; from there on each row must be there, unchanged and in its place.
 */
import type { StoredRecord } from "../journal/record.ts";
import type { Journal } from "../ports.ts";
import { positionsAt, tileOf } from "./leaves.ts";
import { nodesOf, WIDTH } from "./tiles.ts";
import type { LogState, LogStore } from "./state.ts";

type Parts = Readonly<{ store: LogStore; journal: Journal; leafOf: (record: StoredRecord) => Uint8Array; state: LogState }>;

const PAGE = 512;

/** Differences between journal and log from a position on, in words, at most `limit`. */
export async function compare(parts: Parts, from: number, limit: number): Promise<readonly string[]> {
  const { journal, state } = parts;
  const found: string[] = [];
  let rows = await journal.read(from, PAGE);
  const first = rows[0]?.position;
  if (first === undefined)
    return state.position > from ? [`the journal has no row from ${from} on, the log goes up to ${state.position}`] : [];
  const leaves = leavesFrom(parts, first);
  let leaf = await leaves.next();
  while (rows.length > 0 && found.length < limit) {
    for (const row of rows) {
      if (row.position > state.position || found.length >= limit) return found;
      while (!leaf.done && leaf.value.position < row.position && found.length < limit) {
        found.push(`the row at position ${leaf.value.position} is missing in the journal`);
        leaf = await leaves.next();
      }
      if (leaf.done || leaf.value.position > row.position) {
        found.push(`the row at position ${row.position} was put into the journal after it was sealed`);
        continue;
      }
      if (Buffer.compare(leaf.value.hash, parts.leafOf(row)) !== 0)
        found.push(`the row at position ${row.position} is not the one that was sealed`);
      leaf = await leaves.next();
    }
    rows = await journal.read((rows.at(-1)?.position ?? 0) + 1, PAGE);
  }
  while (!leaf.done && found.length < limit) {
    found.push(`the row at position ${leaf.value.position} is missing in the journal`);
    leaf = await leaves.next();
  }
  return found;
}

type Leaf = Readonly<{ position: number; hash: Uint8Array }>;

async function* leavesFrom({ store, state }: Parts, from: number): AsyncGenerator<Leaf, undefined> {
  const node = nodesOf(state.size, state.edge, store.tile);
  for (let tile = await tileOf(store, state, from); tile * WIDTH < state.size; tile++) {
    for (const [at, position] of (await positionsAt(store, state, tile)).entries())
      if (position >= from) yield { position, hash: await node(0, tile * WIDTH + at) };
  }
  return undefined;
}
