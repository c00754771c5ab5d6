/**
 * What every broker's questions to modern systems must do. A broker's own test gives a server that enforces our permissions for the two
 * systems below, the outlet that asks, and a client that answers with the rights of one of them.
 */
import { afterEach, beforeAll, describe, expect, it } from "vitest";
import type { AvroRecord, Envelope } from "#bus/envelope.ts";
import type { Outlet } from "#bus/ports.ts";
import type { Codec, TopicTarget } from "#bus/wire.ts";
import { messageOf } from "#test/harness/message.ts";
import type { Answer, Asked, Handle, Responder } from "#test/harness/responder.ts";
import { codeOf, eventually } from "./cases.ts";

export const REGISTER = { system: "rsp/population", user: "rsp_2fpopulation", password: "register" } as const;
export const OTHER = { system: "taxoffice/erp", user: "taxoffice_2ferp", password: "erp" } as const;
const CONTRACT = "person.request.v1";
const PATIENCE = 30_000;

export type QuestionGround = Readonly<{
  outlet(target: TopicTarget): Outlet;
  respond(user: string, password: string, handle: Handle): Promise<Responder>;
  /** Publishes an answer with the rights of that user; gives the broker's refusal, empty where there is none. */
  forge(user: string, password: string, replyTo: string): Promise<string>;
  /** Ends the server and starts it again. */
  restart?: (during: () => Promise<void>) => Promise<void>;
}>;

const json: Codec = {
  mediaType: "application/json",
  read: (bytes) => JSON.parse(Buffer.from(bytes).toString("utf8")) as AvroRecord,
  write: (value) => Buffer.from(JSON.stringify(value)),
};
const avro: Codec = {
  mediaType: "application/vnd.confluent.avro",
  read: (bytes) => ({ framed: Buffer.from(bytes.subarray(1)).toString() }),
  write: (value) => Buffer.from(`\u0000${JSON.stringify(value)}`),
};
const ASKS = { replies: { json, avro }, waits: 10_000, maxBytes: 5_000 };
const TARGET: TopicTarget = { system: REGISTER.system, contract: CONTRACT, codec: json, asks: ASKS };

/** `open`: undefined where no server can be had. */
export function questionSuite(name: string, open: QuestionGround | undefined): void {
  describe.skipIf(!open)(`questions to a modern system over ${name} (skipped where no server of our own can be had)`, () => {
    const ground = open as QuestionGround;
    let outlet: Outlet;
    const closing: (() => Promise<unknown>)[] = [];
    const asked: Asked[] = [];
    beforeAll(() => {
      outlet = ground.outlet(TARGET);
    });
    afterEach(async () => {
      for (const close of closing.splice(0)) await close();
      asked.length = 0;
    });

    const answers = async (handle: Handle): Promise<void> => {
      const responder = await ground.respond(REGISTER.user, REGISTER.password, (question) => {
        asked.push(question);
        return handle(question);
      });
      closing.push(() => responder.close());
    };
    const ask = (value: AvroRecord = {}, envelope: Partial<Envelope> = {}, signal = AbortSignal.timeout(PATIENCE)) =>
      outlet.send(messageOf(value, envelope), signal);
    const echo: Handle = ({ bytes }) => ({ body: JSON.stringify({ echo: JSON.parse(bytes.toString()) as unknown }) });
    /** Asks until somebody is known to answer: a broker may believe for a moment what it saw last. */
    const known = (): Promise<void> =>
      eventually(async () => (await codeOf(ask({ warm: 1 }, {}, AbortSignal.timeout(5_000)))) === "", "somebody who answers", PATIENCE);

    it("that nobody is there to answer fail at once as unreachable, and reach who comes later", async () => {
      const started = performance.now();
      expect(await codeOf(ask())).toBe("endpoint-unreachable");
      expect(performance.now() - started).toBeLessThan(PATIENCE);
      await answers(echo);
      await known();
      expect(await ask({ n: 1 })).toEqual({ echo: { n: 1 } });
    });

    it("say who asks, for whom, on what basis and how long the answer is waited for", async () => {
      await answers(echo);
      await known();
      asked.length = 0;
      const deadline = Date.now() + 3_600_000;
      const call = { user: "2004100010095", entity: "1007601008122", basis: "Legea 436/2006, art. 29 ăîț", reason: "certificat\r\nx" };
      await ask({ idnp: "1" }, { id: "q-1", correlationId: "c-7", call, deadline });
      expect(asked).toHaveLength(1);
      expect(asked[0]).toMatchObject({ topic: `call.${REGISTER.user}.${CONTRACT}`, contentType: "application/json", id: "q-1" });
      expect(asked[0]?.headers).toMatchObject({
        "x-correlation-id": "c-7",
        prefer: "wait=10",
        "mbus-deadline": new Date(deadline).toISOString(),
        callinguser: call.user,
        callingentity: call.entity,
        callbasis: call.basis,
        callreason: "certificat x",
      });
    });

    it("wait no longer than the exchange, and are not sent when its deadline has passed", async () => {
      await answers(echo);
      await known();
      asked.length = 0;
      await ask({}, { deadline: Date.now() + 4_500 });
      expect(asked[0]?.headers["prefer"]).toMatch(/^wait=[1-5]$/u);
      expect(await codeOf(ask({}, { deadline: Date.now() - 1 }))).toBe("deadline-passed");
      expect(asked).toHaveLength(1);
    });

    it("are answered in JSON or in Avro, as the answer's content type says", async () => {
      await answers(() => ({ body: "\u0000abc", contentType: "application/vnd.confluent.avro" }));
      await known();
      expect(await ask()).toEqual({ framed: "abc" });
    });

    it("that are not answered end with the attempt; an answer that comes too late is nobody else's", async () => {
      let first: Asked | undefined;
      await answers((question) => {
        if (JSON.parse(question.bytes.toString()).silent === 1) return void (first = question);
        return { body: question.bytes.toString() };
      });
      await known();
      expect(await codeOf(ask({ silent: 1 }, {}, AbortSignal.timeout(300)))).toBe("attempt-timeout");
      expect(await codeOf(ask({}, {}, AbortSignal.abort()))).toBe("attempt-timeout");
      await eventually(() => first !== undefined, "the question that nobody answered", PATIENCE);
      expect(await ground.forge(REGISTER.user, REGISTER.password, first?.replyTo ?? "")).toBe("");
      expect(await ask({ n: 2 })).toEqual({ n: 2 });
    });

    it("are answered by the named system alone: another one may neither answer nor guess where", async () => {
      const refusals: Promise<string>[] = [];
      await answers((question) => {
        if (question.bytes.toString().includes("warm")) return { body: "{}" };
        refusals.push(ground.forge(OTHER.user, OTHER.password, question.replyTo));
        return undefined;
      });
      await known();
      const patience = new AbortController();
      const waiting = codeOf(ask({ n: 1 }, {}, patience.signal));
      await eventually(() => refusals.length === 1, "the question", PATIENCE);
      await Promise.all(refusals);
      patience.abort();
      expect(await waiting).toBe("attempt-timeout");
      expect(await Promise.all(refusals)).toEqual([expect.stringMatching(/Permissions Violation|403/u)]);
      const places = asked.map(({ replyTo }) => replyTo.split("."));
      expect(new Set(places.map((tokens) => tokens.slice(0, 2).join(".")))).toEqual(new Set([`answer.${REGISTER.user}`]));
      const secrets = places.map((tokens) => tokens.at(-1) ?? "");
      expect(new Set(secrets).size).toBe(secrets.length);
      for (const secret of secrets) expect(secret).toMatch(/^[0-9a-f]{32}$/u);
    });

    const FAULTS: readonly (readonly [string, Answer, string, string | undefined])[] = [
      ["a problem document", { body: '{"status":404}', contentType: "application/problem+json" }, "provider-fault", "404"],
      ["a problem that passes", { body: '{"status":503}', contentType: "application/problem+json" }, "endpoint-unavailable", "503"],
      ["too many requests", { body: '{"status":429}', contentType: "application/problem+json" }, "endpoint-throttled", "429"],
      ["another content type", { body: "<a/>", contentType: "text/xml" }, "provider-reply-invalid", undefined],
      ["no content type", { body: "{}", contentType: null }, "provider-reply-invalid", undefined],
      ["no JSON", { body: "{" }, "provider-reply-invalid", undefined],
      ["too much", { body: JSON.stringify({ a: "x".repeat(6_000) }) }, "provider-reply-invalid", undefined],
    ];
    it(`that are answered with ${FAULTS.map(([what]) => what).join(", ")} fail by what the answer says`, async () => {
      await answers(({ bytes }) => {
        const { n } = JSON.parse(bytes.toString()) as { n?: number };
        return n === undefined ? { body: "{}" } : FAULTS[n]?.[1];
      });
      await known();
      for (const [n, [what, , code, providerCode]] of FAULTS.entries()) {
        const error: unknown = await ask({ n }).catch((thrown: unknown) => thrown);
        expect(error, what).toMatchObject({ code, ...(providerCode !== undefined && { providerCode }) });
      }
    });

    it("that are asked at once each get their own answer", async () => {
      await answers(echo);
      await known();
      const all = await Promise.all(Array.from({ length: 200 }, (_, n) => ask({ n })));
      expect(all).toEqual(Array.from({ length: 200 }, (_, n) => ({ echo: { n } })));
    });

    it.skipIf(open?.restart === undefined)("fail as passing while the server is away, and are answered when it is back", async () => {
      await ground.restart?.(async () => {
        await eventually(
          async () => (await codeOf(ask({}, {}, AbortSignal.timeout(1_000)))) === "transport-unavailable",
          "the loss noticed",
          PATIENCE,
        );
      });
      await answers(echo);
      await known();
      expect(await ask({ n: 3 })).toEqual({ echo: { n: 3 } });
    });
  });
}
