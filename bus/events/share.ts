/**
 * How the consumers of a group share its events: events of one key lie in one of twelve partitions, a partition belongs to one consumer
 * at a time, and moves only when all that its old consumer holds of it is settled. So events of one key go one after the other. Pure.
 */

export const PARTITIONS = 12;

export type Shared = Readonly<{ position: number; partition: number; bytes: number }>;

export interface Share<T extends Shared, M> {
  join(member: M): void;
  /** What it held goes back to where it was, for the others. */
  leave(member: M, held: readonly T[]): void;
  /** Positions grow. */
  add(item: T): void;
  /** The next one that may go to this member. */
  next(member: M): T | undefined;
  settled(item: T): void;
  readonly members: readonly M[];
  /** Events that wait here, and their bytes. */
  readonly waiting: number;
  readonly bytes: number;
}

export function createShare<T extends Shared, M>(): Share<T, M> {
  const members: M[] = [];
  const queues = Array.from({ length: PARTITIONS }, (): Queue<T> => ({ items: [], head: 0 }));
  /** Who holds unsettled events of a partition, and how many. */
  const held = new Map<number, { member: M; count: number }>();
  let waiting = 0;
  let bytes = 0;

  const settle = (partition: number): void => {
    const holder = held.get(partition);
    if (holder && --holder.count <= 0) held.delete(partition);
  };
  const ownerOf = (partition: number): M | undefined => members[partition % members.length];
  const queueOf = (partition: number): Queue<T> => queues[partition] as Queue<T>;

  return {
    members,
    get waiting() {
      return waiting;
    },
    get bytes() {
      return bytes;
    },
    join(member) {
      if (!members.includes(member)) members.push(member);
    },
    leave(member, items) {
      const at = members.indexOf(member);
      if (at >= 0) members.splice(at, 1);
      for (const item of items.toReversed()) {
        settle(item.partition);
        const queue = queueOf(item.partition);
        if (queue.head > 0) queue.items[--queue.head] = item;
        else queue.items.unshift(item);
        waiting += 1;
        bytes += item.bytes;
      }
    },
    add(item) {
      queueOf(item.partition).items.push(item);
      waiting += 1;
      bytes += item.bytes;
    },
    next(member) {
      let best: Queue<T> | undefined;
      let first = Infinity;
      if (waiting === 0) return undefined;
      for (let partition = 0; partition < PARTITIONS; partition++) {
        const queue = queueOf(partition);
        const item = queue.items[queue.head];
        if (!item || item.position >= first || ownerOf(partition) !== member) continue;
        const holder = held.get(partition);
        if (holder && holder.member !== member) continue;
        best = queue;
        first = item.position;
      }
      if (!best) return undefined;
      const item = best.items[best.head++] as T;
      if (best.head === best.items.length || best.head > 1024) {
        best.items.splice(0, best.head);
        best.head = 0;
      }
      waiting -= 1;
      bytes -= item.bytes;
      const holder = held.get(item.partition);
      if (holder) holder.count += 1;
      else held.set(item.partition, { member, count: 1 });
      return item;
    },
    settled: (item) => settle(item.partition),
  };
}

/** `head`: index of the first that waits. */
type Queue<T> = { items: T[]; head: number };
