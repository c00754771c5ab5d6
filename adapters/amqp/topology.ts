/**
 * What stands on the broker: a durable direct exchange for all topics, a quorum queue for each lane, and the place for what the broker
 * gives up. The delivery limit is far above what the bus itself tries; it ends only loops that no one counts.
 */
import type { ConfirmChannel, Options } from "amqplib";
import type { Lane } from "#bus/broker.ts";
import type { Names } from "./names.ts";

export type Version = Readonly<{ product: string; major: number; minor: number; text: string }>;

const DELIVERY_LIMIT = 1_000;
/** Messages of one routing key that wait at most: a system that nobody serves, or that does not fetch, stops no other. */
const WAITING = 100_000;
/** A quorum queue that refuses more than it holds, so that the sender is told. */
export const BOUNDED = { "x-queue-type": "quorum", "x-max-length": WAITING, "x-overflow": "reject-publish" } as const;
/** Questions wait in memory, each as long as its asker: the system's queue of them needs no copies, and refuses more than it holds. */
export const QUESTIONS = { "x-max-length": 10_000, "x-overflow": "reject-publish" } as const;
/** Milliseconds: longer than a reload, so that a question finds the queue meanwhile. */
const LEFT_BEHIND = 60_000;

export function versionOf(channel: ConfirmChannel): Version {
  const { product, version } = channel.connection.serverProperties;
  const [major = 0, minor = 0] = version.split(".").map((part) => Number.parseInt(part, 10) || 0);
  return { product, major, minor, text: `${product} ${version}` };
}

/** Dead-lettering that waits for the target's confirmation came with 3.10. */
const knowsAtLeastOnce = ({ major, minor }: Version): boolean => major > 3 || (major === 3 && minor >= 10);

/** A quorum queue whose given-up messages go to the dead queue, confirmed where the server can. */
export function quorum(names: Names, version: Version, more: Readonly<Record<string, unknown>> = {}): Options.AssertQueue {
  return {
    durable: true,
    arguments: {
      "x-queue-type": "quorum",
      "x-delivery-limit": DELIVERY_LIMIT,
      "x-dead-letter-exchange": names.dead,
      ...(knowsAtLeastOnce(version) && { "x-dead-letter-strategy": "at-least-once", "x-overflow": "reject-publish" }),
      ...more,
    },
  };
}

/** The exchanges, and the dead queue with its binding: there before anything may need it. */
export async function declareBase(channel: ConfirmChannel, names: Names): Promise<void> {
  await channel.assertExchange(names.dead, "fanout", { durable: true });
  await channel.assertQueue(names.dead, { durable: true, arguments: { "x-queue-type": "quorum" } });
  await channel.bindQueue(names.dead, names.dead, "");
  await channel.assertExchange(names.exchange, "direct", { durable: true });
}

/** What modern systems publish to. A key that no queue takes is kept in `unrouted`, so that its sender can be told. */
export async function declareFrom(channel: ConfirmChannel, names: Names): Promise<void> {
  await channel.assertExchange(names.unrouted, "fanout", { durable: true });
  await channel.assertQueue(names.unrouted, { durable: true, arguments: BOUNDED });
  await channel.bindQueue(names.unrouted, names.unrouted, "");
  await channel.assertExchange(names.from, "topic", { durable: true, alternateExchange: names.unrouted });
}

/**
 * The queue of one routing key. It has no delivery limit: its messages were confirmed to their sender and are in no journal yet.
 */
export async function declareSource(channel: ConfirmChannel, names: Names, key: string): Promise<string> {
  await declareFrom(channel, names);
  const queue = names.source(key);
  // Since RabbitMQ 4 a queue has a limit of twenty unless it says that it has none; before, the word is not known.
  const unlimited = versionOf(channel).major >= 4 ? { "x-delivery-limit": -1 } : {};
  await channel.assertQueue(queue, { durable: true, arguments: { ...BOUNDED, ...unlimited } });
  await channel.bindQueue(queue, names.from, key);
  return queue;
}

/** The queue of one routing key's questions: nothing of it is durable, and it goes a minute after the last bus that answers. */
export async function declareAsked(channel: ConfirmChannel, names: Names, key: string): Promise<string> {
  await declareFrom(channel, names);
  const queue = names.source(key);
  await channel.assertQueue(queue, { durable: true, expires: LEFT_BEHIND });
  await channel.bindQueue(queue, names.from, key);
  return queue;
}

export async function declareLane(channel: ConfirmChannel, names: Names, lane: Lane): Promise<string> {
  const queue = names.lane(lane);
  await channel.assertQueue(queue, quorum(names, versionOf(channel), { "x-single-active-consumer": true }));
  await channel.bindQueue(queue, names.exchange, names.key(lane.topic, lane.partition));
  return queue;
}
