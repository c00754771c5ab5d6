/**
 * The embedded engine: journal, transport and store over one log in one data folder, in one worker thread. One process
 * per folder. A message published through the journal is one durable write.
 */
import { resolve } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { BusError } from "#bus/errors.ts";
import type { Clock, Journal, Store, Transport } from "#bus/ports.ts";
import { openChannel } from "./channel.ts";
import { openJournal, openLogWriter } from "./journal.ts";
import type { EngineStats } from "./operations.ts";
import { topicId, type LogTime, type TopicIds } from "./packer.ts";
import type { NamedGroup } from "./protocol.ts";
import type { Retained } from "./retention.ts";
import { openStore } from "./store.ts";
import { openTransport } from "./transport.ts";

export type EmbeddedLimits = Readonly<{
  /** Bytes queued to disk; above it writers wait. */
  queueBytes: number;
  /** Writers that may wait; above it journal-busy. */
  waiters: number;
  recordBytes: number;
  documentBytes: number;
  blobBytes: number;
  /** Newest part of the log kept in the worker's memory. */
  cacheBytes: number;
  /** Messages of a group held behind blocked keys or waiting for a retry. */
  lookAhead: number;
  /** Milliseconds that close waits for running handlers. */
  drainMs: number;
  /** Records per run of the search index. */
  runRecords: number;
  /** Pages (8 KiB) of the write-ahead log before a checkpoint. */
  checkpointPages: number;
  /** A file of the log gets no more messages from this size on; retention deletes whole files. */
  fileBytes: number;
}>;

export const DEFAULT_LIMITS: EmbeddedLimits = {
  queueBytes: 67_108_864,
  waiters: 100_000,
  recordBytes: 16_777_216,
  documentBytes: 16_777_216,
  blobBytes: 134_217_728,
  cacheBytes: 16_777_216,
  lookAhead: 10_000,
  drainMs: 30_000,
  runRecords: 8_192,
  checkpointPages: 1_000,
  fileBytes: 67_108_864,
};

export type EmbeddedOptions = Readonly<{ dataDir: string; clock?: Clock; limits?: Partial<EmbeddedLimits> }>;

/** Ages in milliseconds. `keepFrom`: first position that must stay. `blobs`: prefix of blob ids that go with the log (claim checks); others are never touched. */
export type Retention = Readonly<{ maxAge?: number; maxBytes?: number; keepFrom?: number; blobs?: string; ignoreGroups?: boolean }>;

export type Embedded = Readonly<{
  journal: Journal;
  transport: Transport;
  store: Store;
  stats(): Promise<EngineStats & Readonly<{ queuedBytes: number }>>;
  /** Deletes what is older or beyond the size, in small slices; never what a consumer group still needs unless told. */
  retain(rules: Retention): Promise<Readonly<{ records: number; blobs: number }>>;
  /** All consumer groups, as they lie in the store; those that work now are written some milliseconds late. */
  groups(): Promise<readonly NamedGroup[]>;
  /** A group that nobody subscribes begins as a new one. */
  forget(topic: string, name: string): Promise<void>;
  /** A group that nobody subscribes has finished all up to a position. */
  place(topic: string, name: string, position: number): Promise<void>;
  /** SQLite's own integrity check; `["ok"]` when all is well. */
  check(): Promise<readonly string[]>;
  close(): Promise<void>;
}>;

export const realClock: Clock = {
  now: () => Date.now(),
  sleep: (ms, signal) => sleep(Math.min(ms, 2_147_483_647), undefined, signal === undefined ? {} : { signal }),
};

/** Opens (and creates) the data folder. Throws `configuration` when another process holds it. */
export async function openEmbedded(options: EmbeddedOptions): Promise<Embedded> {
  const limits = { ...DEFAULT_LIMITS, ...options.limits };
  const clock = options.clock ?? realClock;
  const { cacheBytes, runRecords, checkpointPages, fileBytes } = limits;
  const channel = await openChannel({ dataDir: resolve(options.dataDir), cacheBytes, runRecords, checkpointPages, fileBytes }, limits);
  const known = channel.opened.topics;
  const topics: TopicIds = { ids: new Map(known.map(([id, name]) => [name, id])), next: Math.max(0, ...known.map(([id]) => id)) + 1 };
  const time: LogTime = { last: channel.opened.lastTime };
  let closing: Promise<void> | undefined;
  const close = (): Promise<void> => (closing ??= transport.shut().then(() => channel.close()));
  const writer = openLogWriter(channel, topics, time, limits.recordBytes, (record, position) => transport.committed(record, position));
  const transport = openTransport({ channel, clock, topics, writer, lookAhead: limits.lookAhead, drainMs: limits.drainMs, close });
  return {
    journal: openJournal(channel, writer, close),
    transport: transport.port,
    store: openStore(channel, clock, limits, close),
    async stats() {
      return { ...(await channel.ask<EngineStats>({ op: "stats" })), queuedBytes: channel.queuedBytes() };
    },
    async retain(rules) {
      const before = rules.maxAge === undefined ? 0 : clock.now() - rules.maxAge;
      if (Number.isNaN(before)) throw new BusError("configuration", "retention's maxAge is not a number");
      const order = {
        op: "retain",
        before,
        maxBytes: rules.maxBytes ?? Infinity,
        keepFrom: rules.keepFrom ?? Infinity,
        blobs: rules.blobs,
        ignoreGroups: rules.ignoreGroups ?? false,
      } as const;
      let records = 0;
      let blobs = 0;
      for (let more = true; more;) {
        const slice = await channel.ask<Retained>(order);
        records += slice.records;
        blobs += slice.blobs;
        more = slice.more;
      }
      return { records, blobs };
    },
    groups: () => channel.ask<NamedGroup[]>({ op: "groups" }),
    forget: (topic, name) => channel.ask<void>({ op: "forget", topic, name }),
    place: (topic, name, scan) => channel.ask<void>({ op: "place", topic: topicId(channel.draft(), topics, topic), name, scan }),
    check: () => channel.ask<string[]>({ op: "check" }),
    close,
  };
}
