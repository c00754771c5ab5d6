/** Deletes the oldest of the log by age, in slices, never what somebody still needs; and what crashes left of blobs and claims. */
import { BusError } from "#bus/errors.ts";
import type { Clock } from "#bus/ports.ts";
import type { BlobStore } from "./blobs.ts";
import type { Claims } from "./claims.ts";
import type { Horizon } from "./horizon.ts";
import type { Log } from "./log.ts";

/** `maxAge` in milliseconds. `keepFrom`: first position that a consumer still needs. `blobs`: prefix of blob ids that age with the log. */
export type Retention = Readonly<{ maxAge: number; keepFrom?: number; blobs?: string }>;

const SLICE = 10_000;

export async function retain(
  { log, claims, horizon }: Readonly<{ log: Log; claims: Claims; horizon: Horizon }>,
  blobs: BlobStore,
  clock: Clock,
  rules: Retention,
): Promise<Readonly<{ records: number; blobs: number }>> {
  if (!(rules.maxAge >= 0)) throw new BusError("configuration", `retention's maxAge is ${rules.maxAge}; it must be at least 0`);
  const now = clock.now();
  const before = now - rules.maxAge;
  const last = await horizon.look();
  const [young] = await log.rows
    .find({ t: { $gte: before } }, { projection: { _id: 1 } })
    .sort({ _id: 1 })
    .limit(1)
    .toArray();
  // The newest position stays, and what is not final.
  const end = Math.min(young?._id ?? Infinity, rules.keepFrom ?? Infinity, last);
  const { floor } = await log.counter();
  if (end - 1 > floor) await log.raiseFloor(end - 1);
  let records = 0;
  for (let from = floor; from < end - 1; from += SLICE) {
    const { deletedCount } = await log.rows.deleteMany({ _id: { $lte: Math.min(from + SLICE, end - 1) } });
    records += deletedCount;
  }
  await claims.forget(now);
  await blobs.sweep();
  return { records, blobs: rules.blobs === undefined ? 0 : await blobs.retain(rules.blobs, before) };
}
