/**
 * Group commit: what is queued goes out as one reservation of positions, one insert of claims and one insert of records, then every append
 * of it is answered. Two batches are on their way at once; both reservations and answers keep the order of the appends.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { asBusError, BusError } from "#bus/errors.ts";
import type { Appended } from "#bus/ports.ts";
import { fortunes, planBatch, rowsOfBatch, settle, undecided, type Batch, type Fortune } from "./batch.ts";
import type { Claims } from "./claims.ts";
import type { Horizon } from "./horizon.ts";
import type { Log } from "./log.ts";
import { voidRow, type Item } from "./rows.ts";

export type WriterLimits = Readonly<{
  /** Bytes and records of appends that are not answered; above it journal-busy. */
  queueBytes: number;
  queueRecords: number;
  /** Milliseconds an append waits for its turn at most. */
  patience: number;
  /** Milliseconds that a hole of another writer is waited for. */
  lease: number;
}>;

export type Writer = Readonly<{
  append(items: readonly Item[]): Promise<readonly Appended[]>;
  /** When every append is answered. */ drained(): Promise<void>;
}>;

type Entry = Readonly<{
  items: readonly Item[];
  bytes: number;
  since: number;
  resolve(appended: readonly Appended[]): void;
  reject(error: BusError): void;
}>;

const LANES = 2;
const BATCH_RECORDS = 4_000;
const BATCH_BYTES = 8_388_608;
const PAUSE = 10;

export function openWriter(log: Log, claims: Claims, horizon: Horizon, limits: WriterLimits): Writer {
  const queue: Entry[] = [];
  const idle = new Set<() => void>();
  let unanswered = 0;
  let records = 0;
  let bytes = 0;
  let lanes = 0;
  let pumping = false;
  let reserving: Promise<unknown> = Promise.resolve();
  let answering: Promise<unknown> = Promise.resolve();

  const leave = (entry: Entry): void => {
    unanswered--;
    records -= entry.items.length;
    bytes -= entry.bytes;
    if (unanswered > 0) return;
    for (const resolve of idle) resolve();
    idle.clear();
  };
  const refuse = (entry: Entry, error: unknown): void => {
    leave(entry);
    const { code, message, retryAfter = 1_000 } = asBusError(error);
    entry.reject(new BusError(code === "unexpected" ? "journal-failed" : code, message, { cause: error, retryAfter }));
  };

  /** The next batch. What waited longer than it may is refused instead. */
  const take = (): Entry[] => {
    const batch: Entry[] = [];
    const late = performance.now() - limits.patience;
    let size = 0;
    let count = 0;
    let taken = 0;
    for (const entry of queue) {
      if (entry.since < late) refuse(entry, new BusError("journal-busy", "the append waited too long for its turn; send again later"));
      else {
        if (batch.length > 0 && (count + entry.items.length > BATCH_RECORDS || size + entry.bytes > BATCH_BYTES)) break;
        batch.push(entry);
        count += entry.items.length;
        size += entry.bytes;
      }
      taken++;
    }
    queue.splice(0, taken);
    return batch;
  };

  const pump = (): void => {
    pumping = false;
    while (lanes < LANES && queue.length > 0) {
      const batch = take();
      if (batch.length === 0) continue;
      lanes++;
      const before = answering;
      const work = run(planBatch(batch), before).catch((error: unknown) => batch.forEach((entry) => refuse(entry, error)));
      answering = work;
      void work.then(() => {
        lanes--;
        pump();
      });
    }
  };
  const wake = (): void => {
    if (pumping) return;
    pumping = true;
    setImmediate(pump);
  };

  /** Throws only before any of its entries is answered. */
  const run = async (batch: Batch<Entry>, before: Promise<unknown>): Promise<void> => {
    const { parts, placed } = batch;
    let counted: ReadonlySet<number> = new Set();
    let waiting: ReadonlyMap<(typeof parts)[number], number> = new Map();
    if (placed.length > 0) {
      const filling = horizon.begin();
      try {
        const turn = reserving.then(() => log.reserve(placed.length, horizon.at()));
        reserving = turn.catch(() => undefined);
        const first = await turn;
        filling.placed(first, first + placed.length - 1);
        const { wishes, judge } = settle(placed, first);
        judge(await claims.claim(wishes));
        waiting = undecided(parts);
        const rows = rowsOfBatch(parts, waiting);
        const written = await log.write(rows);
        counted = written;
        filling.filled(rows.map((row) => (written.has(row._id) ? row : voidRow(row._id))));
      } finally {
        filling.end();
      }
    }
    await before;
    for (const [{ entry }, fortune] of fortunes(parts, waiting, counted)) void tell(entry, fortune);
  };

  const tell = async (entry: Entry, fortune: Fortune): Promise<void> => {
    try {
      if ("lost" in fortune) {
        const text = "the place of an append was closed by another node, because this one was silent for longer than its lease; send again";
        throw new BusError("journal-failed", text);
      }
      if ("open" in fortune) {
        await decided(fortune.open);
        queue.unshift(entry);
        return wake();
      }
      // Who is told of an earlier record will look at it.
      const earlier = Math.max(0, ...fortune.appended.map(({ duplicateOf = 0 }) => duplicateOf));
      if (earlier > horizon.at()) await horizon.reach(earlier, 2 * limits.lease);
      leave(entry);
      entry.resolve(fortune.appended);
    } catch (error) {
      refuse(entry, error);
    }
  };

  /** Resolves when a position is decided; decides it when its writer is silent for the lease. */
  const decided = async (position: number): Promise<void> => {
    if (position === 0) return sleep(PAUSE);
    const until = performance.now() + limits.lease;
    for (;;) {
      const fate = (await log.fates([position])).get(position);
      if (typeof fate !== "object") return;
      if (performance.now() > until) return log.close([fate.open]);
      await sleep(PAUSE);
    }
  };

  return {
    append(items) {
      const size = items.reduce((sum, item) => sum + item.bytes.length, 0);
      if (unanswered > 0 && (bytes + size > limits.queueBytes || records + items.length > limits.queueRecords)) {
        return Promise.reject(
          new BusError("journal-busy", "the journal's queue to its server is full; send again later", { retryAfter: 1_000 }),
        );
      }
      return new Promise((resolve, reject) => {
        unanswered++;
        records += items.length;
        bytes += size;
        queue.push({ items, bytes: size, since: performance.now(), resolve, reject });
        wake();
      });
    },
    drained: () => (unanswered === 0 ? Promise.resolve() : new Promise((resolve) => idle.add(resolve))),
  };
}
