/** Deletes the oldest of the log by age and by size, in slices, never what somebody still needs; and what crashes left of blobs and claims. */
import { Binary } from "mongodb";
import { BusError } from "#bus/errors.ts";
import type { Clock } from "#bus/ports.ts";
import type { BlobStore } from "./blobs.ts";
import type { Claims } from "./claims.ts";
import type { Horizon } from "./horizon.ts";
import type { Log } from "./log.ts";

/**
 * `maxAge` in milliseconds. `maxBytes`: of records, without the server's indexes; estimated from a sample. `keepFrom`: first position
 * that a consumer still needs. `blobs`: prefix of blob ids that go with the log.
 */
export type Retention = Readonly<{ maxAge?: number; maxBytes?: number; keepFrom?: number; blobs?: string }>;

const SLICE = 10_000;
/** Records that are weighed to tell how big the log is. */
const SAMPLE = 400;
/** Bytes of a row beside its record, about. */
const ROW = 150;
/** A body is put aside before its record is written: within this time. */
const BLOB_SLACK = 3_600_000;

export async function retain(
  { log, claims, horizon }: Readonly<{ log: Log; claims: Claims; horizon: Horizon }>,
  blobs: BlobStore,
  clock: Clock,
  rules: Retention,
): Promise<Readonly<{ records: number; blobs: number }>> {
  const { maxAge = Infinity, maxBytes = Infinity } = rules;
  if (!(maxAge >= 0) || !(maxBytes > 0))
    throw new BusError("configuration", `retention needs an age of at least 0 and a size above 0; they are ${maxAge} and ${maxBytes}`);
  const now = clock.now();
  const before = now - maxAge;
  const last = await horizon.look();
  const young = maxAge === Infinity ? 0 : ((await firstFrom(log, before)) ?? Infinity);
  const { floor } = await log.counter();
  const big = maxBytes === Infinity ? 0 : await fitting(log, floor + 1, last, maxBytes);
  // The newest position stays, and what is not final.
  const end = Math.min(Math.max(young, big), rules.keepFrom ?? Infinity, last);
  if (end - 1 > floor) await log.raiseFloor(end - 1);
  let records = 0;
  for (let from = floor; from < end - 1; from += SLICE) {
    const { deletedCount } = await log.rows.deleteMany({ _id: { $lte: Math.min(from + SLICE, end - 1) } });
    records += deletedCount;
  }
  await claims.forget(now);
  await blobs.sweep();
  if (rules.blobs === undefined) return { records, blobs: 0 };
  const kept = await timeFrom(log, Math.max(end, floor + 1));
  return {
    records,
    blobs: await blobs.retain(
      rules.blobs,
      kept === undefined ? before : Math.min(before === -Infinity ? Infinity : before, kept - BLOB_SLACK),
    ),
  };
}

/** First position of a record from a time on. */
async function firstFrom(log: Log, time: number): Promise<number | undefined> {
  const [row] = await log.rows
    .find({ t: { $gte: time } }, { projection: { _id: 1 } })
    .sort({ _id: 1 })
    .limit(1)
    .toArray();
  return row?._id;
}

/** Time of the first record from a position on. */
async function timeFrom(log: Log, position: number): Promise<number | undefined> {
  const [row] = await log.rows
    .find({ _id: { $gte: position }, t: { $gte: 0 } }, { projection: { t: 1 } })
    .sort({ _id: 1 })
    .limit(1)
    .toArray();
  return row?.t;
}

/** First position from which on the log is not bigger than this, by the sizes of records at even distances. */
async function fitting(log: Log, first: number, last: number, maxBytes: number): Promise<number> {
  const step = Math.max(1, Math.floor((last - first + 1) / SAMPLE));
  const sample = Array.from({ length: Math.ceil((last - first + 1) / step) }, (_, n) => last - n * step);
  const sizes = new Map<number, number>();
  for await (const { _id, r, k } of log.rows.find({ _id: { $in: sample } }, { projection: { r: 1, k: 1 } }))
    sizes.set(_id, (r instanceof Binary ? r.position : (r?.length ?? 0)) + 8 * (k?.length ?? 0) + ROW);
  let bytes = 0;
  let from = last + 1;
  for (const position of sample) {
    bytes += (sizes.get(position) ?? 0) * Math.min(step, position - first + 1);
    if (bytes > maxBytes) return from;
    from = Math.max(first, position - step + 1);
  }
  return first;
}
