/**
 * A query's way to its provider: short retries in process, failover over the branch's addresses, all of it within the deadline. The
 * next address is asked at once; the back-off is waited when every address had its turn. An open breaker takes no attempt.
 */
import pRetry from "p-retry";
import type { AvroRecord, Message } from "../envelope.ts";
import { BusError } from "../errors.ts";
import type { Clock, Outlet } from "../ports.ts";
import type { Branch, DeliverPolicy } from "../route/runtime.ts";
import { mayRetry, waitBefore } from "./backoff.ts";
import type { Endpoints } from "./endpoints.ts";
import { pickOutlet } from "./once.ts";

/** A failed attempt, in the words of a journal record. */
export type FailedAttempt = Readonly<{
  attempt: number;
  elapsed: number;
  errorClass: BusError["class"];
  errorCode: BusError["code"];
  detail: string;
}>;

export type QueryParts = Readonly<{
  branch: Branch;
  /** One for each address of the branch, first preferred. */
  outlets: readonly Outlet[];
  /** As the outlet sends it: already mapped by `branch.in`. The reply's value is not mapped either. */
  message: Message;
  policy: DeliverPolicy;
  deadlineAt: number | undefined;
  endpoints: Endpoints;
  clock: Clock;
  signal: AbortSignal;
  onAttempt?: (failed: FailedAttempt) => void;
}>;

export type QueryResult = Readonly<{ value: AvroRecord | undefined; attempts: number; endpoint: string }>;

/**
 * Rejects with the last attempt's BusError; with deadline-passed where the deadline, not the policy, ended it; with breaker-open,
 * queue-full or rate-exceeded (retryAfter says when to come again); or with the reason of `signal`.
 */
export async function deliverQuery(parts: QueryParts): Promise<QueryResult> {
  const { policy, endpoints, clock, signal, message } = parts;
  const deadlineAt = parts.deadlineAt ?? Number.POSITIVE_INFINITY;
  let startedAt = clock.now();
  let attempts = 0;
  let endpoint = "";

  const attempt = (turn: number): Promise<AvroRecord | undefined> => {
    startedAt = clock.now();
    const outlet = pickOutlet(parts.outlets, turn, policy, endpoints);
    endpoint = outlet.endpoint;
    attempts = turn;
    return endpoints.call(endpoint, policy, signal, (inner) => outlet.send(message, inner), deadlineAt);
  };

  // p-retry counts and loops; its own timers know no clock of ours, so it waits nothing and `again` does the waiting
  const again = async (failed: Readonly<{ error: Error; attemptNumber: number; retriesLeft: number }>): Promise<boolean> => {
    const { error, attemptNumber } = failed;
    if (!(error instanceof BusError) || signal.aborted || !mayRetry(policy.retry.on, error)) return false;
    if (error.code === "breaker-open") return parts.outlets.some((outlet) => endpoints.ready(outlet.endpoint, policy));
    const roundOver = attemptNumber % parts.outlets.length === 0;
    const wait = roundOver ? Math.max(waitBefore(policy.retry.backoff, attemptNumber + 1, endpoints.random), error.retryAfter ?? 0) : 0;
    if (clock.now() + wait >= deadlineAt) throw noTimeLeft(attemptNumber, policy, error);
    if (wait > 0) await clock.sleep(wait, signal);
    return true;
  };

  const report = (failed: Readonly<{ error: Error; attemptNumber: number }>): void => {
    const { error } = failed;
    if (!parts.onAttempt || !(error instanceof BusError) || error.code === "breaker-open") return;
    const { class: errorClass, code: errorCode, message: detail } = error;
    parts.onAttempt({ attempt: failed.attemptNumber, elapsed: clock.now() - startedAt, errorClass, errorCode, detail });
  };

  let failed: unknown;
  try {
    return { value: await attempt(1), attempts, endpoint }; // most calls succeed at once: no machinery for them
  } catch (thrown) {
    failed = thrown;
  }
  const next = async (turn: number): Promise<AvroRecord | undefined> => {
    if (turn === 1) throw failed;
    return attempt(turn);
  };
  const value = await pRetry(next, { retries: policy.retry.attempts - 1, minTimeout: 0, onFailedAttempt: report, shouldRetry: again });
  return { value, attempts, endpoint };
}

function noTimeLeft(made: number, policy: DeliverPolicy, last: BusError): BusError {
  const text = `the deadline leaves no time for attempt ${made + 1} of ${policy.retry.attempts}; the last failed: ${last.message}`;
  return new BusError("deadline-passed", text, { cause: last });
}
