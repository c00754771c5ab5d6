/** What becomes of a message whose attempt failed: again later, or one of the ways out. Pure; branch.ts acts on it. */
import type { BusError } from "../errors.ts";
import type { DeliverPolicy, FailureRule } from "../route/runtime.ts";
import { failureRule, mayRetry, waitBefore, type Random } from "./backoff.ts";

export type Verdict =
  /** No attempt was made (open breaker, full line): come again, not counted. */
  | Readonly<{ kind: "hold"; after: number }>
  | Readonly<{ kind: "retry"; after: number }>
  | Readonly<{ kind: "end"; rule: FailureRule; why: string }>;

export type Failed = Readonly<{
  error: BusError;
  /** The attempt that failed, from 1. */
  attempt: number;
  firstAttemptAt: number;
  now: number;
}>;

/** Refusals of our own endpoint layer: the provider was not asked. */
const NOT_ASKED: ReadonlySet<string> = new Set(["breaker-open", "queue-full", "rate-exceeded"]);

/** What no rule names is kept: nothing leaves the bus silently. */
const OTHERWISE: FailureRule = { on: undefined, do: "deadletter" };

export function judge(policy: DeliverPolicy, rules: readonly FailureRule[], failed: Failed, random: Random): Verdict {
  const { error, attempt, firstAttemptAt, now } = failed;
  const { retry } = policy;
  const giveUpAt = firstAttemptAt + (retry.giveUpAfter ?? Number.POSITIVE_INFINITY);
  const made = `attempt ${attempt} of ${retry.attempts}`;
  if (NOT_ASKED.has(error.code)) {
    const after = Math.max(1, error.retryAfter ?? 1000);
    return now + after < giveUpAt ? { kind: "hold", after } : end(rules, error, `${made}: given up after ${retry.giveUpAfter} ms`);
  }
  if (!mayRetry(retry.on, error)) return end(rules, error, `${made}: \`${error.class}\` is not retried`);
  if (attempt >= retry.attempts) return end(rules, error, `${made}: all attempts failed`);
  const after = Math.max(waitBefore(retry.backoff, attempt + 1, random), error.retryAfter ?? 0);
  if (now + after >= giveUpAt) return end(rules, error, `${made}: given up after ${retry.giveUpAfter} ms`);
  return { kind: "retry", after };
}

function end(rules: readonly FailureRule[], error: BusError, why: string): Verdict {
  return { kind: "end", rule: failureRule(rules, error) ?? OTHERWISE, why };
}
