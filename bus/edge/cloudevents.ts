/** CloudEvents 1.0.2: attributes as `ce-` headers (binary mode, over HTTP and NATS) or members (structured mode), in and out. */
import type { Envelope } from "../envelope.ts";
import { BusError } from "../errors.ts";
import { isTraceparent } from "./headers.ts";

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
  const members = topMembers(textOf(bytes));
  if (members.has("data_base64")) throw new BusError("media-type", "data_base64 is not taken here; send the event's JSON as data");
  const data = members.get("data");
  if (data === undefined) throw new BusError("json-violation", "the event has no data", { places: [{ path: "data", text: "is missing" }] });
  const attributes: Record<string, string> = {};
  for (const [name, raw] of members) if (raw.startsWith('"')) attributes[name] = JSON.parse(raw) as string;
  return { event: factsOf(attributes), data: Buffer.from(data, "utf8") };
}

const UTF8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** Mended bytes would be other data than what was sent. */
function textOf(bytes: Uint8Array): string {
  try {
    return UTF8.decode(bytes);
  } catch (error) {
    throw new BusError("json-malformed", "the event is not UTF-8", { cause: error });
  }
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

/**
 * Raw text of each top-level member. Going through JSON.parse and back would round long numbers and hide repeated members,
 * so the contract's codec must see the caller's own text.
 */
function topMembers(text: string): Map<string, string> {
  try {
    const whole: unknown = JSON.parse(text);
    if (typeof whole !== "object" || whole === null || Array.isArray(whole)) throw new SyntaxError("not an object");
  } catch (error) {
    throw new BusError("json-malformed", "the event is not a JSON object", { cause: error });
  }
  const members = new Map<string, string>();
  let at = text.indexOf("{") + 1;
  for (;;) {
    const name = /\s*,?\s*("(?:[^"\\]|\\.)*")\s*:\s*/y;
    name.lastIndex = at;
    const found = name.exec(text);
    if (found?.[1] === undefined) return members;
    const end = endOfValue(text, name.lastIndex);
    const key = JSON.parse(found[1]) as string;
    if (members.has(key)) throw new BusError("json-malformed", `the event repeats the member ${key.slice(0, 80)}`);
    members.set(key, text.slice(name.lastIndex, end).trimEnd());
    at = end;
  }
}

/** Index behind the value that starts at `start`; the text is known to be JSON. */
function endOfValue(text: string, start: number): number {
  let depth = 0;
  let quoted = false;
  for (let i = start; i < text.length; i++) {
    const char = text[i];
    if (quoted) {
      if (char === "\\") i++;
      else if (char === '"') quoted = false;
    } else if (char === '"') quoted = true;
    else if (char === "{" || char === "[") depth++;
    else if ((char === "}" || char === "]") && depth-- === 0) return i;
    else if (char === "," && depth === 0) return i;
  }
  return text.length;
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

function decodeValue(name: string, value: string): string {
  const inner = value.length >= 2 && value.startsWith('"') && value.endsWith('"') ? value.slice(1, -1).replace(/\\(.)/g, "$1") : value;
  try {
    return decodeURIComponent(inner.replace(/%(?![0-9A-Fa-f]{2})/g, "%25"));
  } catch (error) {
    throw new BusError("http-request", `the header ${name} is not percent-encoded UTF-8`, { cause: error });
  }
}
