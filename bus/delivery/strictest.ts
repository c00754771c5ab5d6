/**
 * One endpoint, many routes, one breaker and one set of limits: of what their policies ask, the strictest holds for all. A provider
 * that asked one route for care gets it from every route. For each number: fewest calls, lowest rate, shortest line; lowest failure
 * rate, fewest calls needed to judge, longest memory, longest pause, most probes.
 */
import type { DeliverPolicy } from "../route/runtime.ts";
import type { BreakerPolicy } from "./breaker.ts";
import type { LimitPolicy } from "./limits.ts";

export function strictestLimits(policies: readonly DeliverPolicy[]): LimitPolicy {
  const limits = policies.map((policy) => policy.limits);
  const rates = limits.map((limit) => limit.ratePerSecond).filter((rate) => rate !== undefined);
  return {
    concurrency: Math.max(1, Math.min(...limits.map((limit) => limit.concurrency))),
    queue: Math.max(0, Math.min(...limits.map((limit) => limit.queue))),
    ratePerSecond: rates.length === 0 ? undefined : Math.min(...rates),
  };
}

/** undefined = no route asks for a breaker. */
export function strictestBreaker(policies: readonly DeliverPolicy[]): BreakerPolicy | undefined {
  const breakers = policies.map((policy) => policy.breaker).filter((breaker) => breaker !== undefined);
  if (breakers.length === 0) return undefined;
  return {
    window: Math.max(...breakers.map((breaker) => breaker.window)),
    minimumCalls: Math.min(...breakers.map((breaker) => breaker.minimumCalls)),
    openAtFailureRate: Math.min(...breakers.map((breaker) => breaker.openAtFailureRate)),
    openFor: Math.max(...breakers.map((breaker) => breaker.openFor)),
    probes: Math.max(1, ...breakers.map((breaker) => breaker.probes)),
  };
}
