/** What the bus keeps on the server: one stream for a deployment, one durable consumer for a lane. Each is made where it is missing, at any time. */
import {
  AckPolicy,
  DeliverPolicy,
  DiscardPolicy,
  JetStreamApiError,
  jetstreamManager,
  RetentionPolicy,
  StorageType,
  type ConsumerInfo,
  type JetStreamManager,
  type StreamConfig,
  type StreamInfo,
} from "@nats-io/jetstream";
import type { Lane, Partition } from "#bus/broker.ts";
import { BusError } from "#bus/errors.ts";
import type { Link } from "./connect.ts";
import { encodeName, joinNames, tokenOf } from "./names.ts";

export const NANOS = 1_000_000;
const DAY = 86_400_000 * NANOS;
/** A message or a lane that nobody came for in this time is given up by the server; the journal still has the message. */
export const AGE = 7 * DAY;
export const ACK_WAIT = 30_000;
/** Longer than a send is tried, so that its repeats are known. */
export const REPEATS = 60_000 * NANOS;
/** Far above the bus's own limits. */
const DELIVERIES = 1_000;
export const STREAM_MISSING = 10_059;
export const CONSUMER_MISSING = 10_014;
export const BYTES = 4_294_967_296;

export type Streams = Readonly<{
  name: string;
  /** First token of every subject. */
  prefix: string;
  subject(topic: string, partition: Partition): string;
  asking(topic: string): string;
  lane(lane: Lane): string;
  info(): Promise<StreamInfo | undefined>;
  /** Makes the stream where it is missing. Calls at one time share one look. */
  ensure(): Promise<void>;
  /** Makes the lane where it is missing. */
  ensureLane(lane: Lane, window: number): Promise<LaneState>;
  laneInfo(lane: Lane): Promise<ConsumerInfo | undefined>;
  /** The lane is gone; what only it kept goes with it. */
  forgetLane(lane: Lane): Promise<void>;
}>;

/** Was the lane made just now, and up to which sequence of the stream was anything of it ever handed out? */
export type LaneState = Readonly<{ made: boolean; delivered: number }>;

export async function openStreams(link: Link): Promise<Streams> {
  const manager = await jetstreamManager(link.nc, { checkAPI: false, timeout: 5_000 });
  const name = encodeName(link.settings.deployment ?? "MBUS");
  const prefix = name.toLowerCase();
  let looking: Promise<void> | undefined;
  const streams: Streams = {
    name,
    prefix,
    subject: (topic, partition) => `${prefix}.t.${tokenOf(topic)}.${partition}`,
    asking: (topic) => `${prefix}.q.${tokenOf(topic)}`,
    lane: ({ topic, group, partition }) => joinNames(topic, group, String(partition)),
    info: () => absent(manager.streams.info(name), STREAM_MISSING),
    ensure() {
      looking ??= patiently(link, async () => {
        if (!(await streams.info())) await manager.streams.add(streamConfig(link, name, prefix));
      }).finally(() => (looking = undefined));
      return looking;
    },
    async ensureLane(lane, window) {
      await streams.ensure();
      return patiently(link, () => makeLane(manager, streams, lane, window));
    },
    laneInfo: (lane) => absent(manager.consumers.info(name, streams.lane(lane)), CONSUMER_MISSING, STREAM_MISSING),
    forgetLane: (lane) =>
      patiently(link, async () => {
        await absent(manager.consumers.delete(name, streams.lane(lane)), CONSUMER_MISSING, STREAM_MISSING);
      }),
  };
  return streams;
}

/**
 * Interest: a message is kept until every lane settled it. New messages are refused when the stream is full, so that none that a
 * lane waits for is thrown away; senders wait and the journal holds what comes.
 */
function streamConfig(link: Link, name: string, prefix: string): Pick<StreamConfig, "name"> & Partial<StreamConfig> {
  const { replicas, maxBytes } = link.settings;
  return {
    name,
    subjects: [`${prefix}.t.*.*`],
    storage: StorageType.File,
    retention: RetentionPolicy.Interest,
    discard: DiscardPolicy.New,
    max_age: AGE,
    max_bytes: maxBytes ?? BYTES,
    duplicate_window: REPEATS,
    num_replicas: replicas ?? (clustered(link) ? 3 : 1),
  };
}

/** A server with JetStream that names a cluster is one of several. */
export function clustered(link: Link): boolean {
  return link.nc.info?.cluster !== undefined;
}

async function makeLane(manager: JetStreamManager, streams: Streams, lane: Lane, window: number): Promise<LaneState> {
  const there = await streams.laneInfo(lane);
  if (there) {
    if (there.config.max_ack_pending !== window) await manager.consumers.update(streams.name, there.name, { max_ack_pending: window });
    return { made: false, delivered: there.delivered.stream_seq };
  }
  await manager.consumers.add(streams.name, {
    durable_name: streams.lane(lane),
    filter_subject: streams.subject(lane.topic, lane.partition),
    deliver_policy: DeliverPolicy.New,
    ack_policy: AckPolicy.Explicit,
    ack_wait: ACK_WAIT * NANOS,
    max_ack_pending: window,
    max_deliver: DELIVERIES,
    inactive_threshold: AGE,
  });
  return { made: true, delivered: 0 };
}

/** Undefined where the server says that it does not exist. */
export async function absent<T>(asked: Promise<T>, ...codes: readonly number[]): Promise<T | undefined> {
  try {
    return await asked;
  } catch (error) {
    if (error instanceof JetStreamApiError && codes.includes(error.code)) return undefined;
    throw error;
  }
}

/** Tries again, bounded, while the server is away or not ready; a refusal that will not change fails at once. */
export async function patiently<T>(link: Link, work: () => Promise<T>): Promise<T> {
  const until = performance.now() + link.patience;
  for (let wait = 50; ; wait = Math.min(wait * 2, 2_000)) {
    link.guard();
    try {
      return await work();
    } catch (cause) {
      link.guard();
      if (cause instanceof BusError) throw cause;
      const why = cause instanceof Error ? cause.message : String(cause);
      const final = cause instanceof JetStreamApiError && cause.status === 400;
      if (final || performance.now() + wait > until)
        throw new BusError(
          "transport-unavailable",
          `NATS JetStream does not do its work (${why}): check that the server runs with JetStream and has space`,
          { cause },
        );
      await link.sleep(wait);
    }
  }
}
