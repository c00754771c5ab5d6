/**
 * An audit event: who got whose data, on which basis and for what, or what an administrator did. It is a message of contract
 * `audit.event.v1` and rides on the journal row of what it tells, so that both are durable together or not at all.
 */
import type { ContractType } from "../contract/contract.ts";
import { topicOf, type Envelope } from "../envelope.ts";
import { newId } from "../ids.ts";
import type { JournalRecord } from "../journal/record.ts";

/** Contract of the events; what carries it is itself not audited. */
export const AUDIT_CONTRACT = "audit.event.v1";
const TOPIC = topicOf(AUDIT_CONTRACT);
/** Source of the events: the bus, which is no registered system. */
const SOURCE = "mconnect/bus";

/** What an event says besides its time, id and level; absent = not known. */
export type AuditFacts = Readonly<{
  type: string;
  correlationId: string;
  /** The route, or `bus`. */
  from: string;
  outcome: "ok" | "denied";
  message?: string | undefined;
  entity?: string | undefined;
  basis?: string | undefined;
  reason?: string | undefined;
  user?: string | undefined;
  subject?: string | undefined;
  object?: string | undefined;
  objectType?: "contract" | "route";
  messageId?: string | undefined;
  system?: string | undefined;
  target?: string | undefined;
  grant?: string | undefined;
  operator?: string | undefined;
  error?: string | undefined;
}>;

/** The members of a row that make it an audit event as well. */
export type Audited = Pick<JournalRecord, "envelope" | "topic">;

/** `type`: of AUDIT_CONTRACT. `time`: milliseconds since the epoch. */
export function auditEvent(type: ContractType, time: number, facts: AuditFacts): Audited {
  const id = newId(time);
  const body = type.encode({
    event_time: new Date(time).toISOString(),
    event_type: facts.type,
    event_id: id,
    event_correlation: facts.correlationId,
    event_level: facts.outcome === "denied" ? "warning" : "info",
    event_source: facts.from,
    event_message: facts.message ?? null,
    legal_entity: facts.entity ?? null,
    legal_basis: facts.basis ?? null,
    legal_reason: facts.reason ?? null,
    user: facts.user ?? null,
    subject: facts.subject ?? null,
    subject_type: facts.subject === undefined ? null : "idnp",
    object: facts.object ?? null,
    object_type: facts.object === undefined ? null : (facts.objectType ?? "contract"),
    outcome: facts.outcome,
    message_id: facts.messageId ?? null,
    system: facts.system ?? null,
    target: facts.target ?? null,
    grant: facts.grant ?? null,
    operator: facts.operator ?? null,
    error: facts.error ?? null,
  });
  const envelope: Envelope = {
    id,
    source: SOURCE,
    type: TOPIC,
    time,
    correlationId: facts.correlationId,
    contract: AUDIT_CONTRACT,
    call: {},
    headers: {},
    body,
    ...(facts.messageId === undefined ? undefined : { causationId: facts.messageId }),
  };
  return { envelope, topic: TOPIC };
}
