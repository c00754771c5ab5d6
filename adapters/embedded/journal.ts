/** The journal port over the engine's log. */
import { BusError } from "#bus/errors.ts";
import type { JournalQuery, JournalRecord, StoredRecord } from "#bus/journal/record.ts";
import { matches, queryKeys } from "#bus/journal/search.ts";
import type { Appended, Journal } from "#bus/ports.ts";
import type { Channel } from "./channel.ts";
import { pack, unpack, type LogTime, type TopicIds } from "./packer.ts";
import type { Found, Records } from "./protocol.ts";

/** Told of records that became durable, in order of position. */
export type Committed = (record: JournalRecord, position: number) => void;

export type LogWriter = Readonly<{ append(records: readonly JournalRecord[]): Promise<readonly Appended[]> }>;

/** Bytes of one page on its way from the worker. */
const PAGE_BYTES = 4_194_304;
const DEFAULT_LIMIT = 100;

/** `append` for journal and transport alike: one log. */
export function openLogWriter(channel: Channel, topics: TopicIds, time: LogTime, maxBytes: number, committed: Committed): LogWriter {
  const place = (records: readonly JournalRecord[]): Promise<readonly Appended[]> =>
    new Promise((resolve, reject) => {
      const draft = channel.draft();
      pack(draft, records, topics, time, maxBytes);
      draft.tickets.push({
        records: records.length,
        failed: reject,
        done(positions, at) {
          const appended: Appended[] = [];
          for (let i = 0; i < records.length; i++) {
            const position = positions[at + i] ?? 0;
            const record = records[i];
            if (position < 0) appended.push({ position: -position, duplicateOf: -position });
            else {
              appended.push({ position });
              if (record?.topic !== undefined) committed(record, position);
            }
          }
          resolve(appended);
        },
      });
      channel.touch();
    });
  return {
    append(records) {
      if (records.length === 0) return Promise.resolve([]);
      try {
        const wait = channel.room();
        return wait === undefined ? place(records) : wait.then(() => place(records));
      } catch (error) {
        return Promise.reject(error instanceof Error ? error : new Error(String(error)));
      }
    },
  };
}

export function openJournal(channel: Channel, writer: LogWriter, close: () => Promise<void>): Journal {
  return {
    writers: "one",
    append: (records) => writer.append(records),
    async read(from, limit, only) {
      const all: StoredRecord[] = [];
      let next = from;
      while (all.length < limit) {
        const records = await channel.ask<Records>({ op: "read", from: next, limit: limit - all.length, bytes: PAGE_BYTES });
        if (records.positions.length === 0) break;
        next = (records.positions.at(-1) ?? next) + 1;
        const page = unpack(records);
        if (only === undefined && all.length === 0 && page.length === limit) return page;
        for (const record of page) if (only === undefined || record.topic !== undefined) all.push(record);
      }
      return all;
    },
    find: (query) => search(channel, query),
    close,
  };
}

async function search(channel: Channel, query: JournalQuery): ReturnType<Journal["find"]> {
  const limit = query.limit ?? DEFAULT_LIMIT;
  if (!(limit >= 1)) throw new BusError("configuration", `a journal search has limit ${limit}; it must be at least 1`);
  const found: StoredRecord[] = [];
  const shared = {
    op: "find",
    keys: queryKeys(query),
    from: query.from ?? 0,
    to: query.to ?? Infinity,
    ascending: query.ascending ?? false,
  } as const;
  let cursor: number | undefined = query.cursor ?? 0;
  // One more than asked for tells whether there is a next page.
  while (cursor !== undefined && found.length <= limit) {
    const answer: Found = await channel.ask<Found>({ ...shared, limit: limit + 1 - found.length, cursor });
    for (const record of unpack(answer.records)) if (matches(query, record)) found.push(record);
    cursor = answer.next;
  }
  const more = found.length > limit;
  const records = more ? found.slice(0, limit) : found;
  return { records, cursor: more ? records.at(-1)?.position : undefined };
}
