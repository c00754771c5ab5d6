/**
 * Order per key. A key is a lane: its head is in the handler or waits for a retry, the rest are held behind it. Messages
 * without a key run free. Held messages keep their envelope only while few are held; the others are read again in turn.
 */
import type { Envelope } from "#bus/envelope.ts";

export type Item = Readonly<{ position: number; envelope: Envelope }>;
type Held = Readonly<{ position: number; envelope: Envelope | undefined }>;
type Lane = { head: number; waiting: boolean; held: Held[] };

export type Lanes = {
  readonly ordered: boolean;
  readonly byKey: Map<string, Lane>;
  /** Key of each message that is head of a lane. */
  readonly heads: Map<number, string>;
  held: number;
  blocked: number;
};

/** Held messages that may keep their envelope in memory, over all lanes. */
const KEPT = 1_000;

export function newLanes(ordered: boolean): Lanes {
  return { ordered, byKey: new Map(), heads: new Map(), held: 0, blocked: 0 };
}

/** May the message go now? If not, it is held behind its lane's head. */
export function enter(lanes: Lanes, item: Item): boolean {
  const { key } = item.envelope;
  if (!lanes.ordered || key === undefined) return true;
  const lane = lanes.byKey.get(key);
  if (lane === undefined) {
    lanes.byKey.set(key, { head: item.position, waiting: false, held: [] });
    lanes.heads.set(item.position, key);
    return true;
  }
  if (lane.head === item.position) return true;
  lane.held.push({ position: item.position, envelope: lanes.held < KEPT ? item.envelope : undefined });
  lanes.held++;
  return false;
}

/** The head waits for a retry, or comes back from it. */
export function block(lanes: Lanes, position: number, waiting: boolean): void {
  const lane = lanes.byKey.get(lanes.heads.get(position) ?? "");
  if (lane === undefined || lane.head !== position || lane.waiting === waiting) return;
  lane.waiting = waiting;
  lanes.blocked += waiting ? 1 : -1;
}

/** A message is done; gives the one behind it, which is the lane's head from now on. */
export function leave(lanes: Lanes, position: number): Held | undefined {
  const key = lanes.heads.get(position);
  if (key === undefined) return undefined;
  lanes.heads.delete(position);
  const lane = lanes.byKey.get(key);
  if (lane === undefined) return undefined;
  if (lane.waiting) lanes.blocked--;
  const next = lane.held.shift();
  if (next === undefined) {
    lanes.byKey.delete(key);
    return undefined;
  }
  lanes.held--;
  lane.head = next.position;
  lane.waiting = false;
  lanes.heads.set(next.position, key);
  return next;
}
