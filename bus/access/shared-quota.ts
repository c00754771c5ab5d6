/**
 * Quotas of a process that others stand beside: it uses up shares of the common count. What it does not use within two seconds goes
 * back, so that a quiet process keeps nothing from a busy one.
 */
import { asBusError } from "../errors.ts";
import type { Clock } from "../ports.ts";
import type { Grant } from "../route/runtime.ts";
import type { QuotaPool } from "./quota-pool.ts";
import { exceeded, windowOf, type Quotas } from "./quota.ts";

/** `left` of the share; `stale`: not used since the last look. */
type Share = { window: number; left: number; stale: boolean; emptyUntil: number; asking: Promise<void> | undefined };

/** Milliseconds after which an unused share goes back, and after which a count that was used up is asked for again. */
const LOOK = 1_000;

export type SharedQuotaParts = Readonly<{ clock: Clock; pool: QuotaPool; onError: (error: unknown, where: string) => void }>;

/** Of a process of a cluster: never more than the grant says by all together. */
export function createSharedQuotas({ clock, pool, onError }: SharedQuotaParts): Quotas {
  const shares = new Map<string, Share>();
  const stop = new AbortController();

  function shareOf({ id }: Grant): Share {
    const share = shares.get(id) ?? { window: 0, left: 0, stale: false, emptyUntil: 0, asking: undefined };
    shares.set(id, share);
    return share;
  }

  /** Callers of one moment share one question. */
  function ask(grant: Grant, share: Share, window: number): Promise<void> {
    share.asking ??= pool
      .share(grant, window)
      .then((given) => {
        share.left = given.share;
        share.window = given.window;
        share.stale = false;
        if (given.share === 0) share.emptyUntil = clock.now() + LOOK;
      })
      .finally(() => (share.asking = undefined));
    return share.asking;
  }

  function takeLocal(grant: Grant, share: Share): boolean {
    if (share.left <= 0 || share.window < windowOf(grant, clock.now())) return false;
    share.left--;
    share.stale = false;
    return true;
  }

  async function takeFromPool(grant: Grant, share: Share): Promise<void> {
    for (;;) {
      const now = clock.now();
      const window = windowOf(grant, now);
      if (takeLocal(grant, share)) return;
      if (share.window >= window && now < share.emptyUntil) {
        const { count, per } = grant.quota ?? { count: 0, per: 0 };
        throw exceeded(grant, count, share.window + per - now);
      }
      await ask(grant, share, window);
    }
  }

  async function giveBack(grant: string, share: Share): Promise<void> {
    const unused = share.left;
    share.left = 0;
    if (unused > 0)
      await pool.giveBack(grant, share.window, unused).catch((error: unknown) => onError(asBusError(error), "uses of a grant"));
  }

  async function loop(): Promise<void> {
    while (!stop.signal.aborted) {
      await clock.sleep(LOOK, stop.signal).catch(() => undefined);
      if (stop.signal.aborted) return;
      for (const [grant, share] of shares) {
        if (share.stale) await giveBack(grant, share);
        else share.stale = true;
      }
    }
  }

  const done = loop();
  return {
    take(grant) {
      if (!grant.quota) return undefined;
      const share = shareOf(grant);
      return takeLocal(grant, share) ? undefined : takeFromPool(grant, share);
    },
    async close() {
      stop.abort();
      await done;
      for (const [grant, share] of shares) await giveBack(grant, share);
    },
  };
}
