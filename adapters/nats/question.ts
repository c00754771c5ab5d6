/**
 * A question to a modern system over NATS: a request to `call.<system>.<contract>`, without JetStream, for the asker waits. The answer
 * comes to `answer.<system>.<session>.<question>`, where the server's permissions let nobody but that system publish, and whose last
 * token nobody can guess.
 */
import { randomBytes } from "node:crypto";
import { headers, Match, type Msg } from "@nats-io/transport-node";
import { readTopicAnswer, writeQuestion } from "#bus/edge/question.ts";
import type { AvroRecord } from "#bus/envelope.ts";
import { BusError } from "#bus/errors.ts";
import type { Outlet } from "#bus/ports.ts";
import type { TopicAsking, TopicTarget } from "#bus/wire.ts";
import { stopping } from "./connect.ts";
import { subjectOf, tokenOf } from "./names.ts";
import { SENT, type Topics } from "./topics.ts";

export type NatsQuestionSettings = TopicTarget & Readonly<{ topics: Pick<Topics, "link">; asks: TopicAsking }>;

type Asked = Readonly<{ resolve: (answer: Msg) => void; reject: (error: BusError) => void }>;

/** The server's own word, in place of an answer, that nobody listens. */
const NO_RESPONDERS = 503;
const unguessable = (): string => randomBytes(16).toString("hex");

/** A system that nobody answers for is endpoint-unreachable; a connection that is away transport-unavailable. */
export function createNatsQuestions(settings: NatsQuestionSettings): Outlet {
  const { system, contract, codec, asks } = settings;
  const { link } = settings.topics;
  const { nc } = link;
  const subject = subjectOf("call", system, contract);
  const inbox = `answer.${tokenOf(system)}.${unguessable()}`;
  const waiting = new Map<string, Asked>();
  let closed = false;
  const subscription = nc.subscribe(`${inbox}.*`, {
    callback(error, answer) {
      if (error)
        return link.report(
          new BusError("transport-unavailable", `NATS hands out no answers of ${subject}: ${error.message}`, { cause: error }),
        );
      // what the bus itself sent and somebody led back here is no answer
      if (headerOf(answer, SENT) === undefined) waiting.get(answer.subject)?.resolve(answer);
    },
  });

  async function answerTo(reply: string, send: () => void, signal: AbortSignal): Promise<Msg> {
    const { promise, resolve, reject } = Promise.withResolvers<Msg>();
    const abort = (): void => reject(lateOf(subject, signal));
    waiting.set(reply, { resolve, reject });
    signal.addEventListener("abort", abort);
    try {
      send();
      return await promise;
    } finally {
      signal.removeEventListener("abort", abort);
      waiting.delete(reply);
    }
  }

  return {
    endpoint: `nats:${subject}`,
    async send({ envelope, value }, signal): Promise<AvroRecord> {
      if (closed || link.closed()) throw stopping();
      if (signal.aborted) throw lateOf(subject, signal);
      if (!link.up()) throw new BusError("transport-unavailable", "the connection to NATS is away: nobody can be asked there now");
      const question = writeQuestion(envelope, asks, Date.now());
      const told = headers();
      for (const [name, text] of Object.entries({ ...question.headers, "content-type": codec.mediaType, [SENT]: "1" }))
        told.set(name, text);
      const body = codec.write(value);
      const most = nc.info?.max_payload ?? Infinity;
      if (body.length + 4_096 > most)
        throw new BusError("message-too-large", `NATS does not take a question of ${body.length} bytes: raise max_payload of the server`);
      const reply = `${inbox}.${unguessable()}`;
      const answer = await answerTo(reply, () => nc.publish(subject, body, { headers: told, reply }), signal);
      if (answer.headers?.code === NO_RESPONDERS && answer.data.length === 0)
        throw new BusError("endpoint-unreachable", `nobody answers on ${subject}: the system has no subscription there`);
      return readTopicAnswer(asks, {
        from: subject,
        contentType: headerOf(answer, "content-type") ?? "",
        bytes: answer.data,
        fault: headerOf(answer, "Nats-Service-Error-Code"),
      });
    },
    close() {
      closed = true;
      if (!link.closed()) subscription.unsubscribe();
      for (const { reject } of waiting.values()) reject(stopping());
      return Promise.resolve();
    },
  };
}

/** Clients write the names of headers in letters of their own choice. */
function headerOf({ headers: told }: Msg, name: string): string | undefined {
  const text = told?.last(name, Match.IgnoreCase) ?? "";
  return text === "" ? undefined : text;
}

function lateOf(subject: string, signal: AbortSignal): BusError {
  if (signal.reason instanceof BusError) return signal.reason;
  return new BusError("attempt-timeout", `nobody answered on ${subject} in time`, { cause: signal.reason });
}
