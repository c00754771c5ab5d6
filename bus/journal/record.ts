/** What the journal keeps: one record per message and per step that matters, small enough to write at every step. */
import type { CallContext, Envelope } from "../envelope.ts";
import type { ErrorClass } from "../errors.ts";

/**
 * `act` is something an operator did, `verified` the receipt of a signed message, `audited` an
 * audit event beside the row that it tells of; the rest follow a message through the bus.
 */
export type JournalStep =
  | "accepted"
  | "replied"
  | "refused"
  | "delivered"
  | "attempt"
  | "dropped"
  | "deadletter"
  | "replayed"
  | "act"
  | "verified"
  | "audited";

export type JournalOutcome = "ok" | "denied" | "failed" | "duplicate" | "dropped" | "dead";

export type JournalRecord = Readonly<{
  step: JournalStep;
  outcome: JournalOutcome;
  /** Milliseconds since the epoch. */
  time: number;
  /** Id of the message the record speaks of, and of its exchange. */
  id: string;
  correlationId: string;
  route?: string;
  branch?: string;
  contract?: string;
  /** `<institution>/<system>` that sent, and the one it goes to. */
  system?: string;
  target?: string;
  grant?: string;
  errorClass?: ErrorClass;
  errorCode?: string;
  /** One sentence for people; never a payload. */
  detail?: string;
  attempt?: number;
  /** Milliseconds the step took. */
  elapsed?: number;
  /** The route's own search fields (`journal.index`). */
  index?: Readonly<Record<string, string>>;
  /** SHA-256 of the payload, hex. */
  digest?: string;
  /** Whole envelope, kept where the record is also a message or the policy keeps payloads. */
  envelope?: Envelope;
  /** Bytes as received, kept with dead letters and refusals up to a limit. */
  original?: Uint8Array;
  /** Publishes the envelope to this topic in the same durable write. */
  topic?: string;
  /** Refuses a second record with this key within `window` milliseconds. `digest` tells a retry from another content. */
  dedupe?: Readonly<{ key: string; window: number }>;
  /** Who asked, for whom and why, where no envelope of the message is kept to say it. */
  call?: CallContext;
}>;

export type StoredRecord = JournalRecord & Readonly<{ position: number }>;

/** All given members must match. Times are milliseconds, `from` inclusive, `to` exclusive. */
export type JournalQuery = Readonly<{
  id?: string;
  correlationId?: string;
  route?: string;
  system?: string;
  contract?: string;
  step?: JournalStep;
  outcome?: JournalOutcome;
  branch?: string;
  topic?: string;
  /** IDNO of the legal entity on whose behalf was asked (CallingEntity). */
  entity?: string;
  from?: number;
  to?: number;
  /** Route index fields, equality. */
  index?: Readonly<Record<string, string>>;
  ascending?: boolean;
  limit?: number;
  /** Continue after this position (from the last page's `cursor`). */
  cursor?: number;
}>;
