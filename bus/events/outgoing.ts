/** An accepted event as a consumer gets it: CloudEvents attributes, and the data that the consumer's grant allows, as JSON. */
import type { EventOut } from "../edge/events.ts";
import type { AvroRecord, Envelope } from "../envelope.ts";
import type { Grant } from "../route/runtime.ts";
import { textOf, type KnownType } from "./types.ts";

export type Rendered = Omit<EventOut, "offset"> &
  Readonly<{ /** Bytes in the JSON format, with an offset. */ size: number; value: AvroRecord }>;

const UTF8 = new TextDecoder();
/** Room for `"offset":"…",` and the braces. */
const AROUND = 64;
/** What JSON writes longer than it is; control characters are in no attribute. */
const ESCAPED = /["\\\ud800-\udfff]/;

export function render(known: KnownType, envelope: Envelope, grant: Grant): Rendered {
  const value = known.contract.request.decode(envelope.body);
  const attributes = attributesOf(known, envelope);
  const bytes = known.codec.write(known.reduce(grant, value));
  return { attributes, data: UTF8.decode(bytes), size: around(attributes) + bytes.length, value };
}

/** Bytes that an event takes at most when it is handed out: a grant only takes away. */
export function sizeOf(known: KnownType, envelope: Envelope, value: AvroRecord): number {
  return around(attributesOf(known, envelope)) + known.codec.write(value).length;
}

function around(attributes: Readonly<Record<string, string>>): number {
  let size = AROUND;
  for (const name in attributes) {
    const text = attributes[name] ?? "";
    size += name.length + 6 + Buffer.byteLength(ESCAPED.test(text) ? JSON.stringify(text) : text);
  }
  return size;
}

/** The producer's own attributes; an event that came another way gets its system's first source. */
function attributesOf({ event }: KnownType, envelope: Envelope): Record<string, string> {
  const { headers, subject, key, correlationId, traceparent } = envelope;
  const attributes: Record<string, string> = {
    specversion: "1.0",
    id: envelope.id,
    source: headers["ce-source"] ?? event.sources.get(envelope.source)?.[0] ?? `/${envelope.source}`,
    type: event.type,
    time: headers["ce-time"] ?? new Date(envelope.time).toISOString(),
    datacontenttype: "application/json",
  };
  if (subject !== undefined) attributes["subject"] = subject;
  const partition = headers["ce-partitionkey"] ?? key;
  if (partition !== undefined) attributes["partitionkey"] = partition;
  if (correlationId !== envelope.id) attributes["correlationid"] = correlationId;
  if (traceparent !== undefined) attributes["traceparent"] = traceparent;
  for (const name in headers) if (name.startsWith("ce-")) attributes[name.slice(3)] ??= headers[name] ?? "";
  return attributes;
}

export type Personal = Readonly<{ basis: string; reason: string; subject: string | undefined }>;

/** What is written down of an event when a consumer confirmed it, if it speaks of people. */
export function personalOf(known: KnownType, value: AvroRecord, grant: Grant): Personal {
  const { personal } = known.event;
  const rule = personal ?? {
    subject: known.contract.subject,
    basis: undefined,
    basisField: undefined,
    reason: undefined,
    reasonField: undefined,
  };
  const read = (path: string | undefined): string | undefined => (path === undefined ? undefined : textOf(known.field(path)(value)));
  const { act, section, purpose } = grant.legalBasis;
  return {
    basis: read(rule.basisField) ?? rule.basis ?? `${act}, ${section}`,
    reason: read(rule.reasonField) ?? rule.reason ?? purpose,
    subject: read(rule.subject),
  };
}
