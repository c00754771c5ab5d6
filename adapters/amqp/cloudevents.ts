/**
 * CloudEvents 1.0 on AMQP 0-9-1, for which no binding exists: as an AMQP 1.0 message looks after RabbitMQ translated it. Attributes are
 * headers `cloudEvents_<name>`; `cloudEvents:`, `ce-` and `ce_` are understood too. Basic properties hold copies.
 */
import { eachAttribute } from "#bus/edge/cloudevents.ts";
import type { Options } from "amqplib";
import type { Envelope } from "#bus/envelope.ts";

const PREFIX = /^(?:cloudevents[_:]|ce[-_])/iu;
/** Longest text of a basic property, in bytes. */
const SHORT = 255;

export type Attributes = Readonly<Record<string, string | undefined>>;

/** Attributes by name, and the other headers that are text, by name in lower case; the broker's own (`x-…`) stay out. */
export function readHeaders(
  headers: Readonly<Record<string, unknown>>,
): Readonly<{ event: Attributes; others: Readonly<Record<string, string>> }> {
  const event: Record<string, string> = {};
  const others: Record<string, string> = {};
  for (const [name, value] of Object.entries(headers)) {
    if (!["string", "number", "boolean"].includes(typeof value)) continue;
    const word = name.toLowerCase();
    const attribute = word.replace(PREFIX, "");
    if (attribute !== word) event[attribute] = String(value);
    else if (!/^x-(?:death|first-|last-|delivery-count|acquired|opt-|received-)|^(?:b?cc)$/u.test(word)) others[word] = String(value);
  }
  return { event, others };
}

/** Properties and headers of a message that leaves. */
export function writeProperties(envelope: Envelope, contentType: string): Options.Publish {
  const headers: Record<string, string> = { cloudEvents_specversion: "1.0", cloudEvents_time: new Date(envelope.time).toISOString() };
  const put = (name: string, value: string | undefined): void => {
    if (value !== undefined) headers[`cloudEvents_${name}`] = value.toWellFormed();
  };
  eachAttribute(envelope, put);
  if (envelope.traceparent !== undefined) headers["traceparent"] = envelope.traceparent;
  return {
    contentType,
    timestamp: Math.floor(envelope.time / 1000),
    headers,
    ...(short(envelope.id) && { messageId: envelope.id }),
    ...(short(envelope.correlationId) && { correlationId: envelope.correlationId }),
    ...(short(envelope.type) && { type: envelope.type }),
    ...(short(envelope.source) && { appId: envelope.source }),
  };
}

const short = (text: string): boolean => Buffer.byteLength(text) <= SHORT;
