/** Is the kept tree sound in itself? Each full tile leads to its hash in the tile above, and the whole to the signed root. */
import { rootOf, HASH } from "./merkle.ts";
import { positionsAt } from "./leaves.ts";
import type { LogState, LogStore } from "./state.ts";
import { fold, nodesOf, WIDTH } from "./tiles.ts";

/** Differences in words, at most `limit`. `checkpointOf` signs a size and a root: Ed25519 gives one signature for one text. */
export async function checkTree(
  store: LogStore,
  state: LogState,
  checkpointOf: (size: number, root: Uint8Array) => Promise<string>,
  limit: number,
): Promise<readonly string[]> {
  const found: string[] = [];
  for (let level = 0; WIDTH ** (level + 1) <= state.size; level++) {
    const full = Math.floor(state.size / WIDTH ** (level + 1));
    for (let number = 0; number < full && found.length < limit; number++) {
      const above = await hashAt(store, state, level + 1, number);
      if (!above || Buffer.compare(fold(await store.tile(level, number)), above) !== 0)
        found.push(`tile ${number} of level ${level} of the evidence log is not the one that was written`);
    }
  }
  if (state.size === 0) return found;
  const root = await rootOf(state.size, nodesOf(state.size, state.edge, store.tile));
  if ((await checkpointOf(state.size, root)) !== state.checkpoint) found.push("the evidence log does not lead to its checkpoint");
  const last = (await positionsAt(store, state, Math.floor((state.size - 1) / WIDTH))).at(-1);
  if (last !== state.position) found.push(`the evidence log says it goes up to position ${state.position}, its last entry is of ${last}`);
  return found;
}

async function hashAt(store: LogStore, state: LogState, level: number, index: number): Promise<Uint8Array | undefined> {
  const tile = Math.floor(index / WIDTH);
  const hashes = tile < Math.floor(state.size / WIDTH ** (level + 1)) ? await store.tile(level, tile) : state.edge[level];
  const at = (index % WIDTH) * HASH;
  return hashes && hashes.length >= at + HASH ? hashes.subarray(at, at + HASH) : undefined;
}
