/** CloudEvents 1.0.2: attributes as `ce-` headers (binary mode, over HTTP and NATS) or members (structured mode), in and out. */
import type { Envelope } from "../envelope.ts";
import { BusError } from "../errors.ts";
import { isTraceparent } from "./headers.ts";
import { membersOf, utf8Of } from "./json-text.ts";

/** What the bus takes over from an event that came in. Its `source` is only a claim: the certificate says who sends. */
export type EventFacts = Readonly<{ id: string; subject?: string; correlationId?: string; traceparent?: string }>;

type Attributes = Readonly<Record<string, string | undefined>>;

/** Binary mode; undefined when the request carries no event attributes. Throws http-request. */
export function readBinary(headers: Attributes): EventFacts | undefined {
  if (headers["ce-specversion"] === undefined && headers["ce-id"] === undefined) return undefined;
  const attributes: Record<string, string> = {};
  for (const name in headers) {
    const value = headers[name];
    if (name.startsWith("ce-") && value !== undefined) attributes[name.slice(3)] = decodeValue(name, value);
  }
  return factsOf(attributes);
}

/** Structured mode: the attributes, and the bytes of `data` exactly as they came. Throws json-malformed, http-request, media-type. */
export function readStructured(bytes: Uint8Array): Readonly<{ event: EventFacts; data: Uint8Array }> {
  const members = membersOf(utf8Of(bytes));
  if (members.has("data_base64")) throw new BusError("media-type", "data_base64 is not taken here; send the event's JSON as data");
  const data = members.get("data");
  if (data === undefined) throw new BusError("json-violation", "the event has no data", { places: [{ path: "data", text: "is missing" }] });
  const attributes: Record<string, string> = {};
  for (const [name, raw] of members) if (raw.startsWith('"')) attributes[name] = JSON.parse(raw) as string;
  return { event: factsOf(attributes), data: Buffer.from(data, "utf8") };
}

function factsOf(attributes: Attributes): EventFacts {
  const missing = ["specversion", "id", "source", "type"].filter((name) => (attributes[name] ?? "") === "");
  if (missing.length > 0)
    throw new BusError("http-request", `the event lacks ${missing.join(", ")}`, {
      places: missing.map((path) => ({ path, text: "is missing" })),
    });
  if (attributes["specversion"] !== "1.0") throw new BusError("http-request", `specversion must be 1.0`);
  const { id = "", subject, correlationid, traceparent } = attributes;
  return {
    id,
    ...(subject !== undefined && { subject }),
    ...(correlationid !== undefined && { correlationId: correlationid }),
    ...(traceparent !== undefined && isTraceparent(traceparent) && { traceparent }),
  };
}

/** Gives each attribute but `specversion` and `time` of an envelope by its CloudEvents name; absent ones as undefined. */
export function eachAttribute(envelope: Envelope, put: (name: string, value: string | undefined) => void): void {
  put("id", envelope.id);
  put("source", envelope.source);
  put("type", envelope.type);
  put("subject", envelope.subject);
  put("partitionkey", envelope.key);
  put("correlationid", envelope.correlationId);
  put("causationid", envelope.causationId);
  put("traceparent", envelope.traceparent);
  if (envelope.deadline !== undefined) put("expirytime", new Date(envelope.deadline).toISOString());
}

/** Attributes of an envelope as binary-mode headers. `datacontenttype` is the Content-Type and must not be repeated. */
export function writeBinary(envelope: Envelope): Record<string, string> {
  const headers: Record<string, string> = { "ce-specversion": "1.0", "ce-time": new Date(envelope.time).toISOString() };
  const put = (name: string, value: string | undefined): void => {
    if (value !== undefined) headers[`ce-${name}`] = encodeValue(value);
  };
  eachAttribute(envelope, put);
  return headers;
}

/** HTTP binding §3.1.3.2: space, quote, percent and all outside U+0021–U+007E as percent-encoded UTF-8. */
export function encodeValue(value: string): string {
  return value.toWellFormed().replace(/[^\x21\x23\x24\x26-\x7e]/gu, (char) => encodeURIComponent(char));
}

/** Takes a header's value apart again: one pass of percent-decoding, quoted texts without their quotes. Throws http-request. */
export function decodeValue(name: string, value: string): string {
  const inner = value.length >= 2 && value.startsWith('"') && value.endsWith('"') ? value.slice(1, -1).replace(/\\(.)/g, "$1") : value;
  try {
    return decodeURIComponent(inner.replace(/%(?![0-9A-Fa-f]{2})/g, "%25"));
  } catch (error) {
    throw new BusError("http-request", `the header ${name} is not percent-encoded UTF-8`, { cause: error });
  }
}
