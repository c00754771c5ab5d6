/** A message that a modern system sent over NATS, as the bus takes it: CloudEvents attributes in headers, JSON or framed Avro in the body. */
import { randomBytes } from "node:crypto";
import type { Msg } from "@nats-io/transport-node";
import { readBinary, type EventFacts } from "#bus/edge/cloudevents.ts";
import { checkId, readHeaderFacts } from "#bus/edge/headers.ts";
import { readTopicBody } from "#bus/edge/topic.ts";
import type { AvroRecord } from "#bus/envelope.ts";
import { asBusError, BusError } from "#bus/errors.ts";
import type { Inbound } from "#bus/ports.ts";
import { SENT } from "./topics.ts";
import type { TopicSource } from "#bus/wire.ts";

/**
 * A content type is asked for: what a server itself sends to a reply subject has none, so that no system can have it speak for another.
 * `id`: an id for a message that brought none, the same whenever it comes again. Never throws: what is wrong is thrown by `read`. */
export function readInbound(parts: TopicSource, message: Msg, id: string | undefined): Inbound {
  const headers = headersOf(message);
  const { fault: wrongHeader, ...facts } = readHeaderFacts(headers, parts.headers);
  let fault = wrongHeader;
  let event: EventFacts | undefined;
  let read: () => AvroRecord = () => ({});
  try {
    ({ event, read } = content(parts, headers, message.data));
    fault ??= checkId("the event's id", event?.id) ?? checkId("the event's correlationid", event?.correlationId);
  } catch (error) {
    fault ??= asBusError(error);
  }
  const own = event?.id ?? headers["nats-msg-id"] ?? facts.id ?? id;
  const { id: _, ...others } = event ?? {};
  return {
    traceparent: `00-${randomBytes(16).toString("hex")}-${randomBytes(8).toString("hex")}-01`,
    ...facts,
    ...others,
    ...(own !== undefined && checkId("", own) === undefined && { id: own }),
    route: parts.binding.route,
    from: parts.binding.from,
    // The subject's token, which the server's permissions guard. A header is only a claim.
    system: parts.system,
    bytes: message.data,
    mediaType: typeOf(headers),
    read() {
      if (fault !== undefined) throw fault;
      return read();
    },
  };
}

/** Names in lower case, the last value of each. `Nats-` names are the server's; only the message id is a sender's fact. */
function headersOf(message: Msg): Record<string, string> {
  const headers: Record<string, string> = {};
  for (const [name, values] of message.headers ?? []) {
    const lower = name.toLowerCase();
    if (!lower.startsWith("nats-") || lower === "nats-msg-id") headers[lower] = values.at(-1) ?? "";
  }
  return headers;
}

function content(
  { codecs, limits }: TopicSource,
  headers: Record<string, string>,
  bytes: Uint8Array,
): { event: EventFacts | undefined; read: () => AvroRecord } {
  if (headers[SENT] !== undefined)
    throw new BusError("media-type", "this message was sent by the bus and led back: send messages of your own");
  const { event, read } = readTopicBody(codecs, typeOf(headers), bytes, limits.maxBytes);
  return { event: event ?? readBinary(headers), read };
}

/** A structured event says so itself; in binary mode the event's own word about its data goes first. */
function typeOf(headers: Record<string, string>): string {
  const type = headers["content-type"] ?? "";
  return /^application\/cloudevents\b/iu.test(type) ? type : (headers["ce-datacontenttype"] ?? type);
}
