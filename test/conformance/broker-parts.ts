/** What the cases of brokers share: envelopes, and a taker that keeps what came. */
import type { Broker, Lane, Taken, Taking } from "#bus/broker.ts";
import type { Envelope } from "#bus/envelope.ts";
import { eventually } from "./cases.ts";

export const TOPIC = "mbus.test.thing.v1";
/** Milliseconds that a case waits at most: a server may be on a machine that does other work too. */
export const PATIENCE = 60_000;

export function carriedEnvelope(n: number, more: Partial<Envelope> = {}): Envelope {
  const base = { source: "a/b", type: TOPIC, time: 1_800_000_000_000 + n, contract: "test.thing.v1", call: {}, headers: {} };
  return { ...base, id: `m-${n}`, correlationId: `c-${n}`, body: Uint8Array.of(0, 0, 0, 0, 1, n % 256), ...more };
}

/** Takes from a lane and keeps what came. `settle`: each message at once. */
export async function collect(port: Broker, lane: Lane, settle: boolean, window = 100) {
  const seen: Taken[] = [];
  const taking: Taking = await port.take(lane, window, (message) => {
    seen.push(message);
    if (settle) message.settle();
  });
  const positions = (): number[] => seen.map((message) => message.position);
  const reach = (n: number): Promise<void> => eventually(() => seen.length >= n, `${n} messages; there were ${seen.length}`, PATIENCE);
  const distinct = (): number[] => [...new Set(positions())].sort((a, b) => a - b);
  /** What comes again may come more than once and in any order. */
  const reachDistinct = (n: number): Promise<void> =>
    eventually(() => distinct().length >= n, `${n} different messages; there were ${distinct().join(" ")}`, PATIENCE);
  return { seen, taking, positions, count: reach, distinct, countDistinct: reachDistinct };
}
