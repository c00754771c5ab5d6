/**
 * What should have come to a lane and did not: the broker lost it, or lost the lane, or a node that died has it still. A gap is asked for
 * at once, a silence after a while, and the longer nothing comes of it the more seldom.
 */
import type { Broker, Lane } from "../broker.ts";
import type { Clock } from "../ports.ts";
import type { Relay } from "./relay.ts";

export type AskingParts = Readonly<{
  lane: Lane;
  broker: Broker;
  clock: Clock;
  relay: Relay;
  /** Position of the last message in the chain. */
  seen: () => number;
  /** Messages of the broker's that the lane holds. */
  unsettled: () => number;
}>;

export interface Asking {
  /** Something came, or the silence was the lane's own. */
  arrived(): void;
  /** What comes after the last message is asked for, once until it moves or silence asks again. */
  gap(): void;
  /** Looks whether there is silence although the relay sent more. */
  look(): Promise<void>;
}

const SILENCE = 2_000;
/** Silence of a lane that was heard before, while the broker says that it has messages for it. */
const LONG_SILENCE = 15_000;

export function createAsking(parts: AskingParts): Asking {
  const { lane, broker, clock, relay, seen } = parts;
  let arrivedAt = clock.now();
  let asked = -1;
  let patience = SILENCE;
  /** What the broker has for a lane that was never heard may be in the hands of a node that died. */
  let heard = false;

  function ask(after: number): void {
    if (asked === after) return;
    asked = after;
    relay.rewind(lane.topic, lane.partition, after);
  }

  return {
    arrived() {
      arrivedAt = clock.now();
      patience = SILENCE;
      heard = true;
    },
    gap: () => ask(seen()),
    async look() {
      const silent = clock.now() - arrivedAt;
      if (silent < patience || relay.last(lane.topic, lane.partition).position <= seen() || !relay.idle(lane.topic, lane.partition)) return;
      const depth = await broker.depth(lane);
      if (heard && depth !== undefined && depth > parts.unsettled() && silent < LONG_SILENCE) return;
      arrivedAt = clock.now();
      patience = Math.min(LONG_SILENCE, patience * 2);
      asked = -1;
      ask(seen());
    },
  };
}
