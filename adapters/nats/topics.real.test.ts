/** Modern systems on a real NATS server that enforces our permissions; the system is a program that speaks the protocol's bare lines. */
import { jetstreamManager } from "@nats-io/jetstream";
import { afterAll, describe, expect, it } from "vitest";
import type { AvroRecord } from "#bus/envelope.ts";
import { BusError } from "#bus/errors.ts";
import type { Accept, Inbound, Outcome } from "#bus/ports.ts";
import type { Codec } from "#bus/wire.ts";
import { eventually, pause } from "#test/conformance/cases.ts";
import { messageOf } from "#test/harness/message.ts";
import { natsServer } from "#test/harness/nats.ts";
import { openRawNats, type RawNats } from "#test/harness/raw-nats.ts";
import { createNatsInlet } from "./inlet.ts";
import { createNatsOutlet } from "./outlet.ts";
import { writePermissions } from "./permissions.ts";
import { openTopics, type Topics } from "./topics.ts";

const A = "taxoffice/erp";
const B = "rsp.population";
const TOKEN_A = "taxoffice_2ferp";
const TOKEN_B = "rsp_2epopulation";
const CONTRACT = "test.echo.v1";
const WAIT = 30_000;
const JSON_TYPE = { "content-type": "application/json" };
const permissions = writePermissions({ user: "bus", password: "b" }, [
  { system: A, password: 'a"quoted' },
  { system: B, password: "other" },
]);
const server = await natsServer({ config: permissions });
const json: Codec = {
  mediaType: "application/json",
  read: (bytes) => JSON.parse(Buffer.from(bytes).toString("utf8")) as AvroRecord,
  write: (value) => Buffer.from(JSON.stringify(value)),
};
const avro: Codec = { mediaType: "application/vnd.confluent.avro", read: (bytes) => ({ first: bytes[0] }), write: () => Uint8Array.of(0) };
const limits = { maxBytes: 100_000, maxInFlight: 10 };

const closing: (() => unknown)[] = [];
afterAll(async () => {
  for (const close of closing.reverse()) await close();
  await server?.close();
});

const accepted = (inbound: Inbound): Outcome => ({
  kind: "accepted",
  id: inbound.id ?? "",
  correlationId: "c",
  position: 1,
  duplicate: false,
});

describe.skipIf(!server)("modern systems on NATS (skipped where no server of our own can be had)", () => {
  const url = server?.url ?? "";
  let topics: Promise<Topics> | undefined;
  const bus = async (): Promise<Topics> => {
    topics ??= openTopics({ url: url.replace("//", "//bus:b@"), node: "n1", maxBytes: 33_554_432 });
    const opened = await topics;
    if (!closing.includes(opened.close)) closing.push(opened.close);
    return opened;
  };
  const raw = async (user: string, password: string): Promise<RawNats> => {
    const client = await openRawNats(url, user, password);
    closing.push(client.close);
    return client;
  };
  const inlet = async (contract: string, accept: Accept, pattern: "event" | "query" = "event") => {
    const binding = { route: "r", from: "f", system: A, pattern };
    const made = createNatsInlet({
      topics: await bus(),
      system: A,
      contract,
      binding,
      codecs: { json, avro },
      replies: pattern === "query" ? { json } : undefined,
      limits,
    });
    await made.start(accept);
    closing.push(() => made.close());
    return made;
  };

  it("an event is confirmed when it is kept, and accepted as the subject's system, whatever a header claims", async () => {
    await bus();
    const system = await raw(TOKEN_A, 'a"quoted');
    const headers = {
      "ce-specversion": "1.0",
      "ce-id": "e-1",
      "ce-source": "/someone/else",
      "ce-type": "x",
      "ce-subject": "%C8%9B",
      "x-system": "someone/else",
    };
    const confirmed = await system.request(`from.${TOKEN_A}.${CONTRACT}`, '{"n":1}', { ...headers, "content-type": "application/json" });
    expect(JSON.parse(confirmed.body)).toMatchObject({ stream: "MBUS_FROM" });
    const seen: Inbound[] = [];
    await inlet(CONTRACT, async (inbound) => (seen.push(inbound), accepted(inbound)));
    await eventually(() => seen.length === 1, "the event, sent before its route was there", WAIT);
    expect(seen[0]).toMatchObject({ system: A, route: "r", from: "f", id: "e-1", subject: "ț" });
    expect(seen[0]?.read()).toEqual({ n: 1 });
  });

  it("Avro in Confluent framing is read by the Avro codec, and a message without an id has one that stays", async () => {
    const system = await raw(TOKEN_A, 'a"quoted');
    const seen: Inbound[] = [];
    await inlet("test.avro.v1", async (inbound) => {
      seen.push(inbound);
      if (seen.length === 1) throw new BusError("journal-busy", "not now", { retryAfter: 50 });
      return accepted(inbound);
    });
    await system.request(`from.${TOKEN_A}.test.avro.v1`, "\u0000abc", { "content-type": "application/vnd.confluent.avro" });
    await eventually(() => seen.length === 2, "the same message again", WAIT);
    expect(seen[0]?.read()).toEqual({ first: 0 });
    expect(seen[0]?.id).toMatch(/^nats-\d+-\d+$/u);
    expect(seen[1]?.id).toBe(seen[0]?.id);
  });

  it("a refusal comes back as a notice that names the message, and the message does not come again", async () => {
    const system = await raw(TOKEN_A, 'a"quoted');
    let asked = 0;
    await inlet("test.refused.v1", () => {
      asked++;
      return Promise.reject(new BusError("grant-missing", "no grant lets this system use this contract"));
    });
    await system.request(`from.${TOKEN_A}.test.refused.v1`, "{}", { ...JSON_TYPE, "Nats-Msg-Id": "r-1" });
    const notice = await system.fetch(TOKEN_A);
    expect(notice.subject).toBe(`to.${TOKEN_A}.mbus.refused.v1`);
    expect(notice.headers["content-type"]).toBe("application/problem+json");
    expect(JSON.parse(notice.body)).toMatchObject({ type: "urn:mconnect-bus:error:grant-missing", status: 403, messageId: "r-1" });
    await pause(1_500);
    expect(asked).toBe(1);
  });

  it("what the bus sent itself is refused, should it ever be led back to it", async () => {
    const system = await raw(TOKEN_A, 'a"quoted');
    await inlet("test.sent.v1", async (inbound) => (inbound.read(), accepted(inbound)));
    await system.request(`from.${TOKEN_A}.test.sent.v1`, "{}", {
      ...JSON_TYPE,
      "ce-specversion": "1.0",
      "Mbus-Sent": "1",
      "x-message-id": "s-1",
    });
    expect(JSON.parse((await system.fetch(TOKEN_A)).body)).toMatchObject({ type: "urn:mconnect-bus:error:media-type", messageId: "s-1" });
  });

  it("what is not settled when the inlet closes comes to the next one", async () => {
    const system = await raw(TOKEN_A, 'a"quoted');
    await bus();
    const first = createNatsInlet(
      {
        topics: await bus(),
        system: A,
        contract: "test.again.v1",
        binding: { route: "r", from: "f", system: A, pattern: "event" },
        codecs: { json },
        replies: undefined,
        limits,
      },
      100,
    );
    let held = 0;
    await first.start(() => (held++, new Promise(() => undefined)));
    await system.request(`from.${TOKEN_A}.test.again.v1`, "{}", JSON_TYPE);
    await eventually(() => held === 1, "the message in hand", WAIT);
    await first.close();
    const seen: Inbound[] = [];
    await inlet("test.again.v1", async (inbound) => (seen.push(inbound), accepted(inbound)));
    await eventually(() => seen.length === 1, "the message again", WAIT);
  });

  it("a query is answered over its reply subject, a refusal with the code in the header", async () => {
    const system = await raw(TOKEN_A, 'a"quoted');
    await inlet(
      "test.ask.v1",
      async (inbound) => {
        const value = inbound.read();
        if (value["n"] === 0) throw new BusError("grant-missing", "no grant");
        return { kind: "reply", id: "q", correlationId: "c", value: { twice: Number(value["n"]) * 2 }, position: 1 };
      },
      "query",
    );
    const answer = await system.request(`ask.${TOKEN_A}.test.ask.v1`, '{"n":21}', JSON_TYPE);
    expect([JSON.parse(answer.body), answer.headers["x-message-id"]]).toEqual([{ twice: 42 }, "q"]);
    const refused = await system.request(`ask.${TOKEN_A}.test.ask.v1`, '{"n":0}', JSON_TYPE);
    expect(refused.headers["Nats-Service-Error-Code"]).toBe("grant-missing");
    expect(JSON.parse(refused.body)).toMatchObject({ status: 403 });
  });

  it("the outlet's event is kept for its system, once, with its attributes, until the system settles it", async () => {
    const outlet = createNatsOutlet({ topics: await bus(), system: B, contract: CONTRACT, codec: json });
    const message = messageOf({ name: "Ștefan" }, { id: "o-1", subject: "ț 1" });
    await outlet.send(message, new AbortController().signal);
    await outlet.send(message, new AbortController().signal);
    const system = await raw(TOKEN_B, "other");
    const event = await system.fetch(TOKEN_B);
    expect(event.subject).toBe(`to.${TOKEN_B}.${CONTRACT}`);
    expect(JSON.parse(event.body)).toEqual({ name: "Ștefan" });
    expect(event.headers).toMatchObject({
      "ce-id": "o-1",
      "ce-subject": "%C8%9B%201",
      "ce-source": "taxoffice/erp",
      "ce-datacontenttype": "application/json",
    });
    await expect(system.fetch(TOKEN_B, 500)).rejects.toThrow("nothing");
  });

  it("an id with line breaks and wildcards makes no header and no subject of its own", async () => {
    const outlet = createNatsOutlet({ topics: await bus(), system: B, contract: "test.hostile.v1", codec: json });
    const hostile = { id: "i\r\nce-source: /forged\r\n\r\n*.>", correlationId: "c\r\nx: y", source: "a\nb", subject: "\r\n>" };
    await outlet.send(messageOf({ n: 1 }, hostile), new AbortController().signal);
    const system = await raw(TOKEN_B, "other");
    const event = await system.fetch(TOKEN_B);
    expect(event.subject).toBe(`to.${TOKEN_B}.test.hostile.v1`);
    expect(decodeURIComponent(event.headers["ce-id"] ?? "")).toBe(hostile.id);
    expect(decodeURIComponent(event.headers["ce-source"] ?? "")).toBe("a\nb");
    expect(Object.keys(event.headers)).not.toContain("x");
    expect(event.body).toBe('{"n":1}');
  });

  it("a system that waits before there is a message for it gets the first one", async () => {
    const early = "early/system";
    createNatsOutlet({ topics: await bus(), system: early, contract: CONTRACT, codec: json });
    const sender = createNatsInlet({
      topics: await bus(),
      system: "sends/only",
      contract: CONTRACT,
      binding: { route: "r", from: "f", system: "sends/only", pattern: "event" },
      codecs: { json },
      replies: undefined,
      limits,
    });
    await sender.start(async (inbound) => accepted(inbound));
    closing.push(() => sender.close());
    const manager = await jetstreamManager((await bus()).link.nc);
    for (const token of ["early_2fsystem", "sends_2fonly"])
      await eventually(
        async () => {
          const info = await manager.consumers.info("MBUS_TO", token).catch(() => undefined);
          return info?.config.filter_subject === `to.${token}.>`;
        },
        `the consumer of ${token}`,
        WAIT,
      );
  });

  it("a structured CloudEvent and a question with a time are taken with what they say", async () => {
    const system = await raw(TOKEN_A, 'a"quoted');
    const seen: Inbound[] = [];
    await inlet("test.structured.v1", async (inbound) => (seen.push(inbound), accepted(inbound)));
    const event = { specversion: "1.0", id: "s-1", source: "/x", type: "t", subject: "ț", data: { n: 1 } };
    await system.request(`from.${TOKEN_A}.test.structured.v1`, JSON.stringify(event), {
      "content-type": "application/cloudevents+json",
      prefer: "wait=7",
    });
    await eventually(() => seen.length === 1, "the event", WAIT);
    expect(seen[0]).toMatchObject({ id: "s-1", subject: "ț", waits: 7_000 });
    expect(seen[0]?.read()).toEqual({ n: 1 });
  });

  it("a question in Avro is answered in Avro", async () => {
    const answers = createNatsInlet({
      topics: await bus(),
      system: A,
      contract: "test.framed.v1",
      binding: { route: "r", from: "f", system: A, pattern: "query" },
      codecs: { json, avro },
      replies: { json, avro },
      limits,
    });
    await answers.start(async (inbound) => ({ kind: "reply", id: "q", correlationId: "c", value: inbound.read(), position: 1 }));
    closing.push(() => answers.close());
    const system = await raw(TOKEN_A, 'a"quoted');
    const framed = await system.request(`ask.${TOKEN_A}.test.framed.v1`, "\u0000", { "content-type": "avro/binary" });
    expect([framed.headers["content-type"], [...framed.bytes]]).toEqual(["application/vnd.confluent.avro", [0]]);
    const plain = await system.request(`ask.${TOKEN_A}.test.framed.v1`, "{}", JSON_TYPE);
    expect(plain.headers["content-type"]).toBe("application/json");
  });

  it("an abandoned send fails as attempt-timeout", async () => {
    const outlet = createNatsOutlet({ topics: await bus(), system: B, contract: CONTRACT, codec: json });
    await expect(outlet.send(messageOf({}), AbortSignal.abort())).rejects.toMatchObject({ code: "attempt-timeout" });
  });

  it("the server lets nobody in without a password, or speak, ask or read as another system", async () => {
    await expect(openRawNats(url, TOKEN_A, "wrong")).rejects.toThrow(/authorization violation/iu);
    const seen: Inbound[] = [];
    await inlet("test.guarded.v1", async (inbound) => (seen.push(inbound), accepted(inbound)));
    const thief = await raw(TOKEN_B, "other");
    for (const subject of [
      `from.${TOKEN_A}.test.guarded.v1`,
      `ask.${TOKEN_A}.test.ask.v1`,
      `to.${TOKEN_A}.${CONTRACT}`,
      `$JS.API.CONSUMER.MSG.NEXT.MBUS_TO.${TOKEN_A}`,
      "$JS.API.STREAM.DELETE.MBUS_TO",
      "mbus.t.x.0",
    ])
      expect(await thief.violates(() => thief.publish(subject, "{}")), subject).toContain("Permissions Violation for Publish");
    for (const subject of [`to.${TOKEN_A}.>`, `from.>`, `_INBOX.${TOKEN_A}.>`, ">"])
      expect(await thief.violates(() => thief.subscribe(subject)), subject).toContain("Permissions Violation for Subscription");
    expect(seen).toEqual([]);
  });

  it("no reply subject makes the server or the bus speak for another system", async () => {
    const read: AvroRecord[] = [];
    let asked = 0;
    const into = `from.${TOKEN_A}.test.deputy.v1`;
    await inlet("test.deputy.v1", async (inbound) => {
      asked++;
      read.push(inbound.read());
      return accepted(inbound);
    });
    const answers = createNatsInlet({
      topics: await bus(),
      system: B,
      contract: "test.ask.v1",
      binding: { route: "r", from: "f", system: B, pattern: "query" },
      codecs: { json },
      replies: { json },
      limits,
    });
    await answers.start(async () => ({ kind: "reply", id: "q", correlationId: "c", value: { forged: true }, position: 1 }));
    closing.push(() => answers.close());
    await createNatsOutlet({ topics: await bus(), system: B, contract: CONTRACT, codec: json }).send(
      messageOf({ forged: true }, { id: "o-2" }),
      new AbortController().signal,
    );
    const thief = await raw(TOKEN_B, "other");
    // the server's confirmation, an answer of the bus, and a message fetched from the thief's own consumer
    thief.publish(`from.${TOKEN_B}.x`, "{}", JSON_TYPE, into);
    thief.publish(`ask.${TOKEN_B}.test.ask.v1`, "{}", JSON_TYPE, into);
    thief.publish(`$JS.API.CONSUMER.MSG.NEXT.MBUS_TO.${TOKEN_B}`, JSON.stringify({ batch: 1, expires: 2_000_000_000 }), undefined, into);
    await eventually(() => asked > 0, "the confirmation at the inlet, to be refused", WAIT);
    await pause(2_500);
    expect(read).toEqual([]);
  });
});
