/** Honest little ports in memory: the contracts of bus/ports.ts without disk, network or tricks. What outlives a restart lies in a `MemoryDisk`. */
import { BusError } from "#bus/errors.ts";
import type { JournalQuery, JournalRecord, StoredRecord } from "#bus/journal/record.ts";
import type { Appended, Clock, Collection, FindOptions, Journal, Json, Store, Stored } from "#bus/ports.ts";
import { createMemoryTransport, type MemoryTransport, type TopicLog } from "./memory-transport.ts";

/** What a "restarted" port finds again when it is made on the same disk. */
export type MemoryDisk = {
  records: StoredRecord[];
  topics: Map<string, TopicLog>;
  documents: Map<string, Map<string, Stored<Json>>>;
  blobs: Map<string, Uint8Array>;
};

export function createMemoryDisk(): MemoryDisk {
  return { records: [], topics: new Map(), documents: new Map(), blobs: new Map() };
}

export type MemoryPorts = Readonly<{ journal: MemoryJournal; transport: MemoryTransport; store: Store; disk: MemoryDisk }>;

/** Journal, transport and store on one disk; the transport is fed by the journal, as in the embedded mode. */
export function createMemoryPorts(clock: Clock, disk: MemoryDisk = createMemoryDisk()): MemoryPorts {
  const transport = createMemoryTransport({ clock, topics: disk.topics });
  const journal = createMemoryJournal({ disk, published: (record) => transport.fed(record) });
  return { journal, transport, store: createMemoryStore(disk), disk };
}

// ── journal ──────────────────────────────────────────────────────────────────────────────────────────────────────────

export type MemoryJournal = Journal &
  Readonly<{
    /** All that was appended. */
    records: readonly StoredRecord[];
    /** From now on every append fails with this, until it is called with undefined. */
    failWith(error: Error | undefined): void;
  }>;

type JournalParts = Readonly<{ disk?: MemoryDisk; published?: (record: StoredRecord) => void }>;

export function createMemoryJournal(parts: JournalParts = {}): MemoryJournal {
  const records = (parts.disk ?? createMemoryDisk()).records;
  let failure: Error | undefined;
  let closed = false;

  function firstWith(record: JournalRecord): StoredRecord | undefined {
    const { dedupe } = record;
    if (!dedupe) return undefined;
    return records.findLast((old) => old.dedupe?.key === dedupe.key && record.time - old.time < old.dedupe.window);
  }

  return {
    writers: "one",
    records,
    failWith(error) {
      failure = error;
    },
    async append(given) {
      refuseClosed(closed, "journal");
      await Promise.resolve(); // durable is never now
      if (failure) throw new BusError("journal-failed", `the journal could not write: ${failure.message}`, { cause: failure });
      const strange = given.find((record) => !STEPS.has(record.step));
      if (strange) throw new BusError("journal-failed", `the journal knows no step \`${strange.step}\``);
      const written: StoredRecord[] = [];
      const appended = given.map((record): Appended => {
        const first = firstWith(record);
        if (first) return { position: first.position, duplicateOf: first.position };
        const stored = { ...record, position: (records.at(-1)?.position ?? 0) + 1 };
        records.push(stored);
        written.push(stored);
        return { position: stored.position };
      });
      for (const record of written) parts.published?.(record);
      return appended;
    },
    async read(from, limit, only) {
      refuseClosed(closed, "journal");
      return records.filter((record) => record.position >= from && (only === undefined || record.topic !== undefined)).slice(0, limit);
    },
    async find(query) {
      refuseClosed(closed, "journal");
      const matching = records.filter((record) => matches(record, query));
      if (query.ascending !== true) matching.reverse();
      const { cursor } = query;
      const from = matching.findIndex(
        (record) => cursor === undefined || (query.ascending ? record.position > cursor : record.position < cursor),
      );
      const rest = from < 0 ? [] : matching.slice(from);
      const page = rest.slice(0, query.limit ?? 100);
      return { records: page, cursor: page.length < rest.length ? page.at(-1)?.position : undefined };
    },
    async close() {
      closed = true;
    },
  };
}

const STEPS: ReadonlySet<string> = new Set<JournalRecord["step"]>([
  "accepted",
  "replied",
  "refused",
  "delivered",
  "attempt",
  "dropped",
  "deadletter",
  "replayed",
  "act",
  "verified",
  "audited",
]);

export function refuseClosed(closed: boolean, port: string): void {
  if (closed) throw new BusError("bus-stopping", `the ${port} is closed`);
}

const EQUAL = ["id", "correlationId", "route", "system", "contract", "step", "outcome", "branch", "topic"] as const;

function matches(record: StoredRecord, query: JournalQuery): boolean {
  if (EQUAL.some((member) => query[member] !== undefined && query[member] !== record[member])) return false;
  if (query.from !== undefined && record.time < query.from) return false;
  if (query.to !== undefined && record.time >= query.to) return false;
  return Object.entries(query.index ?? {}).every(([name, value]) => record.index?.[name] === value);
}

// ── store ────────────────────────────────────────────────────────────────────────────────────────────────────────────

export function createMemoryStore(disk: MemoryDisk = createMemoryDisk()): Store {
  let closed = false;
  const guard = (): void => refuseClosed(closed, "store");
  return {
    async collection<T extends Json>(name: string, options: Readonly<{ unique?: readonly string[] }> = {}): Promise<Collection<T>> {
      const documents = disk.documents.get(name) ?? new Map<string, Stored<Json>>();
      disk.documents.set(name, documents);
      return createCollection(documents as Map<string, Stored<T>>, options.unique ?? [], guard);
    },
    blobs: {
      async put(id, bytes) {
        guard();
        disk.blobs.set(id, bytes.slice());
      },
      async read(id) {
        guard();
        return disk.blobs.get(id)?.slice();
      },
      async remove(id) {
        guard();
        return disk.blobs.delete(id);
      },
    },
    async close() {
      closed = true;
    },
  };
}

function createCollection<T extends Json>(documents: Map<string, Stored<T>>, unique: readonly string[], guard: () => void): Collection<T> {
  const refuseTwins = (id: string, value: T): void => {
    for (const member of unique) {
      const own = memberOf(value, member);
      if (own === undefined) continue;
      for (const other of documents.values()) {
        if (other.id !== id && memberOf(other.value, member) === own)
          throw new BusError("store-duplicate", `\`${member}\` holds this value already`);
      }
    }
  };
  return {
    async insert(id, value) {
      guard();
      if (documents.has(id)) throw new BusError("store-duplicate", `a document \`${id}\` is there already`);
      refuseTwins(id, value);
      documents.set(id, { id, version: 1, value: structuredClone(value) });
    },
    async get(id) {
      guard();
      const found = documents.get(id);
      return found && { ...found, value: structuredClone(found.value) };
    },
    async update(id, version, value) {
      guard();
      if (!documents.has(id)) throw new BusError("not-found", `no document \`${id}\``);
      if (documents.get(id)?.version !== version) throw new BusError("store-conflict", `document \`${id}\` was changed by another writer`);
      refuseTwins(id, value);
      documents.set(id, { id, version: version + 1, value: structuredClone(value) });
    },
    async find(options = {}) {
      guard();
      const found = [...documents.values()].sort((a, b) => (a.id < b.id ? -1 : 1)).filter((each) => fits(each, options));
      return found.slice(0, options.limit ?? found.length).map((each) => ({ ...each, value: structuredClone(each.value) }));
    },
    async remove(id) {
      guard();
      return documents.delete(id);
    },
  };
}

function memberOf(value: Json, member: string): Json | undefined {
  return typeof value === "object" && value !== null && !Array.isArray(value)
    ? (value as Readonly<Record<string, Json>>)[member]
    : undefined;
}

function fits(each: Stored<Json>, options: FindOptions): boolean {
  if (options.after !== undefined && each.id <= options.after) return false;
  if (Object.entries(options.where ?? {}).some(([member, value]) => memberOf(each.value, member) !== value)) return false;
  const { range } = options;
  if (!range) return true;
  const value = memberOf(each.value, range.member);
  if (typeof value !== "string" && typeof value !== "number") return false;
  return (range.from === undefined || value >= range.from) && (range.to === undefined || value < range.to);
}
