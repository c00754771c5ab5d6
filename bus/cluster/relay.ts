/**
 * From the journal to the broker, for the partitions that this node owns (transactional outbox, read by a cursor). The cursor of a
 * partition says up to where the broker confirmed everything, and where the chain of each topic stood there; it is written
 * behind the work, so that a crash sends some messages again, which their receivers know by position.
 */
import type { Broker, Partition } from "../broker.ts";
import { asBusError } from "../errors.ts";
import type { JournalRecord, StoredRecord } from "../journal/record.ts";
import type { Clock, Collection, Journal, Store } from "../ports.ts";
import { createPace } from "./pace.ts";
import { partitionOf } from "./partition.ts";
import { createSender, type Item, type Link, type Sender } from "./sender.ts";

export type RelayParts = Readonly<{
  broker: Broker;
  journal: Journal;
  store: Store;
  clock: Clock;
  partitions: number;
  onError: (error: unknown, where: string) => void;
}>;

export interface Relay {
  gained(partition: Partition): Promise<void>;
  lost(partition: Partition): Promise<void>;
  /** Told of what this process appended, in order of position. */
  appended(records: readonly JournalRecord[], positions: readonly number[]): void;
  /** The last message of a topic and partition that the relay took. */
  last(topic: string, partition: Partition): Link;
  /** How many messages of a topic and partition lie up to a position. */
  countAt(topic: string, partition: Partition, position: number): Promise<number>;
  /** Nothing of the topic and partition is on its way. */
  idle(topic: string, partition: Partition): boolean;
  rewind(topic: string, partition: Partition, after: number): void;
  /** Resolves when everything that was in the journal before the call was taken, or after a second. */
  settled(): Promise<void>;
  close(): Promise<void>;
}

/** `last`: where the chain of each topic stood at the cursor. */
export type RelayDocument = { cursor: number; last: { [topic: string]: [position: number, count: number] } };
export const idOfPart = (partition: Partition): string => `partition ${partition}`;
type Part = { id: string; version: number; saved: RelayDocument; senders: Map<string, Sender>; saving: Promise<void> };

const PAGE = 500;
const SAVE_EVERY = 500;
/** How often a node looks for what others appended: more seldom where a look takes long. */
const POLL = 20;
const PACE = { least: POLL, most: SAVE_EVERY, share: 2 };
const ZERO: Link = { position: 0, count: 0 };

export async function startRelay(parts: RelayParts): Promise<Relay> {
  const { broker, journal, clock, partitions } = parts;
  const cursors: Collection<RelayDocument> = await parts.store.collection<RelayDocument>("relay");
  const owned = new Map<Partition, Part>();
  const stop = new AbortController();
  const pace = createPace(clock, PACE);
  /** Everything up to here was given to the senders. */
  let read = Number.POSITIVE_INFINITY;
  /** What this process appends goes to the senders at once: nothing before it is unread. */
  let live = false;
  let missed = 0;
  let wake: (() => void) | undefined;
  const stirred = (): void => wake?.();

  const senderOf = (part: Part, topic: string, partition: Partition): Sender => {
    const known = part.senders.get(topic);
    if (known) return known;
    const [position, count] = part.saved.last[topic] ?? [0, 0];
    const made = createSender({
      broker,
      clock,
      topic,
      partition,
      start: { position, count },
      page: (after) => pageOf(topic, partition, after),
      moved: stirred,
      onError: parts.onError,
    });
    part.senders.set(topic, made);
    return made;
  };

  function last(topic: string, partition: Partition): Link {
    const part = owned.get(partition);
    const saved = part?.saved.last[topic];
    return part?.senders.get(topic)?.last() ?? (saved ? { position: saved[0], count: saved[1] } : ZERO);
  }

  async function pageOf(topic: string, partition: Partition, after: number): Promise<{ items: Item[]; next: number | undefined }> {
    const { records, cursor } = await journal.find({ topic, ascending: true, limit: PAGE, ...(after > 0 ? { cursor: after } : undefined) });
    const items = records.flatMap(({ position, envelope }) =>
      envelope && partitionOf(envelope, partitions) === partition ? [{ position, envelope }] : [],
    );
    return { items, next: cursor };
  }

  function take(position: number, { topic, envelope }: Pick<JournalRecord, "topic" | "envelope">): void {
    if (topic === undefined || !envelope) return;
    const partition = partitionOf(envelope, partitions);
    const part = owned.get(partition);
    if (part) senderOf(part, topic, partition).push({ position, envelope });
  }

  const room = (): boolean => [...owned.values()].every(({ senders }) => [...senders.values()].every((sender) => sender.room()));

  async function readOn(): Promise<void> {
    const before = missed;
    const from = read;
    const page: readonly StoredRecord[] =
      read === Number.POSITIVE_INFINITY ? [] : await pace.timed(() => journal.read(read + 1, PAGE, "published"));
    if (read !== from) return; // a partition came meanwhile that stands further back: this answer leaves its messages out
    for (const record of page) {
      if (record.position <= read) continue;
      take(record.position, record);
      read = record.position;
    }
    if (page.length > 0 || owned.size === 0) return;
    if (journal.writers === "one" && missed === before) live = true;
    else await rest(pace.rest());
  }

  /** Waits until something stirs, at most so long. */
  async function rest(ms: number): Promise<void> {
    const enough = new AbortController();
    const stirs = new Promise<void>((resolve) => (wake = resolve));
    const sleep = clock.sleep(ms, AbortSignal.any([enough.signal, stop.signal])).catch(() => undefined);
    await Promise.race([stirs, sleep]);
    wake = undefined;
    enough.abort(new Error("stirred"));
  }

  async function loop(): Promise<void> {
    while (!stop.signal.aborted) {
      try {
        if (live || owned.size === 0 || !room()) await rest(live ? SAVE_EVERY : POLL);
        else await readOn();
      } catch (error) {
        parts.onError(asBusError(error), "reading the journal for the broker");
        await rest(SAVE_EVERY);
      }
    }
  }

  async function keep(): Promise<void> {
    while (!stop.signal.aborted) {
      await clock.sleep(SAVE_EVERY, stop.signal).catch(() => undefined);
      for (const part of owned.values()) await save(part).catch((error: unknown) => parts.onError(error, "cursor of the relay"));
    }
  }

  /** A conflict: an answer of the store was lost, or a node wrote late. What stands there is true as well; the next save goes on from it. */
  async function adopt(part: Part, error: unknown): Promise<never> {
    const known = asBusError(error).code === "store-conflict" ? await cursors.get(part.id) : undefined;
    if (known) part.version = known.version;
    if (known && known.value.cursor > part.saved.cursor) part.saved = known.value;
    throw error;
  }

  function save(part: Part): Promise<void> {
    part.saving = part.saving
      .catch(() => undefined)
      .then(async () => {
        let cursor = read;
        for (const sender of part.senders.values()) cursor = Math.min(cursor, sender.lowest() - 1);
        if (!Number.isFinite(cursor) || cursor <= part.saved.cursor) return;
        const last = { ...part.saved.last };
        for (const [topic, sender] of part.senders) {
          const { position, count } = sender.linkAt(cursor);
          if (count > 0) last[topic] = [position, count];
        }
        const next = { cursor, last };
        await cursors.update(part.id, part.version, next).catch((error: unknown) => adopt(part, error));
        part.version++;
        part.saved = next;
      });
    return part.saving;
  }

  async function lost(partition: Partition): Promise<void> {
    const part = owned.get(partition);
    if (!part) return;
    await save(part).catch(() => undefined);
    owned.delete(partition);
    for (const sender of part.senders.values()) sender.close();
  }

  const loops = [loop(), keep()];
  return {
    async gained(partition) {
      const id = idOfPart(partition);
      const known = await cursors.get(id);
      const saved: RelayDocument = known?.value ?? { cursor: 0, last: {} };
      // written at once, so that a former owner's late write is seen as one
      if (known) await cursors.update(id, known.version, saved);
      else await cursors.insert(id, saved);
      const version = (known?.version ?? 0) + 1;
      owned.set(partition, { id, version, saved, senders: new Map(), saving: Promise.resolve() });
      read = Math.min(read, saved.cursor);
      live = false;
      stirred();
    },
    lost,
    appended(records, positions) {
      if (live && !room()) live = false;
      for (const [at, record] of records.entries()) {
        if (record.topic === undefined) continue;
        const position = positions[at] ?? 0;
        if (!live || journal.writers === "many") missed++;
        else if (position > read) {
          take(position, record);
          read = position;
        }
      }
      if (!live) stirred();
    },
    last,
    async countAt(topic, partition, position) {
      const end = last(topic, partition);
      const [low, high, sign] = end.position <= position ? [end.position, position, 1] : [position, end.position, -1];
      let between = 0;
      for (let after: number | undefined = low; after !== undefined && after < high;) {
        const { items, next }: Awaited<ReturnType<typeof pageOf>> = await pageOf(topic, partition, after);
        between += items.filter((item) => item.position <= high).length;
        after = next;
      }
      return end.count + sign * between;
    },
    idle: (topic, partition) => owned.get(partition)?.senders.get(topic)?.idle() ?? true,
    rewind(topic, partition, after) {
      const part = owned.get(partition);
      if (part) senderOf(part, topic, partition).rewind(after);
    },
    async settled() {
      const [newest] = (await journal.find({ limit: 1 })).records;
      const until = clock.now() + 1000;
      const behind = (): boolean => !live && read < (newest?.position ?? 0) && !stop.signal.aborted;
      while (behind() && clock.now() < until) {
        const page = await journal.read(read + 1, 1, "published");
        if (page.length === 0) return;
        await clock.sleep(5, stop.signal).catch(() => undefined);
      }
    },
    async close() {
      stop.abort();
      stirred();
      await Promise.all(loops);
      for (const partition of owned.keys()) await lost(partition);
    },
  };
}
