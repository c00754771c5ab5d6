/** The transport port over the engine: topics are part of the log, groups have durable cursors. */
import { BusError } from "#bus/errors.ts";
import type { Envelope } from "#bus/envelope.ts";
import type { JournalRecord } from "#bus/journal/record.ts";
import type { Clock, Subscription, SubscribeOptions, Transport } from "#bus/ports.ts";
import type { Channel } from "./channel.ts";
import { openGroup, type Group, type Member } from "./group.ts";
import type { LogWriter } from "./journal.ts";
import { topicId, type TopicIds } from "./packer.ts";
import type { GroupRow } from "./protocol.ts";
import { openRequests } from "./requests.ts";

export type TransportSettings = Readonly<{
  channel: Channel;
  clock: Clock;
  topics: TopicIds;
  writer: LogWriter;
  lookAhead: number;
  /** Milliseconds that close waits for running handlers; then their messages come again after a restart. */
  drainMs: number;
  close(): Promise<void>;
}>;

/** The port, and the two doors that the engine itself uses. */
export type EmbeddedTransport = Readonly<{
  port: Transport;
  committed(record: JournalRecord, position: number): void;
  /** Ends all subscriptions, waiting for handlers. */
  shut(): Promise<void>;
}>;

type Open = { readonly group: Promise<Group>; readonly members: Set<Member> };

export function openTransport(settings: TransportSettings): EmbeddedTransport {
  const { channel, clock, topics, writer } = settings;
  const byTopic = new Map<string, Set<Group>>();
  const open = new Map<string, Open>();
  const ending = new Map<string, Promise<void>>();
  const subscriptions = new Set<Subscription>();
  const requests = openRequests(clock);
  let closed = false;

  const start = async (topic: string, name: string, options: SubscribeOptions): Promise<Group> => {
    const id = topicId(channel.draft(), topics, topic);
    const row = await channel.ask<GroupRow>({ op: "group", topic: id, name, from: options.from });
    const failed = (): void => undefined;
    const group = openGroup({
      channel,
      clock,
      topic: id,
      row,
      ordered: options.ordered,
      lookAhead: settings.lookAhead,
      before: channel.opened.last,
      failed,
    });
    const groups = byTopic.get(topic) ?? new Set();
    byTopic.set(topic, groups.add(group));
    return group;
  };

  const end = async (topic: string, key: string, group: Group): Promise<void> => {
    byTopic.get(topic)?.delete(group);
    open.delete(key);
    const closing = group.close();
    ending.set(key, closing);
    await closing.finally(() => ending.delete(key));
  };

  const subscribe: Transport["subscribe"] = async (topic, name, options, handler) => {
    if (closed) throw new BusError("bus-stopping", "the embedded transport is closed");
    if (!(options.concurrency >= 1))
      throw new BusError("configuration", `concurrency of group ${name} is ${options.concurrency}; it must be at least 1`);
    const key = `${topic}\n${name}`;
    await ending.get(key);
    let entry = open.get(key);
    if (entry === undefined) {
      entry = { group: start(topic, name, options), members: new Set() };
      open.set(key, entry);
      entry.group.catch(() => open.delete(key));
    }
    const { members } = entry;
    const member: Member = { concurrency: options.concurrency, handler, inFlight: 0, paused: false, closed: false, ended: undefined };
    members.add(member);
    const group = await entry.group;
    group.join(member);
    let closing: Promise<void> | undefined;
    const shut = async (): Promise<void> => {
      member.closed = true;
      await idle(member, clock, settings.drainMs);
      members.delete(member);
      subscriptions.delete(subscription);
      if (members.size === 0) await end(topic, key, group);
    };
    const subscription: Subscription = {
      state: () => group.state([...members].reduce((sum, one) => sum + one.inFlight, 0)),
      pause(paused) {
        member.paused = paused;
        if (!paused) group.pump();
      },
      close: () => (closing ??= shut()),
    };
    subscriptions.add(subscription);
    return subscription;
  };

  return {
    port: {
      async publish(topic, envelope) {
        await writer.append([publication(topic, envelope, clock.now())]);
      },
      subscribe,
      request: requests.request,
      respond: (topic, handler) => Promise.resolve().then(() => requests.respond(topic, handler)),
      close: settings.close,
    },
    committed(record, position) {
      const { envelope, topic } = record;
      if (envelope === undefined || topic === undefined) return;
      for (const group of byTopic.get(topic) ?? []) group.committed({ position, envelope });
    },
    async shut() {
      closed = true;
      requests.close();
      await Promise.allSettled([...subscriptions].map((subscription) => subscription.close()));
      await Promise.allSettled(ending.values());
    },
  };
}

/** The journal record of an envelope that was published without one. */
function publication(topic: string, envelope: Envelope, time: number): JournalRecord {
  const { id, correlationId, contract, source } = envelope;
  return { step: "accepted", outcome: "ok", time, id, correlationId, contract, system: source, topic, envelope };
}

/** Resolves when no handler of the member runs, or after the drain time. */
async function idle(member: Member, clock: Clock, drainMs: number): Promise<void> {
  if (member.inFlight === 0) return;
  const abort = new AbortController();
  const ended = new Promise<void>((resolve) => {
    member.ended = () => {
      if (member.inFlight === 0) resolve();
    };
  });
  await Promise.race([ended, clock.sleep(drainMs, abort.signal).catch(() => undefined)]);
  abort.abort();
}
