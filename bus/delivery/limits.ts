/**
 * How hard one endpoint address may be pressed: calls at once, calls a second, and how many may wait. Shared by all routes that
 * use the address. First come, first served; who waits can leave.
 */
import { BusError } from "../errors.ts";
import type { DeliverPolicy } from "../route/runtime.ts";
import { createLine } from "./line.ts";
import type { Timeouts } from "./timeouts.ts";

export type LimitPolicy = DeliverPolicy["limits"];
export type LimitState = Readonly<{ inFlight: number; queued: number; policy: LimitPolicy }>;

export interface Limits {
  /** A place now, if nobody waits and one is free. */
  tryAcquire(): boolean;
  /** A place, sooner or later. Throws queue-full or rate-exceeded, with retryAfter, when the line is as long as it may be. */
  acquire(signal: AbortSignal): Promise<void>;
  release(): void;
  state(): LimitState;
  adopt(policy: LimitPolicy): void;
}

/** After how long to come again when no rate tells. */
const COME_AGAIN = 1000;

export function createLimits(parts: Readonly<{ policy: LimitPolicy; now: () => number; timeouts: Timeouts }>): Limits {
  const { now, timeouts } = parts;
  const line = createLine<void>();
  let policy = parts.policy;
  let bucket = createBucket(policy.ratePerSecond, now());
  let inFlight = 0;
  let armed = false;

  function take(): boolean {
    if (inFlight >= policy.concurrency || !bucket.take(now())) return false;
    inFlight++;
    return true;
  }

  /** Lets in whom there is a place for; while only the rate holds the line back, comes again with the next token. */
  function pump(): void {
    while (line.size > 0 && take()) line.give();
    if (line.size === 0 || inFlight >= policy.concurrency || armed) return;
    armed = true;
    timeouts.add(now() + bucket.wait(now()), () => {
      armed = false;
      pump();
    });
  }

  function full(): BusError {
    const slow = inFlight < policy.concurrency && policy.ratePerSecond !== undefined;
    const rate = policy.ratePerSecond;
    const retryAfter = rate === undefined ? COME_AGAIN : Math.ceil(((line.size + 1) / rate) * 1000);
    return slow
      ? new BusError("rate-exceeded", `the provider takes ${rate} calls a second, and ${line.size} wait already`, { retryAfter })
      : new BusError("queue-full", `${inFlight} calls are with the provider and ${line.size} wait, as many as may`, { retryAfter });
  }

  return {
    tryAcquire: () => line.size === 0 && take(),
    async acquire(signal) {
      if (line.size === 0 && take()) return;
      if (line.size >= policy.queue) throw full();
      const place = line.wait(signal);
      pump();
      await place;
    },
    release() {
      inFlight--;
      if (line.size > 0) pump();
    },
    state: () => ({ inFlight, queued: line.size, policy }),
    adopt(next) {
      if (next.ratePerSecond !== policy.ratePerSecond) bucket = createBucket(next.ratePerSecond, now());
      policy = next;
      pump();
    },
  };
}

type Bucket = { take(now: number): boolean; wait(now: number): number };

/** Tokens for a tenth of a second (one at least) may be saved up: a burst of `max(1, rate / 10)`, then evenly. */
function createBucket(rate: number | undefined, start: number): Bucket {
  if (rate === undefined) return { take: () => true, wait: () => 0 };
  const size = Math.max(1, rate / 10);
  let tokens = size;
  let at = start;
  const fill = (now: number): void => {
    tokens = Math.min(size, tokens + (Math.max(0, now - at) * rate) / 1000);
    at = now;
  };
  return {
    take(now) {
      fill(now);
      if (tokens < 1 - 1e-9) return false;
      tokens -= 1;
      return true;
    },
    wait(now) {
      fill(now);
      return Math.max(1, Math.ceil(((1 - tokens) / rate) * 1000 - 1e-6));
    },
  };
}
