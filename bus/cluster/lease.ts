/**
 * Leases over the store (Kleppmann, "How to do distributed locking": a lease needs a fencing token; ours is the document's version,
 * which every write of the holder must match). A holder trusts a lease for a part of its time only, by its own clock and from
 * before it asked, so that it stops before another may begin.
 */
import { asBusError } from "../errors.ts";
import type { Clock, Collection, Store } from "../ports.ts";

/** `until` is by the holder's clock: clocks of nodes must agree within a fifth of the lease's time. */
type Held = { owner: string; until: number };

export type Lease = Readonly<{
  name: string;
  /** May work go on under it now? */
  valid(): boolean;
  /** Extends it; false = it went to another. */
  renew(): Promise<boolean>;
  release(): Promise<void>;
}>;

export interface Leases {
  /** One try: free, ended or already ours gives the lease; undefined = another holds it. */
  claim(name: string): Promise<Lease | undefined>;
  /** Owners of leases that run, by name. */
  held(): Promise<ReadonlyMap<string, string>>;
}

/** Milliseconds of a lease. */
export const LEASE = 10_000;
/** The share of its time for which a holder trusts a lease. */
const TRUST = 0.8;

export type LeaseParts = Readonly<{
  store: Store;
  clock: Clock;
  node: string;
  /** No other process can use the store: leases of a process before this one are free at once. */
  sole: boolean;
  time?: number;
}>;

export async function createLeases(parts: LeaseParts): Promise<Leases> {
  const { store, clock, node, sole, time = LEASE } = parts;
  const leases: Collection<Held> = await store.collection<Held>("leases");

  /** The version that the document has now; undefined = somebody else was quicker. */
  async function write(name: string, version: number | undefined): Promise<number | undefined> {
    const value = { owner: node, until: clock.now() + time };
    try {
      if (version === undefined) await leases.insert(name, value);
      else await leases.update(name, version, value);
      return (version ?? 0) + 1;
    } catch (thrown) {
      const error = asBusError(thrown);
      if (error.code === "store-conflict" || error.code === "store-duplicate" || error.code === "not-found") return undefined;
      throw error;
    }
  }

  function leaseOf(name: string, first: number, asked: number): Lease {
    let version = first;
    let trusted = asked + time * TRUST;
    let lost = false;
    let turn: Promise<unknown> = Promise.resolve();
    /** One write at a time: each needs the version of the one before. */
    const inTurn = <T>(work: () => Promise<T>): Promise<T> => {
      const mine = turn.then(work);
      turn = mine.catch(() => undefined);
      return mine;
    };
    return {
      name,
      valid: () => !lost && clock.now() < trusted,
      renew: () =>
        inTurn(async () => {
          if (lost) return false;
          const at = clock.now();
          const next = await write(name, version);
          if (next === undefined) lost = true;
          else {
            version = next;
            trusted = at + time * TRUST;
          }
          return !lost;
        }),
      release: () =>
        inTurn(async () => {
          if (lost) return;
          lost = true;
          // the next holder finds it ended; a conflict says that it has one already
          await leases.update(name, version, { owner: "", until: 0 }).catch(() => undefined);
        }),
    };
  }

  return {
    async claim(name) {
      const asked = clock.now();
      const known = await leases.get(name);
      const free = !known || sole || known.value.owner === node || known.value.until <= asked;
      if (!free) return undefined;
      const written = await write(name, known?.version);
      if (written === undefined) return undefined;
      if (known) return leaseOf(name, written, asked);
      const now = await leases.get(name);
      return now?.value.owner === node ? leaseOf(name, now.version, asked) : undefined; // in a long pause it may have gone to another
    },
    async held() {
      const now = clock.now();
      const found = await leases.find({ limit: 1000 });
      return new Map(found.filter(({ value }) => value.until > now && value.owner !== "").map(({ id, value }) => [id, value.owner]));
    },
  };
}
