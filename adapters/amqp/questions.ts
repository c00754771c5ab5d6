/**
 * Questions to modern systems over RabbitMQ, and their answers. A system takes questions from its queue `call.<system>` and publishes
 * each answer to the exchange it publishes everything to, with the question's `reply_to` as routing key: `answer.<system>.<session>.<n>`.
 * The broker's topic permissions let nobody but that system do so; RabbitMQ's own direct reply-to would need a right to write into any
 * queue. Nothing here is durable: who asks, waits.
 */
import { randomBytes } from "node:crypto";
import type { ConfirmChannel, ConsumeMessage, Message, Options } from "amqplib";
import { BusError } from "#bus/errors.ts";
import { openChannel, shut, tend } from "./channel.ts";
import type { Link } from "./connection.ts";
import type { Names } from "./names.ts";
import { senderOf, userOf } from "./received.ts";
import { declareFrom } from "./topology.ts";

/** `waits`: milliseconds after which nobody waits for the answer: then the broker drops a question that nobody took. */
export type AskedQuestion = Readonly<{ system: string; contract: string; body: Uint8Array; waits: number; options: Options.Publish }>;

export interface Questions {
  /** The system's answer. Throws endpoint-unreachable where nobody takes its questions, endpoint-throttled, transport-unavailable. */
  ask(question: AskedQuestion, signal: AbortSignal): Promise<ConsumeMessage>;
  close(): Promise<void>;
}

type Asked = Readonly<{ user: string; resolve: (answer: ConsumeMessage) => void; reject: (error: BusError) => void }>;

/** Questions that may wait at once. */
const ASKING = 10_000;
/** Milliseconds that it is believed whether anybody takes a system's questions. */
const BELIEVED = 1_000;

export function openQuestions(link: Link, names: Names): Questions {
  const session = randomBytes(16).toString("hex");
  const asked = new Map<string, Asked>();
  const listeners = createListeners(link);

  const onAnswer = (message: ConsumeMessage | null): void => {
    if (message === null) return tended.renew();
    const one = asked.get(message.fields.routingKey);
    if (one === undefined) return;
    if (senderOf(message) === one.user) return one.resolve(message);
    const text = `the answer does not say who gives it: set the property user_id to your user name, ${one.user}`;
    one.reject(new BusError("provider-reply-invalid", text));
  };
  const onReturn = ({ properties, fields }: Message): void => {
    const text = `there is no queue bound to ${names.to} for ${fields.routingKey}: import the definitions that mbus broker-config writes`;
    asked.get(String(properties.replyTo))?.reject(new BusError("endpoint-unreachable", text));
  };
  const tended = tend(link, {
    async prepare(channel) {
      await declareFrom(channel, names);
      await channel.assertExchange(names.to, "topic", { durable: true });
      const { queue } = await channel.assertQueue("", { exclusive: true, autoDelete: true });
      await channel.bindQueue(queue, names.from, `answer.*.${session}.*`);
      channel.on("return", onReturn);
      await channel.consume(queue, onAnswer, { noAck: true });
    },
    lost() {
      const text = "the connection to RabbitMQ was lost while an answer was awaited";
      for (const { reject } of asked.values()) reject(new BusError("transport-unavailable", text));
    },
  });

  const put = (channel: ConfirmChannel, question: AskedQuestion, replyTo: string): void => {
    const { system, contract, body, waits, options } = question;
    const properties = { ...options, mandatory: true, persistent: false, expiration: String(waits), replyTo, correlationId: replyTo };
    const refused = (): void =>
      asked
        .get(replyTo)
        ?.reject(
          new BusError("endpoint-throttled", `RabbitMQ did not take the question: ${names.calls(system)} is full, or without a leader`),
        );
    // a lost channel is told by `lost`; what is answered has left the map
    channel.publish(names.to, names.callKey(system, contract), Buffer.from(body), properties, (error: unknown) => {
      if (error !== null && error !== undefined && tended.current() === channel) refused();
    });
  };

  return {
    async ask(question, signal) {
      const late = (): BusError => lateOf(names.callKey(question.system, question.contract), signal);
      if (signal.aborted) throw late();
      if (link.model() === undefined)
        throw new BusError("transport-unavailable", "the connection to RabbitMQ is away: nobody can be asked there now");
      if (asked.size >= ASKING) throw new BusError("queue-full", `${ASKING} questions wait for answers on RabbitMQ, which is the limit`);
      const replyTo = names.answerKey(question.system, session, randomBytes(16).toString("hex"));
      const { promise, resolve, reject } = Promise.withResolvers<ConsumeMessage>();
      const abort = (): void => reject(late());
      signal.addEventListener("abort", abort);
      asked.set(replyTo, { user: userOf(question.system), resolve, reject });
      const go = async (): Promise<void> => {
        await listeners.need(names.calls(question.system));
        const channel = tended.current() ?? (await tended.ready());
        if (asked.has(replyTo)) put(channel, question, replyTo);
      };
      try {
        go().catch(reject);
        return await promise;
      } finally {
        signal.removeEventListener("abort", abort);
        asked.delete(replyTo);
      }
    },
    async close() {
      const stopping = new BusError("bus-stopping", "the connection to RabbitMQ is closed: the bus is stopping");
      for (const { reject } of asked.values()) reject(stopping);
      await tended.close();
    },
  };
}

type Listeners = Readonly<{
  /** Throws endpoint-unreachable where the queue has no consumer or is not there. */
  need(queue: string): Promise<void>;
}>;

/** Asked on a channel of its own, for a server closes the channel that asks for a queue which is not there. */
function createListeners(link: Link): Listeners {
  const known = new Map<string, Readonly<{ at: number; count: Promise<number> }>>();
  const look = async (queue: string): Promise<number> => {
    const channel = await openChannel(await link.connected(), link.options.onError);
    try {
      return (await channel.checkQueue(queue)).consumerCount;
    } catch (cause) {
      if (!isAbsent(cause)) throw new BusError("transport-unavailable", `RabbitMQ did not say who takes from ${queue}`, { cause });
      throw new BusError("endpoint-unreachable", `there is no queue ${queue}: import the definitions that mbus broker-config writes`, {
        cause,
      });
    } finally {
      void shut(channel);
    }
  };
  return {
    async need(queue) {
      const now = performance.now();
      let one = known.get(queue);
      if (one === undefined || now - one.at > BELIEVED) {
        one = { at: now, count: look(queue) };
        one.count.catch(() => undefined);
        known.set(queue, one);
      }
      if ((await one.count) > 0) return;
      throw new BusError("endpoint-unreachable", `nobody takes questions from the queue ${queue}: the system is not connected`);
    },
  };
}

const isAbsent = (error: unknown): boolean => typeof error === "object" && error !== null && "code" in error && error.code === 404;

function lateOf(key: string, signal: AbortSignal): BusError {
  if (signal.reason instanceof BusError) return signal.reason;
  return new BusError("attempt-timeout", `nobody answered the question ${key} in time`, { cause: signal.reason });
}
