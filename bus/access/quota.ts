/** Quotas of grants: a count per aligned window. The journal is the memory; a counter is only its cache within one process. */
import { BusError } from "../errors.ts";
import type { Clock } from "../ports.ts";
import type { Grant } from "../route/runtime.ts";

/** How many messages a grant let through since a time; asked once per grant and window after a start. */
export type CountUsed = (grant: string, from: number) => Promise<number>;

export interface Quotas {
  /** Takes one use; throws quota-exceeded with the time until the next window. A promise only while a count is asked for. */
  take(grant: Grant): Promise<void> | void;
  /** Gives back what was not used. */
  close(): Promise<void>;
}

type Counter = { window: number; used: number; loading: Promise<void> | undefined };

/** Of a process that is alone. */
export function createQuotas(clock: Clock, count: CountUsed): Quotas {
  const counters = new Map<string, Counter>();
  return {
    take(grant) {
      if (!grant.quota) return undefined;
      const window = windowOf(grant, clock.now());
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
    close: () => Promise.resolve(),
  };
}

export const windowOf = ({ quota }: Grant, now: number): number => (quota ? Math.floor(now / quota.per) * quota.per : 0);

function use(grant: Grant, counter: Counter, now: number): void {
  const quota = grant.quota;
  if (!quota) return;
  if (counter.used >= quota.count) throw exceeded(grant, quota.count, counter.window + quota.per - now);
  counter.used += 1;
}

export function exceeded(grant: Grant, count: number, retryAfter: number): BusError {
  return new BusError(
    "quota-exceeded",
    `grant \`${grant.id}\` (${grant.place}) allows ${count} messages and they are used; the next window begins in ${Math.ceil(retryAfter / 1000)} s`,
    { retryAfter },
  );
}
