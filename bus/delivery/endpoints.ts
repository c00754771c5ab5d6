/**
 * Calls to endpoints, each behind its breaker, its limits and the attempt's timeout. Breaker and limits belong to the address, not
 * to the route. Layers, fixed: deadline ⊃ breaker ⊃ retry ⊃ attempt timeout; each attempt is one call here and counts in the breaker.
 * Who waits for an open breaker holds no place of the limits, so that others are still refused at once.
 */
import { asBusError, BusError } from "../errors.ts";
import type { Clock } from "../ports.ts";
import type { DeliverPolicy } from "../route/runtime.ts";
import type { Random } from "./backoff.ts";
import { resultOf, type BreakerPosition, type BreakerState, type Pass, type Transition } from "./breaker.ts";
import type { LimitState } from "./limits.ts";
import { reasonOf } from "./line.ts";
import { createSlot, type Slot } from "./slot.ts";
import { createTimeouts } from "./timeouts.ts";

export type EndpointState = Readonly<{
  endpoint: string;
  /** undefined = no route that uses the endpoint asks for a breaker. */
  breaker: BreakerState | undefined;
  limits: LimitState;
  /** Calls that wait for the open breaker. */
  waiting: number;
}>;

export interface Endpoints {
  /** Chance for back-off jitter: the one of `createEndpoints`. */
  readonly random: Random;
  /**
   * One attempt. Resolves with what `attempt` gave; rejects with its BusError, with attempt-timeout (the attempt was aborted),
   * deadline-passed, queue-full, rate-exceeded, breaker-open (with retryAfter), or the reason of `signal`.
   */
  call<T>(
    endpoint: string,
    policy: DeliverPolicy,
    signal: AbortSignal,
    attempt: (signal: AbortSignal) => Promise<T>,
    deadlineAt?: number,
  ): Promise<T>;
  /** Would the breaker let a call through now? */
  ready(endpoint: string, policy: DeliverPolicy): boolean;
  list(): readonly EndpointState[];
  /** An operator moves a breaker; false = the endpoint has none. The reason stands in its history. */
  force(endpoint: string, to: BreakerPosition, reason: string): boolean;
  /** Stops the clockwork; running calls are no longer timed. */
  close(): void;
}

export type EndpointsParts = Readonly<{
  clock: Clock;
  random?: Random;
  onTransition?: (endpoint: string, transition: Transition) => void;
  /** Longest that a call waits for an open breaker before it gets breaker-open; a durable wait is the transport's. Default 20 s. */
  longestWait?: number;
}>;

type Call<T> = Readonly<{
  slot: Slot;
  policy: DeliverPolicy;
  signal: AbortSignal;
  attempt: (signal: AbortSignal) => Promise<T>;
  deadlineAt: number;
}>;

export function createEndpoints(parts: EndpointsParts): Endpoints {
  const { clock } = parts;
  const timeouts = createTimeouts(clock);
  const slots = new Map<string, Slot>();
  const longestWait = parts.longestWait ?? 20_000;

  function slotOf(endpoint: string, policy: DeliverPolicy): Slot {
    let slot = slots.get(endpoint);
    if (!slot) {
      slot = createSlot({ endpoint, clock, timeouts, onTransition: parts.onTransition ?? (() => undefined) }, policy);
      slots.set(endpoint, slot);
    }
    slot.use(policy, clock.now());
    return slot;
  }

  /** A signal that follows the caller's and also aborts at `at`, with the reason made then. */
  function bounded(signal: AbortSignal, at: number, reason: () => BusError): { signal: AbortSignal; done: () => void } {
    const controller = new AbortController();
    const follow = (): void => controller.abort(reasonOf(signal));
    if (signal.aborted) follow();
    signal.addEventListener("abort", follow, { once: true });
    const deadline = Number.isFinite(at) ? timeouts.add(at, () => controller.abort(reason())) : undefined;
    return {
      signal: controller.signal,
      done: () => {
        signal.removeEventListener("abort", follow);
        if (deadline) timeouts.done(deadline);
      },
    };
  }

  async function passLater<T>(call: Call<T>): Promise<Pass> {
    const { slot, policy } = call;
    const pass = slot.enter(policy);
    if (pass) return pass;
    if (policy.breaker?.whenOpen !== "wait") throw slot.refusal();
    const until = clock.now() + longestWait;
    const late = until < call.deadlineAt ? () => slot.refusal() : deadlinePassed;
    const waiting = bounded(call.signal, Math.min(until, call.deadlineAt), late);
    try {
      return await slot.wait(waiting.signal);
    } finally {
      waiting.done();
    }
  }

  async function placeLater<T>(call: Call<T>, pass: Pass): Promise<void> {
    const waiting = bounded(call.signal, call.deadlineAt, deadlinePassed);
    try {
      await call.slot.limits.acquire(waiting.signal);
    } catch (thrown) {
      call.slot.settle(pass, "ignored");
      throw thrown;
    } finally {
      waiting.done();
    }
  }

  /** The slow way in: the breaker first, then a place; a permission that became void meanwhile is asked for again. */
  async function waitAndRun<T>(call: Call<T>, given: Pass | undefined): Promise<T> {
    let pass = given;
    for (;;) {
      pass ??= await passLater(call);
      await placeLater(call, pass);
      if (call.slot.valid(pass)) return run(call, pass);
      call.slot.limits.release();
      pass = undefined;
    }
  }

  function run<T>(call: Call<T>, pass: Pass): Promise<T> {
    const { slot, policy, signal, deadlineAt } = call;
    const startedAt = clock.now();
    const timeoutAt = startedAt + policy.attemptTimeout;
    const controller = new AbortController();
    return new Promise<T>((resolve, reject) => {
      let open = true;
      const finish = (): boolean => {
        if (!open) return false;
        open = false;
        timeouts.done(deadline);
        signal.removeEventListener("abort", follow);
        slot.limits.release();
        return true;
      };
      const fail = (error: Error, result: "failure" | "success" | "ignored"): void => {
        if (!finish()) return;
        slot.settle(pass, result, error.message);
        controller.abort(error); // also after a failure of its own: nothing of the attempt goes on
        reject(error);
      };
      const follow = (): void => fail(reasonOf(signal), "ignored");
      const deadline = timeouts.add(Math.min(timeoutAt, deadlineAt), () => {
        if (timeoutAt <= deadlineAt) fail(attemptTimeout(policy), "failure");
        // an attempt cut short by the deadline tells of the endpoint only if it had most of its time
        else fail(deadlinePassed(), deadlineAt - startedAt >= policy.attemptTimeout / 2 ? "failure" : "ignored");
      });
      signal.addEventListener("abort", follow, { once: true });
      started(call.attempt, controller.signal).then(
        (value) => {
          if (!finish()) return;
          slot.settle(pass, "success");
          resolve(value);
        },
        (thrown: unknown) => {
          const error = asBusError(thrown);
          fail(error, resultOf(error));
        },
      );
    });
  }

  return {
    random: parts.random ?? Math.random,
    call(endpoint, policy, signal, attempt, deadlineAt = Number.POSITIVE_INFINITY) {
      if (signal.aborted) return Promise.reject(reasonOf(signal));
      if (clock.now() >= deadlineAt) return Promise.reject(deadlinePassed());
      const slot = slotOf(endpoint, policy);
      const call = { slot, policy, signal, attempt, deadlineAt };
      const pass = slot.enter(policy);
      return pass && slot.limits.tryAcquire() ? run(call, pass) : waitAndRun(call, pass);
    },
    ready: (endpoint, policy) => slots.get(endpoint)?.ready(policy) ?? true,
    list: () => [...slots].map(([endpoint, slot]) => ({ endpoint, limits: slot.limits.state(), ...slot.state() })),
    force: (endpoint, to, reason) => slots.get(endpoint)?.force(to, reason) ?? false,
    close: () => timeouts.close(),
  };
}

/** An attempt that throws before it gives a promise is one that failed, not one that breaks the bookkeeping. */
function started<T>(attempt: (signal: AbortSignal) => Promise<T>, signal: AbortSignal): Promise<T> {
  try {
    return attempt(signal);
  } catch (thrown) {
    return Promise.reject(asBusError(thrown));
  }
}

function attemptTimeout(policy: DeliverPolicy): BusError {
  return new BusError("attempt-timeout", `the provider did not answer within ${policy.attemptTimeout} ms`);
}

function deadlinePassed(): BusError {
  return new BusError("deadline-passed", "the message's deadline passed before the provider answered");
}
