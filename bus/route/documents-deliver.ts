/** How hard a route tries, and what it does when that was not enough. Absent = the default (bus/route/defaults.ts). */
import type { ErrorClass } from "../errors.ts";
import type { Path } from "./documents.ts";

/** `provider-fault:CODE` in the file gives a code. */
export type RetryRuleDoc = Readonly<{ class: ErrorClass; code?: string }>;

export type BreakerDoc = Readonly<{
  scope?: "endpoint";
  window?: number;
  minimumCalls?: number;
  openAtFailureRate?: number;
  openFor?: number;
  probes?: number;
  whenOpen?: "fault" | "wait";
  /** From `whenOpen: { fault, retryAfter }`. */
  retryAfter?: number;
}>;

export type DeliverDoc = Readonly<{
  /** Id of a policy whose values stand where this block says nothing. */
  use?: string;
  deadline?: number;
  attempt?: Readonly<{ timeout?: number }>;
  retry?: Readonly<{
    on?: readonly RetryRuleDoc[];
    attempts?: number;
    backoff?: Readonly<{ first?: number; factor?: number; max?: number; jitter?: "none" | "full" }>;
    giveUpAfter?: number;
  }>;
  breaker?: BreakerDoc | "none";
  limits?: Readonly<{ concurrency?: number; queue?: number; rate?: number }>;
}>;

export type FailureDoc = Readonly<{
  /** undefined = `default`: any class that no line before names. */
  on: readonly ErrorClass[] | undefined;
  /** The provider's fault code; only with provider-fault. */
  code?: string;
  do: "reject" | "reply" | "deadletter" | "drop" | "stop";
  with?: Readonly<Record<string, unknown>>;
  path: Path;
}>;
