import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { encodeId } from "#adapters/amqp/names.ts";
import { tokenOf } from "#adapters/nats/names.ts";
import { CLASSES, CODES, BusError, type ErrorCode } from "../errors.ts";
import type { Codec, TopicCodecs } from "../wire.ts";
import { isPassing, writeProblem } from "./refusal.ts";
import { answerCodec, AVRO_TYPE, readTopicBody, topicToken } from "./topic.ts";

const codecOf = (mediaType: string): Codec => ({
  mediaType,
  read: (bytes) => ({ by: mediaType, text: Buffer.from(bytes).toString() }),
  write: () => Uint8Array.of(0),
});
const json = codecOf("application/json");
const avro = codecOf(AVRO_TYPE);
const both: TopicCodecs = { json, avro };
const bytes = Buffer.from("body");
const read = (type: string, codecs = both, content: Uint8Array = bytes, most = 100) => readTopicBody(codecs, type, content, most);
const codeOf = (run: () => unknown): string | undefined => {
  try {
    run();
  } catch (error) {
    return (error as BusError).code;
  }
  return undefined;
};

describe("the body of a message on a topic", () => {
  it.each(["application/json", "application/json; charset=utf-8", "Application/JSON ;x=y"])("%s is read as JSON", (type) => {
    expect(read(type).read()).toEqual({ by: "application/json", text: "body" });
  });
  it.each([
    AVRO_TYPE,
    "application/avro",
    "avro/binary",
    "application/vnd.apache.avro+binary",
    "application/octet-stream",
    "AVRO/Binary; v=1",
  ])("%s is read as framed Avro, and refused where the wire has a shape of its own", (type) => {
    expect(read(type).read()).toMatchObject({ by: AVRO_TYPE });
    expect(codeOf(() => read(type, { json }))).toBe("media-type");
  });
  it("a structured CloudEvent gives its attributes, and its data as it was written", () => {
    const text = '{"specversion":"1.0","id":"e-1","source":"/s","type":"t","subject":"x","data":{"n": 12345678901234567890}}';
    const { event, read: readData } = read("application/cloudevents+json; charset=utf-8", both, Buffer.from(text), 1_000);
    expect(event).toEqual({ id: "e-1", subject: "x" });
    expect(readData()).toEqual({ by: "application/json", text: '{"n": 12345678901234567890}' });
  });
  it.each(["", "text/xml", "application/cloudevents-batch+json", "application/cloudevents", "json", "application/jsonx"])(
    "%j is refused, with what to send instead",
    (type) => {
      expect(() => read(type)).toThrow(/application\/json, application\/cloudevents\+json or application\/vnd\.confluent\.avro/u);
    },
  );
  it("a content type of an attacker stands bounded and without control characters in the refusal", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary", maxLength: 400 }), (type) => {
        let told = "";
        try {
          read(type);
        } catch (error) {
          told = (error as Error).message;
        }
        expect(told.length).toBeLessThan(260);
        expect(told).not.toMatch(/\p{Cc}/u);
      }),
    );
  });
  it("is refused above its limit before anything of it is read", () => {
    expect(codeOf(() => read("application/json", both, new Uint8Array(101)))).toBe("message-too-large");
    expect(codeOf(() => read("application/json", both, new Uint8Array(100)))).toBeUndefined();
  });
});

describe("an answer", () => {
  it("goes in the question's format, or in JSON", () => {
    expect(answerCodec(both, "avro/binary")).toBe(avro);
    expect(answerCodec({ json }, "avro/binary")).toBe(json);
    expect(answerCodec(both, "application/json")).toBe(json);
    expect(answerCodec(both, "")).toBe(json);
    expect(answerCodec(undefined, "application/json")).toBeUndefined();
  });
});

describe("a refusal", () => {
  const inbound = { id: "m-1", correlationId: "c", traceparent: "t" } as Parameters<typeof writeProblem>[1];
  const written = (error: BusError) => JSON.parse(Buffer.from(writeProblem(error, inbound, "from.a.x.v1")).toString()) as object;

  it("names the message, where it came and what is wrong with it", () => {
    const error = new BusError("json-violation", "a field is wrong", { places: [{ path: "n", text: "is missing" }] });
    expect(written(error)).toEqual({
      type: "urn:mconnect-bus:error:json-violation",
      title: CODES["json-violation"][1],
      status: 400,
      detail: "a field is wrong",
      instance: "from.a.x.v1",
      messageId: "m-1",
      correlationId: "c",
      traceId: "t",
      errors: [{ path: "n", text: "is missing" }],
    });
  });
  it("tells at most fifty places, and nothing of what failed inside", () => {
    const places = Array.from({ length: 200 }, (_, n) => ({ text: `${n}` }));
    expect((written(new BusError("json-violation", "x", { places })) as { errors: unknown[] }).errors).toHaveLength(50);
    expect(written(new BusError("unexpected", "at /etc/passwd"))).not.toHaveProperty("detail");
  });
  it("is passing exactly when the bus or what it needs is the reason: then the message comes again instead", () => {
    const passing = (Object.keys(CODES) as ErrorCode[]).filter((code) => isPassing(new BusError(code, "x")));
    const classes = new Set(passing.map((code) => CODES[code][0]));
    expect(classes).toEqual(new Set(["provider-unavailable", "throttled", "internal"]));
    for (const code of ["route-paused", "bus-stopping", "journal-busy", "store-unavailable", "journal-failed"] as const)
      expect(passing).toContain(code);
    for (const [name, { side }] of Object.entries(CLASSES)) if (side === "sender") expect(classes).not.toContain(name);
  });
});

describe("a system's token in its topics", () => {
  it("is the same on every broker, and as `mbus explain` prints it", () => {
    const part = fc.stringMatching(/^[a-z0-9][a-z0-9-]{0,30}$/u);
    fc.assert(
      fc.property(part, part, (institution, system) => {
        const id = `${institution}/${system}`;
        expect([tokenOf(id), encodeId(id)]).toEqual([topicToken(id), topicToken(id)]);
      }),
    );
    expect([topicToken("a.b/ț"), tokenOf("a.b/ț"), encodeId("a.b/ț")]).toEqual(Array(3).fill("a_2eb_2f_c8_9b"));
  });
});
