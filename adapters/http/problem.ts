/** A BusError as an RFC 9457 problem document, in the shape of the state's API guide (traceId, errors by field). */
import { CLASSES, CODES, type BusError } from "#bus/errors.ts";
import type { WebResponse } from "#bus/wire.ts";

const MAX_FIELDS = 50;

export function problemAnswer(error: BusError, instance: string, traceId: string | undefined, status = statusOf(error)): WebResponse {
  const headers: Record<string, string> = { "content-type": "application/problem+json" };
  if (error.retryAfter !== undefined || status === 429 || status === 503)
    headers["retry-after"] = String(Math.max(1, Math.ceil((error.retryAfter ?? 1000) / 1000)));
  const body = {
    type: `urn:mconnect-bus:error:${error.code}`,
    title: CODES[error.code][1],
    status,
    // What failed inside is for the operator's eyes.
    detail: error.class === "internal" ? undefined : error.message,
    instance,
    traceId,
    providerCode: error.providerCode,
    errors: fieldErrors(error),
  };
  return { status, headers, body: JSON.stringify(body) };
}

function statusOf(error: BusError): number {
  if (error.code === "media-type") return 415;
  if (error.code === "inlet-busy") return 503;
  return CLASSES[error.class].http;
}

function fieldErrors(error: BusError): Readonly<Record<string, readonly string[]>> | undefined {
  if (error.places.length === 0) return undefined;
  const fields = new Map<string, string[]>();
  for (const { path, line, column, text } of error.places.slice(0, MAX_FIELDS)) {
    const field = path ?? (line === undefined ? "body" : `line ${line}, column ${column ?? 1}`);
    fields.set(field, [...(fields.get(field) ?? []), text]);
  }
  return Object.fromEntries(fields);
}
