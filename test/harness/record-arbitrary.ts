/** Journal records of every shape. */
import fc from "fast-check";
import type { JournalRecord } from "#bus/journal/record.ts";

export const text = fc.oneof(fc.string({ maxLength: 60, unit: "grapheme" }), fc.string({ maxLength: 200 }));
const number = fc.double({ noNaN: true });
const map = fc.dictionary(text, text, { maxKeys: 4, noNullPrototype: true });
const bytes = fc.uint8Array({ maxLength: 300 });
const step = fc.constantFrom(
  "accepted",
  "replied",
  "refused",
  "delivered",
  "attempt",
  "dropped",
  "deadletter",
  "replayed",
  "act",
  "verified",
  "audited",
);
const outcome = fc.constantFrom("ok", "denied", "failed", "duplicate", "dropped", "dead");

const call = fc.record({ user: text, entity: text, basis: text, reason: text }, { requiredKeys: [], noNullPrototype: true });
const envelope = fc.record(
  {
    id: text,
    source: text,
    type: text,
    time: number,
    subject: text,
    key: text,
    correlationId: text,
    causationId: text,
    traceparent: text,
    deadline: number,
    contract: text,
    call,
    headers: map,
    body: bytes,
    dataref: text,
  },
  { requiredKeys: ["id", "source", "type", "time", "correlationId", "contract", "call", "headers", "body"], noNullPrototype: true },
);
export const anyRecord = fc.record(
  {
    step,
    outcome,
    time: number,
    id: text,
    correlationId: text,
    route: text,
    branch: text,
    contract: text,
    system: text,
    target: text,
    grant: text,
    errorClass: fc.constantFrom("timeout", "internal"),
    errorCode: text,
    detail: text,
    attempt: number,
    elapsed: number,
    index: map,
    digest: text,
    envelope,
    original: bytes,
    topic: text,
    dedupe: fc.record({ key: text, window: number }, { noNullPrototype: true }),
    call,
  },
  { requiredKeys: ["step", "outcome", "time", "id", "correlationId"], noNullPrototype: true },
) as fc.Arbitrary<JournalRecord>;
