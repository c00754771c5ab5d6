/** Questions over a real RabbitMQ with the permissions that we write; who answers is a stock client, python3-pika. */
import { createHash } from "node:crypto";
import { mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import type { Codec, TopicAsking } from "#bus/wire.ts";
import { codeOf, eventually } from "#test/conformance/cases.ts";
import { OTHER, questionSuite, REGISTER } from "#test/conformance/questions.ts";
import { have, PIKA } from "#test/harness/debian.ts";
import { messageOf } from "#test/harness/message.ts";
import { actAs } from "#test/harness/pika.ts";
import { rabbitServer } from "#test/harness/rabbitmq.ts";
import { respondOnRabbit } from "#test/harness/responder.ts";
import { openAmqpEdge } from "./edge.ts";
import { definitionsFor } from "./permissions.ts";
import { createAmqpQuestions } from "./question.ts";

const server = have(PIKA) ? await rabbitServer() : undefined;
const { kill, revive, ctl, url = "" } = server ?? {};

async function ground() {
  if (!ctl) return undefined;
  const systems = [REGISTER, OTHER].map(({ system, password }) => ({ system, password }));
  const hashed = systems.map(({ system, password }) => ({ system, passwordHash: hashOf(password) }));
  const file = join(mkdtempSync(join(tmpdir(), "mbus-definitions-")), "definitions.json");
  writeFileSync(file, JSON.stringify(definitionsFor(hashed)));
  await ctl("import_definitions", file);
  return openAmqpEdge({ url, node: "n1", patience: 1_500 });
}
function hashOf(password: string): string {
  const salt = Buffer.from("salt");
  const digest = createHash("sha256")
    .update(Buffer.concat([salt, Buffer.from(password)]))
    .digest();
  return Buffer.concat([salt, digest]).toString("base64");
}

const edge = await ground();
afterAll(async () => {
  await edge?.close();
  await server?.close();
});

questionSuite(
  "RabbitMQ",
  edge && {
    outlet(target) {
      if (!target.asks) throw new Error("this target is not asked");
      return createAmqpQuestions({ ...target, asks: target.asks, edge });
    },
    respond: (user, password, handle) => respondOnRabbit(url, user, password, handle),
    async forge(user, password, key) {
      const act = { do: "publish", exchange: "mbus.from", key, userId: user, body: '{"forged":true}' };
      return String((await actAs(url, user, password, [act]))[0]?.code ?? "");
    },
    ...(kill &&
      revive && {
        async restart(during) {
          await kill();
          try {
            await during();
          } finally {
            await revive();
          }
        },
      }),
  },
);

describe.skipIf(!edge)("a question over RabbitMQ (skipped where no server of our own can be had)", () => {
  const json: Codec = {
    mediaType: "application/json",
    read: (bytes) => JSON.parse(Buffer.from(bytes).toString()) as Record<string, unknown>,
    write: (value) => Buffer.from(JSON.stringify(value)),
  };
  const asks: TopicAsking = { replies: { json }, waits: 10_000, maxBytes: 1_000 };
  const outletOf = (system: string = REGISTER.system) => {
    if (!edge) throw new Error("no server");
    return createAmqpQuestions({ system, contract: "person.request.v1", codec: json, asks, edge });
  };
  const ask = (system?: string, ms = 20_000) => outletOf(system).send(messageOf({}), AbortSignal.timeout(ms));

  it("to a system without a queue is unreachable, and disturbs no other question", async () => {
    const responder = await respondOnRabbit(url, REGISTER.user, REGISTER.password, () => ({ body: "{}" }));
    await eventually(async () => (await codeOf(ask())) === "", "an answer", 30_000);
    const both = await Promise.all([codeOf(ask("nobody")), codeOf(ask()), codeOf(ask("nobody")), codeOf(ask())]);
    expect(both).toEqual(["endpoint-unreachable", "", "endpoint-unreachable", ""]);
    await responder.close();
  });

  it("is not answered by an answer that does not say whose it is, and its asker is told what is missing", async () => {
    const responder = await respondOnRabbit(url, REGISTER.user, REGISTER.password, () => ({ body: "{}", userId: null }));
    await eventually(async () => (await codeOf(ask())) !== "endpoint-unreachable", "somebody who answers", 30_000);
    await expect(ask()).rejects.toMatchObject({ code: "provider-reply-invalid", message: expect.stringContaining(REGISTER.user) });
    await responder.close();
  });

  it("is a fault where the answer has a header for one", async () => {
    const headers = { "x-error-code": "NoSuchPerson" };
    const responder = await respondOnRabbit(url, REGISTER.user, REGISTER.password, () => ({ body: "", headers }));
    await eventually(async () => (await codeOf(ask())) !== "endpoint-unreachable", "somebody who answers", 30_000);
    await expect(ask()).rejects.toMatchObject({ code: "provider-fault", providerCode: "NoSuchPerson" });
    await responder.close();
  });

  it("is read by no other system, and no other asks in the bus's name", async () => {
    const [read, asked] = await actAs(url, OTHER.user, OTHER.password, [
      { do: "receive", queue: `call.${REGISTER.user}`, seconds: 1 },
      { do: "publish", exchange: "mbus.to", key: `call.${REGISTER.user}.person.request.v1`, userId: OTHER.user, body: "{}" },
    ]);
    expect([read?.code, asked?.code]).toEqual([403, 403]);
  });

  it("that waits when the bus stops ends with it", async () => {
    let seen = 0;
    const responder = await respondOnRabbit(url, REGISTER.user, REGISTER.password, () => void (seen += 1));
    await eventually(async () => (await codeOf(ask(undefined, 500))) === "attempt-timeout", "somebody who is silent", 30_000);
    const before = seen;
    const waiting = codeOf(ask());
    await eventually(() => seen > before, "the question", 30_000);
    await edge?.close();
    expect(await waiting).toBe("bus-stopping");
    await responder.close();
  });
});
