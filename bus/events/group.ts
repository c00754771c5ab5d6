/**
 * One kind of events (ordinary, test, dead letters) for one group of a system's consumers: reads the journal from the group's durable
 * cursor, keeps a bounded stock of events that are ready to go, shares them among the consumers, writes down what they confirmed.
 */
import { findGrant } from "../access/grants.ts";
import type { Audit } from "../audit/audit.ts";
import type { Contract } from "../contract/contract.ts";
import { EVENT_BYTES } from "../edge/events.ts";
import { asBusError, BusError } from "../errors.ts";
import type { JournalRecord, StoredRecord } from "../journal/record.ts";
import type { PipelineParts, View } from "../passage.ts";
import type { Grant } from "../route/runtime.ts";
import type { Cursor, CursorName, Cursors } from "./cursor.ts";
import { personalOf, render, type Personal, type Rendered } from "./outgoing.ts";
import { partitionOfKey } from "./partition.ts";
import { createProgress } from "./progress.ts";
import { createShare, type Shared } from "./share.ts";
import type { Tail } from "./tail.ts";
import type { KnownType, KnownTypes } from "./types.ts";

/** One event that is ready to go, or went and is not confirmed. */
export type Ready = Shared &
  Pick<Rendered, "attributes" | "data"> &
  Readonly<{
    group: Group;
    id: string;
    correlationId: string;
    contract: Contract;
    sender: string;
    grant: string;
    personal: Personal;
  }>;

export type Member = Readonly<{
  /** There may be something for it now. */ wake(): void;
  /** The group cannot go on. */ end(error: BusError): void;
}>;

export interface Group {
  readonly name: CursorName;
  readonly members: readonly Member[];
  join(member: Member): void;
  leave(member: Member, held: readonly Ready[]): void;
  next(member: Member): Ready | undefined;
  /** Writes the rows of confirmed deliveries. Resolves when they are durable. */
  record(items: readonly Ready[]): Promise<void>;
  /** They are done, here at once; resolves when the cursor that says so is durable. */
  settle(items: readonly Ready[]): Promise<void>;
  close(): Promise<void>;
}

export type GroupParts = Pick<PipelineParts, "clock" | "journal" | "view" | "audit"> &
  Readonly<{
    types: () => KnownTypes;
    tail: Tail;
    cursors: Cursors;
    onError: (error: unknown, where: string) => void;
    /** Topic of test events or dead letters; undefined = the topics of the types that the system may consume. */
    topic: string | undefined;
  }>;

/** What waits in the stock, and how far the group goes on above an event that nobody confirms. */
const STOCK = 2_000;
const STOCK_BYTES = 4 * 1024 * 1024;
const AHEAD = 20_000;
/** Dead letters are looked for as far back as the journal promises. */
const MONTH = 31 * 86_400_000;
/** Milliseconds until a failed read is tried again. */
const AGAIN = 1_000;

export async function openGroup(parts: GroupParts, name: CursorName): Promise<Group> {
  const { clock, journal, tail } = parts;
  const stop = new AbortController();
  const share = createShare<Ready, Member>();
  const cursor: Cursor = await parts.cursors.open(
    name,
    () => beginning(parts, name),
    () => place.document(),
  );
  const place = createProgress(cursor.at);
  let room = Promise.withResolvers<void>();

  const wake = (): void => {
    for (const member of share.members) member.wake();
  };
  const fail = (error: unknown): void => {
    const failed = asBusError(error);
    if (failed.code === "store-conflict") for (const member of share.members.slice()) member.end(taken(name));
    else parts.onError(error, `events of ${name.system}, group ${name.group}`);
  };

  const add = async (record: StoredRecord): Promise<void> => {
    const { position } = record;
    const found = place.finishedBefore(position) ? undefined : wanted(parts, name, cursor.since, record);
    if (!found) return place.scanned(position + 1);
    place.taken(position);
    try {
      share.add(readyOf(group, record, found));
    } catch (thrown) {
      // nobody could read it: that stays visible in the journal, and the others go on
      await journal.append([undeliverable(name, record, clock.now(), asBusError(thrown))]);
      place.finished(position);
    }
  };

  const read = async (): Promise<void> => {
    const page = await tail.read(place.scan);
    for (const record of page.records) {
      if (stop.signal.aborted) return;
      await add(record);
    }
    place.scanned(page.next);
    wake();
    if (page.records.length === 0) await tail.more(place.scan, stop.signal);
  };
  const full = (): boolean => share.waiting >= STOCK || share.bytes >= STOCK_BYTES || place.ahead >= AHEAD;
  const loop = async (): Promise<void> => {
    while (!stop.signal.aborted) {
      if (full()) {
        room = Promise.withResolvers<void>();
        await room.promise;
        continue;
      }
      await read().catch(async (error: unknown) => {
        fail(error);
        await clock.sleep(AGAIN, stop.signal).catch(() => undefined);
      });
    }
  };

  const group: Group = {
    name,
    members: share.members,
    join(member) {
      share.join(member);
      wake();
    },
    leave(member, held) {
      share.leave(member, held);
      wake();
    },
    next(member) {
      const item = share.next(member);
      if (item && !full()) room.resolve();
      return item;
    },
    async record(items) {
      await journal.append(items.map((item) => delivered(parts.audit, name, item, clock.now())));
    },
    async settle(items) {
      for (const item of items) {
        share.settled(item);
        place.finished(item.position);
      }
      if (!full()) room.resolve();
      wake();
      await cursor.save().catch((error: unknown) => {
        fail(error);
        throw error;
      });
    },
    async close() {
      stop.abort();
      room.resolve();
      await reading;
      await cursor.save().catch(fail);
    },
  };
  const reading = loop();
  return group;
}

const taken = ({ group }: CursorName): BusError =>
  new BusError("bus-stopping", `another process of the bus serves the group ${group} now: connect again`, { retryAfter: 5_000 });

/** Where a new group begins: as far back as the type that is kept longest; test events begin now. */
async function beginning(parts: GroupParts, { kind }: CursorName): Promise<{ since: number; next: number }> {
  const since = parts.clock.now();
  const kept = [...parts.types().byName.values()].map(({ event }) => event.retention);
  const back = kind === "events" ? Math.max(0, ...kept) : kind === "dead" ? MONTH : 0;
  const { records } = await parts.journal.find({ from: since - back, ascending: true, limit: 1 });
  if (back > 0 && records[0]) return { since, next: records[0].position };
  const newest = (await parts.journal.find({ limit: 1 })).records[0];
  return { since, next: (newest?.position ?? 0) + 1 };
}

type Wanted = Readonly<{ known: KnownType; grant: Grant }>;

/** The type and the grant under which the group gets a record now; undefined = it is none of its. */
function wanted(parts: GroupParts, { system, kind }: CursorName, since: number, record: StoredRecord): Wanted | undefined {
  const { envelope, topic, time } = record;
  if (!envelope || topic === undefined) return undefined;
  if (parts.topic !== undefined && topic !== parts.topic) return undefined;
  const { byTopic } = parts.types();
  const known = byTopic.get(parts.topic === undefined ? topic : envelope.type);
  if (!known || (kind === "events" && time < since - known.event.retention)) return undefined;
  const grant = consumerGrant(parts.view(), system, known, parts.clock.now());
  return grant && time >= grant.from ? { known, grant } : undefined;
}

/** Undefined where none holds now. */
export function consumerGrant({ grants, systems }: View, system: string, known: KnownType, now: number): Grant | undefined {
  if (!grants.consumer.get(known.contract.id)?.has(system)) return undefined;
  try {
    return findGrant(grants, systems, { system, role: "consumer", contract: known.contract.id }, [], now);
  } catch {
    return undefined;
  }
}

function readyOf(group: Group, record: StoredRecord, { known, grant }: Wanted): Ready {
  const { envelope, position } = record;
  const at = { group, position, id: record.id, correlationId: record.correlationId, contract: known.contract, grant: grant.id };
  const sender = envelope?.source ?? "";
  if (!envelope || envelope.dataref !== undefined) throw tooLarge("more than 256 KiB");
  const { attributes, data, size, value } = render(known, envelope, grant);
  if (size > EVENT_BYTES) throw tooLarge(`${size} bytes`);
  const partition = partitionOfKey(attributes["partitionkey"], position);
  return { ...at, sender, partition, bytes: size, attributes, data, personal: personalOf(known, value, grant) };
}

/** The row of one confirmed event: who got what, under which grant; for personal data it is an audit event as well. */
function delivered(audit: Audit, { system, group }: CursorName, item: Ready, time: number): JournalRecord {
  const { id, correlationId, contract, sender, grant, personal } = item;
  const { basis, reason, subject } = personal;
  const audited = audit.consumed({ contract, id, correlationId, system: sender, target: system, grant, basis, reason, subject }, time);
  return {
    step: "delivered",
    outcome: "ok",
    time,
    id,
    correlationId,
    contract: contract.id,
    system: sender,
    target: system,
    branch: `events ${group}`,
    grant,
    ...audited,
  };
}

const tooLarge = (size: string): BusError =>
  new BusError("message-too-large", `the event has ${size} as a consumer would get it; MConnect Events hands out at most ${EVENT_BYTES}`);

function undeliverable({ system, group }: CursorName, record: StoredRecord, time: number, error: BusError): JournalRecord {
  return {
    step: "dropped",
    outcome: "failed",
    time,
    id: record.id,
    correlationId: record.correlationId,
    ...(record.contract !== undefined && { contract: record.contract }),
    ...(record.system !== undefined && { system: record.system }),
    target: system,
    branch: `events ${group}`,
    errorClass: error.class,
    errorCode: error.code,
    detail: error.message.slice(0, 1000),
  };
}
