/** A transport in memory: topics, groups with their own cursor, order per key, retries that a restart does not forget. */
import type { Envelope } from "#bus/envelope.ts";
import { BusError } from "#bus/errors.ts";
import type { StoredRecord } from "#bus/journal/record.ts";
import { Redeliver, type Clock, type Delivery, type SubscribeOptions, type Subscription, type Transport } from "#bus/ports.ts";

/** One message as one group sees it, from the moment it is first handed out until it is done. */
type Work = { entry: Entry; attempt: number; firstAttemptAt: number | undefined; dueAt: number; running: boolean };
type Entry = Readonly<{ position: number; envelope: Envelope }>;
type Group = { next: number; open: Work[]; ordered: boolean };
/** Durable state of one topic. */
export type TopicLog = { entries: Entry[]; groups: Map<string, Group> };

export type MemoryTransport = Transport & Readonly<{ fed(record: StoredRecord): void }>;

type Handler = (delivery: Delivery) => Promise<void>;
type Subscriber = {
  topic: string;
  group: Group;
  options: SubscribeOptions;
  handler: Handler;
  paused: boolean;
  closed: boolean;
  running: Set<Promise<void>>;
};
type Parts = Readonly<{ clock: Clock; topics?: Map<string, TopicLog> }>;

/** After how long a message comes again when its handler threw anything but Redeliver. */
const AGAIN = 1000;
/** Messages of one group that are looked at for one that may go. */
const WINDOW = 1000;

export function createMemoryTransport(parts: Parts): MemoryTransport {
  const { clock } = parts;
  const topics = parts.topics ?? new Map<string, TopicLog>();
  for (const log of topics.values()) for (const group of log.groups.values()) for (const work of group.open) work.running = false;
  const subscribers = new Set<Subscriber>();
  const responders = new Map<string, ((envelope: Envelope) => Promise<Envelope>)[]>();
  const alarms = new Set<AbortController>();
  let closed = false;
  const guard = (): void => {
    if (closed) throw new BusError("bus-stopping", "the transport is closed");
  };

  function topicOf(name: string): TopicLog {
    const log = topics.get(name) ?? { entries: [], groups: new Map<string, Group>() };
    topics.set(name, log);
    return log;
  }

  function pump(topic: string): void {
    for (const subscriber of subscribers) if (subscriber.topic === topic) handOut(subscriber);
  }

  function handOut(subscriber: Subscriber): void {
    const { group, options } = subscriber;
    const log = topicOf(subscriber.topic);
    while (!subscriber.paused && !subscriber.closed && subscriber.running.size < options.concurrency) {
      while (group.open.length < WINDOW && group.next < log.entries.length) {
        const entry = log.entries[group.next++];
        if (entry) group.open.push({ entry, attempt: 1, firstAttemptAt: undefined, dueAt: 0, running: false });
      }
      const work = nextDue(group, clock.now());
      if (!work) return;
      const run = handle(subscriber, work).finally(() => {
        subscriber.running.delete(run);
        pump(subscriber.topic);
      });
      subscriber.running.add(run);
    }
  }

  async function handle(subscriber: Subscriber, work: Work): Promise<void> {
    work.running = true;
    work.firstAttemptAt ??= clock.now();
    const { entry, attempt, firstAttemptAt } = work;
    try {
      await subscriber.handler({ envelope: entry.envelope, position: entry.position, attempt, firstAttemptAt });
      subscriber.group.open.splice(subscriber.group.open.indexOf(work), 1);
    } catch (thrown) {
      const after = thrown instanceof Redeliver ? thrown.after : AGAIN;
      if (!(thrown instanceof Redeliver && thrown.sameAttempt)) work.attempt++;
      work.dueAt = clock.now() + after;
      alarm(subscriber.topic, work.dueAt);
    } finally {
      work.running = false;
    }
  }

  /** A timer may fire a millisecond before the clock says so: then it is set again. */
  function alarm(topic: string, dueAt: number): void {
    const after = Math.max(0, dueAt - clock.now());
    const controller = new AbortController();
    alarms.add(controller);
    clock.sleep(after, controller.signal).then(
      () => {
        alarms.delete(controller);
        if (clock.now() < dueAt) alarm(topic, dueAt);
        else pump(topic);
      },
      () => undefined,
    );
  }

  return {
    fed(record) {
      if (record.topic === undefined || !record.envelope) return;
      topicOf(record.topic).entries.push({ position: record.position, envelope: record.envelope });
      pump(record.topic);
    },
    async publish(topic, envelope) {
      guard();
      const log = topicOf(topic);
      log.entries.push({ position: (log.entries.at(-1)?.position ?? 0) + 1, envelope });
      await Promise.resolve();
      pump(topic);
    },
    async subscribe(topic, name, options, handler) {
      guard();
      const log = topicOf(topic);
      const group = log.groups.get(name) ?? { next: options.from === "start" ? 0 : log.entries.length, open: [], ordered: options.ordered };
      group.ordered = options.ordered;
      log.groups.set(name, group);
      const subscriber: Subscriber = { topic, group, options, handler, paused: false, closed: false, running: new Set() };
      subscribers.add(subscriber);
      for (const { dueAt } of group.open) if (dueAt > clock.now()) alarm(topic, dueAt);
      handOut(subscriber);
      return subscription(
        subscriber,
        log,
        () => subscribers.delete(subscriber),
        () => handOut(subscriber),
      );
    },
    async request(topic, envelope, timeout) {
      const handler = responders.get(topic)?.[0];
      if (!handler) throw new BusError("endpoint-unreachable", `nobody answers requests of \`${topic}\``);
      const late = clock.sleep(timeout).then(() => {
        throw new BusError("attempt-timeout", `nobody answered a request of \`${topic}\` within ${timeout} ms`);
      });
      return Promise.race([handler(envelope), late]);
    },
    async respond(topic, handler) {
      const list = responders.get(topic) ?? [];
      responders.set(topic, [...list, handler]);
      return {
        state: async () => ({ floor: 0, lag: 0, inFlight: 0, waiting: 0, blockedKeys: 0 }),
        pause: () => undefined,
        close: async () =>
          void responders.set(
            topic,
            (responders.get(topic) ?? []).filter((other) => other !== handler),
          ),
      };
    },
    async close() {
      closed = true;
      for (const controller of alarms) controller.abort(new Error("closed"));
      for (const subscriber of subscribers) subscriber.closed = true;
      await Promise.all([...subscribers].flatMap((subscriber) => [...subscriber.running]));
      subscribers.clear();
    },
  };
}

/** The first message that is due and, where order counts, has none of its key before it. */
function nextDue(group: Group, now: number): Work | undefined {
  const keys = new Set<string>();
  for (const work of group.open) {
    const { key } = work.entry.envelope;
    const blocked = group.ordered && key !== undefined && keys.has(key);
    if (!blocked && !work.running && work.dueAt <= now) return work;
    if (key !== undefined) keys.add(key);
  }
  return undefined;
}

function subscription(subscriber: Subscriber, log: TopicLog, gone: () => void, wake: () => void): Subscription {
  const { group } = subscriber;
  return {
    async state() {
      const waiting = group.open.filter((work) => !work.running && work.attempt + work.dueAt > 1);
      const last = log.entries.at(-1)?.position ?? 0;
      return {
        floor: group.open[0]?.entry.position ?? log.entries[group.next]?.position ?? last + 1,
        lag: group.open.length + log.entries.length - group.next,
        inFlight: group.open.filter((work) => work.running).length,
        waiting: waiting.length,
        blockedKeys: group.ordered ? new Set(waiting.map((work) => work.entry.envelope.key)).size : 0,
      };
    },
    pause(paused) {
      subscriber.paused = paused;
      wake();
    },
    async close() {
      subscriber.closed = true;
      gone();
      await Promise.all(subscriber.running);
    },
  };
}
