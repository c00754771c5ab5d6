/**
 * RabbitMQ as the bus's broker: quorum queues, confirmations for every message, two connections. Sending has its own, because a server
 * that is short of memory or disk stops reading from those that send, and acknowledgements must go on then.
 */
import type { Broker, Lane } from "#bus/broker.ts";
import { BusError } from "#bus/errors.ts";
import { writeCarried } from "./carry.ts";
import { openLink, type Link } from "./connection.ts";
import { watchDead, type GivenUp } from "./dead.ts";
import { findHazards } from "./hazards.ts";
import { createLanes } from "./lanes.ts";
import { namesOf } from "./names.ts";
import { createPublisher } from "./publisher.ts";
import { createRequests } from "./requests.ts";
import { declareBase } from "./topology.ts";

export type AmqpBrokerOptions = Readonly<{
  /** `amqp://user:password@host:5672/vhost`, or `amqps:`. */
  url: string;
  /** Name of this process, as the server's tools show it. */
  node: string;
  /** Begins every name on the broker. Default `mbus`. */
  prefix?: string;
  /** Messages on their way unconfirmed. Default 1000. */
  window?: number;
  /** Milliseconds that a call waits for the broker before it fails with transport-unavailable. Default 30,000. */
  patience?: number;
  /** Milliseconds after which an unconfirmed message is sent again. Default 10,000. */
  confirmTimeout?: number;
  /** Told of what no caller can be told, such as a queue that cannot be declared again. */
  onError?: (error: Error) => void;
  /** Told of each message that the broker gave up; it is then taken from the dead queue. Without it they stay there. */
  onDead?: (dead: GivenUp) => void;
}>;

/** How long sending waits for the lanes after a new connection. */
const LANES_FIRST = 10_000;

/** Resolves when the server let us in. Throws transport-unavailable. */
export async function openAmqpBroker(options: AmqpBrokerOptions): Promise<Broker> {
  const { url, node, prefix = "mbus", window = 1_000, patience = 30_000, confirmTimeout = 10_000, onError = () => undefined } = options;
  const names = namesOf(prefix);
  const listeners: (() => void)[] = [];
  const link = (what: string): Promise<Link> => openLink({ url, name: `${prefix} ${node} ${what}`, patience, onError });
  const taking = await link("takes");
  const sending = await link("sends");
  try {
    await Promise.all([taking.connected(), sending.connected()]);
  } catch (error) {
    await Promise.all([taking.close(), sending.close()]);
    throw error;
  }
  const lanes = createLanes(taking, names);
  const requests = createRequests(sending, names);
  const dead = options.onDead === undefined ? undefined : watchDead(taking, names, options.onDead);
  let connections = 0;
  const reconnected = (): void => {
    if (connections++ > 0) for (const listener of listeners) listener();
  };
  const publisher = createPublisher(sending, {
    limit: window * 4,
    confirmTimeout,
    async prepare(channel) {
      await declareBase(channel, names);
      await lanes.settled(LANES_FIRST);
    },
    opened: reconnected,
    lanesOf: lanes.of,
  });
  let losses = 0;
  taking.watch(
    () => {
      if (losses > 0) void lanes.settled(LANES_FIRST).then(() => listeners.forEach((listener) => listener()));
    },
    () => (losses += 1),
  );
  const known = new Map<string, Lane>();
  let ending: Promise<void> | undefined;
  const open = (): void => {
    if (ending !== undefined) throw new BusError("bus-stopping", "the connection to RabbitMQ is closed: the bus is stopping");
  };
  const end = async (): Promise<void> => {
    await Promise.all([lanes.close(), requests.close(), publisher.close(), dead?.close()]);
    await Promise.all([taking.close(), sending.close()]);
  };
  return {
    name: "amqp",
    window,
    async send(topic, partition, message) {
      open();
      await publisher.post({ exchange: names.exchange, key: names.key(topic, partition), body: writeCarried(message) });
    },
    async take(lane, size, handler) {
      open();
      known.set(names.lane(lane), lane);
      return lanes.take(lane, size, handler);
    },
    async depth(lane) {
      open();
      return lanes.depth(lane);
    },
    async forget(lane) {
      open();
      await lanes.forget(lane);
      known.delete(names.lane(lane));
    },
    async request(topic, envelope, timeout) {
      open();
      return requests.request(topic, envelope, timeout);
    },
    async respond(topic, handler) {
      open();
      return requests.respond(topic, handler);
    },
    onReconnect: (listener) => void listeners.push(listener),
    async hazards() {
      open();
      return findHazards(await taking.connected(), names, [...known.values()]);
    },
    close: () => (ending ??= end()),
  };
}
