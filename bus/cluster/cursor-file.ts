/** Where a group's cursor of one partition is kept. Each write must meet the version of the one before: a former owner's is refused. */
import type { Lane } from "../broker.ts";
import type { Collection } from "../ports.ts";
import type { CursorDocument } from "./cursor.ts";

export type CursorValues = Pick<CursorDocument, "floor" | "count" | "done" | "reach">;

export interface CursorFile {
  readonly first: CursorValues;
  /** Throws store-conflict when the partition has another owner. */
  write(values: CursorValues): Promise<void>;
}

export const idOfLane = ({ topic, group, partition }: Lane): string => `${topic}\n${group}\n${partition}`;

/** Opens it, or begins it at a position; `countAt` says how many messages of the lane lie up to there. */
export async function openCursorFile(
  cursors: Collection<CursorDocument>,
  lane: Lane,
  begin: () => Promise<number>,
  countAt: (floor: number) => number,
): Promise<CursorFile> {
  const id = idOfLane(lane);
  const known = await cursors.get(id);
  if (known) await cursors.update(id, known.version, known.value);
  else {
    const floor = await begin();
    await cursors.insert(id, { ...lane, floor, count: countAt(floor), done: [], reach: floor });
  }
  const now = await cursors.get(id);
  let version = now?.version ?? 1;
  return {
    first: now?.value ?? { floor: 0, count: 0, done: [], reach: 0 },
    async write(values) {
      await cursors.update(id, version, { ...lane, ...values });
      version++;
    },
  };
}
