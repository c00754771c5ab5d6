/**
 * Sending with confirmations. What is not confirmed is kept and sent again: after a new connection, after a refusal, after a silence.
 * So a message may come twice, and never is confirmed before the broker has it. A message that no queue takes is returned and then
 * confirmed: nobody wanted it, unless a lane of ours should have been there; then it is sent again when the lane stands.
 */
import type { ConfirmChannel, Message } from "amqplib";
import { BusError } from "#bus/errors.ts";
import { tend, type Tended } from "./channel.ts";
import type { Link } from "./connection.ts";

export type Post = Readonly<{ exchange: string; key: string; body: Buffer; options?: Readonly<Record<string, unknown>> }>;

export interface Publisher {
  /** Resolves when it is confirmed: `true`, or `false` when no queue took it. After an abort it is sent no more. Throws transport-unavailable, attempt-timeout, bus-stopping. */
  post(post: Post, signal?: AbortSignal): Promise<boolean>;
  close(): Promise<void>;
}

export type PublisherOptions = Readonly<{
  /** Unconfirmed messages at most. */
  limit: number;
  /** Milliseconds after which an unconfirmed message is sent again. */
  confirmTimeout: number;
  prepare: (channel: ConfirmChannel) => Promise<void>;
  opened?: () => void;
  /** Lanes of ours that should have taken a returned message. */
  lanesOf?: (key: string) => readonly Tended[];
}>;

type Waiting = {
  readonly post: Post;
  readonly id: string;
  readonly since: number;
  sentAt: number;
  /** Number of its last sending; 0 = not sent yet. */
  round: number;
  returned: boolean;
  readonly resolve: (taken: boolean) => void;
  readonly reject: (error: Error) => void;
};

const LOOK_EVERY = 500;
const AGAIN_AFTER = 100;

export function createPublisher(link: Link, options: PublisherOptions): Publisher {
  const waiting = new Map<string, Waiting>();
  let next = 0;
  let closed = false;

  const put = (channel: ConfirmChannel, item: Waiting): void => {
    const round = ++item.round;
    item.sentAt = performance.now();
    item.returned = false;
    const { exchange, key, body } = item.post;
    const properties = { persistent: true, mandatory: true, ...item.post.options, headers: { ...headersOf(item.post), "x-mbus": item.id } };
    try {
      channel.publish(exchange, key, body, properties, (error) => answered(channel, item, round, error));
    } catch (error) {
      // A closed channel brings everything again when it is back; anything else is this message's own fault.
      if (tended.current() === channel && !isClosed(error)) finish(item, () => item.reject(refused(error)));
    }
  };
  const answered = (channel: ConfirmChannel, item: Waiting, round: number, error: unknown): void => {
    if (!waiting.has(item.id)) return;
    const last = item.round === round;
    if (error === null || error === undefined) {
      if (last || !item.returned) confirmed(item);
    } else if (last && tended.current() === channel && !isEnd(error)) again(item);
  };
  const confirmed = (item: Waiting): void => {
    const lanes = item.returned ? (options.lanesOf?.(item.post.key) ?? []) : [];
    if (lanes.length === 0) return finish(item, () => item.resolve(!item.returned));
    for (const lane of lanes) if (lane.since() < item.sentAt) lane.renew();
    again(item);
  };
  const again = (item: Waiting): void => {
    setTimeout(() => {
      const channel = tended.current();
      if (waiting.has(item.id) && channel !== undefined && !link.blocked()) put(channel, item);
    }, AGAIN_AFTER);
  };
  const finish = (item: Waiting, act: () => void): void => {
    if (waiting.delete(item.id)) act();
  };
  const all = (channel: ConfirmChannel): void => {
    for (const item of waiting.values()) put(channel, item);
  };
  const onReturn = (message: Message): void => {
    const item = waiting.get(String(message.properties.headers?.["x-mbus"]));
    if (item !== undefined) item.returned = true;
  };
  const tended = tend(link, {
    async prepare(channel) {
      channel.on("return", onReturn);
      await options.prepare(channel);
    },
    opened(channel) {
      all(channel);
      options.opened?.();
    },
  });
  link.onUnblocked(() => {
    const channel = tended.current();
    if (channel === undefined) return;
    for (const item of waiting.values()) if (item.round === 0) put(channel, item);
  });
  const look = setInterval(() => {
    const now = performance.now();
    const channel = link.blocked() ? undefined : tended.current();
    for (const item of waiting.values()) {
      if (now - item.since > link.options.patience) finish(item, () => item.reject(link.away()));
      else if (channel !== undefined && now - item.sentAt > options.confirmTimeout) put(channel, item);
    }
  }, LOOK_EVERY);
  look.unref();

  return {
    post(post, signal) {
      if (closed) return Promise.reject(link.away());
      if (waiting.size >= options.limit) {
        const text = `${options.limit} messages wait for RabbitMQ's confirmation, which is the limit`;
        return Promise.reject(new BusError("transport-unavailable", text));
      }
      const { promise, resolve, reject } = Promise.withResolvers<boolean>();
      const since = performance.now();
      const item: Waiting = { post, id: String(next++), since, sentAt: since, round: 0, returned: false, resolve, reject };
      waiting.set(item.id, item);
      const channel = tended.current();
      if (channel !== undefined && !link.blocked()) put(channel, item);
      const stop = (): void => finish(item, () => item.reject(new BusError("attempt-timeout", "RabbitMQ did not confirm in time")));
      if (signal?.aborted) stop();
      signal?.addEventListener("abort", stop, { once: true });
      return signal === undefined ? promise : promise.finally(() => signal.removeEventListener("abort", stop));
    },
    async close() {
      if (closed) return;
      closed = true;
      clearInterval(look);
      await tended.close();
      const stopping = new BusError("bus-stopping", "the connection to RabbitMQ was closed before the message was confirmed");
      for (const item of waiting.values()) item.reject(stopping);
      waiting.clear();
    },
  };
}

const headersOf = (post: Post): object => (post.options?.["headers"] as object | undefined) ?? {};
/** All waiting messages are sent again when the channel is back, so its end is no refusal. */
const isEnd = (error: unknown): boolean => error instanceof Error && error.message === "channel closed";
const isClosed = (error: unknown): boolean => error instanceof Error && error.name === "IllegalOperationError";
const refused = (error: unknown): BusError =>
  new BusError("unexpected", `a message cannot be written for RabbitMQ: ${error instanceof Error ? error.message : String(error)}`, {
    cause: error,
  });
