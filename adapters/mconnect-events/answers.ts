/** Answers of the face. Errors are one or two sentences of plain text: the official client shows them to developers as they are. */
import { asBusError, CLASSES, type BusError } from "#bus/errors.ts";
import type { EventOut } from "#bus/edge/events.ts";
import { encodeValue } from "#bus/edge/cloudevents.ts";
import type { WebResponse } from "#bus/wire.ts";

export function plain(status: number, text: string, headers: Readonly<Record<string, string>> = {}): WebResponse {
  return { status, headers: { "content-type": "text/plain; charset=utf-8", ...headers }, body: text };
}

export const json = (status: number, value: unknown): WebResponse => ({
  status,
  headers: { "content-type": "application/json" },
  body: `${JSON.stringify(value, null, 2)}\n`,
});

/** 401 is any refusal of access, 422 is data that does not fit its schema; what passes by itself is 503 with Retry-After. */
export function statusOf(error: BusError): number {
  switch (error.code) {
    case "contract-unknown":
    case "not-found":
      return 404;
    case "json-violation":
    case "avro-violation":
    case "map-failed":
      return 422;
    default:
  }
  switch (error.class) {
    case "access-denied":
      return 401;
    case "throttled":
    case "provider-unavailable":
      return 503;
    default:
      return CLASSES[error.class].http;
  }
}

export function refusal(thrown: unknown): WebResponse {
  const error = asBusError(thrown);
  const status = statusOf(error);
  if (status === 500) return plain(500, "The platform failed; the operator's log holds the reason. Try again later.");
  const retry = status === 503 ? { "retry-after": String(Math.ceil((error.retryAfter ?? 5000) / 1000)) } : {};
  return plain(status, error.message, retry);
}

/** The JSON format; `offset` is text. */
export function structured({ offset, attributes, data }: EventOut): string {
  const head = JSON.stringify({ ...attributes, offset: String(offset) });
  return `${head.slice(0, -1)},"data":${data}}`;
}

/** HTTP binary mode: the attributes as headers, the data as the body. */
export function binary({ offset, attributes, data }: EventOut): WebResponse {
  const headers: Record<string, string> = {};
  for (const [name, text] of Object.entries(attributes)) if (name !== "datacontenttype") headers[`ce-${name}`] = encodeValue(text);
  headers["ce-offset"] = String(offset);
  headers["content-type"] = attributes["datacontenttype"] ?? "application/json";
  return { status: 200, headers, body: data };
}
