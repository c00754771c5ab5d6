/**
 * The safety net below the transport: messages that a broker gave up by itself. The journal still has each of them and its group asks for
 * it again, so nothing is lost; but it should not happen, so it is logged, counted and told to whoever asks for the bus's health.
 */
import type { Clock } from "#bus/ports.ts";
import type { Log } from "./log.ts";

export type GivenUp = Readonly<{
  broker: "nats" | "amqp";
  /** Queue or consumer that it lay in. */
  lane: string;
  /** The broker's word: `delivery_limit`, `rejected`, `max_deliver`. */
  reason: string;
}>;

export interface GivenUpWatch {
  saw(one: GivenUp): void;
  /** By broker and reason, since the start. */
  counts(): readonly Readonly<{ broker: string; reason: string; count: number }>[];
}

/** Milliseconds between two lines of the log: a queue that empties itself must not fill the disk. */
const SILENCE = 1_000;
/** The broker's words are few; more kinds than these are counted as one. */
const KINDS = 32;

export function watchGivenUp(log: Pick<Log, "warn">, clock: Pick<Clock, "now">): GivenUpWatch {
  const counts = new Map<string, { broker: string; reason: string; count: number }>();
  let logged = -Infinity;
  let unlogged = 0;
  return {
    saw({ broker, lane, reason }) {
      const word = counts.size < KINDS || counts.has(`${broker} ${reason}`) ? reason : "other";
      const kind = counts.get(`${broker} ${word}`) ?? { broker, reason: word, count: 0 };
      kind.count += 1;
      counts.set(`${broker} ${word}`, kind);
      unlogged += 1;
      if (clock.now() - logged < SILENCE) return;
      log.warn({ broker, lane, reason, count: unlogged }, "the broker gave up messages; the journal sends them again");
      logged = clock.now();
      unlogged = 0;
    },
    counts: () => [...counts.values()],
  };
}
