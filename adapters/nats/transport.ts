/**
 * NATS JetStream as the broker below the bus's transport (bus/broker.ts): one stream for a deployment, one durable pull consumer for a
 * lane, requests over plain NATS. After a new connection everything is looked at again and made anew where the server lost it.
 */
import type { Broker, Carried, Taken } from "#bus/broker.ts";
import { asBusError, BusError } from "#bus/errors.ts";
import type { Subscription } from "#bus/ports.ts";
import { readCarried, writeCarried } from "./carry.ts";
import { openLink, raced, type Link, type NatsSettings } from "./connect.ts";
import { findHazards } from "./hazards.ts";
import { openLane, type Handed, type OpenLane } from "./lanes.ts";
import { answer, ask } from "./requests.ts";
import { openSends } from "./sends.ts";
import { openStreams, type Streams } from "./streams.ts";

const WINDOW = 1_000;

/** Connects and makes the stream where it is missing. Throws transport-unavailable, or configuration for an address that is none. */
export async function openNatsBroker(settings: NatsSettings): Promise<Broker> {
  const listeners = new Set<() => void>();
  const lanes = new Set<OpenLane>();
  const responders = new Set<Subscription>();
  const link = await openLink(settings, () => void renew());
  const tell = (): void => {
    for (const listener of listeners) listener();
  };
  const { streams, sends } = await begin(link);
  warn(link, streams);

  /** Lanes first: a stream without lanes keeps nothing. Then what was unconfirmed, then the relay. */
  async function renew(): Promise<void> {
    const failed = (error: unknown): void => {
      if (!link.closed()) link.report(asBusError(error));
    };
    await raced(Promise.all([...lanes].map((lane) => lane.again().catch(failed))), link.patience);
    if (link.closed()) return;
    sends.again();
    tell();
  }

  return {
    name: "nats",
    window: WINDOW,
    async send(topic, partition, message) {
      link.guard();
      return sends.send(streams.subject(topic, partition), writeCarried(message));
    },
    async take(lane, window, handler) {
      link.guard();
      const place = {
        label: lane.topic,
        stream: streams.name,
        consumer: streams.lane(lane),
        ensure: () => streams.ensureLane(lane, window),
      };
      const opened = await openLane(link, place, window, (handed) => give(link, handed, handler), tell);
      lanes.add(opened);
      return {
        pause: (paused) => opened.pause(paused),
        async close() {
          lanes.delete(opened);
          await opened.close();
        },
      };
    },
    async depth(lane) {
      link.guard();
      const info = await streams.laneInfo(lane).catch((error: unknown) => {
        throw new BusError("transport-unavailable", `NATS does not tell how many messages wait: ${String(error)}`, { cause: error });
      });
      return info ? info.num_pending + info.num_ack_pending : 0;
    },
    async forget(lane) {
      link.guard();
      await streams.forgetLane(lane);
    },
    async request(topic, envelope, timeout) {
      link.guard();
      return ask(link, streams, topic, envelope, timeout);
    },
    async respond(topic, handler) {
      link.guard();
      const responder = answer(link, streams, topic, handler);
      responders.add(responder);
      await link.nc.flush();
      return {
        state: () => responder.state(),
        pause: (paused) => responder.pause(paused),
        async close() {
          responders.delete(responder);
          await responder.close();
        },
      };
    },
    onReconnect: (listener) => void listeners.add(listener),
    async hazards() {
      link.guard();
      return findHazards(link, streams);
    },
    async close() {
      if (!link.closed()) {
        await Promise.all([...lanes, ...responders].map((open) => open.close()));
        sends.close();
      }
      await link.close();
    },
  };
}

/** A message that cannot be read never will be: it is dropped, and told of. */
function give(link: Link, handed: Handed, handler: (message: Taken) => void): void {
  let carried: Carried;
  try {
    carried = readCarried(handed.message.data);
  } catch (error) {
    handed.drop();
    return link.report(asBusError(error));
  }
  handler({ ...carried, redelivered: handed.redelivered, settle: () => handed.settle() });
}

async function begin(link: Link) {
  try {
    const streams = await openStreams(link);
    await streams.ensure();
    return { streams, sends: openSends(link, streams) };
  } catch (error) {
    await link.close();
    throw error;
  }
}

/** The server gave a message up after a thousand deliveries. One node of the bus says so; the journal still has it. */
function warn(link: Link, streams: Streams): void {
  link.nc.subscribe(`$JS.EVENT.ADVISORY.CONSUMER.MAX_DELIVERIES.${streams.name}.*`, {
    queue: streams.prefix,
    callback(error, message) {
      const lane = message?.subject.split(".").at(-1) ?? "?";
      if (error) return;
      if (link.settings.onDead) link.settings.onDead(lane);
      else
        link.report(
          new BusError(
            "attempts-exhausted",
            `NATS gave up a message of the lane ${lane} after its last delivery: see what its handler waits for`,
          ),
        );
    },
  });
}
