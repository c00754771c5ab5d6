/** A message from RabbitMQ, whatever stands in it: never thrown over before it is read, and nobody is named whom the broker does not vouch for. */
import type { ConsumeMessage } from "amqplib";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { BusError } from "#bus/errors.ts";
import type { Codec, TopicSource } from "#bus/wire.ts";
import { readReceived, senderOf } from "./received.ts";

const json: Codec = {
  mediaType: "application/json",
  read: (bytes) => JSON.parse(Buffer.from(bytes).toString()) as Record<string, unknown>,
  write: (value) => Buffer.from(JSON.stringify(value)),
};
const source: TopicSource = {
  system: "a/b",
  contract: "x.y.v1",
  binding: { route: "r", from: "in", system: "a/b", pattern: "event" },
  codecs: { json },
  replies: undefined,
  limits: { maxBytes: 100, maxInFlight: 1 },
};
const KEY = "from.a_2fb.x.y.v1";
type Properties = Readonly<Record<string, unknown>>;

function message(properties: Properties, body = '{"n":1}', routingKey = KEY): ConsumeMessage {
  const fields = { routingKey, redelivered: false, deliveryTag: 1, exchange: "mbus.from", consumerTag: "c" };
  return { content: Buffer.from(body), fields, properties: { headers: {}, ...properties } } as unknown as ConsumeMessage;
}
const GOOD: Properties = { userId: "a_2fb", contentType: "application/json" };
const codeOf = (given: ConsumeMessage): string => {
  try {
    readReceived(given, source).read();
  } catch (error) {
    return (error as BusError).code;
  }
  return "read";
};

describe("a message of a modern system on RabbitMQ", () => {
  it("tells who sent it before what is wrong with its body", () => {
    expect(codeOf(message({ ...GOOD, userId: "other", contentType: "text/xml" }, "x".repeat(200)))).toBe("system-unknown");
    expect(codeOf(message(GOOD, "x".repeat(101)))).toBe("message-too-large");
  });

  it("in structured mode is called as the event says, whatever the headers claim", () => {
    const event = { specversion: "1.0", id: "s", source: "/x", type: "t", correlationid: "c", data: { n: 2 } };
    const headers = { cloudEvents_id: "claimed", cloudEvents_specversion: "0.1" };
    const whole: TopicSource = { ...source, limits: { maxBytes: 1_000, maxInFlight: 1 } };
    const inbound = readReceived(message({ ...GOOD, contentType: "application/cloudevents+json", headers }, JSON.stringify(event)), whole);
    expect(inbound).toMatchObject({ id: "s", correlationId: "c" });
    expect(inbound.read()).toEqual({ n: 2 });
  });

  it("waits as long as the broker lets it live", () => {
    const waits = (expiration: unknown): number | undefined => readReceived(message({ ...GOOD, expiration }), source).waits;
    expect([waits("2500"), waits("0"), waits(undefined), waits("-1"), waits("soon"), waits(5)]).toEqual([
      2500,
      0,
      undefined,
      undefined,
      undefined,
      undefined,
    ]);
  });

  it("keeps the headers that its route names, in lower case", () => {
    const headers = { "Case-Number": "T-1", other: "x", CallingUser: "2004100010095", authorization: "Bearer x" };
    const inbound = readReceived(message({ ...GOOD, headers }), { ...source, headers: ["case-number"] });
    expect(inbound.headers).toEqual({ "case-number": "T-1" });
    expect(inbound.call).toEqual({ user: "2004100010095" });
    expect(readReceived(message({ ...GOOD, headers }), source).headers).toEqual({ "case-number": "T-1", other: "x" });
  });

  it("never throws before it is read, whatever stands in it", () => {
    const value = fc.oneof(
      fc.string({ unit: "binary", maxLength: 30 }),
      fc.integer(),
      fc.boolean(),
      fc.constant(null),
      fc.uint8Array(),
      fc.dictionary(fc.string(), fc.string()),
    );
    const properties = fc.record({
      userId: fc.constantFrom("a_2fb", "x", undefined, 5),
      contentType: fc.constantFrom("application/json", "application/cloudevents+json", "avro/binary", "", undefined, 7),
      messageId: value,
      correlationId: value,
      expiration: value,
      headers: fc.oneof(
        fc.constant(undefined),
        fc.dictionary(
          fc.oneof(fc.constantFrom("cloudEvents_id", "ce-specversion", "traceparent", "prefer"), fc.string({ unit: "binary" })),
          value,
        ),
      ),
    });
    fc.assert(
      fc.property(properties, fc.string({ unit: "binary", maxLength: 200 }), fc.boolean(), (given, body, known) => {
        const inbound = readReceived(message(given, body), known ? source : undefined);
        if (inbound.id !== undefined) expect(inbound.id).toMatch(/^[\x21-\x7e]{1,200}$/u);
        if (inbound.correlationId !== undefined) expect(inbound.correlationId).toMatch(/^[\x21-\x7e]{1,200}$/u);
        expect(inbound.traceparent).toMatch(/^[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}$/u);
        expect(inbound.system === undefined || given.userId === "a_2fb").toBe(true);
      }),
      { numRuns: 500 },
    );
  });
});

describe("the sender of a notice", () => {
  it("is the user that the broker vouches for, where the routing key is its own", () => {
    expect(senderOf(message(GOOD))).toBe("a_2fb");
    expect(senderOf(message({ ...GOOD, userId: "other" }))).toBeUndefined();
    expect(senderOf(message({ ...GOOD, userId: undefined }))).toBeUndefined();
    expect(senderOf(message(GOOD, "{}", "from"))).toBeUndefined();
  });
});
