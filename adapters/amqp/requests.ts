/**
 * Requests and answers. A topic's responders share a queue that goes with the last of them, so a request with no responder is returned
 * at once. Answers come by RabbitMQ's direct reply-to; a request expires with its asker's patience. Nothing here is durable, and a
 * request is handed to a responder once: one that may have been begun before is left to its asker's timeout.
 */
import type { ConfirmChannel, ConsumeMessage, Message } from "amqplib";
import type { Envelope } from "#bus/envelope.ts";
import { asBusError, BusError } from "#bus/errors.ts";
import type { Subscription } from "#bus/ports.ts";
import { readAnswer, readAsked, writeAnswer, writeAsked, writeFault } from "./carry.ts";
import { tend } from "./channel.ts";
import type { Link } from "./connection.ts";
import type { Names } from "./names.ts";

export interface Requests {
  request(topic: string, envelope: Envelope, timeout: number): Promise<Envelope>;
  respond(topic: string, handler: (envelope: Envelope) => Promise<Envelope>): Promise<Subscription>;
  close(): Promise<void>;
}

const REPLY_TO = "amq.rabbitmq.reply-to";
/** Requests that one responder has in its handler at once. */
const AT_ONCE = 256;
/** Askers that may wait at once. */
const ASKING = 10_000;
/** A queue that a crash left behind with no responder goes after a minute. */
const LEFT_BEHIND = 60_000;

type Asking = Readonly<{ resolve: (envelope: Envelope) => void; reject: (error: Error) => void }>;

export function createRequests(link: Link, names: Names): Requests {
  const asking = new Map<string, Asking>();
  const responders = new Set<Subscription>();
  let next = 0;

  const onAnswer = (message: ConsumeMessage | null): void => {
    const asked = message === null ? undefined : asking.get(String(message.properties.correlationId));
    if (message === null || asked === undefined) return;
    try {
      asked.resolve(readAnswer(message.content));
    } catch (error) {
      asked.reject(asBusError(error));
    }
  };
  const onReturn = (message: Message): void => {
    asking
      .get(String(message.properties.correlationId))
      ?.reject(new BusError("endpoint-unreachable", `nobody answers requests of this topic (queue ${message.fields.routingKey})`));
  };
  const tended = tend(link, {
    async prepare(channel) {
      channel.on("return", onReturn);
      await channel.consume(REPLY_TO, onAnswer, { noAck: true });
    },
    lost() {
      const text = "the connection to RabbitMQ was lost while an answer was awaited";
      for (const { reject } of asking.values()) reject(new BusError("transport-unavailable", text));
    },
  });

  return {
    async request(topic, envelope, timeout) {
      const channel = tended.current() ?? (await tended.ready());
      if (asking.size >= ASKING) throw new BusError("transport-unavailable", `${ASKING} requests wait for answers, which is the limit`);
      const correlationId = String(next++);
      const { promise, resolve, reject } = Promise.withResolvers<Envelope>();
      asking.set(correlationId, { resolve, reject });
      const timer = setTimeout(() => reject(new BusError("attempt-timeout", `no answer within ${timeout} ms`)), timeout);
      try {
        const expiration = String(Math.max(1, Math.ceil(timeout)));
        channel.publish("", names.ask(topic), writeAsked(envelope), { mandatory: true, replyTo: REPLY_TO, correlationId, expiration });
        return await promise;
      } finally {
        clearTimeout(timer);
        asking.delete(correlationId);
      }
    },
    async respond(topic, handler) {
      const responder = await createResponder(link, names.ask(topic), handler, () => responders.delete(responder));
      responders.add(responder);
      return responder;
    },
    async close() {
      await Promise.all([...responders].map((responder) => responder.close()));
      await tended.close();
    },
  };
}

async function createResponder(
  link: Link,
  queue: string,
  handler: (envelope: Envelope) => Promise<Envelope>,
  gone: () => void,
): Promise<Subscription> {
  const running = new Set<Promise<void>>();
  let consumer: Readonly<{ channel: ConfirmChannel; tag: string }> | undefined;
  let waiting: (() => void)[] = [];
  let paused = false;
  let closed = false;

  const answer = async (channel: ConfirmChannel, message: ConsumeMessage): Promise<void> => {
    let body: Buffer;
    try {
      body = writeAnswer(await handler(readAsked(message.content)));
    } catch (error) {
      body = writeFault(error);
    }
    const { replyTo, correlationId } = message.properties as { replyTo?: string; correlationId?: string };
    if (tended.current() !== channel && !closed) return;
    channel.publish("", replyTo ?? "", body, { ...(correlationId !== undefined && { correlationId }) });
    channel.ack(message);
  };
  const begin = (channel: ConfirmChannel, message: ConsumeMessage): void => {
    if (message.fields.redelivered) return channel.ack(message);
    const run = answer(channel, message).catch((error: unknown) => link.options.onError(asBusError(error)));
    running.add(run);
    void run.finally(() => running.delete(run));
  };
  const tended = tend(link, {
    async prepare(channel) {
      await channel.assertQueue(queue, { durable: true, autoDelete: true, expires: LEFT_BEHIND });
      await channel.prefetch(AT_ONCE);
      const onMessage = (message: ConsumeMessage | null): void => {
        if (message === null) tended.renew();
        else if (paused) waiting.push(() => begin(channel, message));
        else begin(channel, message);
      };
      const { consumerTag } = await channel.consume(queue, onMessage);
      consumer = { channel, tag: consumerTag };
    },
    lost() {
      consumer = undefined;
      waiting = [];
    },
  });
  const end = async (): Promise<void> => {
    gone();
    const last = consumer;
    if (last !== undefined) await last.channel.cancel(last.tag).catch(() => undefined);
    closed = true;
    await Promise.all(running);
    await tended.close();
  };
  let ending: Promise<void> | undefined;
  try {
    await tended.ready();
  } catch (error) {
    await tended.close();
    throw error;
  }
  return {
    state: () => Promise.resolve({ floor: 0, lag: waiting.length, inFlight: running.size, waiting: 0, blockedKeys: 0 }),
    pause(now) {
      paused = now;
      if (!paused) for (const go of waiting.splice(0)) go();
    },
    close: () => (ending ??= end()),
  };
}
