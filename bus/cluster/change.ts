/**
 * A deployment that changes what moves its messages. The journal is the truth, so nothing has to be carried over but what each group
 * finished: between brokers that lies in the store and stays; from the embedded engine it is taken over; back to it only when all is done.
 */
import { BusError } from "../errors.ts";
import { newId } from "../ids.ts";
import type { GroupName } from "../keep/keeping.ts";
import type { Clock, Collection, Journal, Store } from "../ports.ts";
import { idOfLane } from "./cursor-file.ts";
import type { CursorDocument } from "./cursor.ts";
import { createKeeping } from "./keeping.ts";
import { createLeases, LEASE } from "./lease.ts";
import { openParked, type ParkedMessages } from "./parked.ts";
import { partitionOf } from "./partition.ts";
import { idOfPart, type RelayDocument } from "./relay.ts";

export type TransportName = "embedded" | "nats" | "amqp" | "memory";

type Try = Readonly<{ position: number; attempts: number; firstAt: number; due: number }>;

/** A group of the embedded engine: all up to `scan` is done, but for these. */
export type EmbeddedGroup = GroupName & Readonly<{ scan: number; unfinished: readonly Try[] }>;

/** The embedded engine's groups, where the store is its. */
export type EmbeddedGroups = Readonly<{
  all(): Promise<readonly EmbeddedGroup[]>;
  /** The group has finished all up to a position. */
  place(name: GroupName, position: number): Promise<void>;
  forget(name: GroupName): Promise<void>;
}>;

export type ChangeParts = Readonly<{
  to: TransportName;
  journal: Journal;
  store: Store;
  clock: Clock;
  node: string;
  partitions: number;
  embedded: EmbeddedGroups | undefined;
}>;

type Chosen = { transport: TransportName };
type Documents = Readonly<{ cursors: Collection<CursorDocument>; relays: Collection<RelayDocument>; parked: ParkedMessages }>;

const PAGE = 1_000;
const LOOK = 1_000;

/**
 * To be called before the transport opens. Gives what moved messages before, where that is another. Throws `configuration` where
 * other processes still use another broker, or where messages are unfinished that the embedded engine cannot take over.
 */
export async function changeTransport(parts: ChangeParts): Promise<TransportName | undefined> {
  const { store, clock, journal, to } = parts;
  const cluster = await store.collection<Chosen>("cluster");
  const documents: Documents = {
    cursors: await store.collection<CursorDocument>("cursors"),
    relays: await store.collection<RelayDocument>("relay"),
    parked: await openParked(store),
  };
  const known = await cluster.get("transport");
  // a deployment of an older version did not write it down
  const from = known?.value.transport ?? ((await documents.relays.find({ limit: 1 })).length > 0 ? undefined : "embedded");
  if (from === to) return undefined;
  const toBroker = to !== "embedded";
  if (toBroker && (from === "embedded" || from === undefined)) {
    if (from === "embedded" && parts.embedded) await takeOver(parts, documents, parts.embedded);
  } else if (toBroker) await othersGone(parts, from ?? "another broker");
  else await giveBack(parts, documents, from ?? "the broker");

  const value = { transport: to };
  if (known) await cluster.update("transport", known.version, value);
  else await cluster.insert("transport", value);
  if (toBroker && parts.embedded) for (const name of await parts.embedded.all()) await parts.embedded.forget(name);
  if (!toBroker) await clear(documents);
  if (known) {
    const time = clock.now();
    const id = newId(time);
    const detail = `messages are moved by ${to} from now on, by ${from ?? "another broker"} before`;
    await journal.append([{ step: "act", outcome: "ok", time, id, correlationId: id, detail }]);
  }
  return from;
}

/** A process on another broker would be a second owner of the same groups, which sees nothing of this one's messages. */
async function othersGone({ store, clock, node, journal, to }: ChangeParts, from: string): Promise<void> {
  if (journal.writers === "one") return;
  const leases = await createLeases({ store, clock, node, sole: false });
  const until = clock.now() + LEASE + LOOK;
  for (;;) {
    const names = [...(await leases.held()).keys()].filter((name) => name.startsWith("node ") && name !== `node ${node}`);
    if (names.length === 0) return;
    if (clock.now() > until)
      throw new BusError(
        "configuration",
        `MBUS_TRANSPORT=${to}, but ${names.map((name) => name.slice(5)).join(", ")} of this deployment still run on ${from}: stop all processes, then start them all with ${to}`,
      );
    await clock.sleep(LOOK);
  }
}

/** Cursors of the embedded engine become those of partitions; what was begun and not finished waits, with its attempts. */
async function takeOver({ journal, partitions }: ChangeParts, documents: Documents, embedded: EmbeddedGroups): Promise<void> {
  await clear(documents);
  const groups = await embedded.all();
  const [newest] = (await journal.find({ limit: 1 })).records;
  const last = newest?.position ?? 0;
  const start = Math.min(last, ...groups.map(({ scan }) => scan));
  const counts = createCounts(partitions);
  const floors = [...new Set(groups.map(({ scan }) => Math.min(scan, last)))].sort((a, b) => a - b);
  const at = new Map<number, ReadonlyMap<string, number>>();
  let from = start + 1;
  for (let left = floors; left.length > 0;) {
    const page = await journal.read(from, PAGE, "published");
    for (const { position, topic, envelope } of page) {
      for (let [floor] = left; floor !== undefined && floor < position; [floor] = left) {
        at.set(floor, counts.copy());
        left = left.slice(1);
      }
      if (topic !== undefined && envelope) counts.add(topic, partitionOf(envelope, partitions));
      from = position + 1;
    }
    if (page.length > 0) continue;
    for (const floor of left) at.set(floor, counts.copy());
    left = [];
  }
  for (const { topic, group, scan, unfinished } of groups) {
    const floor = Math.min(scan, last);
    for (let partition = 0; partition < partitions; partition++) {
      const lane = { topic, group, partition };
      const count = at.get(floor)?.get(counts.key(topic, partition)) ?? 0;
      await documents.cursors.insert(idOfLane(lane), { ...lane, floor, count, done: [], reach: floor });
    }
    for (const { position, attempts, firstAt, due } of unfinished) {
      const [record] = await journal.read(position, 1);
      if (record?.position !== position || !record.envelope) continue;
      const lane = idOfLane({ topic, group, partition: partitionOf(record.envelope, partitions) });
      await documents.parked.put({ lane, position, key: record.envelope.key ?? null, attempts, firstAt, due });
    }
  }
  for (let partition = 0; partition < partitions; partition++)
    await documents.relays.insert(idOfPart(partition), { cursor: start, last: {} });
}

/** Messages of each topic and partition. */
function createCounts(partitions: number) {
  const counts = new Map<string, number>();
  const key = (topic: string, partition: number): string => `${topic}\n${partition % partitions}`;
  return {
    key,
    add(topic: string, partition: number): void {
      counts.set(key(topic, partition), (counts.get(key(topic, partition)) ?? 0) + 1);
    },
    copy: (): ReadonlyMap<string, number> => new Map(counts),
  };
}

/** The embedded engine has one cursor for a group where brokers have one for each partition: it begins where nothing is open. */
async function giveBack(parts: ChangeParts, documents: Documents, from: string): Promise<void> {
  const { journal, embedded, partitions } = parts;
  const keeping = createKeeping({ ...documents, journal, partitions, broker: undefined });
  if (!embedded || (await keeping.needs()) !== Infinity)
    throw new BusError(
      "configuration",
      `MBUS_TRANSPORT=embedded, but messages that ${from} moved are not finished: start with MBUS_TRANSPORT=${from === "the broker" ? "the one before" : from} until \`mbus status\` shows no lag and no waits, then change it`,
    );
  const [newest] = (await journal.find({ limit: 1 })).records;
  for (const name of await keeping.groups()) await embedded.place(name, newest?.position ?? 0);
}

async function clear({ cursors, relays, parked }: Documents): Promise<void> {
  for (const documents of [cursors, relays]) {
    for (;;) {
      const page = await documents.find({ limit: PAGE });
      for (const { id } of page) {
        if (documents === cursors) await parked.forget(id);
        await documents.remove(id);
      }
      if (page.length < PAGE) break;
    }
  }
}
