/**
 * What one group finished of one topic and partition. Messages come in a chain without gaps; they end in any order. Pure: no clock,
 * no store.
 */

/** What is written down. */
export type CursorDocument = {
  topic: string;
  group: string;
  partition: number;
  /** Everything up to here is done, or parked. */
  floor: number;
  /** How many messages that were. */
  count: number;
  /** Done above the floor. */
  done: number[];
  /** No message above this position was ever given to a handler. */
  reach: number;
};

export type Arrival = "next" | "had" | "gap";

export interface GroupCursor {
  /** How a message lies in the chain; `next` takes it. */
  arrive(position: number, after: number): Arrival;
  /** It was done before the cursor was written last. */
  wasDone(position: number): boolean;
  /** May it have been given to a handler before this cursor was read? */
  maybeBefore(position: number): boolean;
  finish(position: number): void;
  /** Position of the last message taken. */
  seen(): number;
  /** Messages taken, done or not. */
  taken(): number;
  /** Lowest position that was taken and is not finished; undefined = there is none. */
  lowest(): number | undefined;
  unfinished(): number;
  /** What to write down, with a new reach. */
  snapshot(reach: number): Pick<CursorDocument, "floor" | "count" | "done" | "reach">;
  reach(): number;
  /** The lowest reach that is true at an orderly end: of this life what was taken, of the one before all until it came again. */
  handedOut(): number;
}

export function createCursor(document: Pick<CursorDocument, "floor" | "count" | "done" | "reach">): GroupCursor {
  const before = new Set(document.done);
  const { reach: reachedBefore } = document;
  let { floor, count, reach } = document;
  let seen = floor;
  /** Positions taken above the floor, in order; `done` holds those of them that ended. */
  let above: number[] = [];
  let head = 0;
  const done = new Set<number>();

  return {
    arrive(position, after) {
      if (position <= seen) return "had";
      if (after < 0 || after > seen) return "gap";
      seen = position;
      above.push(position);
      return "next";
    },
    wasDone: (position) => before.has(position),
    maybeBefore: (position) => position <= reachedBefore,
    finish(position) {
      done.add(position);
      for (let first = above[head]; first !== undefined && done.has(first); first = above[head]) {
        done.delete(first);
        before.delete(first);
        floor = first;
        count++;
        head++;
      }
      if (head > 1024 && head * 2 > above.length) {
        above = above.slice(head);
        head = 0;
      }
    },
    seen: () => seen,
    taken: () => count + above.length - head,
    lowest() {
      for (let at = head; at < above.length; at++) {
        const position = above[at];
        if (position !== undefined && !done.has(position)) return position;
      }
      return undefined;
    },
    unfinished: () => above.length - head - done.size,
    snapshot(next) {
      reach = next;
      const late = [...before].filter((position) => position > seen);
      return { floor, count, done: [...done, ...late], reach };
    },
    reach: () => reach,
    handedOut: () => Math.max(seen, reachedBefore),
  };
}
