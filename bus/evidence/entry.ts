/**
 * A record of the journal as an entry of the log: JSON with its members in the order of this file, one text for one record, whichever
 * journal gives it. Payloads stand in it by their SHA-256 only. The salt keeps who has only the hash from guessing the rest.
 */
import { hash } from "node:crypto";
import type { Envelope } from "../envelope.ts";
import { digestOf } from "../ids.ts";
import type { StoredRecord } from "../journal/record.ts";

/** The form of entries; a later form gets a number of its own and leaves this one as it is. */
const FORM = 1;

/** Makes an entry of each record, with a salt that only who has the key (32 bytes) can make. */
export function createEntries(key: Uint8Array): (record: StoredRecord) => Uint8Array {
  const salted = Buffer.concat([key, Buffer.alloc(8)]);
  return (record) => {
    salted.writeBigUInt64BE(BigInt(record.position), key.length);
    const salt = hash("sha256", salted, "base64").slice(0, 22); // 128 bits
    const text = textOf(record, salt);
    return Buffer.from(text.includes("\\ud") ? wellFormed(text) : text);
  };
}

function textOf(record: StoredRecord, salt: string): string {
  const { envelope, original, dedupe } = record;
  return JSON.stringify({
    form: FORM,
    position: record.position,
    step: record.step,
    outcome: record.outcome,
    time: record.time,
    id: record.id,
    correlationId: record.correlationId,
    route: record.route,
    branch: record.branch,
    contract: record.contract,
    system: record.system,
    target: record.target,
    grant: record.grant,
    errorClass: record.errorClass,
    errorCode: record.errorCode,
    detail: record.detail,
    attempt: record.attempt,
    elapsed: record.elapsed,
    index: record.index && sorted(record.index),
    digest: record.digest,
    envelope: envelope && envelopeOf(envelope),
    original: original && digestOf(original),
    topic: record.topic,
    dedupe: dedupe && [dedupe.key, dedupe.window],
    call: record.call && { user: record.call.user, entity: record.call.entity, basis: record.call.basis, reason: record.call.reason },
    salt,
  });
}

/** The body stands by its own digest, made anew: a changed body must not hide behind the digest that the record still has. */
function envelopeOf(envelope: Envelope): object {
  const { call } = envelope;
  return {
    id: envelope.id,
    source: envelope.source,
    type: envelope.type,
    time: envelope.time,
    subject: envelope.subject,
    key: envelope.key,
    correlationId: envelope.correlationId,
    causationId: envelope.causationId,
    traceparent: envelope.traceparent,
    deadline: envelope.deadline,
    contract: envelope.contract,
    user: call.user,
    entity: call.entity,
    basis: call.basis,
    reason: call.reason,
    headers: sorted(envelope.headers),
    body: envelope.dataref?.replace(/^blob:/u, "") ?? digestOf(envelope.body),
  };
}

function sorted(map: Readonly<Record<string, string>>): Readonly<Record<string, string>> | undefined {
  const names = Object.keys(map);
  if (names.length < 2) return names.length === 0 ? undefined : map;
  return Object.fromEntries(names.toSorted().map((name) => [name, map[name] ?? ""]));
}

/** A journal keeps UTF-8: half of a surrogate pair, which JSON can carry, comes back from it as U+FFFD. */
function wellFormed(text: string): string {
  return JSON.stringify(JSON.parse(text, (_, value: unknown) => (typeof value === "string" ? value.toWellFormed() : value)));
}
