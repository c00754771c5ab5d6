/** Requests and answers over a broker: nothing of them is durable, so each end must be told soon how it stands. */
import { expect } from "vitest";
import type { Broker } from "#bus/broker.ts";
import { BusError } from "#bus/errors.ts";
import { carriedEnvelope, TOPIC } from "./broker-parts.ts";
import { codeOf, eventually, pause, type Cases } from "./cases.ts";

/** For answers that are sure to come; a busy machine may be slow. */
const LONG = 30_000;

const refusal = (): BusError => new BusError("grant-missing", "no grant lets this system use this contract");

export function brokerRequests(test: Cases<Broker>): void {
  test("a request is answered, with envelopes whole both ways", async ({ port }) => {
    const body = Uint8Array.from({ length: 100_000 }, (_, i) => (i * 7) % 256);
    await port.respond(TOPIC, (asked) => Promise.resolve({ ...asked, id: "answer", causationId: asked.id, headers: { "x-one": "ă\r\n" } }));
    const answer = await port.request(TOPIC, carriedEnvelope(1, { body, key: "ț" }), LONG);
    expect(answer).toMatchObject({ id: "answer", causationId: "m-1", key: "ț", headers: { "x-one": "ă\r\n" } });
    expect(Buffer.from(answer.body).equals(body)).toBe(true);
  });
  test("many requests at once each get their own answer", async ({ port }) => {
    await port.respond(TOPIC, async (asked) => {
      await pause(Number(asked.id.slice(2)) % 7);
      return { ...asked, subject: `for ${asked.id}` };
    });
    const answers = await Promise.all(Array.from({ length: 300 }, (_, n) => port.request(TOPIC, carriedEnvelope(n), LONG)));
    expect(answers.map((answer) => answer.subject)).toEqual(Array.from({ length: 300 }, (_, n) => `for m-${n}`));
  });
  test("of several responders one answers each request", async ({ port }) => {
    let asked = 0;
    for (let n = 0; n < 3; n++)
      await port.respond(TOPIC, (envelope) => {
        asked++;
        return Promise.resolve(envelope);
      });
    await Promise.all(Array.from({ length: 60 }, (_, n) => port.request(TOPIC, carriedEnvelope(n), LONG)));
    expect(asked).toBe(60);
  });
  test("where nobody answers, the request fails as endpoint-unreachable", async ({ port }) => {
    const began = performance.now();
    expect(await codeOf(port.request(TOPIC, carriedEnvelope(1), LONG))).toBe("endpoint-unreachable");
    expect(performance.now() - began).toBeLessThan(LONG);
  });
  test("a late answer is an attempt-timeout", async ({ port }) => {
    await port.respond(TOPIC, async (asked) => {
      await pause(1_500);
      return asked;
    });
    expect(await codeOf(port.request(TOPIC, carriedEnvelope(1), 300))).toBe("attempt-timeout");
    await pause(1_600);
    expect(await codeOf(port.request(TOPIC, carriedEnvelope(2), LONG))).toBe("");
  });
  test("a responder's refusal passes with its code, sentence and facts", async ({ port }) => {
    await port.respond(TOPIC, () => {
      throw refusal();
    });
    await port.respond("other", () =>
      Promise.reject(
        new BusError("provider-fault", "„nu” — no\r\nsuch person", {
          providerCode: "E-7 ț",
          retryAfter: 1_500,
          step: "ask",
          places: [{ path: "/a", text: "b" }],
        }),
      ),
    );
    await expect(port.request(TOPIC, carriedEnvelope(1), LONG)).rejects.toMatchObject({
      code: "grant-missing",
      message: refusal().message,
    });
    await expect(port.request("other", carriedEnvelope(1), LONG)).rejects.toMatchObject({
      name: "BusError",
      code: "provider-fault",
      message: "„nu” — no\r\nsuch person",
      providerCode: "E-7 ț",
      retryAfter: 1_500,
      step: "ask",
      places: [{ path: "/a", text: "b" }],
    });
  });
  test("a defect of a responder reaches the asker as unexpected, not as silence", async ({ port }) => {
    await port.respond(TOPIC, () => Promise.reject(new TypeError("x is undefined")));
    expect(await codeOf(port.request(TOPIC, carriedEnvelope(1), LONG))).toBe("unexpected");
  });
  test("a responder that was closed answers no more, but ends what it had begun", async ({ port }) => {
    let begun = false;
    const responder = await port.respond(TOPIC, async (asked) => {
      begun = true;
      await pause(300);
      return asked;
    });
    const asked = port.request(TOPIC, carriedEnvelope(1), LONG);
    await eventually(() => begun, "the request at the responder", LONG);
    await responder.close();
    expect(await codeOf(asked)).toBe("");
    await eventually(
      async () => (await codeOf(port.request(TOPIC, carriedEnvelope(2), LONG))) === "endpoint-unreachable",
      "nobody there",
      LONG,
    );
  });
  test("requests go on after a restart of both ends", async ({ port, restart }) => {
    await port.respond(TOPIC, (asked) => Promise.resolve(asked));
    const again = await restart();
    await again.respond(TOPIC, (asked) => Promise.resolve({ ...asked, subject: "new" }));
    expect(await again.request(TOPIC, carriedEnvelope(1), LONG)).toMatchObject({ subject: "new" });
  });
}
