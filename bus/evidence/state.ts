/**
 * What the store keeps of the log: one document with its size, its edge and its newest checkpoint, and two blobs for each full tile of
 * leaves: their hashes and the journal positions they stand for. The document is written last and only by who knows its version.
 */
import { randomBytes } from "node:crypto";
import { BusError } from "../errors.ts";
import type { Collection, Store, Stored } from "../ports.ts";
import { WIDTH, type Edge, type FullTile } from "./tiles.ts";

/** The document as it is stored; bytes are base64. */
type Kept = Readonly<{ size: number; position: number; edge: readonly string[]; positions: readonly number[]; checkpoint: string }>;
type Secret = Readonly<{ key: string }>;

export type LogState = Readonly<{
  version: number;
  /** Entries in the log. */
  size: number;
  /** Journal position of the last entry; 0 in an empty log. */
  position: number;
  edge: Edge;
  /** Journal positions of the leaves of the edge. */
  positions: readonly number[];
  /** Signed note of this size; empty in an empty log. */
  checkpoint: string;
}>;

export interface LogStore {
  /** Key of the salts, 32 bytes; made once for all processes that share the store. */
  readonly saltKey: Uint8Array;
  load(): Promise<LogState>;
  /** Replaces the state; store-conflict when another process did so meanwhile. Tiles are durable before the state names them. */
  save(
    old: LogState,
    next: Omit<LogState, "version">,
    full: readonly FullTile[],
    positions: readonly (readonly number[])[],
  ): Promise<LogState>;
  readonly tile: (level: number, number: number) => Promise<Uint8Array>;
  /** Positions of a full tile of leaves. */
  positionsOf(number: number): Promise<readonly number[]>;
}

const EMPTY: LogState = { version: 0, size: 0, position: 0, edge: [], positions: [], checkpoint: "" };
const ID = "log";

export async function openLogStore(store: Store): Promise<LogStore> {
  const states = await store.collection<Kept>("evidence.log");
  const saltKey = Buffer.from(await secret(await store.collection<Secret>("evidence.secret")), "base64");
  const read = async (id: string): Promise<Uint8Array> => {
    const bytes = await store.blobs.read(id);
    if (!bytes)
      throw new BusError("not-found", `\`${id}\` of the evidence log is missing in the store: restore it, the log cannot go on without it`);
    return bytes;
  };
  return {
    saltKey,
    async load() {
      const found = await states.get(ID);
      return found ? stateOf(found) : EMPTY;
    },
    async save(old, next, full, positions) {
      await Promise.all([
        ...full.map((tile) => store.blobs.put(tileId(tile.level, tile.number), tile.hashes)),
        ...positions.map((each, at) => store.blobs.put(positionsId(Math.floor(old.size / WIDTH) + at), packed(each))),
      ]);
      const { size, position, checkpoint } = next;
      const edge = next.edge.map((bytes) => Buffer.from(bytes).toString("base64"));
      const kept: Kept = { size, position, checkpoint, edge, positions: next.positions };
      if (old.version === 0) await states.insert(ID, kept);
      else await states.update(ID, old.version, kept);
      return { ...next, version: old.version + 1 };
    },
    tile: (level, number) => read(tileId(level, number)),
    async positionsOf(number) {
      const bytes = Buffer.from(await read(positionsId(number)));
      return Array.from({ length: bytes.length / 8 }, (_, at) => bytes.readDoubleBE(at * 8));
    },
  };
}

const tileId = (level: number, number: number): string => `evidence/tile/${level}/${number}`;
const positionsId = (number: number): string => `evidence/positions/${number}`;

function packed(positions: readonly number[]): Uint8Array {
  const bytes = Buffer.allocUnsafe(positions.length * 8);
  for (const [at, position] of positions.entries()) bytes.writeDoubleBE(position, at * 8);
  return bytes;
}

function stateOf({ version, value }: Stored<Kept>): LogState {
  return { ...value, version, edge: value.edge.map((text) => Buffer.from(text, "base64")) };
}

/** Two processes may start at once: whoever is second takes what the first made. */
async function secret(secrets: Collection<Secret>): Promise<string> {
  const known = await secrets.get("salt");
  if (known) return known.value.key;
  const made = await secrets.insert("salt", { key: randomBytes(32).toString("base64") }).catch((error: unknown) => error);
  const kept = await secrets.get("salt");
  if (!kept) throw made;
  return kept.value.key;
}
