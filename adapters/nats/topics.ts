/**
 * The topics of modern systems on NATS. A system publishes under `from.<system>.<contract>` (kept when JetStream confirms it), asks
 * under `ask.<system>.<contract>`, and finds what is for it under `to.<system>.<contract>`, by the consumer of its own name in the
 * stream MBUS_TO. The server's permissions alone fix who speaks (permissions.ts).
 */
import {
  AckPolicy,
  DeliverPolicy,
  DiscardPolicy,
  jetstreamManager,
  RetentionPolicy,
  StorageType,
  type ConsumerConfig,
  type JetStreamManager,
  type StreamConfig,
} from "@nats-io/jetstream";
import { asBusError } from "#bus/errors.ts";
import { openLink, raced, type Link, type NatsSettings } from "./connect.ts";
import type { OpenLane, Place } from "./lanes.ts";
import { FROM, joinNames, subjectOf, TO, tokenOf } from "./names.ts";
import { openSends, type Sends } from "./sends.ts";
import { absent, ACK_WAIT, AGE, BYTES, clustered, CONSUMER_MISSING, NANOS, patiently, REPEATS, STREAM_MISSING } from "./streams.ts";

/** Messages of one subject that wait at most: a system that nobody serves, or that does not fetch, stops no other. */
const WAITING = 100_000;
/** The shortest time a server knows message ids for: systems share a stream, and one's id must not silence another's. The journal knows better. */
const SHORTEST = 100 * NANOS;
/** Messages of one subject that a process has in hand at once. */
export const IN_HAND = 512;

/** One connection, shared by all inlets and outlets on NATS of a process. */
export type Topics = Readonly<{
  link: Link;
  sends: Sends;
  /** The place that messages of a system and contract are taken from. */
  from(system: string, contract: string): Place;
  /** Makes sure that the system has a consumer, so that what is sent is kept for it. */
  reader(system: string): Promise<void>;
  /** Lanes that are looked at again after a new connection. */
  lanes: Set<OpenLane>;
  close(): Promise<void>;
}>;

/** Marks what the bus sent itself: whoever leads it back into `from.` or `ask.` by a reply subject is refused. */
export const SENT = "mbus-sent";
/** Throws transport-unavailable when the server stays away. */
export async function openTopics(settings: NatsSettings): Promise<Topics> {
  const lanes = new Set<OpenLane>();
  const readers = new Map<string, Promise<void>>();
  const link = await openLink(settings, () => void renew());
  const manager = await jetstreamManager(link.nc, { checkAPI: false, timeout: 5_000 });
  const ensureStream = (name: string): Promise<void> => patiently(link, () => makeStream(manager, link, name));
  /** A message for a system that has no consumer yet would not be kept: the stream alone is not enough. */
  const sends = openSends(link, { ensure: () => ensureStream(TO) });

  async function renew(): Promise<void> {
    const failed = (error: unknown): void => {
      if (!link.closed()) link.report(asBusError(error));
    };
    const known = [...readers.keys()];
    readers.clear();
    const all = [...[...lanes].map((lane) => lane.again()), ...known.map((system) => topics.reader(system))];
    await raced(Promise.all(all.map((one) => one.catch(failed))), link.patience);
    if (!link.closed()) sends.again();
  }

  async function makeReader(system: string): Promise<void> {
    await ensureStream(TO);
    await patiently(link, () =>
      makeConsumer(manager, TO, { durable_name: tokenOf(system), filter_subject: `to.${tokenOf(system)}.>`, max_ack_pending: 1_000 }),
    );
  }

  const topics: Topics = {
    link,
    sends,
    lanes,
    from(system, contract) {
      const subject = subjectOf("from", system, contract);
      const consumer = joinNames(system, contract);
      const config = { durable_name: consumer, filter_subject: subject, max_ack_pending: IN_HAND };
      return {
        label: subject,
        stream: FROM,
        consumer,
        async ensure() {
          await ensureStream(FROM);
          return patiently(link, () => makeConsumer(manager, FROM, config));
        },
      };
    },
    reader(system) {
      let making = readers.get(system);
      if (!making) {
        making = makeReader(system);
        readers.set(system, making);
        making.catch(() => readers.delete(system));
      }
      return making;
    },
    async close() {
      if (!link.closed()) {
        await Promise.all([...lanes].map((lane) => lane.close()));
        sends.close();
      }
      await link.close();
    },
  };
  try {
    await Promise.all([ensureStream(FROM), ensureStream(TO)]);
  } catch (error) {
    await topics.close();
    throw error;
  }
  return topics;
}

/**
 * `MBUS_FROM` keeps a message until the bus settled it, also before a route for it is there; `MBUS_TO` until the system's consumer did.
 * Both refuse more than they hold: the sender is told, nothing is thrown away.
 */
async function makeStream(manager: JetStreamManager, link: Link, name: string): Promise<void> {
  if (await absent(manager.streams.info(name), STREAM_MISSING)) return;
  const config: Pick<StreamConfig, "name"> & Partial<StreamConfig> = {
    name,
    subjects: [name === FROM ? "from.>" : "to.>"],
    storage: StorageType.File,
    retention: name === FROM ? RetentionPolicy.Workqueue : RetentionPolicy.Interest,
    discard: DiscardPolicy.New,
    discard_new_per_subject: true,
    max_msgs_per_subject: WAITING,
    max_age: AGE,
    max_bytes: link.settings.maxBytes ?? BYTES,
    duplicate_window: name === FROM ? SHORTEST : REPEATS,
    num_replicas: link.settings.replicas ?? (clustered(link) ? 3 : 1),
  };
  await manager.streams.add(config);
}

async function makeConsumer(manager: JetStreamManager, stream: string, config: Partial<ConsumerConfig> & { durable_name: string }) {
  const there = await absent(manager.consumers.info(stream, config.durable_name), CONSUMER_MISSING, STREAM_MISSING);
  if (there) return { made: false, delivered: there.delivered.stream_seq };
  await manager.consumers.add(stream, {
    ...config,
    deliver_policy: DeliverPolicy.All,
    ack_policy: AckPolicy.Explicit,
    ack_wait: ACK_WAIT * NANOS,
    // For ever: what the bus could not take yet was confirmed to its sender.
    max_deliver: -1,
  });
  return { made: true, delivered: 0 };
}
