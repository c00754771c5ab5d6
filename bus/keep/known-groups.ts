/**
 * Which consumer groups exist, and for how long no process has had them. A group of a removed route is forgotten after a grace of time
 * in which the bus ran and nobody had it: a bus that stood still for a month forgets nothing.
 */
import { asBusError, BusError } from "../errors.ts";
import type { Clock, Collection, Store, Transport } from "../ports.ts";
import type { GroupKeeping, GroupName } from "./keeping.ts";

/** `missed`: milliseconds of running in which nobody had it. `going`: since when it is being forgotten, 0 = it is not. */
type Known = { topic: string; group: string; seen: number; missed: number; going: number };

/** A group that no process has now. */
export type UnclaimedGroup = GroupName & Readonly<{ /** Milliseconds. */ unclaimedFor: number; forgottenIn: number }>;

export interface KnownGroups {
  /** The transport, whose subscriptions count as groups that this process has. */
  transport: Transport;
  /** Says of this process's groups that they are here; to be called every few minutes. */
  mark(): Promise<void>;
  unclaimed(): Promise<readonly UnclaimedGroup[]>;
  /** Adds to the time of those that nobody has, and gives those whose grace is over. */
  count(elapsed: number): Promise<readonly GroupName[]>;
  /** Forgets it in the engine. Throws store-conflict when somebody has it again. */
  forget(name: GroupName): Promise<void>;
}

export type KnownGroupsParts = Readonly<{ store: Store; clock: Clock; transport: Transport; keeping: GroupKeeping; grace: number }>;

/** Milliseconds after which a group that was marked is taken for one that nobody has. */
export const ABSENT = 1_800_000;
/** A subscription waits so long for a process that is just forgetting its group; then that one is taken for dead. */
const GOING = 60_000;
const LOOK = 500;
const PAGE = 1_000;
const TRIES = 20;
const RACED: ReadonlySet<string> = new Set(["store-conflict", "store-duplicate", "not-found"]);

const idOf = ({ topic, group }: GroupName): string => `${topic}\n${group}`;

export async function openKnownGroups(parts: KnownGroupsParts): Promise<KnownGroups> {
  const { store, clock, keeping, grace } = parts;
  const documents: Collection<Known> = await store.collection<Known>("groups");
  const mine = new Map<string, GroupName & { count: number }>();

  async function all(): Promise<readonly Known[]> {
    const found: Known[] = [];
    let after: string | undefined;
    do {
      const page = await documents.find({ limit: PAGE, ...(after === undefined ? undefined : { after }) });
      for (const { value } of page) found.push(value);
      after = page.length < PAGE ? undefined : page.at(-1)?.id;
    } while (after !== undefined);
    return found;
  }

  /** Writes what `next` makes of the document; undefined = leave it. Gives whether it wrote. */
  async function change(
    name: GroupName,
    next: (known: Known | undefined) => Known | undefined | Promise<Known | undefined>,
  ): Promise<boolean> {
    for (let left = TRIES; ; left--) {
      const known = await documents.get(idOf(name));
      const value = await next(known?.value);
      if (!value) return false;
      try {
        if (known) await documents.update(known.id, known.version, value);
        else await documents.insert(idOf(name), value);
        return true;
      } catch (thrown) {
        if (left <= 1 || !RACED.has(asBusError(thrown).code)) throw thrown;
      }
    }
  }

  const here = ({ topic, group }: GroupName): Known => ({ topic, group, seen: clock.now(), missed: 0, going: 0 });
  const lost = (known: Known): boolean => clock.now() - known.seen >= ABSENT;

  /** A group may be taken up at the moment in which another process forgets it: that ends first. */
  async function claim(name: GroupName): Promise<void> {
    const until = clock.now() + GOING;
    while (!(await change(name, (known) => (known && known.going > 0 && clock.now() < until ? undefined : here(name)))))
      await clock.sleep(LOOK);
  }

  const subscribe: Transport["subscribe"] = async (topic, group, options, handler) => {
    const name = { topic, group };
    await claim(name);
    const entry = mine.get(idOf(name)) ?? { ...name, count: 0 };
    mine.set(idOf(name), entry);
    entry.count++;
    const left = (): void => {
      if (--entry.count === 0) mine.delete(idOf(name));
    };
    try {
      const subscription = await parts.transport.subscribe(topic, group, options, handler);
      let closing: Promise<void> | undefined;
      return { ...subscription, close: () => (closing ??= subscription.close().finally(left)) };
    } catch (error) {
      left();
      throw error;
    }
  };

  return {
    transport: { ...parts.transport, subscribe },
    async mark() {
      for (const name of mine.values()) await change(name, () => here(name));
    },
    async unclaimed() {
      const found = (await all()).filter((known) => lost(known) && !mine.has(idOf(known)));
      return found.map(({ topic, group, missed }) => ({ topic, group, unclaimedFor: missed, forgottenIn: Math.max(0, grace - missed) }));
    },
    async count(elapsed) {
      // groups of an older version, which nobody has marked yet, begin their time now
      for (const name of await keeping.groups()) await change(name, (known) => (known ? undefined : here(name)));
      const over: GroupName[] = [];
      for (const name of await all()) {
        if (mine.has(idOf(name)) || !lost(name)) continue;
        await change(name, (known) => (known && lost(known) ? { ...known, missed: known.missed + elapsed } : undefined));
        if (name.missed + elapsed >= grace) over.push({ topic: name.topic, group: name.group });
      }
      return over;
    },
    async forget(name) {
      const went = await change(name, (known) => (known && known.missed >= grace ? { ...known, going: clock.now() } : undefined));
      if (!went) throw new BusError("store-conflict", `group ${name.group} of topic ${name.topic} is in use again`);
      await keeping.forget(name);
      await documents.remove(idOf(name));
    },
  };
}
