/**
 * One consumer group at work: takes messages from the log in pages (or straight from the commit when it is caught up),
 * hands them to its members, keeps the cursor durable. Memory: a window of ready messages, and at most `lookAhead` that
 * are held or wait.
 */
import { Redeliver, type Clock, type Delivery, type SubscriptionState } from "#bus/ports.ts";
import { newAlarm } from "./alarm.ts";
import type { Channel } from "./channel.ts";
import { changes, due, finished, floorOf, newCursor, scanned, started, taken, unwritten, waits } from "./cursor.ts";
import { block, enter, leave, newLanes, type Item } from "./lanes.ts";
import { eachRecord } from "./packer.ts";
import type { GroupRow, Page, Records } from "./protocol.ts";

export type Member = {
  readonly concurrency: number;
  readonly handler: (delivery: Delivery) => Promise<void>;
  inFlight: number;
  paused: boolean;
  closed: boolean;
  /** Told when a handler ended. */
  ended: (() => void) | undefined;
};

export type GroupSettings = Readonly<{
  channel: Channel;
  clock: Clock;
  topic: number;
  row: GroupRow;
  ordered: boolean;
  /** Messages held behind blocked keys or waiting for a retry; above it the group reads no further. */
  lookAhead: number;
  /**
   * Last position of an earlier life. What it finished in its last moments may not stand in the cursor, which is written after the next
   * message of a key has gone out: up to here the journal must be asked before anything is done twice.
   */
  before: number;
  failed(error: unknown): void;
}>;

export type Group = Readonly<{
  join(member: Member): void;
  /** A message of the topic became durable. */
  committed(item: Item): void;
  pump(): void;
  state(inFlight: number): Promise<SubscriptionState>;
  close(): Promise<void>;
}>;

const PAGE = { least: 64, most: 512, bytes: 1_048_576 };
const DEFAULT_WAIT_MS = 1_000;
/** Acknowledgements gather this long before they are written; batching of I/O, not time of the flow. */
const FLUSH_MS = 10;

export function openGroup(settings: GroupSettings): Group {
  const { channel, clock, topic, row, lookAhead } = settings;
  const cursor = newCursor(row);
  const lanes = newLanes(settings.ordered);
  const members: Member[] = [];
  /** Messages that may go to a handler now, first in first out. */
  let ready: Item[] = [];
  let head = 0;
  let readyBytes = 0;
  /** Positions to read again: unfinished of an earlier life, retries that are due, heads whose envelope was let go. */
  const again: number[] = [...cursor.pending.keys()].sort((a, b) => a - b);
  let caughtUp = false;
  let reading = false;
  let flushing: Promise<void> | undefined;
  let flushTimer: NodeJS.Timeout | undefined;
  let closed = false;
  let turn = 0;

  const alarm = newAlarm(clock, (positions) => {
    for (const position of positions) {
      if (!due(cursor, position)) continue;
      block(lanes, position, false);
      again.push(position);
    }
    pump();
  });

  const makeReady = (item: Item): void => {
    if (!enter(lanes, item)) return;
    ready.push(item);
    readyBytes += item.envelope.body.length;
  };
  const room = (): boolean => ready.length - head < windowSize(members) && readyBytes < PAGE.bytes * 4;

  const flush = (): Promise<void> => {
    if (flushTimer !== undefined) clearTimeout(flushTimer);
    flushTimer = undefined;
    flushing ??= write().finally(() => {
      flushing = undefined;
    });
    return flushing;
  };
  const write = async (): Promise<void> => {
    while (cursor.dirty) {
      const written = changes(cursor);
      try {
        await channel.ask({ op: "cursor", group: row.group, ...written });
      } catch (error) {
        // Nothing of it was kept (a full disk): it must all be written again.
        unwritten(cursor, written);
        flushTimer ??= setTimeout(() => void flush().catch(settings.failed), DEFAULT_WAIT_MS);
        throw error;
      }
    }
  };
  const flushSoon = (): void => {
    flushTimer ??= setTimeout(() => void flush().catch(settings.failed), FLUSH_MS);
  };

  const release = (position: number): void => {
    const next = leave(lanes, position);
    if (next === undefined) return;
    if (next.envelope === undefined) again.push(next.position);
    else {
      ready.push({ position: next.position, envelope: next.envelope });
      readyBytes += next.envelope.body.length;
    }
  };
  const settle = (item: Item, error: unknown): void => {
    if (error === undefined) {
      finished(cursor, item.position);
      release(item.position);
    } else {
      const wanted = error instanceof Redeliver ? error : undefined;
      const nextAt = clock.now() + Math.max(0, wanted?.after ?? DEFAULT_WAIT_MS);
      waits(cursor, item.position, nextAt, wanted?.sameAttempt ?? false);
      block(lanes, item.position, true);
      alarm.set(nextAt, item.position);
    }
    flushSoon();
  };
  const run = async (member: Member, item: Item): Promise<void> => {
    const { attempt, firstAt } = started(cursor, item.position, clock.now());
    member.inFlight++;
    let error: unknown;
    try {
      const { envelope, position } = item;
      const delivery = { envelope, position, attempt, firstAttemptAt: firstAt };
      await member.handler(position <= settings.before ? { ...delivery, again: true } : delivery);
    } catch (thrown) {
      error = thrown ?? new Error("the handler threw nothing");
    }
    member.inFlight--;
    // After the engine closed under a handler that did not end, nothing may be marked any more.
    if (!closed) settle(item, error);
    member.ended?.();
    pump();
  };

  const freeMember = (): Member | undefined => {
    for (let i = 0; i < members.length; i++) {
      const member = members[(turn + i) % members.length];
      if (member === undefined || member.paused || member.closed || member.inFlight >= member.concurrency) continue;
      turn = (turn + i + 1) % members.length;
      return member;
    }
    return undefined;
  };
  const pump = (): void => {
    if (closed) return;
    while (head < ready.length) {
      const member = freeMember();
      if (member === undefined) break;
      const item = ready[head++];
      if (item === undefined) break;
      readyBytes -= item.envelope.body.length;
      void run(member, item);
    }
    if (head > 256 && head * 2 > ready.length) {
      ready = ready.slice(head);
      head = 0;
    }
    if (!reading && room() && members.some((member) => !member.paused && !member.closed) && (again.length > 0 || mayReadOn())) {
      reading = true;
      read().then(
        () => {
          reading = false;
          pump();
        },
        (error: unknown) => {
          reading = false;
          settings.failed(error);
        },
      );
    }
  };
  const mayReadOn = (): boolean => !caughtUp && lanes.held + cursor.retries.size < lookAhead;

  const read = async (): Promise<void> => {
    if (again.length > 0) return readAgain(again.splice(0, PAGE.least));
    const limit = Math.min(PAGE.most, Math.max(PAGE.least, windowSize(members)));
    const page = await channel.ask<Page>({ op: "page", topic, after: cursor.scan, limit, bytes: PAGE.bytes });
    if (closed) return;
    eachRecord(page.records, (record, position) => {
      if (record.envelope === undefined) return;
      taken(cursor, position);
      makeReady({ position, envelope: record.envelope });
    });
    scanned(cursor, page.scanned);
    caughtUp = page.end;
  };
  const readAgain = async (positions: readonly number[]): Promise<void> => {
    const sorted = Float64Array.from(positions).sort();
    const records = await channel.ask<Records>({ op: "at", positions: sorted });
    if (closed) return;
    const found = new Set<number>();
    eachRecord(records, (record, position) => {
      found.add(position);
      if (record.envelope !== undefined) makeReady({ position, envelope: record.envelope });
    });
    // What retention was told to delete all the same is nobody's any more.
    for (const position of positions) {
      if (found.has(position)) continue;
      finished(cursor, position);
      release(position);
      flushSoon();
    }
  };

  /** Waits of an earlier life: alarms, and in ordered groups the lanes that they block. */
  const restore = async (): Promise<void> => {
    const positions = [...cursor.retries.keys()].sort((a, b) => a - b);
    for (let from = 0; settings.ordered && from < positions.length; from += PAGE.most) {
      const records = await channel.ask<Records>({ op: "at", positions: Float64Array.from(positions.slice(from, from + PAGE.most)) });
      eachRecord(records, (record, position) => {
        if (record.envelope !== undefined && enter(lanes, { position, envelope: record.envelope })) block(lanes, position, true);
      });
    }
    for (const retry of cursor.retries.values()) alarm.set(retry.nextAt, retry.position);
  };
  reading = true;
  const restored = restore().then(
    () => {
      reading = false;
      pump();
    },
    (error: unknown) => settings.failed(error),
  );

  return {
    join(member) {
      members.push(member);
      pump();
    },
    committed(item) {
      if (!caughtUp || closed) return;
      if (!room() || !mayTake()) {
        caughtUp = false;
        pump();
        return;
      }
      taken(cursor, item.position);
      makeReady(item);
      flushSoon();
      pump();
    },
    pump,
    async state(inFlight) {
      // All of one moment: a page may arrive while the worker counts what lies beyond it.
      const waiting = cursor.retries.size;
      const taken = cursor.pending.size + waiting;
      const now = { floor: floorOf(cursor), inFlight, waiting, blockedKeys: lanes.blocked };
      return { ...now, lag: taken + (await channel.ask<number>({ op: "lag", topic, after: cursor.scan })) };
    },
    async close() {
      await restored;
      closed = true;
      alarm.close();
      while (cursor.dirty && channel.failure() === undefined) await flush();
      if (flushTimer !== undefined) clearTimeout(flushTimer);
    },
  };

  function mayTake(): boolean {
    return lanes.held + cursor.retries.size < lookAhead;
  }
}

function windowSize(members: readonly Member[]): number {
  let sum = 0;
  for (const member of members) if (!member.closed) sum += member.concurrency;
  return Math.min(PAGE.most, Math.max(PAGE.least, sum * 2));
}
