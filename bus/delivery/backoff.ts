/**
 * When the next attempt is made, and whether one is made at all. `attempts` is one number, the total; there is no second loop
 * around it anywhere. lint and explain print the same timetable that delivery follows.
 */
import type { BusError } from "../errors.ts";
import type { DeliverPolicy, FailureRule, RetryRule } from "../route/runtime.ts";

type Retry = DeliverPolicy["retry"];

/** A number from 0 inclusive to 1 exclusive; tests give their own. */
export type Random = () => number;

/** Longest wait before attempt `next` (2 is the first retry), in milliseconds: first × factor^(next − 2), at most `max`. */
export function longestWait(backoff: Retry["backoff"], next: number): number {
  if (next < 2) return 0;
  const grown = backoff.first * backoff.factor ** (next - 2);
  return Number.isFinite(grown) ? Math.min(Math.round(grown), backoff.max) : backoff.max;
}

/** Wait before attempt `next`. Full jitter (AWS "Exponential Backoff and Jitter"): anywhere between nothing and the longest. */
export function waitBefore(backoff: Retry["backoff"], next: number, random: Random): number {
  const longest = longestWait(backoff, next);
  return backoff.jitter === "full" ? Math.floor(random() * (longest + 1)) : longest;
}

/** Does the policy retry this error? `provider-fault` only where its code is named; deterministic classes are never named. */
export function mayRetry(on: readonly RetryRule[], error: BusError): boolean {
  return on.some((rule) => {
    if (rule.class !== error.class) return false;
    if (rule.code !== undefined) return rule.code === error.providerCode || rule.code === error.code;
    return error.class !== "provider-fault";
  });
}

/** The first failure rule that names the error; undefined = none does, not even a default. */
export function failureRule(rules: readonly FailureRule[], error: BusError): FailureRule | undefined {
  return rules.find((rule) => {
    if (rule.on !== undefined && !rule.on.includes(error.class)) return false;
    return rule.code === undefined || rule.code === error.providerCode || rule.code === error.code;
  });
}

/** One attempt: milliseconds after the first attempt's start at which it starts, at the earliest and at the latest. */
export type Slot = Readonly<{ attempt: number; earliest: number; latest: number }>;

export type Timetable = Readonly<{
  slots: readonly Slot[];
  /** Milliseconds from the first start to the end of the last attempt: all answers at once, and all time out. */
  best: number;
  worst: number;
  /** Attempts that the policy names but deadline or giveUpAfter leave no time for, when every attempt takes its whole timeout. */
  unreachable: number;
}>;

/** Rows a timetable prints at most; the policy's schema allows no more attempts than this. */
const MOST_SLOTS = 1000;

/** The timetable of a policy, without the time its messages wait for breaker, rate or queue. */
export function timetable(policy: DeliverPolicy): Timetable {
  const { retry, attemptTimeout } = policy;
  const limit = Math.min(policy.deadline ?? Number.POSITIVE_INFINITY, retry.giveUpAfter ?? Number.POSITIVE_INFINITY);
  const slots: Slot[] = [];
  let earliest = 0;
  let latest = 0;
  for (let attempt = 1; attempt <= Math.min(retry.attempts, MOST_SLOTS); attempt++) {
    const longest = longestWait(retry.backoff, attempt);
    earliest += retry.backoff.jitter === "full" ? 0 : longest;
    latest += attempt === 1 ? 0 : attemptTimeout + longest;
    slots.push({ attempt, earliest, latest });
  }
  return {
    slots,
    best: earliest,
    worst: Math.min(latest + attemptTimeout, limit),
    unreachable: slots.filter((slot) => slot.latest >= limit).length,
  };
}
