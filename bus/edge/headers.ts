/**
 * The facts of a message that travel as plain HTTP headers, read and written in one place so that the SOAP and the JSON
 * edge cannot drift apart.
 */
import type { CallContext, Envelope } from "../envelope.ts";
import { BusError } from "../errors.ts";
import type { Mutable } from "../mutable.ts";

/** What the headers say. `fault` is set when a value is not of its form; the inlet lets `read` throw it. */
export type HeaderFacts = Readonly<{
  id?: string;
  correlationId?: string;
  traceparent?: string;
  waits?: number;
  call: CallContext;
  headers: Readonly<Record<string, string>>;
  fault?: BusError;
}>;

type Headers = Readonly<Record<string, string | undefined>>;

/** Visible ASCII: an id travels in headers, file names and broker subjects. */
const ID = /^[\x21-\x7e]{1,200}$/;
const TRACEPARENT = /^[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}$/;
/** Is this a trace context of W3C's form? What is none is as if it was not sent. */
export const isTraceparent = (text: string): boolean => TRACEPARENT.test(text);
const CALL = [
  ["user", "CallingUser"],
  ["entity", "CallingEntity"],
  ["basis", "CallBasis"],
  ["reason", "CallReason"],
] as const;

const CALL_BY_HEADER = CALL.map(([key, name]) => [key, name.toLowerCase()] as const);

/** Call context by SOAP header or HTTP header name, in this order. */
export const CALL_NAMES: readonly (readonly [keyof CallContext, string])[] = CALL;

/**
 * `X-Message-Id` (or `Message-Id`, `Idempotency-Key`), `X-Correlation-Id`, `traceparent`, `Prefer: wait=<seconds>` (RFC 7240),
 * the call context, and the headers in `allowed` (lower case); without `allowed`, all that are neither HTTP's nor a credential.
 */
export function readHeaderFacts(headers: Headers, allowed?: readonly string[]): HeaderFacts {
  const id = headers["x-message-id"] ?? headers["message-id"] ?? headers["idempotency-key"];
  const correlationId = headers["x-correlation-id"];
  const traceparent = headers["traceparent"];
  const wait = headers["prefer"] === undefined ? undefined : /(?:^|[,;\s])wait=(\d{1,4})(?:$|[,;\s])/.exec(headers["prefer"])?.[1];
  const fault = checkId("X-Message-Id", id) ?? checkId("X-Correlation-Id", correlationId);
  const facts: Mutable<HeaderFacts> = {
    call: callOfHeaders(headers),
    headers: allowed === undefined ? businessHeaders(headers) : pick(headers, allowed),
  };
  if (id !== undefined && ID.test(id)) facts.id = id;
  if (correlationId !== undefined && ID.test(correlationId)) facts.correlationId = correlationId;
  if (traceparent !== undefined && isTraceparent(traceparent)) facts.traceparent = traceparent;
  if (wait !== undefined) facts.waits = Number(wait) * 1000;
  if (fault !== undefined) facts.fault = fault;
  return facts;
}

/** An id that came from outside, or the error that says what an id looks like. */
export function checkId(where: string, id: string | undefined): BusError | undefined {
  if (id === undefined || ID.test(id)) return undefined;
  const text = `${where} must be 1 to 200 visible ASCII characters without spaces`;
  return new BusError("http-request", text, { places: [{ path: where, text }] });
}

function callOfHeaders(headers: Headers): CallContext {
  const call: Mutable<CallContext> = {};
  for (const [key, name] of CALL_BY_HEADER) {
    const value = headers[name];
    if (value !== undefined && value !== "") call[key] = fromWire(value);
  }
  return call;
}

/** Two carriers of the call context must not disagree; the first one given wins otherwise. */
export function mergeCall(soap: CallContext, http: CallContext): Readonly<{ call: CallContext; fault?: BusError }> {
  for (const [key, name] of CALL) {
    if (soap[key] === undefined || http[key] === undefined || soap[key] === http[key]) continue;
    const text = `${name} has one value as SOAP header and another as HTTP header; send it once, or twice the same`;
    return { call: soap, fault: new BusError("call-context-invalid", text, { places: [{ path: name, text }] }) };
  }
  return { call: Object.keys(http).length === 0 ? soap : { ...http, ...soap } };
}

/** The facts of an envelope as headers of a call, put into `headers`: the provider recognises a repeated delivery by them. */
export function writeHeaderFacts(envelope: Envelope, callContext: boolean, headers: Record<string, string> = {}): Record<string, string> {
  const id = headerText(envelope.id);
  headers["idempotency-key"] = id;
  headers["x-message-id"] = id;
  headers["x-correlation-id"] = headerText(envelope.correlationId);
  if (envelope.traceparent !== undefined) headers["traceparent"] = envelope.traceparent;
  if (callContext)
    for (const [key, name] of CALL) {
      const value = envelope.call[key];
      if (value !== undefined) headers[name] = headerText(value);
    }
  return headers;
}

/** Visible ASCII, with spaces inside only. */
const PLAIN = /^(?:[\x21-\x7e](?:[\x20-\x7e]*[\x21-\x7e])?)?$/;

/** Text as a header value: UTF-8 bytes carried as Latin-1 (what HTTP libraries write), line breaks as spaces. */
export function headerText(text: string): string {
  if (PLAIN.test(text)) return text;
  const flat = text.replace(/\p{Cc}+/gu, " ").trim();
  return /^[\x20-\x7e]*$/.test(flat) ? flat : Buffer.from(flat, "utf8").toString("latin1");
}

/** HTTP libraries read headers as Latin-1; callers write UTF-8 into them all the same. */
function fromWire(value: string): string {
  if (/^\p{ASCII}*$/u.test(value)) return value;
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(Buffer.from(value, "latin1"));
  } catch {
    return value;
  }
}

/** Headers of HTTP itself, of proxies, and those read into facts of their own. */
const NOT_BUSINESS =
  /^(host|connection|keep-alive|te|trailer|transfer-encoding|upgrade|via|forwarded|expect|prefer|date|origin|referer|from|range|dnt|priority|pragma|cache-control|user-agent|soapaction|traceparent|tracestate|baggage|message-id|x-message-id|x-correlation-id|x-system|x-real-ip|calling(user|entity)|call(basis|reason)|(accept|content|if|sec|proxy|access-control|upgrade|x-forwarded|ce)(-.*)?)$/;
/** Names that carry credentials are never kept, whatever they are called. */
const CREDENTIAL = /auth|token|secret|passw|credential|cookie|session|signature|api-?key|idempotency-key/;
const MAX_HEADERS = 32;
const MAX_HEADER_CHARS = 1024;

function businessHeaders(headers: Headers): Record<string, string> {
  const kept: Record<string, string> = {};
  let count = 0;
  for (const name in headers) {
    if (!isBusiness(name)) continue;
    const value = headers[name];
    if (value === undefined || value.length > MAX_HEADER_CHARS || ++count > MAX_HEADERS) continue;
    kept[name] = fromWire(value);
  }
  return kept;
}

const decided = new Map<string, boolean>();

/** Callers send the same few names again and again, so each name is judged once; the memory of it is bounded. */
function isBusiness(name: string): boolean {
  let business = decided.get(name);
  if (business === undefined) {
    business = !NOT_BUSINESS.test(name) && !CREDENTIAL.test(name);
    if (decided.size < 1000) decided.set(name, business);
  }
  return business;
}

function pick(headers: Headers, allowed: readonly string[]): Record<string, string> {
  const kept: Record<string, string> = {};
  for (const name of allowed) {
    const value = headers[name];
    if (value !== undefined && value.length <= MAX_HEADER_CHARS) kept[name] = fromWire(value);
  }
  return kept;
}
