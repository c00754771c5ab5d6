/**
 * The circuit breaker of one endpoint address. Closed: calls pass and are counted. When at least `minimumCalls` of the last
 * `window` were made and the share of failures reaches `openAtFailureRate`, it opens. Open: nothing passes for `openFor`. Half
 * open: `probes` calls pass; all must succeed, then it closes; the first that fails opens it again. It probes by itself for ever.
 */
import type { BusError, ErrorClass } from "../errors.ts";
import type { DeliverPolicy } from "../route/runtime.ts";
import { createWindow } from "./window.ts";

export type BreakerPolicy = Omit<NonNullable<DeliverPolicy["breaker"]>, "whenOpen">;
export type BreakerPosition = "closed" | "open" | "half-open";
export type Transition = Readonly<{ at: number; from: BreakerPosition; to: BreakerPosition; reason: string }>;
export type BreakerState = Readonly<{
  position: BreakerPosition;
  calls: number;
  failures: number;
  /** When it lets probes through, milliseconds since the epoch; undefined = it is not open. */
  opensUntil: number | undefined;
  /** Newest last, at most 50. */
  history: readonly Transition[];
}>;

/** Permission for one call. It is void once the breaker has changed its position. */
export type Pass = Readonly<{ generation: number }>;

/** `ignored`: the call says nothing of the endpoint's health (the caller left, our own mistake). */
export type CallResult = "success" | "failure" | "ignored";

export interface Breaker {
  /** A permission, or undefined while open or while all probes are out. */
  enter(): Pass | undefined;
  /** Would `enter` give one now? */
  ready(): boolean;
  valid(pass: Pass): boolean;
  /** Gives the permission back with what came of it. Results of void permissions count nowhere. */
  settle(pass: Pass, result: CallResult, reason?: string): void;
  /** Milliseconds after which a call may pass: the rest of the open time; half open, a tenth of it. */
  retryAfter(): number;
  state(): BreakerState;
  force(to: BreakerPosition, reason: string): void;
  adopt(policy: BreakerPolicy): void;
}

const HISTORY = 50;

/** What a failed call says of its endpoint. A provider that answers with its own fault, or 429, is alive. */
const RESULTS: Readonly<Partial<Record<ErrorClass, CallResult>>> = {
  timeout: "failure",
  unreachable: "failure",
  "provider-unavailable": "failure",
  throttled: "success",
  "provider-fault": "success",
};

export function resultOf(error: BusError): CallResult {
  return RESULTS[error.class] ?? "ignored";
}

export type BreakerParts = Readonly<{ policy: BreakerPolicy; now: () => number; onTransition: (transition: Transition) => void }>;

export function createBreaker(parts: BreakerParts): Breaker {
  const { now, onTransition } = parts;
  let policy = parts.policy;
  let window = createWindow(policy.window);
  let position: BreakerPosition = "closed";
  let pass: Pass = { generation: 0 };
  let openUntil = 0;
  let probesOut = 0;
  let probesGood = 0;
  const history: Transition[] = [];

  function move(to: BreakerPosition, at: number, reason: string): void {
    const from = position;
    position = to;
    pass = { generation: pass.generation + 1 };
    probesOut = 0;
    probesGood = 0;
    if (to === "open") openUntil = at + policy.openFor;
    if (to === "closed") window.clear();
    const transition: Transition = { at, from, to, reason };
    history.push(transition);
    if (history.length > HISTORY) history.shift();
    onTransition(transition);
  }

  /** An open breaker has no timer: whoever looks at it after its time finds it half open. */
  function look(): void {
    if (position === "open" && now() >= openUntil) move("half-open", openUntil, `open for ${policy.openFor} ms`);
  }

  function settleClosed(result: CallResult, reason: string | undefined): void {
    const at = now();
    window.add(at, result === "success");
    if (result === "success") return;
    const { calls, failures } = window.count(at);
    if (calls < policy.minimumCalls || failures / calls < policy.openAtFailureRate) return;
    move(
      "open",
      at,
      `${failures} of ${calls} calls failed within ${policy.window} ms${reason === undefined ? "" : `, the last: ${reason}`}`,
    );
  }

  function settleProbe(result: CallResult, reason: string | undefined): void {
    probesOut--;
    if (result === "failure") move("open", now(), `a probe failed${reason === undefined ? "" : `: ${reason}`}`);
    if (result !== "success") return;
    probesGood++;
    if (probesGood >= policy.probes) move("closed", now(), `${probesGood} of ${policy.probes} probes succeeded`);
  }

  function ready(): boolean {
    look();
    return position === "closed" || (position === "half-open" && probesOut + probesGood < policy.probes);
  }

  return {
    enter() {
      if (position === "closed") return pass;
      if (!ready()) return undefined;
      probesOut++;
      return pass;
    },
    ready,
    valid: (given) => given === pass,
    settle(given, result, reason) {
      if (given !== pass) return;
      if (position === "half-open") settleProbe(result, reason);
      else if (position === "closed" && result !== "ignored") settleClosed(result, reason);
    },
    retryAfter() {
      look();
      if (position === "closed") return 0;
      return position === "open" ? Math.max(1, openUntil - now()) : Math.max(1, Math.ceil(policy.openFor / 10));
    },
    state() {
      look();
      return { position, ...window.count(now()), opensUntil: position === "open" ? openUntil : undefined, history: [...history] };
    },
    force(to, reason) {
      look();
      move(to, now(), reason);
    },
    adopt(next) {
      if (next.window !== policy.window) window = createWindow(next.window);
      policy = next;
      if (position === "half-open" && probesGood >= next.probes)
        move("closed", now(), `${probesGood} probes succeeded, as many as now asked`);
    },
  };
}
