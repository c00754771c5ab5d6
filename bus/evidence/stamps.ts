/**
 * Time-stamps over the checkpoints of the evidence log. One token a minute covers every entry before it, so that the time of an entry is
 * not the bus's word alone. When the authority has been away for too long nothing new is taken: what cannot be proved must not happen.
 */
import { openSeat } from "../cluster/hold.ts";
import type { Leases } from "../cluster/lease.ts";
import { asBusError, BusError } from "../errors.ts";
import type { Clock, Collection, Journal, Store, TimeStamps } from "../ports.ts";
import type { EvidenceLog } from "./log.ts";

export type StampedCheckpoint = Readonly<{
  size: number;
  /** Signed note that was stamped. */
  checkpoint: string;
  token: Uint8Array;
  /** When the authority signed, and who it is. */
  at: number;
  by: string;
  /** Certificate of the authority that is trusted for it, PEM. */
  authority: string;
}>;

export type StampState = Readonly<{
  /** Entries that have a stamp over them, and when the last one was made; undefined = none yet. */
  size: number;
  at: number | undefined;
  /** Time of the oldest entry without one; undefined = all have one. */
  waitingSince: number | undefined;
}>;

export interface Stamps {
  /** The first stamp over so many entries; one is made now where there is none. Throws what the authority's client throws. */
  covering(size: number): Promise<StampedCheckpoint>;
  /** May messages be taken? Throws stamp-overdue. */
  check(): void;
  state(): StampState;
  close(): Promise<void>;
}

export type StampParts = Readonly<{
  log: Pick<EvidenceLog, "state">;
  journal: Pick<Journal, "read">;
  store: Store;
  clock: Clock;
  authority: TimeStamps;
  leases: Leases | undefined;
  /** Milliseconds between stamps, and how old an entry may become without one. */
  every: number;
  longest: number;
  onError: (error: unknown, where: string) => void;
}>;

type Kept = Readonly<{ size: number; checkpoint: string; token: string; at: number; by: string; authority: string }>;
type Last = Readonly<{ size: number; position: number; at: number }>;

const LAST = "last";
/** Milliseconds to the next try after one that failed. */
const AGAIN = 10_000;
/** Positions sort as their ids do. */
const idOf = (size: number): string => String(size).padStart(16, "0");

export async function openStamps(parts: StampParts): Promise<Stamps> {
  const { log, journal, clock, authority, leases, every, longest } = parts;
  const stamps: Collection<Kept> = await parts.store.collection<Kept>("evidence.stamps");
  const lasts: Collection<Last> = await parts.store.collection<Last>("evidence.stamped");
  const seat = leases && openSeat({ leases, clock, name: "evidence-stamps" });
  const stop = new AbortController();
  let last: Last = { size: 0, position: 0, at: 0 };
  let waitingSince: number | undefined;

  /** What is stamped by now, by whichever process, and since when something waits. */
  const look = async (): Promise<boolean> => {
    const kept = await lasts.get(LAST);
    if (kept) last = kept.value;
    const { size } = await log.state();
    if (size <= last.size) waitingSince = undefined;
    else {
      const [first] = await journal.read(last.position + 1, 1);
      waitingSince = first?.time ?? clock.now();
    }
    return waitingSince !== undefined;
  };

  const take = async (): Promise<StampedCheckpoint> => {
    const { size, position, checkpoint } = await log.state();
    if (size === 0) throw new BusError("evidence-pending", "the evidence log has no entry yet", { retryAfter: 1_000 });
    const { token, at, by, authority: trusted } = await authority.stamp(Buffer.from(checkpoint), stop.signal);
    const stamped = { size, checkpoint, at, by, authority: trusted };
    await stamps.insert(idOf(size), { ...stamped, token: Buffer.from(token).toString("base64") }).catch((error: unknown) => {
      if (asBusError(error).code !== "store-duplicate") throw error; // another process stamped the same one
    });
    const kept = await lasts.get(LAST);
    const next = { size, position, at };
    // who loses the race wrote an older or a newer mark; both are true, and the next look sees which
    if (!kept) await lasts.insert(LAST, next).catch(() => undefined);
    else if (kept.value.size < size) await lasts.update(LAST, kept.version, next).catch(() => undefined);
    return { ...stamped, token };
  };

  const tick = async (): Promise<number> => {
    try {
      if ((await look()) && (!seat || (await seat.mine()))) {
        await take();
        await look();
      }
      return every;
    } catch (error) {
      if (!stop.signal.aborted) parts.onError(error, "time-stamps of the evidence log");
      return Math.min(AGAIN, every);
    }
  };
  const running = (async () => {
    while (!stop.signal.aborted) {
      const wait = await tick();
      await clock.sleep(wait, stop.signal).catch(() => undefined);
    }
  })();

  return {
    async covering(size) {
      const found = await stamps.find({ after: idOf(size - 1), limit: 1 });
      const kept = found[0]?.value;
      return kept ? { ...kept, token: Buffer.from(kept.token, "base64") } : take();
    },
    check() {
      if (waitingSince === undefined || clock.now() - waitingSince <= longest) return;
      throw new BusError(
        "stamp-overdue",
        `the evidence log has had no time-stamp since ${new Date(last.at || waitingSince).toISOString()}, longer than the ${hours(longest)} that are allowed: nothing is taken until the time-stamping authority answers`,
        { retryAfter: 60_000 },
      );
    },
    state: () => ({ size: last.size, at: last.at === 0 ? undefined : last.at, waitingSince }),
    async close() {
      stop.abort();
      await running;
      await seat?.close();
    },
  };
}

const hours = (ms: number): string => (ms >= 3_600_000 ? `${Math.round(ms / 360_000) / 10} hours` : `${Math.round(ms / 1000)} seconds`);
