/** Delivery policies for tests: everything off that the test does not name. */
import type { DeliverPolicy } from "#bus/route/runtime.ts";

type Parts = Partial<Omit<DeliverPolicy, "retry">> & Readonly<{ retry?: Partial<DeliverPolicy["retry"]> }>;

export function policyOf(parts: Parts): DeliverPolicy {
  return {
    deadline: undefined,
    attemptTimeout: 10_000,
    breaker: undefined,
    limits: { concurrency: 100, queue: 100, ratePerSecond: undefined },
    ...parts,
    retry: {
      on: [{ class: "timeout" }, { class: "unreachable" }, { class: "provider-unavailable" }],
      attempts: 3,
      backoff: { first: 200, factor: 2, max: 1000, jitter: "none" },
      giveUpAfter: undefined,
      ...parts.retry,
    },
  };
}
