/** Quotas of grants: a count per aligned window. The journal is the memory; a counter is only its cache within one process. */
import { BusError } from "../errors.ts";
import type { Clock } from "../ports.ts";
import type { Grant } from "../route/runtime.ts";

/** How many messages a grant let through since a time; asked once per grant and window after a start. */
export type CountUsed = (grant: string, from: number) => Promise<number>;

type Counter = { window: number; used: number; loading: Promise<void> | undefined };

export interface Quotas {
  /** Takes one use; throws quota-exceeded with the time until the next window. A promise only while a count is loaded. */
  take(grant: Grant): Promise<void> | void;
}

export function createQuotas(clock: Clock, count: CountUsed): Quotas {
  const counters = new Map<string, Counter>();
  return {
    take(grant) {
      if (!grant.quota) return undefined;
      const window = Math.floor(clock.now() / grant.quota.per) * grant.quota.per;
      let counter = counters.get(grant.id);
      if (counter?.window !== window) {
        const fresh: Counter = { window, used: 0, loading: undefined };
        fresh.loading = count(grant.id, window).then((used) => {
          fresh.used += used;
          fresh.loading = undefined;
        });
        counters.set(grant.id, fresh);
        counter = fresh;
      }
      if (counter.loading) return counter.loading.then(() => use(grant, counter, clock.now()));
      return use(grant, counter, clock.now());
    },
  };
}

function use(grant: Grant, counter: Counter, now: number): void {
  const quota = grant.quota;
  if (!quota) return;
  if (counter.used >= quota.count) {
    const retryAfter = counter.window + quota.per - now;
    throw new BusError(
      "quota-exceeded",
      `grant \`${grant.id}\` (${grant.place}) allows ${quota.count} messages and they are used; the next window begins in ${Math.ceil(retryAfter / 1000)} s`,
      {
        retryAfter,
      },
    );
  }
  counter.used += 1;
}
