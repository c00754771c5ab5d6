/**
 * Aggregator (Enterprise Integration Patterns) with durable groups: a message is in its group before it counts, once, however often
 * it comes. A complete group is `closing`: it keeps its messages until what became of them is durable in the journal, then it is
 * emptied (`finish`); after a crash in between it is found again, by the message that closed it or by time. Groups are bounded; a
 * message too many is refused, not lost.
 */
import type { Message } from "./envelope.ts";
import { asBusError, BusError } from "./errors.ts";
import { GROUP_MAX, pack, unpack, type Item } from "./gather-item.ts";
import { createUnpacked, type Unpacked } from "./gather-unpacked.ts";
import { Redeliver, type Clock, type Collection, type Store, type Stored } from "./ports.ts";
import type { StepContext } from "./route/runtime.ts";

/** Messages of finished groups that are known again when they come once more. */
const DONE_MAX = 1000;
/** Milliseconds after which somebody else may finish a complete group. */
const STALE = 10_000;
/** Groups looked at together. */
const PAGE = 100;
const TRIES = 50;

type Part = { number: number; since: number; items: Item[] };
/** `due`: when time has something to do here; `ends`: when the waiting messages go on as they are. */
type Group = {
  route: string;
  group: string;
  state: "open" | "empty";
  due: number;
  ends: number;
  items: Item[];
  closing: Part[];
  closed: number;
  done: string[];
};
type Complete = Parameters<StepContext["gather"]>[2];

/** A complete group, until it is finished. */
export type Closing = Readonly<{ id: string; number: number; messages: readonly Message[] }>;

export interface Gatherer {
  /** The whole group when this message completes it, or completed it before and nobody finished it. */
  add(route: string, group: string, message: Message, complete: Complete): Promise<Closing | undefined>;
  /** Closes the groups of a route whose time is over, and gives them with those that nobody finished. */
  due(route: string): Promise<readonly Closing[]>;
  /** What became of the group is durable: its messages need not be kept any more. Repeating it does nothing. */
  finish(closing: Closing): Promise<void>;
}

export async function createGatherer(parts: Readonly<{ clock: Clock; store: Store }>): Promise<Gatherer> {
  const { clock } = parts;
  const groups = await parts.store.collection<Group>("gathered", { index: ["route", "state", "due"] });
  const unpacked = createUnpacked();
  return {
    async add(route, group, message, complete) {
      const item = pack(message);
      for (let attempt = 0; attempt < TRIES; attempt += 1) {
        const done = await add(groups, clock.now(), { route, group, item, complete, unpacked });
        if (done !== "again") return done;
      }
      throw busy(group);
    },
    async due(route) {
      const found: Closing[] = [];
      let after: string | undefined;
      for (;;) {
        const now = clock.now();
        const range = { member: "due", to: now + 1 };
        const page = await groups.find({
          where: { route, state: "open" },
          range,
          limit: PAGE,
          ...(after === undefined ? undefined : { after }),
        });
        for (const stored of page) found.push(...(await look(groups, stored, now)));
        after = page.at(-1)?.id;
        if (page.length < PAGE || after === undefined) return found;
      }
    },
    async finish({ id, number }) {
      for (let attempt = 0; attempt < TRIES; attempt += 1) {
        const known = await groups.get(id);
        const part = known?.value.closing.find((one) => one.number === number);
        if (!known || !part) return;
        const closing = known.value.closing.filter((one) => one !== part);
        const done = [...known.value.done, ...part.items.map(({ key }) => key)].slice(-DONE_MAX);
        if (await written(groups.update(id, known.version, settled({ ...known.value, closing, done })))) return;
      }
      throw busy(id);
    },
  };
}

type Joining = Readonly<{ route: string; group: string; item: Item; complete: Complete; unpacked: Unpacked }>;

/** One try: insert the group or add to it under its version. `again` = another writer was quicker. */
async function add(
  groups: Collection<Group>,
  now: number,
  { route, group, item, complete, unpacked }: Joining,
): Promise<Closing | undefined | "again"> {
  const id = `${route} ${group}`;
  const known = await groups.get(id);
  const old: Group = known?.value ?? { route, group, state: "empty", due: 0, ends: 0, items: [], closing: [], closed: 0, done: [] };
  const before = old.closing.find((part) => has(part.items, item));
  if (before) return closingOf(id, before);
  if (old.done.includes(item.key)) return undefined;
  const items = has(old.items, item) ? old.items : [...old.items, item];
  if (items.length > GROUP_MAX)
    throw new BusError("inlet-busy", `group \`${group}\` holds ${GROUP_MAX} messages already`, { retryAfter: 60_000 });
  const full = items.length >= (complete.count ?? GROUP_MAX) || (complete.when !== undefined && (await complete.when(unpacked(items))));
  if (!full && items === old.items) return undefined;
  const ends = old.items.length > 0 ? old.ends : now + complete.timeout;
  const part = { number: old.closed + 1, since: now, items };
  if (full && old.closing.length > 0 && held(old) + items.length > GROUP_MAX) throw new Redeliver(1000, true, busy(group));
  const next = full ? { ...old, items: [], closing: [...old.closing, part], closed: part.number } : { ...old, items, ends };
  if (!(await written(known ? groups.update(id, known.version, settled(next)) : groups.insert(id, settled(next))))) return "again";
  return full ? closingOf(id, part) : undefined;
}

/** What time has to do in a group: nothing when another writer was quicker, the next look decides. */
async function look(groups: Collection<Group>, { id, version, value }: Stored<Group>, now: number): Promise<readonly Closing[]> {
  const late = value.items.length > 0 && value.ends <= now ? [{ number: value.closed + 1, since: now, items: value.items }] : [];
  const left = value.closing.filter((part) => part.since + STALE <= now).map((part) => ({ ...part, since: now }));
  const rest = value.closing.filter((part) => part.since + STALE > now);
  const next = {
    ...value,
    closing: [...rest, ...left, ...late],
    closed: value.closed + late.length,
    items: late.length > 0 ? [] : value.items,
  };
  const won = await written(groups.update(id, version, settled(next)));
  return won ? [...left, ...late].map((part) => closingOf(id, part)) : [];
}

/** An emptied group stays: removing it could take a message that just joined. */
function settled(group: Group): Group {
  const times = [...(group.items.length > 0 ? [group.ends] : []), ...group.closing.map(({ since }) => since + STALE)];
  return { ...group, state: times.length > 0 ? "open" : "empty", due: Math.min(...times, Number.MAX_SAFE_INTEGER) };
}

const has = (items: readonly Item[], { key }: Item): boolean => items.some((item) => item.key === key);
const held = (group: Group): number => group.closing.reduce((sum, { items }) => sum + items.length, 0);
const closingOf = (id: string, { number, items }: Part): Closing => ({ id, number, messages: items.map(unpack) });
const busy = (group: string): BusError =>
  new BusError("inlet-busy", `group \`${group}\` changes faster than one message can join it`, { retryAfter: 1000 });

/** false = another writer was quicker. */
async function written(writing: Promise<void>): Promise<boolean> {
  try {
    await writing;
    return true;
  } catch (thrown) {
    const error = asBusError(thrown);
    if (error.code === "store-conflict" || error.code === "store-duplicate") return false;
    throw error;
  }
}
