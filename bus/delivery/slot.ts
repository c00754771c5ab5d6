/** All that is kept for one endpoint address: its breaker, its limits, who waits for the breaker, and whose policies ask for what. */
import { BusError } from "../errors.ts";
import type { Clock } from "../ports.ts";
import type { DeliverPolicy } from "../route/runtime.ts";
import {
  createBreaker,
  type Breaker,
  type BreakerPosition,
  type BreakerState,
  type CallResult,
  type Pass,
  type Transition,
} from "./breaker.ts";
import { createLimits, type Limits } from "./limits.ts";
import { createLine } from "./line.ts";
import { strictestBreaker, strictestLimits } from "./strictest.ts";
import type { Timeouts } from "./timeouts.ts";

/** Calls that may wait for one open breaker; more are refused like with `whenOpen: fault`. */
const MOST_WAITERS = 10_000;
/** A policy that no call used for this long (its route was changed or removed) asks for nothing any more. */
const POLICY_KEPT = 600_000;
const REVIEW_EVERY = 60_000;

/** Of a call whose policy has no breaker: always valid, counts nowhere. */
const FREE: Pass = { generation: -1 };

export type SlotParts = Readonly<{
  endpoint: string;
  clock: Clock;
  timeouts: Timeouts;
  onTransition: (endpoint: string, transition: Transition) => void;
}>;

export interface Slot {
  readonly limits: Limits;
  /** Notes that a route with this policy uses the endpoint now. */
  use(policy: DeliverPolicy, now: number): void;
  enter(policy: DeliverPolicy): Pass | undefined;
  ready(policy: DeliverPolicy): boolean;
  valid(pass: Pass): boolean;
  settle(pass: Pass, result: CallResult, reason?: string): void;
  /** Waits until the breaker lets this call through. Throws breaker-open when too many wait. */
  wait(signal: AbortSignal): Promise<Pass>;
  refusal(): BusError;
  force(to: BreakerPosition, reason: string): boolean;
  state(): Readonly<{ breaker: BreakerState | undefined; waiting: number }>;
}

export function createSlot(parts: SlotParts, first: DeliverPolicy): Slot {
  const { clock, timeouts } = parts;
  const now = (): number => clock.now();
  const limits = createLimits({ policy: first.limits, now, timeouts });
  const line = createLine<Pass>();
  const users = new Map<DeliverPolicy, number>();
  let breaker: Breaker | undefined;
  let reviewedAt = now();
  let armed = false;

  function adopt(): void {
    const policies = [...users.keys()];
    limits.adopt(strictestLimits(policies));
    const policy = strictestBreaker(policies);
    if (policy === undefined) return;
    if (breaker) breaker.adopt(policy);
    else breaker = createBreaker({ policy, now, onTransition: (transition) => parts.onTransition(parts.endpoint, transition) });
    wake();
  }

  function review(at: number): void {
    reviewedAt = at;
    const before = users.size;
    for (const [policy, usedAt] of users) if (at - usedAt > POLICY_KEPT) users.delete(policy);
    if (users.size < before) adopt();
  }

  /** Lets through whom the breaker lets through, and comes again when its time is up. */
  function wake(): void {
    while (line.size > 0) {
      const pass = breaker?.enter();
      if (!pass) break;
      line.give(pass);
    }
    if (line.size === 0 || armed || !breaker) return;
    armed = true;
    timeouts.add(now() + breaker.retryAfter(), () => {
      armed = false;
      wake();
    });
  }

  function refusal(): BusError {
    const retryAfter = breaker?.retryAfter() ?? 0;
    const text = `the provider failed too often and is left alone for ${Math.ceil(retryAfter / 1000)} s more`;
    return new BusError("breaker-open", text, { retryAfter, step: parts.endpoint });
  }

  return {
    limits,
    use(policy, at) {
      const known = users.has(policy);
      users.set(policy, at);
      if (!known) adopt();
      if (at - reviewedAt > REVIEW_EVERY) review(at);
    },
    enter(policy) {
      if (!policy.breaker || !breaker) return FREE;
      return line.size > 0 && policy.breaker.whenOpen === "wait" ? undefined : breaker.enter();
    },
    ready: (policy) => !policy.breaker || !breaker || breaker.ready(),
    valid: (pass) => pass === FREE || breaker?.valid(pass) === true,
    settle(pass, result, reason) {
      if (pass === FREE) return;
      breaker?.settle(pass, result, reason);
      if (line.size > 0) wake();
    },
    async wait(signal) {
      if (line.size >= MOST_WAITERS) throw refusal();
      const pass = line.wait(signal);
      wake();
      return pass;
    },
    refusal,
    force(to, reason) {
      breaker?.force(to, reason);
      wake();
      return breaker !== undefined;
    },
    state: () => ({ breaker: breaker?.state(), waiting: line.size }),
  };
}
