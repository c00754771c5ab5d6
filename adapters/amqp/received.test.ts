import type { ConsumeMessage } from "amqplib";
import { describe, expect, it } from "vitest";
import { newSink, putByte, putText } from "#bus/journal/bytes.ts";
import type { Codec, TopicSource } from "#bus/wire.ts";
import { refusal } from "#test/harness/refusal.ts";
import { readAnswer } from "./carry.ts";
import { readReceived } from "./received.ts";

const echo = (mediaType: string): Codec => ({
  mediaType,
  read: (bytes) => ({ as: mediaType, text: Buffer.from(bytes).toString() }),
  write: () => new Uint8Array(),
});
const source: TopicSource = {
  system: "taxoffice/erp",
  contract: "person.changed.v1",
  binding: { route: "person-changed", from: "erp", system: "taxoffice/erp", pattern: "event" },
  codecs: { json: echo("json"), avro: echo("avro") },
  replies: undefined,
  limits: { maxBytes: 100, maxInFlight: 1 },
};
const KEY = "from.taxoffice_2ferp.person.changed.v1";
const TRACE = `00-${"a".repeat(32)}-${"b".repeat(16)}-01`;

type Sent = Readonly<{ properties?: Record<string, unknown>; headers?: Record<string, unknown>; content?: string; key?: string }>;
const message = ({ properties = {}, headers = {}, content = "{}", key = KEY }: Sent = {}): ConsumeMessage =>
  ({
    content: Buffer.from(content),
    fields: { routingKey: key },
    properties: { userId: "taxoffice_2ferp", contentType: "application/json", headers, ...properties },
  }) as unknown as ConsumeMessage;
const read = (sent?: Sent, from: TopicSource | undefined = source) => readReceived(message(sent), from);

describe("who sent it", () => {
  it("is the user that the broker checked, and then it is of the route", () => {
    expect(read()).toMatchObject({ system: "taxoffice/erp", route: "person-changed", from: "erp" });
  });
  it.each<[string, Sent, TopicSource | undefined, string]>([
    ["nobody's routing key", { key: "from.x.y.v1" }, undefined, "contract-unknown"],
    ["without user_id", { properties: { userId: undefined } }, source, "system-missing"],
    ["of another user", { properties: { userId: "population" } }, source, "system-unknown"],
    ["of a user who writes the system's plain id", { properties: { userId: "taxoffice/erp" } }, source, "system-unknown"],
    ["of a user who is no text", { properties: { userId: 5 } }, source, "system-unknown"],
  ])("%s is nobody of ours: it has no route, and is refused when it is read", (_, sent, from, code) => {
    const inbound = readReceived(message(sent), from);
    expect([inbound.system, inbound.route]).toEqual([undefined, undefined]);
    expect(refusal(() => inbound.read()).code).toBe(code);
  });
  it("is never taken from a header", () => {
    expect(read({ headers: { "x-system": "population/register", "ce-source": "population/register" } }).system).toBe("taxoffice/erp");
  });
  it("in a refusal has no control characters and no endless key", () => {
    const { message: text } = refusal(() => readReceived(message({ key: `from.\r\n${"x".repeat(5_000)}` }), undefined).read());
    expect(text).not.toMatch(/\p{Cc}/u);
    expect(text.length).toBeLessThan(250);
  });
});

describe("what it says", () => {
  it("of its id comes from the event, else the property, else a header", () => {
    const of = (sent: Sent) => read(sent).id;
    expect(of({ headers: { "ce-id": "1", "x-message-id": "3" }, properties: { messageId: "2" } })).toBe("1");
    expect(of({ headers: { "x-message-id": "3" }, properties: { messageId: "2" } })).toBe("2");
    expect(of({ headers: { "x-message-id": "3" } })).toBe("3");
    expect(of({ properties: { messageId: "" } })).toBeUndefined();
  });
  it.each(["a b", "", "ș", "x".repeat(201), "a\nb"])("with the id %j is refused, and the id is not passed on", (id) => {
    const inbound = read({ headers: { "ce-id": id, "ce-correlationid": id } });
    expect([inbound.id, inbound.correlationId]).toEqual([undefined, undefined]);
    expect(refusal(() => inbound.read()).code).toBe("http-request");
  });
  it("of its trace is what is a trace, else one of its own", () => {
    expect(read({ headers: { traceparent: TRACE } }).traceparent).toBe(TRACE);
    expect(read({ headers: { "ce-traceparent": TRACE } }).traceparent).toBe(TRACE);
    for (const bad of ["x", `${TRACE}\r\n`, ""])
      expect(read({ headers: { "ce-traceparent": bad, traceparent: bad } }).traceparent).toMatch(/^00-[0-9a-f]{32}-[0-9a-f]{16}-01$/u);
  });
  it.each(["0.3", "1.1", 1])("as an event of version %s is refused", (version) => {
    expect(refusal(() => read({ headers: { "ce-specversion": version } }).read()).message).toContain("specversion");
  });
  it.each([
    ["application/json", "json"],
    ["application/json; charset=utf-8", "json"],
    ["APPLICATION/JSON", "json"],
    ["application/avro", "avro"],
    ["application/vnd.confluent.avro", "avro"],
    ["avro/binary", "avro"],
    ["application/octet-stream", "avro"],
  ])("as %s is read as %s", (contentType, as) => {
    expect(read({ properties: { contentType } }).read()["as"]).toBe(as);
  });
  it.each([undefined, "", "text/plain", "application/xml", "application/jsonx", 5])("as %j is refused", (contentType) => {
    const error = refusal(() => read({ properties: { contentType } }).read());
    expect([error.code, error.message]).toEqual(["media-type", expect.stringContaining("send application/json")]);
  });
  it("in Avro is refused where the route takes JSON only", () => {
    const json = { ...source, codecs: { json: echo("json") } };
    expect(refusal(() => read({ properties: { contentType: "application/avro" } }, json).read()).message).not.toContain("confluent");
  });
  it("beyond the limit is refused, and its bytes are still there for the journal", () => {
    const inbound = read({ content: "x".repeat(101) });
    expect(refusal(() => inbound.read()).code).toBe("message-too-large");
    expect([inbound.bytes.byteLength, read({ content: "x".repeat(100) }).read()["text"]]).toEqual([101, "x".repeat(100)]);
  });
});

describe("an answer on the broker that is none", () => {
  const fault = (text: string): Buffer => {
    const sink = newSink(64);
    for (const byte of [1, 1]) putByte(sink, byte);
    putText(sink, text);
    return sink.buf.subarray(0, sink.at);
  };
  it.each(["{", "null", "5", '"x"', "", '{"code":"of-tomorrow","message":"m"}', '{"code":"constructor","message":"m"}'])(
    "%j is an unexpected failure, not a crash",
    (text) => {
      expect(refusal(() => readAnswer(fault(text))).code).toBe("unexpected");
    },
  );
  it("of a known code keeps all of it", () => {
    const told = { code: "queue-full", message: "m", places: [{ text: "t" }], providerCode: "P", retryAfter: 5, step: "s" };
    expect(refusal(() => readAnswer(fault(JSON.stringify(told))))).toMatchObject(told);
  });
});
