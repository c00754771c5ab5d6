/** Questions over a real NATS server that enforces our permissions; who answers is a program that speaks the protocol's bare lines. */
import { afterAll, describe, expect, it } from "vitest";
import { OTHER, questionSuite, REGISTER } from "#test/conformance/questions.ts";
import { codeOf } from "#test/conformance/cases.ts";
import { messageOf } from "#test/harness/message.ts";
import { natsServer } from "#test/harness/nats.ts";
import { openRawNats } from "#test/harness/raw-nats.ts";
import { respondOnNats } from "#test/harness/responder.ts";
import type { Codec, TopicAsking } from "#bus/wire.ts";
import { writePermissions } from "./permissions.ts";
import { createNatsQuestions } from "./question.ts";
import { openTopics } from "./topics.ts";

const config = writePermissions({ user: "bus", password: "b" }, [REGISTER, OTHER]);
const server = await natsServer({ config });
const topics = server && (await openTopics({ url: server.url.replace("//", "//bus:b@"), node: "n1" }));
afterAll(async () => {
  await topics?.close();
  await server?.close();
});
const { kill, revive, url = "" } = server ?? {};

questionSuite(
  "NATS",
  topics && {
    outlet(target) {
      if (!target.asks) throw new Error("this target is not asked");
      return createNatsQuestions({ ...target, asks: target.asks, topics });
    },
    respond: (user, password, handle) => respondOnNats(url, user, password, handle),
    async forge(user, password, replyTo) {
      const raw = await openRawNats(url, user, password);
      const refusal = await raw.violates(() => raw.publish(replyTo, '{"forged":true}', { "content-type": "application/json" }));
      raw.close();
      return refusal;
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

describe.skipIf(!topics)("a question over NATS (skipped where no server of our own can be had)", () => {
  const json: Codec = {
    mediaType: "application/json",
    read: (bytes) => JSON.parse(Buffer.from(bytes).toString()) as Record<string, unknown>,
    write: (value) => Buffer.from(JSON.stringify(value)),
  };
  const asks: TopicAsking = { replies: { json }, waits: 1_000, maxBytes: 1_000 };
  const outletOf = () => {
    if (!topics) throw new Error("no server");
    return createNatsQuestions({ system: REGISTER.system, contract: "person.request.v1", codec: json, asks, topics });
  };

  it("is not taken for answered by what the bus itself sent, should somebody lead it back", async () => {
    const responder = await respondOnNats(url, REGISTER.user, REGISTER.password, () => ({ body: "{}", headers: { "Mbus-Sent": "1" } }));
    expect(await codeOf(outletOf().send(messageOf({}), AbortSignal.timeout(1_000)))).toBe("attempt-timeout");
    await responder.close();
  });

  it("is a fault where the answer has the header of NATS services for one", async () => {
    const headers = { "Nats-Service-Error-Code": "404", "Nats-Service-Error": "no such person" };
    const responder = await respondOnNats(url, REGISTER.user, REGISTER.password, () => ({ body: "", headers }));
    const error: unknown = await outletOf()
      .send(messageOf({}), AbortSignal.timeout(20_000))
      .catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ code: "provider-fault", providerCode: "404" });
    await responder.close();
  });

  it("that waits when its outlet closes ends with it, and no further one is sent", async () => {
    const responder = await respondOnNats(url, REGISTER.user, REGISTER.password, () => undefined);
    const outlet = outletOf();
    const waiting = codeOf(outlet.send(messageOf({}), AbortSignal.timeout(20_000)));
    await outlet.close();
    expect(await waiting).toBe("bus-stopping");
    expect(await codeOf(outlet.send(messageOf({}), AbortSignal.timeout(20_000)))).toBe("bus-stopping");
    await responder.close();
  });

  it("is heard by no other system, and no other asks in the bus's name", async () => {
    const raw = await openRawNats(url, OTHER.user, OTHER.password);
    expect(await raw.violates(() => raw.subscribe(`call.${REGISTER.user}.>`))).toContain("Permissions Violation");
    expect(await raw.violates(() => raw.subscribe("answer.>"))).toContain("Permissions Violation");
    expect(await raw.violates(() => raw.publish(`call.${REGISTER.user}.person.request.v1`, "{}"))).toContain("Permissions Violation");
    raw.close();
  });
});
