/** Questions on topics: what their headers say, how long they wait, and what becomes of every kind of answer. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { messageOf } from "#test/harness/message.ts";
import type { Envelope } from "../envelope.ts";
import { CLASSES, type BusError } from "../errors.ts";
import type { Codec, TopicAsking } from "../wire.ts";
import { readTopicAnswer, writeQuestion, type TopicAnswer } from "./question.ts";

const json: Codec = {
  mediaType: "application/json",
  read: (bytes) => JSON.parse(Buffer.from(bytes).toString()) as Record<string, unknown>,
  write: (value) => Buffer.from(JSON.stringify(value)),
};
const asks: TopicAsking = { replies: { json }, waits: 2_500, maxBytes: 1_000 };
const NOW = Date.UTC(2026, 10, 25);
const envelope = (more: Partial<Envelope> = {}): Envelope => messageOf({}, more).envelope;
const answer = (body: string | Uint8Array, more: Partial<TopicAnswer> = {}): TopicAnswer => ({
  from: "call.a.x.v1",
  contentType: "application/json",
  bytes: Buffer.from(body),
  ...more,
});
function thrown(run: () => unknown): BusError {
  try {
    run();
  } catch (error) {
    return error as BusError;
  }
  throw new Error("nothing was thrown");
}

describe("a question", () => {
  it("waits as long as one attempt, in seconds rounded up, and has no deadline where the exchange has none", () => {
    const { headers, waits } = writeQuestion(envelope(), asks, NOW);
    expect([waits, headers["prefer"], headers["mbus-deadline"]]).toEqual([2_500, "wait=3", undefined]);
  });

  it("never waits longer than the attempt or the exchange, nor less than a millisecond", () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 1e7 }), fc.integer({ min: 1, max: 1e7 }), (attempt, left) => {
        const { headers, waits } = writeQuestion(envelope({ deadline: NOW + left }), { ...asks, waits: attempt }, NOW);
        expect(waits).toBe(Math.min(attempt, left));
        expect(headers["prefer"]).toBe(`wait=${Math.ceil(waits / 1_000)}`);
        expect(Date.parse(headers["mbus-deadline"] ?? "")).toBe(NOW + left);
      }),
    );
  });

  it("whose deadline has passed is not asked", () => {
    for (const deadline of [NOW, NOW - 1])
      expect(thrown(() => writeQuestion(envelope({ deadline }), asks, NOW))).toMatchObject({ code: "deadline-passed" });
  });

  it("carries ids and call context as text of one line, in the letters it was given", () => {
    const call = { user: "2004100010095", basis: "Legea ăîșț\r\nX-Evil: 1", reason: "\u0000a" };
    const { headers } = writeQuestion(envelope({ id: "q-1", correlationId: "c-1", call }), asks, NOW);
    expect(headers).toMatchObject({ "x-message-id": "q-1", "idempotency-key": "q-1", "x-correlation-id": "c-1" });
    expect(headers).toMatchObject({ CallingUser: "2004100010095", CallBasis: "Legea ăîșț X-Evil: 1", CallReason: "a" });
    expect(headers).not.toHaveProperty("CallingEntity");
  });

  it("has no line break in any header, whatever the call context says", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary", maxLength: 40 }), fc.string({ unit: "binary", maxLength: 40 }), (basis, reason) => {
        const { headers } = writeQuestion(envelope({ call: { basis, reason } }), asks, NOW);
        for (const value of Object.values(headers)) expect(value).not.toMatch(/\p{Cc}/u);
      }),
    );
  });
});

describe("an answer", () => {
  it("is read by its content type", () => {
    expect(readTopicAnswer(asks, answer('{"a":1}', { contentType: "Application/JSON; charset=utf-8" }))).toEqual({ a: 1 });
  });

  it.each([
    ["no content type", answer("{}", { contentType: "" })],
    ["one that is not taken", answer("{}", { contentType: "text/plain" })],
    ["Avro where nothing describes it", answer("\u0000", { contentType: "application/vnd.confluent.avro" })],
    ["a body that breaks the contract", answer("{")],
    ["too many bytes", answer(JSON.stringify({ a: "x".repeat(1_000) }))],
  ])("with %s is provider-reply-invalid, and says who gave it", (_, given) => {
    expect(thrown(() => readTopicAnswer(asks, given))).toMatchObject({
      code: "provider-reply-invalid",
      message: expect.stringContaining("call.a.x.v1"),
    });
  });

  it.each([
    [404, "provider-fault", false],
    [400, "provider-fault", false],
    [500, "provider-fault", false],
    [429, "endpoint-throttled", true],
    [502, "endpoint-unavailable", true],
    [503, "endpoint-unavailable", true],
    [504, "endpoint-unavailable", true],
  ])("that is a problem of status %i is %s", (status, code, passing) => {
    const error = thrown(() => readTopicAnswer(asks, answer(JSON.stringify({ status }), { contentType: "application/problem+json" })));
    expect(error).toMatchObject({ code, providerCode: String(status) });
    expect(error.class !== "provider-fault" && CLASSES[error.class].retryable).toBe(passing);
  });

  it.each(["", "[]", "null", "{", '{"status":"404"}', `{"status":1,"x":"${"x".repeat(70_000)}"}`])(
    "that is a problem document nobody can read is a fault all the same: %.20s",
    (body) => {
      const problem = answer(body, { contentType: "application/problem+json" });
      expect(thrown(() => readTopicAnswer(asks, problem))).toMatchObject({ code: "provider-fault", providerCode: "problem" });
    },
  );

  it("with a fault code is that fault, whatever its body; the code is one short line", () => {
    const error = thrown(() => readTopicAnswer(asks, answer("{}", { fault: `NoSuch\r\nPerson${"x".repeat(500)}` })));
    expect(error.code).toBe("provider-fault");
    expect(error.providerCode).toMatch(/^NoSuch Personx{0,100}$/u);
    expect(error.providerCode?.length).toBeLessThanOrEqual(100);
    expect(thrown(() => readTopicAnswer(asks, answer("", { fault: "503" })))).toMatchObject({ code: "endpoint-unavailable" });
  });
});
