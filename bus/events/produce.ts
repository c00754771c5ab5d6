/**
 * Events of a producer: each by its type, under a producer's grant and one of the sources that the type names, checked by the JSON Schema
 * and the contract. All of one request become durable in one write, or none is taken.
 */
import { checkIdentifiers } from "../access/binding.ts";
import { findGrant } from "../access/grants.ts";
import type { EventIn } from "../edge/events.ts";
import { EVENT_BYTES } from "../edge/events.ts";
import type { AvroRecord, Envelope } from "../envelope.ts";
import { asBusError, BusError, type Place } from "../errors.ts";
import { digestOf, traceparentOf } from "../ids.ts";
import type { JournalRecord } from "../journal/record.ts";
import { hint } from "../near.ts";
import type { PipelineParts } from "../passage.ts";
import type { Grant } from "../route/runtime.ts";
import { demandSignature } from "../signature/receipt.ts";
import { sizeOf } from "./outgoing.ts";
import type { KnownType, KnownTypes } from "./types.ts";

export type ProduceParts = Pick<PipelineParts, "clock" | "journal" | "quotas" | "view" | "stopping" | "identifiers" | "audit" | "mayTake"> &
  Readonly<{ types: () => KnownTypes }>;

/** A request that was sent again is taken once within this time: 30 days. */
const DEDUPE_WINDOW = 30 * 24 * 3600 * 1000;

export async function produce(parts: ProduceParts, system: string | undefined, events: readonly EventIn[]): Promise<void> {
  if (parts.stopping()) throw new BusError("bus-stopping", "the bus is stopping and takes no new events", { retryAfter: 5000 });
  parts.mayTake?.();
  const records: JournalRecord[] = [];
  const time = parts.clock.now();
  for (const [index, event] of events.entries()) {
    try {
      const { known, grant } = allowed(parts, system, event, time);
      const value = checked(known, event);
      checkIdentifiers(known.contract.request, value, grant.system, parts.identifiers);
      records.push(recordOf(parts, known, grant, { event, value, system: system ?? "", time }));
      const taken = parts.quotas.take(grant);
      if (taken) await taken;
    } catch (thrown) {
      throw await refused(parts, system, { event, index, of: events.length, time }, asBusError(thrown));
    }
  }
  await parts.journal.append(records);
}

function allowed(parts: ProduceParts, system: string | undefined, event: EventIn, now: number): { known: KnownType; grant: Grant } {
  const { grants, systems } = parts.view();
  const types = parts.types();
  const known = types.byName.get(event.type);
  if (!known) {
    const mine = [...types.byName.values()].filter(({ event: { sources } }) => system !== undefined && sources.has(system));
    const names = mine.map(({ event: { type } }) => type);
    throw new BusError(
      "contract-unknown",
      `there is no event type ${event.type}${hint(event.type, names, "; a contract with `events: { type: … }` would make one")}`,
    );
  }
  const grant = findGrant(grants, systems, { system, role: "producer", contract: known.contract.id }, [], now);
  demandSignature(systems.get(system ?? ""), {});
  const sources = known.event.sources.get(system ?? "") ?? [];
  if (!sources.includes(event.source)) {
    const may = sources.length === 0 ? "none" : sources.join(", ");
    throw new BusError(
      "grant-missing",
      `system \`${system}\` may not speak for source ${event.source} in ${event.type}; it may for: ${may} (\`events.sources\` of contract \`${known.contract.id}\`)`,
    );
  }
  return { known, grant };
}

/** The contract's codec reads strictly (no repeated members, no rounded numbers, bounded depth); then the JSON Schema speaks. */
export function checked(known: KnownType, event: EventIn): AvroRecord {
  const value = known.codec.read(event.data);
  const places = known.check?.(JSON.parse(Buffer.from(event.data).toString("utf8"))) ?? [];
  const first = places[0];
  if (first)
    throw new BusError(
      "json-violation",
      `data${first.path ?? ""} ${first.text}${places.length > 1 ? ` (and ${places.length - 1} more)` : ""}`,
      { places },
    );
  return value;
}

export type Given = Readonly<{ event: EventIn; value: AvroRecord; system: string; time: number }>;

function recordOf(parts: ProduceParts, known: KnownType, grant: Grant, given: Given): JournalRecord {
  const { contract } = known;
  const { event, value } = given;
  const envelope = envelopeOf(parts, known, given, contract.request.encode(value));
  if (sizeOf(known, envelope, value) > EVENT_BYTES)
    throw new BusError(
      "message-too-large",
      `an event may have at most ${EVENT_BYTES} bytes, also with all fields of its contract written out`,
    );
  const digest = digestOf(envelope.body);
  return {
    step: "accepted",
    outcome: "ok",
    time: given.time,
    id: envelope.id,
    correlationId: envelope.correlationId,
    contract: contract.id,
    system: given.system,
    grant: grant.id,
    ...(grant.quota && { index: { grant: grant.id } }),
    digest,
    envelope,
    topic: known.topic,
    // the same event again is one; another content under the same id is the producer's own second event, as on every at-least-once log
    dedupe: { key: `event ${given.system} ${event.source} ${event.id} ${digest}`, window: DEDUPE_WINDOW },
  };
}

export function envelopeOf(
  parts: Pick<ProduceParts, "types">,
  known: KnownType,
  { event, value, system, time }: Given,
  body: Uint8Array,
): Envelope {
  const { id, source, subject, partitionKey, more } = event;
  const { traceparent, correlationid, ...rest } = more;
  const headers: Record<string, string> = { "ce-source": source };
  if (event.time !== undefined) headers["ce-time"] = event.time;
  if (partitionKey !== undefined) headers["ce-partitionkey"] = partitionKey;
  for (const [name, text] of Object.entries(rest)) headers[`ce-${name}`] = text;
  const envelope: Envelope = {
    id,
    source: system,
    type: known.topic,
    time,
    ...(subject !== undefined && { subject }),
    correlationId: correlationid ?? id,
    traceparent: traceparentOf(traceparent),
    contract: known.contract.id,
    call: {},
    headers,
    body,
  };
  const key = parts.types().orderOf(known.contract.id)?.({ envelope, value }) ?? partitionKey ?? known.keyOf(value);
  return key === undefined ? envelope : { ...envelope, key };
}

type Refusal = Readonly<{ event: EventIn; index: number; of: number; time: number }>;

/** The error with the event's place in the request; its row is durable before the producer hears of it. */
async function refused(parts: ProduceParts, system: string | undefined, at: Refusal, error: BusError): Promise<BusError> {
  const { event, index, of, time } = at;
  const contract = parts.types().byName.get(event.type)?.contract;
  const correlationId = event.more["correlationid"] ?? event.id;
  await parts.journal.append([
    {
      step: "refused",
      outcome: error.class === "access-denied" ? "denied" : "failed",
      time,
      id: event.id,
      correlationId,
      ...(contract && {
        contract: contract.id,
        ...parts.audit.eventDenied(contract, { id: event.id, correlationId, system }, error, time),
      }),
      ...(system !== undefined && { system }),
      errorClass: error.class,
      errorCode: error.code,
      detail: error.message.slice(0, 1000),
      digest: digestOf(event.data),
    },
  ]);
  const which = of > 1 ? `event ${index} (from 0; id ${event.id}): ` : "";
  const whole = of > 1 ? ` Nothing of this request was taken.` : "";
  const places = error.places.map((place): Place => ({
    ...place,
    path: `[${index}].data${place.path === undefined ? "" : `.${place.path}`}`,
  }));
  return new BusError(error.code, `${which}${sentence(error.message)}${whole}`, {
    places,
    ...(error.retryAfter !== undefined && { retryAfter: error.retryAfter }),
    cause: error.cause,
  });
}

const sentence = (text: string): string => (/[.?!)]$/u.test(text) ? text : `${text}.`);
