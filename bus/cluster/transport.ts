/**
 * The transport port over an outside broker: the journal is what is published, a relay gives it to the broker, groups take it in
 * order from the partitions that this node owns. docs/decisions/0007-brokers.md says why; bus/broker.ts what a broker must offer.
 */
import type { Broker, Partition } from "../broker.ts";
import type { Envelope } from "../envelope.ts";
import { asBusError, BusError } from "../errors.ts";
import type { JournalRecord } from "../journal/record.ts";
import type { Clock, Collection, Journal, Store, Subscription, SubscribeOptions, Transport } from "../ports.ts";
import type { GroupKeeping } from "../keep/keeping.ts";
import type { CursorDocument } from "./cursor.ts";
import { beginCursors } from "./cursor-file.ts";
import { openGroup, type Group, type Member } from "./group.ts";
import { openLane } from "./lane.ts";
import { createKeeping } from "./keeping.ts";
import { createLeases, type Lease, type Leases } from "./lease.ts";
import { openParked } from "./parked.ts";
import { MOST_PARTITIONS } from "./partition.ts";
import { startRelay, type RelayDocument } from "./relay.ts";
import { startShares } from "./shares.ts";

export type BrokerTransportParts = Readonly<{
  broker: Broker;
  /** Shared by all nodes, or this process's own where there is one node. */
  journal: Journal;
  store: Store;
  clock: Clock;
  /** Name of this process among the nodes. */
  node: string;
  /** Fixed when the deployment first starts. */
  partitions: number;
  /** Milliseconds that `close` waits for running handlers; default 30,000. */
  drainMs?: number;
  onError: (error: unknown, where: string) => void;
}>;

export type BrokerTransport = Transport &
  Readonly<{
    /** The journal to use beside this transport: what is appended here reaches the broker at once. */
    journal: Journal;
    /** What this node works on now. */
    owned(): readonly Partition[];
    /** Leases over the same store, for what only one node may do. */
    leases: Leases;
    keeping: GroupKeeping;
  }>;

type Open = { readonly topic: string; readonly name: string; readonly group: Group };
type Fixed = { partitions: number };

/** Milliseconds until a group tries again to work on a partition. */
const GAIN_AGAIN = 2_000;

export async function openBrokerTransport(parts: BrokerTransportParts): Promise<BrokerTransport> {
  const { broker, clock, store, partitions, onError } = parts;
  if (!(Number.isInteger(partitions) && partitions >= 1 && partitions <= MOST_PARTITIONS))
    throw new BusError("configuration", `partitions is ${partitions}: write a whole number from 1 to ${MOST_PARTITIONS}`);
  await samePartitions(store, partitions);
  const cursors: Collection<CursorDocument> = await store.collection<CursorDocument>("cursors");
  const parked = await openParked(store);
  const relays: Collection<RelayDocument> = await store.collection<RelayDocument>("relay");
  const keeping = createKeeping({ broker, journal: parts.journal, partitions, cursors, relays, parked });
  const sole = parts.journal.writers === "one";
  const leases = await createLeases({ store, clock, node: parts.node, sole });
  const relay = await startRelay({ broker, journal: parts.journal, store, clock, partitions, onError });
  const groups = new Map<string, Open>();
  const ending = new Map<string, Promise<void>>();
  const owned = new Map<Partition, Lease>();
  const subscriptions = new Set<Subscription>();
  let closing: Promise<void> | undefined;

  const journal: Journal = {
    writers: parts.journal.writers,
    async append(records) {
      const appended = await parts.journal.append(records);
      relay.appended(
        records,
        appended.map((one) => (one.duplicateOf === undefined ? one.position : 0)),
      );
      return appended;
    },
    read: (from, limit, only) => parts.journal.read(from, limit, only),
    find: (query) => parts.journal.find(query),
    close: () => parts.journal.close(),
  };

  const shares = await startShares({
    leases,
    clock,
    node: parts.node,
    partitions,
    onError,
    async gained(partition, lease) {
      owned.set(partition, lease);
      await relay.gained(partition);
      await Promise.all([...groups.values()].map(({ group }) => gain(group, partition, lease)));
    },
    async lost(partition) {
      owned.delete(partition);
      const ended = await Promise.allSettled([...groups.values()].map(({ group }) => group.lost(partition)));
      await relay.lost(partition);
      for (const one of ended) if (one.status === "rejected") throw one.reason;
    },
  });

  /** One group's trouble holds up no other: it is tried again for as long as the partition is ours. */
  async function gain(group: Group, partition: Partition, lease: Lease): Promise<void> {
    await group.gained(partition).catch((error: unknown) => {
      if (owned.get(partition) !== lease) return;
      onError(error, "gaining a partition");
      void gainLater(group, partition, lease);
    });
  }

  async function gainLater(group: Group, partition: Partition, lease: Lease): Promise<void> {
    await clock.sleep(GAIN_AGAIN);
    if (!closing && owned.get(partition) === lease) await gain(group, partition, lease);
  }

  /** A lane that may not write any more although the partition is ours is closed and opened anew. */
  async function regain(group: Group, partition: Partition, lease: Lease): Promise<void> {
    if (owned.get(partition) !== lease) return;
    await group.lost(partition).catch((error: unknown) => onError(error, "opening a lane anew"));
    await gainLater(group, partition, lease);
  }

  const beginOf =
    ({ from }: SubscribeOptions) =>
    (): Promise<number> =>
      from === "start" ? Promise.resolve(0) : newest(parts.journal);

  function openOf(topic: string, name: string, options: SubscribeOptions): Open {
    const group: Group = openGroup({
      clock,
      onError,
      open: (partition, ready) => {
        const lease = owned.get(partition);
        if (!lease) throw new BusError("bus-stopping", `partition ${partition} went to another node`);
        return openLane({
          lane: { topic, group: name, partition },
          ordered: options.ordered,
          broker,
          journal: parts.journal,
          clock,
          relay,
          cursors,
          parked,
          lease,
          begin: beginOf(options),
          ready,
          fenced: () => void regain(group, partition, lease),
          onError,
        });
      },
    });
    return { topic, name, group };
  }

  async function subscribe(topic: string, name: string, options: SubscribeOptions, handler: Member["handler"]): Promise<Subscription> {
    if (closing) throw new BusError("bus-stopping", "the transport is closed");
    if (!(options.concurrency >= 1))
      throw new BusError("configuration", `concurrency of group ${name} is ${options.concurrency}; it must be at least 1`);
    const key = `${topic}\n${name}`;
    await ending.get(key);
    await relay.settled();
    await beginCursors(cursors, { topic, group: name }, partitions, beginOf(options));
    const entry = groups.get(key) ?? openOf(topic, name, options);
    groups.set(key, entry);
    const { group } = entry;
    const member: Member = { concurrency: options.concurrency, handler, running: 0, paused: false, closed: false, idle: undefined };
    group.members.add(member);
    let shutting: Promise<void> | undefined;
    const shut = async (): Promise<void> => {
      member.closed = true;
      group.pauses();
      await drained(member, clock, parts.drainMs ?? 30_000);
      group.members.delete(member);
      subscriptions.delete(subscription);
      if (group.members.size > 0) return;
      groups.delete(key);
      const end = group.close();
      ending.set(key, end);
      await end.finally(() => ending.delete(key));
    };
    const subscription: Subscription = {
      async state() {
        await relay.settled();
        return group.state();
      },
      pause(paused) {
        member.paused = paused;
        group.pauses();
        if (!paused) group.pump();
      },
      close: () => (shutting ??= shut()),
    };
    subscriptions.add(subscription);
    try {
      await Promise.all([...owned].map(([partition, lease]) => gainNow(group, partition, lease)));
    } catch (error) {
      await subscription.close();
      throw error;
    }
    group.pauses();
    group.pump();
    return subscription;
  }

  /** What a partition that moves at this moment brings about is no reason to refuse a subscription. */
  async function gainNow(group: Group, partition: Partition, lease: Lease): Promise<void> {
    try {
      await group.gained(partition);
    } catch (error) {
      if (owned.get(partition) !== lease) return;
      if (asBusError(error).code !== "store-conflict") throw error;
      void gainLater(group, partition, lease);
    }
  }

  const refuseClosed = (): void => {
    if (closing) throw new BusError("bus-stopping", "the transport is closed");
  };

  return {
    journal,
    leases,
    owned: () => [...owned.keys()].sort((a, b) => a - b),
    keeping: {
      ...keeping,
      async forget(name) {
        if (groups.has(`${name.topic}\n${name.group}`))
          throw new BusError("store-conflict", `group ${name.group} is at work in this process`);
        await keeping.forget(name);
      },
    },
    async publish(topic, envelope) {
      refuseClosed();
      await journal.append([publication(topic, envelope, clock.now())]);
    },
    subscribe,
    async request(topic, envelope, timeout) {
      refuseClosed();
      return broker.request(topic, envelope, timeout);
    },
    async respond(topic, handler) {
      refuseClosed();
      return broker.respond(topic, handler);
    },
    close() {
      closing ??= (async () => {
        await Promise.allSettled([...subscriptions].map((subscription) => subscription.close()));
        await Promise.allSettled(ending.values());
        await shares.close();
        await relay.close();
        await broker.close();
      })();
      return closing;
    },
  };
}

/** Which partition a key lies in depends on their number, so it may not change under messages that wait. */
async function samePartitions(store: Store, partitions: number): Promise<void> {
  const fixed = await store.collection<Fixed>("cluster");
  const known = await fixed.get("partitions");
  if (!known) await fixed.insert("partitions", { partitions }).catch(() => undefined);
  const { partitions: first } = known?.value ?? (await fixed.get("partitions"))?.value ?? { partitions };
  if (first === partitions) return;
  throw new BusError(
    "configuration",
    `this deployment was started with ${first} partitions and is set to ${partitions}: set MBUS_PARTITIONS=${first}; a change would tear the order of keys`,
  );
}

async function newest(journal: Journal): Promise<number> {
  const { records } = await journal.find({ limit: 1 });
  return records[0]?.position ?? 0;
}

/** The journal record of an envelope that was published without one. */
function publication(topic: string, envelope: Envelope, time: number): JournalRecord {
  const { id, correlationId, contract, source } = envelope;
  return { step: "accepted", outcome: "ok", time, id, correlationId, contract, system: source, topic, envelope };
}

/** Resolves when no handler of the member runs, or after the drain time. */
async function drained(member: Member, clock: Clock, drainMs: number): Promise<void> {
  if (member.running === 0) return;
  const enough = new AbortController();
  const idle = new Promise<void>((resolve) => (member.idle = resolve));
  await Promise.race([idle, clock.sleep(drainMs, enough.signal).catch(() => undefined)]);
  enough.abort(new Error("drained"));
}
