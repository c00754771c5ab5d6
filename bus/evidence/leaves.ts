/** Which leaf of the log a journal position is, and the other way round. */
import type { LogState, LogStore } from "./state.ts";
import { WIDTH } from "./tiles.ts";

/** Positions of the leaves of one tile, the edge included. */
export async function positionsAt(store: LogStore, state: LogState, tile: number): Promise<readonly number[]> {
  return tile < Math.floor(state.size / WIDTH) ? store.positionsOf(tile) : state.positions;
}

/** Index of the leaf of a position; undefined when the log has none. Positions grow, so halving finds the tile. */
export async function indexOf(store: LogStore, state: LogState, position: number): Promise<number | undefined> {
  const tile = await tileOf(store, state, position);
  const at = (await positionsAt(store, state, tile)).indexOf(position);
  return at < 0 ? undefined : tile * WIDTH + at;
}

/** The last tile whose first position is not above `position`. */
export async function tileOf(store: LogStore, state: LogState, position: number): Promise<number> {
  let low = 0;
  let high = Math.floor(state.size / WIDTH);
  while (low < high) {
    const middle = Math.ceil((low + high) / 2);
    const first = (await positionsAt(store, state, middle))[0];
    if (first !== undefined && first <= position) low = middle;
    else high = middle - 1;
  }
  return low;
}
