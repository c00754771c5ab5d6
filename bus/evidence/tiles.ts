/**
 * The hashes of the log, in tiles of 256 (C2SP tlog-tiles): a full tile is written once and never changed, the hashes after the last
 * full tile of each level are the edge, at most 255 a level, and are kept with the log's state.
 */
import { HASH, nodeHash, type Node } from "./merkle.ts";

export const WIDTH = 256;
const HEIGHT = 8;

/** Hashes one after the other, per level of tiles: those that fill no tile yet. */
export type Edge = readonly Uint8Array[];

/** A tile that has become full. */
export type FullTile = Readonly<{ level: number; number: number; hashes: Uint8Array }>;

/** Adds leaf hashes to the tree; gives its new edge and the tiles that are full now. */
export function grow(size: number, edge: Edge, leaves: readonly Uint8Array[]): Readonly<{ edge: Edge; full: readonly FullTile[] }> {
  const full: FullTile[] = [];
  const levels: Uint8Array[] = [];
  let added = leaves;
  for (let level = 0; level < edge.length || added.length > 0; level++) {
    const rest = Buffer.concat([edge[level] ?? new Uint8Array(0), ...added]);
    const first = Math.floor(size / WIDTH ** (level + 1));
    const count = Math.floor(rest.length / (WIDTH * HASH));
    const next: Uint8Array[] = [];
    for (let tile = 0; tile < count; tile++) {
      const hashes = rest.subarray(tile * WIDTH * HASH, (tile + 1) * WIDTH * HASH);
      full.push({ level, number: first + tile, hashes });
      next.push(fold(hashes));
    }
    levels.push(rest.subarray(count * WIDTH * HASH));
    added = next;
  }
  return { edge: levels, full };
}

/** Reads nodes from tiles; `read` gives a full tile. A node that is not complete in the tree of `size` leaves is refused. */
export function nodesOf(size: number, edge: Edge, read: (level: number, number: number) => Promise<Uint8Array>): Node {
  return async (level, index) => {
    const height = Math.floor(level / HEIGHT);
    const inside = level % HEIGHT;
    const count = 2 ** inside;
    const first = index * count;
    const tile = Math.floor(first / WIDTH);
    const full = Math.floor(size / WIDTH ** (height + 1));
    const hashes = tile < full ? await read(height, tile) : edge[height];
    const at = (first % WIDTH) * HASH;
    if (!hashes || at + count * HASH > hashes.length)
      throw new RangeError(`the log of ${size} entries has no node ${index} at level ${level}`);
    return fold(hashes.subarray(at, at + count * HASH));
  };
}

/** Root of a complete subtree from its lowest hashes; their number is a power of two. */
export function fold(hashes: Uint8Array): Uint8Array {
  let row: Uint8Array[] = [];
  for (let at = 0; at < hashes.length; at += HASH) row.push(hashes.subarray(at, at + HASH));
  while (row.length > 1) {
    const above: Uint8Array[] = [];
    for (let at = 0; at + 1 < row.length; at += 2) above.push(nodeHash(row[at] ?? row[0]!, row[at + 1] ?? row[0]!));
    row = above;
  }
  return row[0] ?? new Uint8Array(0);
}
