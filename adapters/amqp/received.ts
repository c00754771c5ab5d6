/** A message that a modern system published, as the bus takes it: who sent it, what it says, and the fault in it, if any. */
import { randomBytes } from "node:crypto";
import type { ConsumeMessage } from "amqplib";
import { checkId, readHeaderFacts } from "#bus/edge/headers.ts";
import { BusError } from "#bus/errors.ts";
import type { Inbound } from "#bus/ports.ts";
import type { Codec, SourceBinding } from "#bus/wire.ts";
import { readHeaders, type Attributes } from "./cloudevents.ts";
import { encodeId } from "./names.ts";

/** What a system may publish. */
export type AmqpSource = Readonly<{
  /** Id of the system that publishes, and of the contract, as in the routing key. */
  system: string;
  contract: string;
  binding: SourceBinding;
  json: Codec;
  /** For bodies in Confluent framing. */
  avro?: Codec;
}>;

/** User names of systems on the broker are their encoded ids. */
export const userOf = (system: string): string => encodeId(system);

/**
 * Never throws: a broken message still goes through the bus, so that the journal has a row of it. The broker has checked that `user_id`
 * is the connection's user; a topic permission alone would let a system leave it out.
 */
export function readReceived(message: ConsumeMessage, source: AmqpSource | undefined, maxBytes: number): Inbound {
  const { properties, content, fields } = message;
  const { event, others } = readHeaders(properties.headers ?? {});
  const { fault: wrongHeader, ...facts } = readHeaderFacts(others);
  const user: unknown = properties.userId;
  const mine = source !== undefined && user === userOf(source.system);
  const id = event["id"] ?? text(properties.messageId) ?? facts.id;
  const correlationId = event["correlationid"] ?? text(properties.correlationId) ?? facts.correlationId;
  const mediaType = text(properties.contentType) ?? "";
  const fault =
    identityFault(fields.routingKey, source, user) ??
    wrongHeader ??
    checkId("the message's id", id) ??
    checkId("the message's correlation id", correlationId) ??
    eventFault(event);
  const traceparent = facts.traceparent ?? traceOf(event["traceparent"]);
  return {
    ...facts,
    traceparent,
    ...(id !== undefined && checkId("", id) === undefined && { id }),
    ...(correlationId !== undefined && checkId("", correlationId) === undefined && { correlationId }),
    ...(event["subject"] !== undefined && { subject: event["subject"] }),
    route: mine ? source.binding.route : undefined,
    from: mine ? source.binding.from : fields.routingKey,
    system: mine ? source.system : undefined,
    bytes: content,
    mediaType,
    read() {
      if (fault !== undefined) throw fault;
      if (content.byteLength > maxBytes) throw new BusError("message-too-large", `a message may have at most ${maxBytes} bytes`);
      return codecFor(source, mediaType).read(content);
    },
  };
}

function identityFault(key: string, source: AmqpSource | undefined, user: unknown): BusError | undefined {
  const shown = key.slice(0, 120).replace(/\p{Cc}/gu, "?");
  if (source === undefined) return new BusError("contract-unknown", `no route takes what is published with the routing key ${shown}`);
  if (user === undefined) return new BusError("system-missing", `set the property user_id to your user name, ${userOf(source.system)}`);
  if (user === userOf(source.system)) return undefined;
  return new BusError("system-unknown", `the routing key ${shown} is not of the user that published with it`);
}

function eventFault(event: Attributes): BusError | undefined {
  const version = event["specversion"];
  if (version === undefined || version === "1.0") return undefined;
  return new BusError("http-request", "specversion must be 1.0");
}

/** Throws media-type. */
function codecFor(source: AmqpSource | undefined, mediaType: string): Codec {
  const type = mediaType.split(";", 1)[0]?.trim().toLowerCase() ?? "";
  if (source?.avro !== undefined && /^(?:application\/(?:avro|vnd\.confluent\.avro|octet-stream)|avro\/binary)$/u.test(type))
    return source.avro;
  if (source !== undefined && type === "application/json") return source.json;
  const also = source?.avro === undefined ? "" : " or application/avro (in Confluent framing)";
  throw new BusError("media-type", `content_type is "${type.slice(0, 80)}"; send application/json${also}`);
}

const text = (value: unknown): string | undefined => (typeof value === "string" && value !== "" ? value : undefined);

const TRACEPARENT = /^[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}$/u;
/** A trace of its own where the sender has none, so that every notice can name one. */
function traceOf(given: string | undefined): string {
  if (given !== undefined && TRACEPARENT.test(given)) return given;
  const hex = randomBytes(24).toString("hex");
  return `00-${hex.slice(0, 32)}-${hex.slice(32)}-01`;
}
