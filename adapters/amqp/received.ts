/** A message that a modern system published, as the bus takes it: who sent it, what it says, and the fault in it, if any. */
import { randomBytes } from "node:crypto";
import type { ConsumeMessage } from "amqplib";
import type { EventFacts } from "#bus/edge/cloudevents.ts";
import { checkId, readHeaderFacts } from "#bus/edge/headers.ts";
import { readTopicBody } from "#bus/edge/topic.ts";
import type { AvroRecord } from "#bus/envelope.ts";
import { BusError } from "#bus/errors.ts";
import type { Inbound } from "#bus/ports.ts";
import type { TopicSource } from "#bus/wire.ts";
import { readHeaders, type Attributes } from "./cloudevents.ts";
import { encodeId } from "./names.ts";

/** User names of systems on the broker are their encoded ids. */
export const userOf = (system: string): string => encodeId(system);

/** User name of who sent it, where the broker vouches for it and the routing key is of it. */
export function senderOf({ properties, fields }: ConsumeMessage): string | undefined {
  const user: unknown = properties.userId;
  return typeof user === "string" && fields.routingKey.split(".")[1] === user ? user : undefined;
}

/**
 * Never throws: a broken message still goes through the bus, so that the journal has a row of it. The broker has checked that `user_id`
 * is the connection's user; a topic permission alone would let a system leave it out. `source` undefined: no route takes it.
 */
export function readReceived(message: ConsumeMessage, source: TopicSource | undefined): Inbound {
  const { properties, content, fields } = message;
  const { event: binary, others } = readHeaders(properties.headers ?? {});
  const { fault: wrongHeader, ...facts } = readHeaderFacts(others, source?.headers);
  const user: unknown = properties.userId;
  const mine = source !== undefined && user === userOf(source.system);
  const mediaType = text(properties.contentType) ?? "";
  const body = bodyOf(source, mediaType, content);
  const event = body.event ?? factsOf(binary);
  const id = event.id ?? text(properties.messageId) ?? facts.id;
  const correlationId = event.correlationId ?? text(properties.correlationId) ?? facts.correlationId;
  const fault =
    identityFault(fields.routingKey, source, user) ??
    wrongHeader ??
    checkId("the message's id", id) ??
    checkId("the message's correlation id", correlationId) ??
    (body.event === undefined ? eventFault(binary) : undefined);
  const waits = waitsOf(properties.expiration) ?? facts.waits;
  return {
    ...facts,
    traceparent: facts.traceparent ?? traceOf(event.traceparent),
    ...(id !== undefined && checkId("", id) === undefined && { id }),
    ...(correlationId !== undefined && checkId("", correlationId) === undefined && { correlationId }),
    ...(event.subject !== undefined && { subject: event.subject }),
    ...(waits !== undefined && { waits }),
    route: mine ? source.binding.route : undefined,
    from: mine ? source.binding.from : fields.routingKey,
    system: mine ? source.system : undefined,
    bytes: content,
    mediaType,
    read() {
      if (fault !== undefined) throw fault;
      return body.read();
    },
  };
}

type Body = Readonly<{ event?: EventFacts; read: () => AvroRecord }>;

/** What is wrong with the body is thrown by `read`, after what is wrong with the sender. */
function bodyOf(source: TopicSource | undefined, mediaType: string, content: Uint8Array): Body {
  if (source === undefined) return { read: () => ({}) };
  try {
    return readTopicBody(source.codecs, mediaType, content, source.limits.maxBytes);
  } catch (error) {
    return {
      read() {
        throw error;
      },
    };
  }
}

function factsOf(attributes: Attributes): Partial<EventFacts> {
  const { id, subject, correlationid, traceparent } = attributes;
  return {
    ...(id !== undefined && { id }),
    ...(subject !== undefined && { subject }),
    ...(correlationid !== undefined && { correlationId: correlationid }),
    ...(traceparent !== undefined && { traceparent }),
  };
}

/** The broker's own word for how long a message is worth anything, milliseconds: what a sender waits. */
function waitsOf(expiration: unknown): number | undefined {
  return typeof expiration === "string" && /^\d{1,10}$/u.test(expiration) ? Number(expiration) : undefined;
}

function identityFault(key: string, source: TopicSource | undefined, user: unknown): BusError | undefined {
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

const text = (value: unknown): string | undefined => (typeof value === "string" && value !== "" ? value : undefined);

const TRACEPARENT = /^[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}$/u;
/** A trace of its own where the sender has none, so that every notice can name one. */
function traceOf(given: string | undefined): string {
  if (given !== undefined && TRACEPARENT.test(given)) return given;
  const hex = randomBytes(24).toString("hex");
  return `00-${hex.slice(0, 32)}-${hex.slice(32)}-01`;
}
