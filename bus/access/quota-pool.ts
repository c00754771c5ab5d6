/**
 * One count of a grant's uses for all processes of a cluster. A process takes a share of what is left and gives back what it did not
 * use, so that a use rarely waits for the store and the bound is never passed: shares are counted as used until they are given back.
 */
import { asBusError, BusError } from "../errors.ts";
import type { Clock, Collection, Store } from "../ports.ts";
import type { Grant } from "../route/runtime.ts";
import type { CountUsed } from "./quota.ts";

/** `window`: its start. `used`: uses and shares that are out. */
type Count = { window: number; used: number };

export interface QuotaPool {
  /** Takes a share of what is left in the newest window: at least 1, or 0 when nothing is left. */
  share(grant: Grant, window: number): Promise<Readonly<{ window: number; share: number }>>;
  /** Uses of a share that were not made; what belongs to an older window is over. */
  giveBack(grant: string, window: number, unused: number): Promise<void>;
}

/** A share is this part of what is left: big while there is much, single uses near the end. */
const PART = 16;
/** Tries of a write that other processes may get before. */
const TRIES = 50;
const PAUSE = 5;
const RACED: ReadonlySet<string> = new Set(["store-conflict", "store-duplicate"]);

export async function createQuotaPool(parts: Readonly<{ store: Store; clock: Clock; count: CountUsed }>): Promise<QuotaPool> {
  const counts: Collection<Count> = await parts.store.collection<Count>("quotas");

  /** Writes what `next` makes of the count; undefined = nothing to write. */
  async function change<T>(grant: string, next: (count: Count | undefined) => Promise<Readonly<{ count?: Count; answer: T }>>): Promise<T> {
    for (let left = TRIES; left > 0; left--) {
      const known = await counts.get(grant);
      const { count, answer } = await next(known?.value);
      if (!count) return answer;
      try {
        if (known) await counts.update(grant, known.version, count);
        else await counts.insert(grant, count);
        return answer;
      } catch (thrown) {
        if (!RACED.has(asBusError(thrown).code)) throw thrown;
        await parts.clock.sleep(Math.ceil(PAUSE * Math.random()));
      }
    }
    throw new BusError("journal-busy", `the uses of grant \`${grant}\` are being counted by too many processes at once`, {
      retryAfter: 1_000,
    });
  }

  return {
    share: (grant, window) =>
      change(grant.id, async (known) => {
        // the journal is asked where nothing was counted yet; a window that comes after a counted one begins with nothing used
        const count = known ?? { window, used: await parts.count(grant.id, window) };
        const now = count.window < window ? { window, used: 0 } : count;
        const left = Math.max(0, (grant.quota?.count ?? 0) - now.used);
        const share = left === 0 ? 0 : Math.max(1, Math.floor(left / PART));
        const answer = { window: now.window, share };
        return known && share === 0 ? { answer } : { count: { window: now.window, used: now.used + share }, answer };
      }),
    giveBack: (grant, window, unused) =>
      change(grant, async (known) =>
        known?.window === window && unused > 0
          ? { count: { window, used: Math.max(0, known.used - unused) }, answer: undefined }
          : { answer: undefined },
      ),
  };
}
