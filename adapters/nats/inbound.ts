/** A message that a modern system sent over NATS, as the bus takes it: CloudEvents attributes in headers, JSON or framed Avro in the body. */
import { randomBytes } from "node:crypto";
import type { Msg } from "@nats-io/transport-node";
import { readBinary, readStructured, type EventFacts } from "#bus/edge/cloudevents.ts";
import { checkId, readHeaderFacts } from "#bus/edge/headers.ts";
import type { AvroRecord } from "#bus/envelope.ts";
import { asBusError, BusError } from "#bus/errors.ts";
import type { Inbound } from "#bus/ports.ts";
import { SENT } from "./topics.ts";
import type { Codec, EdgeLimits, SourceBinding } from "#bus/wire.ts";

/** How a contract is written: always as JSON, and as Confluent-framed Avro where its codec is given. */
export type TopicCodecs = Readonly<{ json: Codec; avro?: Codec }>;

/** Media types of Confluent-framed Avro. */
const AVRO = /^(?:application\/vnd\.confluent\.avro|application\/avro|avro\/binary|application\/vnd\.apache\.avro\+binary)$/u;
export const AVRO_TYPE = "application/vnd.confluent.avro";

export type InboundParts = Readonly<{
  binding: SourceBinding;
  system: string;
  codecs: TopicCodecs;
  headers?: readonly string[];
  limits: EdgeLimits;
}>;

/**
 * A content type is asked for: what a server itself sends to a reply subject has none, so that no system can have it speak for another.
 * `id`: an id for a message that brought none, the same whenever it comes again. Never throws: what is wrong is thrown by `read`. */
export function readInbound(parts: InboundParts, message: Msg, id: string | undefined): Inbound {
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
    mediaType: headers["content-type"] ?? headers["ce-datacontenttype"] ?? "",
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
  parts: InboundParts,
  headers: Record<string, string>,
  bytes: Uint8Array,
): { event: EventFacts | undefined; read: () => AvroRecord } {
  if (bytes.byteLength > parts.limits.maxBytes)
    throw new BusError("message-too-large", `a message may have at most ${parts.limits.maxBytes} bytes`);
  if (headers[SENT] !== undefined)
    throw new BusError("media-type", "this message was sent by the bus and led back: send messages of your own");
  const { json, avro } = parts.codecs;
  if (/^application\/cloudevents\b/iu.test(headers["content-type"] ?? "")) {
    const { event, data } = readStructured(bytes);
    return { event, read: () => json.read(data) };
  }
  const event = readBinary(headers);
  const [type = ""] = (headers["ce-datacontenttype"] ?? headers["content-type"] ?? "").toLowerCase().split(";", 1);
  if (avro && AVRO.test(type)) return { event, read: () => avro.read(bytes) };
  if (type !== "application/json")
    throw new BusError("media-type", `the content type is "${type.slice(0, 80)}"; send application/json${avro ? ` or ${AVRO_TYPE}` : ""}`);
  return { event, read: () => json.read(bytes) };
}
