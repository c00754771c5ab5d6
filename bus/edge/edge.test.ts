import { setTimeout as sleep } from "node:timers/promises";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { CallContext, Envelope } from "../envelope.ts";
import { createGate } from "./gate.ts";
import { checkId, headerText, mergeCall, readHeaderFacts, writeHeaderFacts } from "./headers.ts";

const envelope = (call: CallContext): Envelope => ({
  id: "m-1",
  source: "a/b",
  type: "t",
  time: 0,
  correlationId: "c-1",
  contract: "x.v1",
  call,
  headers: {},
  body: new Uint8Array(0),
});
const lower = (headers: Record<string, string>): Record<string, string> =>
  Object.fromEntries(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]));

describe("header facts", () => {
  it("come back as they were written, whatever the letters", () => {
    const text = fc.string({ unit: "grapheme", minLength: 1, maxLength: 50 }).map((raw) =>
      raw
        .toWellFormed()
        .replace(/\p{Cc}/gu, "")
        .trim(),
    );
    fc.assert(
      fc.property(text, (reason) => {
        const facts = readHeaderFacts(lower(writeHeaderFacts(envelope({ user: "2000000000001", reason }), true)));
        expect(facts).toMatchObject({ id: "m-1", correlationId: "c-1" });
        expect(facts.call).toEqual({ user: "2000000000001", ...(reason !== "" && { reason }) });
      }),
    );
  });

  it("leave the call context out where it is not asked for", () => {
    expect(Object.keys(writeHeaderFacts(envelope({ user: "1" }), false)).sort()).toEqual([
      "idempotency-key",
      "x-correlation-id",
      "x-message-id",
    ]);
  });

  it("take the first of the names for a message id", () => {
    expect(readHeaderFacts({ "x-message-id": "a", "message-id": "b", "idempotency-key": "c" }).id).toBe("a");
    expect(readHeaderFacts({ "message-id": "b", "idempotency-key": "c" }).id).toBe("b");
    expect(readHeaderFacts({ "idempotency-key": "c" }).id).toBe("c");
  });

  it.each(["", "a b", "a\tb", "ș", "x".repeat(201)])("name a bad id (%j) instead of taking it", (id) => {
    const facts = readHeaderFacts({ "x-message-id": id });
    expect([facts.id, facts.fault?.code]).toEqual([undefined, "http-request"]);
  });

  it("keep business headers within bounds, and no credential under any name", () => {
    const secrets = [
      "authorization",
      "cookie",
      "x-api-key",
      "x-auth-token",
      "my-secret",
      "x-password",
      "proxy-authorization",
      "x-session-id",
    ];
    const plumbing = [
      "host",
      "content-type",
      "content-length",
      "accept",
      "accept-language",
      "user-agent",
      "x-forwarded-for",
      "via",
      "sec-fetch-mode",
      "if-match",
      "ce-id",
      "callinguser",
    ];
    const headers = Object.fromEntries([...secrets, ...plumbing, "case-number", "official-id"].map((name) => [name, "v"]));
    expect(readHeaderFacts(headers).headers).toEqual({ "case-number": "v", "official-id": "v" });
    const many = Object.fromEntries(Array.from({ length: 100 }, (_, i) => [`x-${i}`, "v"]));
    expect(Object.keys(readHeaderFacts(many).headers)).toHaveLength(32);
    expect(readHeaderFacts({ "x-long": "v".repeat(2000) }).headers).toEqual({});
  });

  it("keep what the route names, and only that", () => {
    expect(readHeaderFacts({ "case-number": "1", other: "2" }, ["case-number", "absent"]).headers).toEqual({ "case-number": "1" });
  });

  it.each([
    ["wait=10", 10_000],
    ["respond-async, wait=5", 5000],
    ["wait=99999", undefined],
    ["handling=lenient", undefined],
  ])("read Prefer: %s", (prefer, waits) => {
    expect(readHeaderFacts({ prefer }).waits).toBe(waits);
  });

  it("read Latin-1 text as it is when it is no UTF-8", () => {
    expect(readHeaderFacts({ callreason: "caf\u00e9" }).call.reason).toBe("café");
  });

  it.each([
    ["a-1 b~", "a-1 b~"],
    ["", ""],
    [" a ", "a"],
    ["   ", ""],
    ["a\r\n\tb", "a b"],
    ["\u0000", ""],
    ["Ștefan", "\u00c8\u0098tefan"],
    ["é", "\u00c3\u00a9"],
  ])("header text of %j is %j: visible ASCII stays, the rest is UTF-8 in Latin-1 on one line", (text, wanted) => {
    expect(headerText(text)).toBe(wanted);
  });

  it("never break out of a header's line", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary" }), (text) => {
        expect(headerText(text)).not.toMatch(/[\r\n\0]/);
      }),
    );
  });
});

describe("two carriers of the call context", () => {
  it("complete each other, and may not disagree", () => {
    expect(mergeCall({ user: "1" }, { reason: "r" })).toEqual({ call: { user: "1", reason: "r" } });
    expect(mergeCall({ user: "1" }, { user: "1" }).fault).toBeUndefined();
    expect(mergeCall({ user: "1" }, { user: "2" }).fault).toMatchObject({
      code: "call-context-invalid",
      places: [{ path: "CallingUser" }],
    });
  });

  it("have ids checked by one rule", () => {
    expect(checkId("x", undefined)).toBeUndefined();
    expect(checkId("x", "urn:uuid:1")).toBeUndefined();
    expect(checkId("x", "a b")?.message).toContain("x must be");
  });
});

describe("the gate", () => {
  it("bounds those inside, and lets the next in when one leaves", () => {
    const gate = createGate(2);
    expect([gate.enter(), gate.enter()]).toEqual([undefined, undefined]);
    expect(gate.enter()).toMatchObject({ code: "inlet-busy", retryAfter: 1000 });
    gate.leave();
    expect(gate.enter()).toBeUndefined();
  });

  it("closed lets nobody in, and is quiet when the last has left", async () => {
    const gate = createGate(2);
    gate.enter();
    let quiet = false;
    const closing = Promise.all([gate.close(5000), gate.close(5000)]).then(() => void (quiet = true));
    expect(gate.enter()).toMatchObject({ code: "bus-stopping" });
    await sleep(20);
    expect(quiet).toBe(false);
    gate.leave();
    await closing;
    await gate.close(5000);
  });

  it("closed does not wait for ever", async () => {
    const gate = createGate(1);
    gate.enter();
    await gate.close(20);
    expect(gate.enter()).toMatchObject({ code: "bus-stopping" });
  });
});
