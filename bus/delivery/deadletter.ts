/** One dead letter as the store keeps it, and the journal record that keeps the message itself. */
import type { Envelope } from "../envelope.ts";
import type { BusError, ErrorClass } from "../errors.ts";
import { digestOf } from "../ids.ts";
import type { JournalRecord } from "../journal/record.ts";
import type { Stored } from "../ports.ts";
import { fingerprintOf } from "./fingerprint.ts";

export type DeadLetterState = "open" | "replayed" | "discarded";

/** What stands in the store. The message is in the journal at `position`. */
export type DeadLetter = {
  /** Route, branch, source and message id in one; at most one document has it. */
  key: string;
  messageId: string;
  correlationId: string;
  source: string;
  contract: string;
  route: string;
  branch: string;
  target?: string;
  state: DeadLetterState;
  /** `never` for queries and where the route says so. */
  replay: "never" | "manual";
  errorClass: ErrorClass;
  errorCode: string;
  text: string;
  /** Step that failed, with its place in the route file. */
  step?: string;
  fingerprint: string;
  attempts: number;
  firstAttemptAt?: number;
  /** When it died last, and how often it has. */
  diedAt: number;
  deaths: number;
  expiresAt: number;
  position: number;
  traceparent?: string;
  /** Who acted on it last, and why. */
  operator?: string;
  reason?: string;
};

export type DeadLetterRow = DeadLetter & Readonly<{ id: string }>;

export type Death = Readonly<{
  route: string;
  branch: string;
  envelope: Envelope;
  error: BusError;
  attempts: number;
  /** Milliseconds that it is kept. */
  keep: number;
  why?: string;
  original?: Uint8Array;
  firstAttemptAt?: number;
  target?: string;
  /** Default manual. */
  replay?: "never" | "manual";
}>;

/** Bytes as received that a dead letter keeps; the envelope is kept whole. */
const ORIGINAL_KEPT = 1024 * 1024;
const LATEST = 0xffff_ffff_ffff;

const encoder = new TextEncoder();

export function keyOf({ route, branch, envelope }: Pick<Death, "route" | "branch" | "envelope">): string {
  return digestOf(encoder.encode([route, branch, envelope.source, envelope.id].join("\n"))).slice(0, 32);
}

/** Ids fall with time, so that in order of id the newest comes first. */
export function idOf(now: number, key: string): string {
  return `${(LATEST - now).toString(16).padStart(12, "0")}-${key.slice(0, 12)}`;
}

export function rowOf(stored: Stored<DeadLetter>): DeadLetterRow {
  return { ...stored.value, id: stored.id };
}

type Facts = Readonly<{ key: string; now: number; position: number; known: DeadLetter | undefined }>;

export function letterOf(death: Death, { key, now, position, known }: Facts): DeadLetter {
  const { envelope, error, route, branch } = death;
  return {
    key,
    messageId: envelope.id,
    correlationId: envelope.correlationId,
    source: envelope.source,
    contract: envelope.contract,
    route,
    branch,
    state: "open",
    replay: death.replay ?? "manual",
    errorClass: error.class,
    errorCode: error.code,
    text: textOf(death),
    fingerprint: fingerprintOf(route, branch, error),
    attempts: death.attempts,
    diedAt: now,
    deaths: (known?.deaths ?? 0) + 1,
    expiresAt: now + death.keep,
    position,
    ...(death.target === undefined ? undefined : { target: death.target }),
    ...(error.step === undefined ? undefined : { step: error.step }),
    ...(death.firstAttemptAt === undefined ? undefined : { firstAttemptAt: death.firstAttemptAt }),
    ...(envelope.traceparent === undefined ? undefined : { traceparent: envelope.traceparent }),
  };
}

/** The journal's row: everything that is needed to send the message again, and why it died. */
export function recordOf(death: Death, now: number): JournalRecord {
  const { envelope, error, original } = death;
  return {
    step: "deadletter",
    outcome: "dead",
    time: now,
    id: envelope.id,
    correlationId: envelope.correlationId,
    route: death.route,
    branch: death.branch,
    contract: envelope.contract,
    system: envelope.source,
    errorClass: error.class,
    errorCode: error.code,
    detail: `${textOf(death)}${error.step === undefined ? "" : `; step ${error.step}`}`.slice(0, 1000),
    attempt: death.attempts,
    digest: digestOf(envelope.body),
    envelope,
    ...(death.target === undefined ? undefined : { target: death.target }),
    ...(original && original.length <= ORIGINAL_KEPT ? { original } : undefined),
  };
}

function textOf({ error, why }: Death): string {
  return `${error.message}${why === undefined ? "" : ` (${why})`}`.slice(0, 1000);
}
