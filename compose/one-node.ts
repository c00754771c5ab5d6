/** An inlet that runs on one process of a cluster at a time: a drop folder or a schedule that all of them see. */
import { openSeat, type Seat } from "#bus/cluster/hold.ts";
import type { Leases } from "#bus/cluster/lease.ts";
import { BusError } from "#bus/errors.ts";
import type { Accept, Clock, Inlet } from "#bus/ports.ts";

export type OneNodeParts = Readonly<{
  /** Undefined = there is one process only. */
  leases: Leases | undefined;
  clock: Clock;
  onError: (error: unknown, where: string) => void;
}>;

/** Milliseconds between looks at the lease. */
const LOOK = 1000;

/** `make` is called anew each time this process gets its turn: an inlet that was closed does not start again. */
export function onOneNode(parts: OneNodeParts, name: string, make: () => Inlet): Inlet {
  const { leases, clock, onError } = parts;
  if (leases === undefined) return make();
  const seat = openSeat({ leases, clock, name });
  const stop = new AbortController();
  let running: Inlet | undefined;
  let loop: Promise<void> = Promise.resolve();

  const end = async (): Promise<void> => {
    const old = running;
    running = undefined;
    await old?.close();
  };
  const look = async (accept: Accept): Promise<void> => {
    if (await seat.mine()) {
      if (running) return;
      running = make();
      await running.start(guarded(accept, seat, name));
    } else await end();
  };
  return {
    async start(accept) {
      await look(accept);
      loop = (async () => {
        while (!stop.signal.aborted) {
          await clock.sleep(LOOK, stop.signal).catch(() => undefined);
          if (stop.signal.aborted) return;
          await look(accept).catch(async (error: unknown) => {
            onError(error, name);
            await end().catch((failed: unknown) => onError(failed, name));
          });
        }
      })();
    },
    async close() {
      stop.abort();
      await loop;
      await end();
      await seat.close();
    },
  };
}

/** What comes when the turn is over is refused; the inlet leaves it to the next one. */
function guarded(accept: Accept, seat: Seat, name: string): Accept {
  return async (inbound, signal) => {
    if (!seat.valid()) throw new BusError("bus-stopping", `another process of the cluster has \`${name}\` now`);
    return accept(inbound, signal);
  };
}
