import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { messageOf } from "#test/harness/message.ts";
import { readHeaders, writeProperties } from "./cloudevents.ts";

describe("headers of a message", () => {
  it.each(["cloudEvents_id", "cloudEvents:id", "cloudevents_ID", "ce-id", "ce_id", "CE-Id"])("%s is the event's id", (name) => {
    expect(readHeaders({ [name]: "1" })).toEqual({ event: { id: "1" }, others: {} });
  });
  it.each([
    ["text", "x", "x"],
    ["a number", 5, "5"],
    ["a boolean", false, "false"],
  ])("hold %s as text", (_, value, text) => {
    expect(readHeaders({ "ce-id": value, other: value })).toEqual({ event: { id: text }, others: { other: text } });
  });
  it.each<[string, unknown]>([
    ["a list", ["x"]],
    ["a table", { a: 1 }],
    ["nothing", null],
    ["bytes", Buffer.from("x")],
    ["a timestamp", { "!": "timestamp", value: 1 }],
  ])("that hold %s are left out", (_, value) => {
    expect(readHeaders({ "ce-id": value, other: value })).toEqual({ event: {}, others: {} });
  });
  it("of the broker itself stay out, others are in lower case", () => {
    const broker = {
      "x-death": "a",
      "x-first-death-queue": "b",
      "x-last-death-reason": "c",
      "x-delivery-count": 3,
      "x-acquired-count": 1,
      "x-opt-a": "d",
      "x-received-from": "e",
      CC: "f",
      BCC: "g",
    };
    expect(readHeaders({ ...broker, "X-Case-Number": "7", "x-message-id": "m" }).others).toEqual({
      "x-case-number": "7",
      "x-message-id": "m",
    });
  });
  it("with names that mean something in JavaScript change no object", () => {
    const headers = JSON.parse('{"__proto__":"x","constructor":"y","ce-__proto__":"z"}') as Record<string, unknown>;
    const { event, others } = readHeaders(headers);
    expect([event["id"], others["polluted"], ({} as Record<string, unknown>)["x"]]).toEqual([undefined, undefined, undefined]);
    expect(Object.getPrototypeOf(event)).toBe(Object.prototype);
  });
});

describe("an envelope", () => {
  const text = fc.string({ unit: "binary", minLength: 1 });
  it("of any text comes back from its headers", () => {
    fc.assert(
      fc.property(fc.record({ id: text, source: text, type: text, subject: text, correlationId: text, key: text }), (facts) => {
        const { event } = readHeaders(writeProperties(messageOf({}, facts).envelope, "application/json").headers ?? {});
        const { correlationId, key, ...same } = facts;
        expect(event).toMatchObject({
          ...Object.fromEntries(Object.entries(same).map(([name, value]) => [name, value.toWellFormed()])),
          correlationid: correlationId.toWellFormed(),
          partitionkey: key.toWellFormed(),
          specversion: "1.0",
        });
      }),
    );
  });
  it("copies into properties what fits there: 255 bytes, not characters", () => {
    const of = (id: string) => writeProperties(messageOf({}, { id }).envelope, "a/b");
    expect(of("x".repeat(255)).messageId).toHaveLength(255);
    expect(of("x".repeat(256)).messageId).toBeUndefined();
    expect(of("ș".repeat(127)).messageId).toBe("ș".repeat(127));
    expect(of("ș".repeat(128)).messageId).toBeUndefined();
    expect(of("ș".repeat(128)).headers?.["cloudEvents_id"]).toBe("ș".repeat(128));
  });
  it("has its time in whole seconds as a property, to the millisecond as an attribute", () => {
    const properties = writeProperties(messageOf({}, { time: Date.UTC(2026, 0, 31, 8, 0, 0, 999) }).envelope, "a/b");
    expect([properties.timestamp, properties.headers?.["cloudEvents_time"], properties.contentType]).toEqual([
      1_769_846_400,
      "2026-01-31T08:00:00.999Z",
      "a/b",
    ]);
  });
});
