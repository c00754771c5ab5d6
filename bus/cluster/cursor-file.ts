/** Where a group's cursor of one partition is kept. Each write must meet the version of the one before: a former owner's is refused. */
import type { Lane } from "../broker.ts";
import { asBusError } from "../errors.ts";
import type { Collection } from "../ports.ts";
import type { CursorDocument } from "./cursor.ts";

export type CursorValues = Pick<CursorDocument, "floor" | "count" | "done" | "reach">;

export interface CursorFile {
  readonly first: CursorValues;
  /** Throws store-conflict when the partition has another owner. */
  write(values: CursorValues): Promise<void>;
}

/** Count of a cursor that was begun by a node that does not own the partition. */
const UNCOUNTED = -1;

export const idOfLane = ({ topic, group, partition }: Lane): string => `${topic}\n${group}\n${partition}`;

const begun = (lane: Lane, floor: number): CursorDocument => ({ ...lane, floor, count: UNCOUNTED, done: [], reach: floor });

/**
 * Begins a group in every partition where it has no cursor yet, whoever owns the partition: what is published from here on is the
 * group's, also where its lane is opened later.
 */
export async function beginCursors(
  cursors: Collection<CursorDocument>,
  group: Omit<Lane, "partition">,
  partitions: number,
  begin: () => Promise<number>,
): Promise<void> {
  const found = await cursors.find({ after: `${group.topic}\n${group.group}\n`, limit: partitions });
  const known = new Set(found.map(({ id }) => id));
  const missing = Array.from({ length: partitions }, (_, partition) => ({ ...group, partition })).filter(
    (lane) => !known.has(idOfLane(lane)),
  );
  if (missing.length === 0) return;
  const floor = await begin();
  const insert = (lane: Lane): Promise<void> =>
    cursors.insert(idOfLane(lane), begun(lane, floor)).catch((error: unknown) => {
      if (asBusError(error).code !== "store-duplicate") throw error; // another node was quicker
    });
  await Promise.all(missing.map(insert));
}

/** Opens it, or begins it at a position; `countAt` says how many messages of the lane lie up to there. */
export async function openCursorFile(
  cursors: Collection<CursorDocument>,
  lane: Lane,
  begin: () => Promise<number>,
  countAt: (floor: number) => Promise<number>,
): Promise<CursorFile> {
  const id = idOfLane(lane);
  const known = await cursors.get(id);
  const value = known?.value ?? begun(lane, await begin());
  const first = value.count === UNCOUNTED ? { ...value, count: await countAt(value.floor) } : value;
  // written at once, so that a former owner's writes are refused from here on
  if (known) await cursors.update(id, known.version, first);
  else await cursors.insert(id, first);
  let version = (known?.version ?? 0) + 1;
  return {
    first,
    async write(values) {
      await cursors.update(id, version, { ...lane, ...values });
      version++;
    },
  };
}
