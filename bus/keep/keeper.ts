/**
 * Keeps house in a deployment that lives long, on one process of a cluster at a time: deletes what is old from the journal and keeps
 * what anybody still needs, and forgets the consumer groups of routes that are gone. Each act leaves its row.
 */
import { CLAIMS } from "../claim-check.ts";
import { openSeat } from "../cluster/hold.ts";
import type { Leases } from "../cluster/lease.ts";
import { newId } from "../ids.ts";
import type { Clock, Journal } from "../ports.ts";
import type { GroupKeeping, GroupName } from "./keeping.ts";
import type { KnownGroups } from "./known-groups.ts";

/** `maxAge` in milliseconds, `maxBytes` of the journal; undefined = no bound. */
export type KeepRules = Readonly<{ maxAge: number | undefined; maxBytes: number | undefined }>;

/** What the engine of the journal does: deletes below `keepFrom` what is older or too much; blobs of the prefix go with their records. */
export type Retain = (
  rules: Readonly<{ maxAge?: number; maxBytes?: number; keepFrom: number; blobs: string }>,
) => Promise<Readonly<{ records: number; blobs: number }>>;

export type KeeperParts = Readonly<{
  journal: Journal;
  clock: Clock;
  leases: Leases | undefined;
  rules: KeepRules;
  retain: Retain;
  keeping: GroupKeeping;
  known: KnownGroups;
  /** Position of the first record that a dead letter needs; Infinity = none. */
  deadletters: () => Promise<number>;
  /** False while this process does not run what its files say: then nobody is missed. */
  complete: () => boolean;
  onError: (error: unknown, where: string) => void;
}>;

/** Milliseconds between looks, marks of groups, and rounds of keeping. */
const LOOK = 10_000;
const MARK = 600_000;
const ROUND = 3_600_000;
/** A first round soon after the start, when all routes run. */
const FIRST = 60_000;
/** What de-duplication must see, and a ticket's sender may ask for: nothing younger is deleted. 31 days. */
export const LEAST_AGE = 31 * 86_400_000;

export interface Keeper {
  /** One round; gives what it deleted and forgot. */
  round(elapsed: number): Promise<Readonly<{ records: number; blobs: number; forgotten: readonly GroupName[] }>>;
  close(): Promise<void>;
}

export function startKeeper(parts: KeeperParts): Keeper {
  const { clock, journal, known, rules } = parts;
  const seat = parts.leases && openSeat({ leases: parts.leases, clock, name: "keeper" });
  const stop = new AbortController();

  async function act(detail: string): Promise<void> {
    const time = clock.now();
    const id = newId(time);
    await journal.append([{ step: "act", outcome: "ok", time, id, correlationId: id, detail }]);
  }

  async function forget(elapsed: number): Promise<readonly GroupName[]> {
    const forgotten: GroupName[] = [];
    if (!parts.complete()) return forgotten;
    for (const name of await known.count(elapsed)) {
      await act(`group ${name.group} of topic ${name.topic} is forgotten: no process has had it for as long as MBUS_FORGET_DAYS says`);
      await known.forget(name).then(
        () => forgotten.push(name),
        (error: unknown) => parts.onError(error, "forgetting a group"),
      );
    }
    return forgotten;
  }

  /** First position that must stay. */
  async function keepFrom(): Promise<number> {
    const [young] = (await journal.find({ from: clock.now() - LEAST_AGE, ascending: true, limit: 1 })).records;
    return Math.min(await parts.keeping.needs(), await parts.deadletters(), young?.position ?? Infinity);
  }

  async function retain(): Promise<Readonly<{ records: number; blobs: number }>> {
    const { maxAge, maxBytes } = rules;
    if (maxAge === undefined && maxBytes === undefined) return { records: 0, blobs: 0 };
    const bounds = { ...(maxAge === undefined ? undefined : { maxAge }), ...(maxBytes === undefined ? undefined : { maxBytes }) };
    const gone = await parts.retain({ ...bounds, keepFrom: await keepFrom(), blobs: CLAIMS });
    if (gone.records > 0) await act(`retention deleted ${gone.records} records of the journal and ${gone.blobs} bodies`);
    return gone;
  }

  async function round(elapsed: number): ReturnType<Keeper["round"]> {
    const forgotten = await forget(elapsed);
    return { ...(await retain()), forgotten };
  }

  async function loop(): Promise<void> {
    let markAt = clock.now() + MARK;
    let roundAt = clock.now() + FIRST;
    /** When this process kept house last; undefined = another may have since. */
    let before: number | undefined;
    while (!stop.signal.aborted) {
      await clock.sleep(LOOK, stop.signal).catch(() => undefined);
      if (stop.signal.aborted) return;
      const now = clock.now();
      if (now >= markAt) {
        markAt = now + MARK;
        await known.mark().catch((error: unknown) => parts.onError(error, "groups of this process"));
      }
      if (seat && !(await seat.mine().catch((error: unknown) => (parts.onError(error, "lease of the keeper"), false)))) {
        before = undefined;
        continue;
      }
      if (now < roundAt) continue;
      roundAt = now + ROUND;
      await round(before === undefined ? 0 : now - before).catch((error: unknown) => parts.onError(error, "keeping house"));
      before = now;
    }
  }

  const done = loop();
  return {
    round,
    async close() {
      stop.abort();
      await done;
      await seat?.close();
    },
  };
}
