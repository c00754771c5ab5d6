/** Every built-in default of a route, in one table. All are safe: bounded time, bounded queues, nothing lost in silence. */
import type { Pattern } from "../contract/contract.ts";
import type { DeliverPolicy } from "./runtime.ts";

const SECOND = 1000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

const limits = { concurrency: 16, queue: 200, ratePerSecond: undefined } as const;

/** Someone waits for the answer: short, few attempts, refuse at once when the endpoint is down. */
const query: DeliverPolicy = {
  deadline: 10 * SECOND,
  attemptTimeout: 3 * SECOND,
  retry: {
    on: [{ class: "timeout" }, { class: "unreachable" }, { class: "provider-unavailable" }],
    attempts: 2,
    backoff: { first: 200, factor: 2, max: SECOND, jitter: "full" },
    giveUpAfter: undefined,
  },
  breaker: { window: 30 * SECOND, minimumCalls: 20, openAtFailureRate: 0.5, openFor: 15 * SECOND, probes: 3, whenOpen: "fault" },
  limits,
};

/** Nobody waits: try for a day, with long durable waits, and keep messages while the endpoint is down. */
const event: DeliverPolicy = {
  deadline: undefined,
  attemptTimeout: 10 * SECOND,
  retry: {
    on: [{ class: "timeout" }, { class: "unreachable" }, { class: "provider-unavailable" }, { class: "throttled" }],
    attempts: 12,
    backoff: { first: 5 * SECOND, factor: 3, max: 30 * MINUTE, jitter: "full" },
    giveUpAfter: DAY,
  },
  breaker: { window: MINUTE, minimumCalls: 20, openAtFailureRate: 0.5, openFor: MINUTE, probes: 1, whenOpen: "wait" },
  limits,
};

export const DEFAULT_DELIVER: Readonly<Record<Pattern, DeliverPolicy>> = { query, command: event, event };

export const DEFAULTS = {
  state: "active",
  /** A query's caller is gone: its dead letter is evidence, not work. */
  replay: { query: "never", command: "manual", event: "manual" },
  deadletterKeep: 30 * DAY,
  /** What happens to a failure that no line of `failures` names. */
  failure: { query: "reject", command: "deadletter", event: "deadletter" },
  journal: { payload: "hash", keep: 7 * 365 * DAY },
  schedule: { timezone: "UTC", overlap: "skip", missed: "run-once" },
  system: {
    addresses: [],
    certificates: [],
    settings: {},
    actsFor: [],
    signatures: { required: false, rsaSha1: false, covers: "message" },
  },
  dedupe: { onDuplicate: "drop" },
  contract: { compatibility: "backward", state: "active", idempotent: false },
} as const;
