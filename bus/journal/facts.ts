/** Journal records made from messages: one place that decides what is kept of whom. */
import type { Audited } from "../audit/event.ts";
import type { CallContext, Envelope, Message } from "../envelope.ts";
import type { BusError } from "../errors.ts";
import { digestOf } from "../ids.ts";
import type { Mutable } from "../mutable.ts";
import type { Inbound, Journal } from "../ports.ts";
import type { Grant, Route } from "../route/runtime.ts";
import type { JournalRecord } from "./record.ts";

/** Bytes of a refused message kept as evidence of what came in. */
const ORIGINAL_KEPT = 64 * 1024;

/** What every record of a message says of it. */
export function factsOf(route: Route, envelope: Envelope): Pick<JournalRecord, "id" | "correlationId" | "route" | "contract" | "system"> {
  return { id: envelope.id, correlationId: envelope.correlationId, route: route.id, contract: envelope.contract, system: envelope.source };
}

/** The route's own search fields, and the grant where its uses are counted. */
export function indexOf(route: Route, message: Message, grant: Grant): Readonly<Record<string, string>> {
  const index = route.journal.index(message);
  return grant.quota ? { ...index, grant: grant.id } : index;
}

/**
 * `accepted` of a query: digest always, the envelope where the route keeps payloads. Its audit event rides on the row, or is a row
 * of its own beside it where the row is a message already.
 */
export function acceptedRows(route: Route, message: Message, grant: Grant, audited: Audited): readonly JournalRecord[] {
  const row = acceptedFacts(route, message, grant);
  if (audited.envelope === undefined) return [row];
  if (row.envelope === undefined) return [{ ...row, ...audited }];
  const { id, correlationId } = message.envelope;
  const { time, contract } = audited.envelope;
  return [row, { step: "audited", outcome: "ok", time, id, correlationId, route: route.id, contract, ...audited }];
}

function acceptedFacts(route: Route, message: Message, grant: Grant): JournalRecord {
  const { envelope } = message;
  const record: Mutable<JournalRecord> = {
    id: envelope.id,
    correlationId: envelope.correlationId,
    route: route.id,
    contract: envelope.contract,
    system: envelope.source,
    step: "accepted",
    outcome: "ok",
    time: envelope.time,
    grant: grant.id,
    index: indexOf(route, message, grant),
    digest: digestOf(envelope.body),
  };
  if (route.journal.payload === "full") record.envelope = envelope;
  else if (saysAnything(envelope.call)) record.call = envelope.call;
  return record;
}

const saysAnything = ({ user, entity, basis, reason }: CallContext): boolean =>
  user !== undefined || entity !== undefined || basis !== undefined || reason !== undefined;

/** Characters of one value of a refused message's call context that are kept: what was too long for it is not kept whole. */
const CALL_KEPT = 512;

function callOf(call: CallContext): Pick<JournalRecord, "call"> {
  const given = Object.entries(call).map(([name, text]) => [name, text.slice(0, CALL_KEPT)] as const);
  return given.length === 0 ? {} : { call: Object.fromEntries(given) };
}

type Begun = Readonly<{ id: string; correlationId: string; time: number; elapsed: number }>;

/** The row of a message that was not accepted. Durable before the sender hears of it. */
export async function refuse(journal: Journal, inbound: Inbound, begun: Begun, error: BusError, audited: Audited = {}): Promise<void> {
  const kept = error.class === "contract-violation" && inbound.bytes.length <= ORIGINAL_KEPT;
  await journal.append([
    {
      step: "refused",
      outcome: error.class === "access-denied" ? "denied" : error.class === "duplicate" ? "duplicate" : "failed",
      time: begun.time,
      id: begun.id,
      correlationId: begun.correlationId,
      ...(inbound.route === undefined ? undefined : { route: inbound.route }),
      ...(inbound.system === undefined ? undefined : { system: inbound.system }),
      errorClass: error.class,
      errorCode: error.code,
      detail: error.message.slice(0, 1000),
      elapsed: begun.elapsed,
      digest: digestOf(inbound.bytes),
      ...callOf(inbound.call),
      ...audited,
      ...(kept ? { original: inbound.bytes } : undefined),
    },
  ]);
}
