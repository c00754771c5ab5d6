/**
 * Work that one node does at a time: a hold keeps a lease while the work goes on and says when it is lost; a seat takes the lease
 * whenever it is free, so that another node goes on where one died.
 */
import { BusError } from "../errors.ts";
import type { Clock } from "../ports.ts";
import type { Lease, Leases } from "./lease.ts";

export type Hold = Readonly<{
  /** May work go on now? Asked before each act that must not happen on two nodes. */
  valid(): boolean;
  /** Aborted when the lease went to another node, or could not be extended in time. */
  lost: AbortSignal;
  /** Another node may begin at once. Idempotent. */
  release(): Promise<void>;
}>;

export interface Seat {
  /** Is it ours now? Tries to take it where it is not. Throws what the store throws. */
  mine(): Promise<boolean>;
  /** Still ours, without asking anybody. */
  valid(): boolean;
  close(): Promise<void>;
}

/** Milliseconds between looks; a lease is trusted for eight seconds. */
const LOOK = 1000;
/** Looks between two extensions. */
const RENEW = 2;

export function holdLease(lease: Lease, clock: Clock): Hold {
  const lost = new AbortController();
  const stop = new AbortController();
  const lose = (): void => {
    stop.abort();
    lost.abort(new BusError("store-conflict", `the lease \`${lease.name}\` went to another process of the cluster`));
  };
  const loop = async (): Promise<void> => {
    // an extension may hang as long as the store does: the look does not wait for it
    let renewing = false;
    for (let look = 1; !stop.signal.aborted; look++) {
      await clock.sleep(LOOK, stop.signal).catch(() => undefined);
      if (stop.signal.aborted) return;
      if (!lease.valid()) return lose();
      if (renewing || look % RENEW !== 0) continue;
      renewing = true;
      void lease
        .renew()
        .then(
          (kept) => kept || lose(),
          () => undefined,
        )
        .finally(() => (renewing = false));
    }
  };
  void loop();
  return {
    valid: () => !stop.signal.aborted && lease.valid(),
    lost: lost.signal,
    async release() {
      if (stop.signal.aborted) return;
      stop.abort();
      await lease.release();
    },
  };
}

export function openSeat(parts: Readonly<{ leases: Leases; clock: Clock; name: string }>): Seat {
  const { leases, clock, name } = parts;
  let hold: Hold | undefined;
  let closed = false;
  return {
    async mine() {
      if (closed || hold?.valid() === true) return !closed;
      const lease = await leases.claim(name);
      if (!lease) return false;
      hold = holdLease(lease, clock);
      if (closed) await hold.release();
      return !closed;
    },
    valid: () => hold?.valid() === true,
    async close() {
      closed = true;
      await hold?.release();
    },
  };
}
