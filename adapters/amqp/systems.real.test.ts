/** Modern systems on a real RabbitMQ, with a stock client (pika) and the permissions that we write for them. */
import { createHash } from "node:crypto";
import { mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { BusError } from "#bus/errors.ts";
import type { Inbound, Inlet } from "#bus/ports.ts";
import type { Codec } from "#bus/wire.ts";
import { codeOf, eventually, pause } from "#test/conformance/cases.ts";
import { PATIENCE } from "#test/conformance/broker-parts.ts";
import { have, PIKA } from "#test/harness/debian.ts";
import { messageOf } from "#test/harness/message.ts";
import { actAs, type Act, type PikaAnswer } from "#test/harness/pika.ts";
import { rabbitServer } from "#test/harness/rabbitmq.ts";
import { openAmqpEdge, type AmqpEdge } from "./edge.ts";
import { createAmqpInlet } from "./inlet.ts";
import { namesOf } from "./names.ts";
import { createAmqpOutlet } from "./outlet.ts";
import { definitionsFor } from "./permissions.ts";
import { userOf } from "./received.ts";

const server = await rabbitServer();
const ready = server?.ctl !== undefined && have(PIKA);
afterAll(() => server?.close());

/** Names that would meet, match or break out if they were not encoded. */
const SYSTEMS = ["taxoffice/erp", "taxoffice", "taxoffice/erp.x", "a.b", "a", "a.#", "*", ">", "a\r\nb", "ț"];
const CONTRACT = "person.moved.v1";
const names = namesOf("mbus");
const json: Codec = {
  mediaType: "application/json",
  read: (bytes) => JSON.parse(Buffer.from(bytes).toString()) as Record<string, unknown>,
  write: (value) => Buffer.from(JSON.stringify(value)),
};
const avro: Codec = {
  mediaType: "application/vnd.confluent.avro",
  read: (bytes) => ({ first: bytes[0] }),
  write: () => Uint8Array.of(0x41),
};

/** What the system's own client is answered, act by act. */
const as = (system: string, acts: readonly Act[]): Promise<readonly PikaAnswer[]> =>
  actAs(server?.url ?? "", userOf(system), "secret", acts);

const inletOf = (edge: AmqpEdge, system: string, pattern: "event" | "query", contract = CONTRACT): Inlet =>
  createAmqpInlet({
    edge,
    system,
    contract,
    binding: { route: "moved", from: "in", system, pattern },
    codecs: { json, avro },
    replies: pattern === "query" ? { json, avro } : undefined,
    limits: { maxBytes: 1_000, maxInFlight: 10 },
  });
const publish = (by: string, of: string, more: Act = {}): Act => ({
  do: "publish",
  exchange: names.from,
  key: names.fromKey(of, CONTRACT),
  userId: userOf(by),
  body: '{"idnp":"2000000000001"}',
  headers: { cloudEvents_specversion: "1.0", cloudEvents_id: "e-1", cloudEvents_source: "/x", cloudEvents_type: "t", "x-one": "1" },
  ...more,
});

describe.skipIf(!ready)("modern systems on RabbitMQ", () => {
  let edge: AmqpEdge;
  let inlets: readonly Inlet[] = [];
  const came: Inbound[] = [];
  /** What the bus does with the next message. */
  let then: (inbound: Inbound) => Promise<void> = () => Promise.resolve();

  beforeAll(async () => {
    const salt = Buffer.from("salt");
    const digest = createHash("sha256")
      .update(Buffer.concat([salt, Buffer.from("secret")]))
      .digest();
    const passwordHash = Buffer.concat([salt, digest]).toString("base64");
    const file = join(mkdtempSync(join(tmpdir(), "mbus-definitions-")), "definitions.json");
    writeFileSync(file, JSON.stringify(definitionsFor(SYSTEMS.map((system) => ({ system, passwordHash })))));
    await server?.ctl?.("import_definitions", file);
    edge = await openAmqpEdge({ url: server?.url ?? "", node: "n1" });
    inlets = SYSTEMS.map((system) => inletOf(edge, system, "event"));
    for (const inlet of inlets)
      await inlet.start(async (inbound) => {
        came.push(inbound);
        const value = inbound.read();
        await then(inbound);
        return { kind: "accepted", id: inbound.id ?? "made", correlationId: "c", position: Object.keys(value).length, duplicate: false };
      });
  });
  afterAll(async () => {
    await Promise.all(inlets.map((inlet) => inlet.close()));
    await edge?.close();
  });
  const next = async (act: () => Promise<unknown>, count = 1): Promise<Inbound | undefined> => {
    came.length = 0;
    await act();
    await eventually(() => came.length >= count, "the message at the bus", PATIENCE);
    return came[0];
  };

  it("a system publishes under its own name: the bus knows who it is, and what the event says", async () => {
    const inbound = await next(() => as("taxoffice/erp", [publish("taxoffice/erp", "taxoffice/erp")]));
    expect(inbound).toMatchObject({ system: "taxoffice/erp", route: "moved", id: "e-1", headers: { "x-one": "1" } });
    expect(inbound?.read()).toEqual({ idnp: "2000000000001" });
  });
  it.each(["cloudEvents:", "ce-", "ce_"])("attributes under %s are understood too", async (prefix) => {
    const headers = { [`${prefix}specversion`]: "1.0", [`${prefix}id`]: "e-2", [`${prefix}subject`]: "ț" };
    const inbound = await next(() => as("a", [publish("a", "a", { headers })]));
    expect(inbound).toMatchObject({ id: "e-2", subject: "ț", headers: {} });
  });
  it("no system publishes with the routing key of another, whatever their names", async () => {
    came.length = 0;
    for (const system of SYSTEMS) {
      const others = SYSTEMS.filter((other) => other !== system);
      const answers = await as(system, [...others.map((other) => publish(system, other)), publish(system, system)]);
      expect(
        answers.map((answer) => answer.code),
        system,
      ).toEqual([...others.map(() => 403), undefined]);
    }
    await eventually(() => came.length >= SYSTEMS.length, "each system's own", PATIENCE);
    expect(came.map((inbound) => inbound.system)).toEqual(SYSTEMS);
  });
  it("a routing key with a wildcard, a line break or nothing behind is refused by the broker", async () => {
    const keys = ["from.a.*", "from.a.#", `from.a.${CONTRACT}\n`, `from.a.${CONTRACT}\r\nx`, "from.a.", "from.*.x", "from.#", "#", ""];
    const answers = await as(
      "a",
      keys.map((key) => publish("a", "a", { key })),
    );
    expect(answers.map((answer) => answer.code)).toEqual(keys.map(() => 403));
  });
  it("no system writes elsewhere, or reads the queue of another", async () => {
    const queues = SYSTEMS.filter((system) => system !== "a").map((system) => ({ do: "receive", queue: names.inbox(system), seconds: 1 }));
    const elsewhere = ["", names.to, names.exchange].map((exchange) => publish("a", "a", { exchange, key: names.inbox("taxoffice") }));
    const answers = await as("a", [...queues, { do: "receive", queue: names.from, seconds: 1 }, ...elsewhere]);
    expect(answers.every((answer) => answer.code === 403 || answer.code === 404)).toBe(true);
  });
  it("a message without user_id is refused; one with another's is refused by the broker", async () => {
    const inbound = await next(async () => {
      const answers = await as("a", [publish("a", "a", { userId: "guest" }), publish("a", "a", { userId: undefined })]);
      expect(answers.map((answer) => answer.code)).toEqual([406, undefined]);
    });
    expect(inbound?.system).toBeUndefined();
    expect(() => inbound?.read()).toThrow(expect.objectContaining({ code: "system-missing" }));
  });
  it("a refusal comes to the sender's own queue as a problem document, and the message is done with", async () => {
    then = () => Promise.reject(new BusError("grant-missing", "no grant lets this system use this contract"));
    const [, notice] = await as("taxoffice", [publish("taxoffice", "taxoffice"), { do: "receive", queue: names.inbox("taxoffice") }]);
    then = () => Promise.resolve();
    expect(notice).toMatchObject({
      ok: true,
      contentType: "application/problem+json",
      correlationId: "e-1",
      key: "to.taxoffice.mbus.refused.v1",
    });
    expect(JSON.parse(notice?.body ?? "")).toMatchObject({ type: "urn:mconnect-bus:error:grant-missing", status: 403, messageId: "e-1" });
    came.length = 0;
    await pause(1_500);
    expect(came).toHaveLength(0);
  });
  it("too big, of another media type or no JSON: refused, never a crash", async () => {
    const acts = [
      publish("a", "a", { body: `"${"x".repeat(1_000)}"` }),
      publish("a", "a", { contentType: "text/xml" }),
      publish("a", "a", { headers: { cloudEvents_specversion: "2.0" } }),
      publish("a", "a", { messageId: "a\r\nb", headers: {} }),
    ];
    const notices = acts.map(() => ({ do: "receive", queue: names.inbox("a") }));
    const answers = await as("a", [...acts, ...notices]);
    const types = answers.slice(acts.length).map((answer) => (JSON.parse(answer.body ?? "{}") as { type: string }).type.split(":")[3]);
    expect(types.toSorted((a = "", b = "") => (a < b ? -1 : 1))).toEqual([
      "http-request",
      "http-request",
      "media-type",
      "message-too-large",
    ]);
  });
  it("what the bus cannot take now comes again until it can", async () => {
    let refused = 0;
    then = () => (++refused < 3 ? Promise.reject(new BusError("journal-busy", "full", { retryAfter: 50 })) : Promise.resolve());
    await next(() => as("a", [publish("a", "a")]), 3);
    then = () => Promise.resolve();
    await pause(500);
    expect(came).toHaveLength(3);
  });
  it("Avro in Confluent framing and structured CloudEvents are taken, by their content type", async () => {
    const framed = publish("a", "a", { contentType: "application/vnd.confluent.avro", body: "\u0000abc" });
    expect((await next(() => as("a", [framed])))?.read()).toEqual({ first: 0 });
    const event = { specversion: "1.0", id: "s-1", source: "/x", type: "t", subject: "ț", correlationid: "c-9", data: { n: 1 } };
    const whole = publish("a", "a", { contentType: "application/cloudevents+json", body: JSON.stringify(event), headers: {} });
    const inbound = await next(() => as("a", [whole]));
    expect(inbound).toMatchObject({ id: "s-1", subject: "ț", correlationId: "c-9", system: "a" });
    expect(inbound?.read()).toEqual({ n: 1 });
  });
  it("a structured CloudEvent that is none is refused with a notice", async () => {
    const acts = ['{"specversion":"1.0"}', "[]", '{"specversion":"1.0","id":"x","source":"/x","type":"t","data_base64":"AA=="}'].map(
      (body) => publish("a", "a", { contentType: "application/cloudevents+json", body, headers: {} }),
    );
    const answers = await as("a", [...acts, ...acts.map(() => ({ do: "receive", queue: names.inbox("a") }))]);
    const types = answers.slice(acts.length).map((answer) => (JSON.parse(answer.body ?? "{}") as { type: string }).type.split(":")[3]);
    expect(new Set(types)).toEqual(new Set(["json-violation", "json-malformed", "media-type"]));
  });
  it("what no route takes is refused with a notice to its sender, whether it tells or asks", async () => {
    const [, notice, answer] = await as("a", [
      publish("a", "a", { key: "from.a.nobody.takes.v1" }),
      { do: "receive", queue: names.inbox("a") },
      { ...publish("a", "a", { key: "ask.a.nobody.answers.v1" }), do: "ask" },
    ]);
    for (const one of [notice, answer])
      expect(JSON.parse(one?.body ?? "")).toMatchObject({ type: "urn:mconnect-bus:error:contract-unknown", status: 400 });
  });
  it("what a system publishes while no bus runs waits in its queue, and for a route that is being exchanged", async () => {
    const gone = inletOf(edge, "a", "event", "test.waits.v1");
    const accept = async (inbound: Inbound) => {
      came.push(inbound);
      return { kind: "accepted" as const, id: inbound.id ?? "", correlationId: "c", position: 1, duplicate: false };
    };
    await gone.start(accept);
    await gone.close();
    await as("a", [publish("a", "a", { key: names.fromKey("a", "test.waits.v1") })]);
    const again = inletOf(edge, "a", "event", "test.waits.v1");
    expect(await next(() => again.start(accept))).toMatchObject({ id: "e-1", system: "a" });
    await again.close();
  });

  describe("questions", () => {
    const asked: Inbound[] = [];
    let answers: Inlet;
    const ask = (by: string, of: string, more: Act = {}): Act => ({
      ...publish(by, of, { key: names.askKey(of, CONTRACT), ...more }),
      do: "ask",
    });
    beforeAll(async () => {
      answers = inletOf(edge, "a", "query");
      await answers.start(async (inbound) => {
        asked.push(inbound);
        const value = inbound.read();
        if (value["n"] === 0) throw new BusError("grant-missing", "no grant");
        return { kind: "reply", id: "q-1", correlationId: "c", value: { twice: Number(value["n"]) * 2 }, position: 1 };
      });
    });
    afterAll(() => answers?.close());

    it("are answered over the direct reply-to, in their own format, to the question's correlation id", async () => {
      const more = { body: '{"n":21}', correlationId: "mine", expiration: "20000" };
      const [answer, framed] = await as("a", [ask("a", "a", more), ask("a", "a", { contentType: "avro/binary", body: "\u0000" })]);
      expect(answer).toMatchObject({ ok: true, contentType: "application/json", correlationId: "mine" });
      expect(JSON.parse(answer?.body ?? "")).toEqual({ twice: 42 });
      expect(answer?.headers?.["x-message-id"]).toBe("q-1");
      expect([framed?.contentType, framed?.body]).toEqual(["application/vnd.confluent.avro", "A"]);
      expect(asked[0]).toMatchObject({ system: "a", waits: 20_000 });
    });
    it("that are refused are answered with a problem document", async () => {
      const [answer] = await as("a", [ask("a", "a", { body: '{"n":0}' })]);
      expect([answer?.contentType, answer?.headers?.["x-error-code"]]).toEqual(["application/problem+json", "grant-missing"]);
      expect(JSON.parse(answer?.body ?? "")).toMatchObject({ status: 403 });
    });
    it("of another system are refused by the broker", async () => {
      const [answer] = await as("taxoffice", [{ ...ask("taxoffice", "a"), do: "publish" }]);
      expect(answer?.code).toBe(403);
    });
    it("that name a queue to answer to are not answered: the bus would speak there with its own rights", async () => {
      const forged = { ...ask("a", "a", { body: '{"n":1}', replyTo: names.inbox("taxoffice") }), do: "publish" };
      const before = asked.length;
      const [sent, , own] = await as("a", [forged, { ...forged, replyTo: names.from }, ask("a", "a", { body: '{"n":4}' })]);
      expect([sent?.ok, JSON.parse(own?.body ?? "")]).toEqual([true, { twice: 8 }]);
      expect(asked.length).toBe(before + 1);
      expect((await as("taxoffice", [{ do: "receive", queue: names.inbox("taxoffice"), seconds: 1 }]))[0]?.ok).toBe(false);
    });
  });

  it("the bus sends to a system's own queue, as CloudEvents in headers", async () => {
    const outlet = createAmqpOutlet({ edge, system: "a.b", contract: CONTRACT, codec: json });
    const message = messageOf({ name: "ț" }, { id: "m-1\r\n", contract: CONTRACT, subject: "ă", source: "x".repeat(400) });
    await outlet.send(message, new AbortController().signal);
    const [got] = await as("a.b", [{ do: "receive", queue: names.inbox("a.b") }]);
    expect(got).toMatchObject({ ok: true, key: `to.a_2eb.${CONTRACT}`, contentType: "application/json", correlationId: "c-1" });
    expect(got?.headers).toMatchObject({ cloudEvents_id: "m-1\r\n", cloudEvents_subject: "ă", cloudEvents_specversion: "1.0" });
    expect(JSON.parse(got?.body ?? "")).toEqual({ name: "ț" });
  });
  it("a system without a queue is unreachable, and an aborted send is told so", async () => {
    const outlet = createAmqpOutlet({ edge, system: "nobody", contract: CONTRACT, codec: json });
    expect(await codeOf(outlet.send(messageOf({}), new AbortController().signal))).toBe("endpoint-unreachable");
    expect(await codeOf(outlet.send(messageOf({}), AbortSignal.abort()))).toBe("attempt-timeout");
  });
});
