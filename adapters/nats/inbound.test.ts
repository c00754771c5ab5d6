import { headers as newHeaders, type Msg } from "@nats-io/transport-node";
import { describe, expect, it } from "vitest";
import type { Codec, TopicSource } from "#bus/wire.ts";
import { refusal } from "#test/harness/refusal.ts";
import { readInbound } from "./inbound.ts";

const echo = (mediaType: string): Codec => ({
  mediaType,
  read: (bytes) => ({ as: mediaType, text: Buffer.from(bytes).toString() }),
  write: () => new Uint8Array(),
});
const parts: TopicSource = {
  binding: { route: "person-changed", from: "erp", system: "taxoffice/erp", pattern: "event" },
  system: "taxoffice/erp",
  contract: "person.changed.v1",
  replies: undefined,
  codecs: { json: echo("json"), avro: echo("avro") },
  limits: { maxBytes: 200, maxInFlight: 1 },
};
const EVENT = { "ce-specversion": "1.0", "ce-id": "e-1", "ce-source": "/s", "ce-type": "t" };
const JSON_TYPE = { "content-type": "application/json" };

function read(
  given: Readonly<Record<string, string | readonly string[]>> = JSON_TYPE,
  data = "{}",
  id = "made-up",
  some: Partial<TopicSource> = {},
) {
  const headers = newHeaders();
  for (const [name, values] of Object.entries(given))
    for (const value of typeof values === "string" ? [values] : values) headers.append(name, value);
  return readInbound({ ...parts, ...some }, { headers, data: Buffer.from(data) } as unknown as Msg, id);
}

describe("a message over NATS", () => {
  it("is of the system whose subject it came under, whatever its headers claim", () => {
    const inbound = read({ ...JSON_TYPE, ...EVENT, "x-system": "population/register", "ce-source": "population/register" });
    expect(inbound).toMatchObject({ system: "taxoffice/erp", route: "person-changed", from: "erp", id: "e-1" });
  });
  it("has the id of the event, else of Nats-Msg-Id, else of a header, else the one that is always its own", () => {
    expect(read({ ...JSON_TYPE, ...EVENT, "Nats-Msg-Id": "n-1" }).id).toBe("e-1");
    expect(read({ ...JSON_TYPE, "Nats-Msg-Id": "n-1", "X-Message-Id": "x-1" }).id).toBe("n-1");
    expect(read({ ...JSON_TYPE, "X-Message-Id": "x-1" }).id).toBe("x-1");
    expect(read().id).toBe("made-up");
  });
  it("keeps no header of the server's own", () => {
    const { headers } = read({ ...JSON_TYPE, "Nats-Expected-Stream": "x", "Nats-Rollup": "all", "X-Case-Number": "7" });
    expect(headers).toEqual({ "x-case-number": "7" });
  });
  it("with a header twice counts the last", () => {
    expect(read({ ...JSON_TYPE, "X-Message-Id": ["a", "b"] }).id).toBe("b");
  });
  it.each([
    ["application/json", "json"],
    ["application/json; charset=utf-8", "json"],
    ["Application/JSON", "json"],
    ["application/vnd.confluent.avro", "avro"],
    ["application/avro", "avro"],
    ["avro/binary", "avro"],
    ["application/vnd.apache.avro+binary", "avro"],
  ])("as %s is read as %s, by the content type or the event's", (type, as) => {
    expect(read({ "content-type": type }).read()["as"]).toBe(as);
    expect(read({ ...EVENT, "ce-datacontenttype": type }).read()["as"]).toBe(as);
  });
  it.each([
    {},
    { "content-type": "" },
    { "content-type": "text/plain" },
    { "content-type": "application/xml" },
    { ...EVENT, "ce-datacontenttype": "image/png" },
  ])("with the headers %j is refused: what a server itself sends has no type", (given) => {
    expect(refusal(() => read(given).read()).code).toBe("media-type");
  });
  it("in Avro is refused where the contract is not spoken in it", () => {
    const error = refusal(() => read({ "content-type": "application/avro" }, "{}", "i", { codecs: { json: echo("json") } }).read());
    expect([error.code, error.message.includes("confluent")]).toEqual(["media-type", false]);
  });
  it("in structured mode is read from its data, as it stood", () => {
    const inbound = read(
      { "content-type": "application/cloudevents+json; charset=utf-8" },
      '{"specversion":"1.0","id":"s-1","source":"/s","type":"t","data": {"a":1e2} }',
    );
    expect([inbound.id, inbound.read()["text"]]).toEqual(["s-1", '{"a":1e2}']);
  });
  it.each<[string, Record<string, string>, string, string]>([
    ["that the bus itself sent", { ...JSON_TYPE, "mbus-sent": "1" }, "{}", "media-type"],
    ["beyond the limit", JSON_TYPE, "x".repeat(201), "message-too-large"],
    ["of an event without a type", { ...JSON_TYPE, ...EVENT, "ce-type": "" }, "{}", "http-request"],
    ["with an id of spaces", { ...JSON_TYPE, ...EVENT, "ce-id": "a b" }, "{}", "http-request"],
    ["with a message id of spaces", { ...JSON_TYPE, "x-message-id": "a b" }, "{}", "http-request"],
    ["of a structured event that is no JSON", { "content-type": "application/cloudevents+json" }, "{", "json-malformed"],
  ])("%s is refused when it is read, and still has a row in the journal", (_, given, data, code) => {
    const inbound = read(given, data);
    expect([inbound.bytes.byteLength, inbound.route]).toEqual([data.length, "person-changed"]);
    expect(refusal(() => inbound.read()).code).toBe(code);
  });
  it("always has a trace: its own, or the one that was sent", () => {
    const trace = `00-${"a".repeat(32)}-${"b".repeat(16)}-01`;
    expect([
      read({ ...JSON_TYPE, traceparent: trace }).traceparent,
      read({ ...JSON_TYPE, ...EVENT, "ce-traceparent": trace }).traceparent,
    ]).toEqual([trace, trace]);
    for (const bad of ["x", "", trace.toUpperCase()])
      expect(read({ ...JSON_TYPE, ...EVENT, traceparent: bad, "ce-traceparent": bad }).traceparent).toMatch(
        /^00-[0-9a-f]{32}-[0-9a-f]{16}-01$/u,
      );
  });
});
