/** The groups that this process serves now: opened with their first consumer, under a lease where there are other processes. */
import { holdLease, type Hold } from "../cluster/hold.ts";
import type { Leases } from "../cluster/lease.ts";
import { BusError } from "../errors.ts";
import type { Clock } from "../ports.ts";
import type { CursorName } from "./cursor.ts";
import type { Group } from "./group.ts";

export interface Groups {
  /** Throws bus-stopping when another process serves the group: its consumers belong there. */
  enter(name: CursorName): Promise<Group>;
  /** The last one closes it; the others' wait for that ends before it is opened again. */
  leave(name: CursorName): Promise<void>;
}

export type GroupsParts = Readonly<{ clock: Clock; leases: Leases | undefined; open(name: CursorName): Promise<Group> }>;

type Entry = { users: number; readonly opened: Promise<Readonly<{ group: Group; hold: Hold | undefined }>> };

const keyOf = ({ system, group, kind }: CursorName): string => `${system}\n${group}\n${kind}`;

export function createGroups({ clock, leases, open }: GroupsParts): Groups {
  const entries = new Map<string, Entry>();
  const closing = new Map<string, Promise<void>>();

  const begin = async (name: CursorName): Promise<Readonly<{ group: Group; hold: Hold | undefined }>> => {
    await closing.get(keyOf(name));
    if (!leases) return { group: await open(name), hold: undefined };
    const lease = await leases.claim(`events/${name.system}/${name.group}/${name.kind}`);
    if (!lease) throw elsewhere(name);
    const hold = holdLease(lease, clock);
    try {
      const group = await open(name);
      hold.lost.addEventListener("abort", () => [...group.members].forEach((member) => member.end(elsewhere(name))), { once: true });
      return { group, hold };
    } catch (error) {
      await hold.release();
      throw error;
    }
  };

  return {
    async enter(name) {
      const key = keyOf(name);
      const entry = entries.get(key) ?? { users: 0, opened: begin(name) };
      entries.set(key, entry);
      entry.users += 1;
      try {
        return (await entry.opened).group;
      } catch (error) {
        if (entries.get(key) === entry) entries.delete(key);
        throw error;
      }
    },
    async leave(name) {
      const key = keyOf(name);
      const entry = entries.get(key);
      if (!entry || --entry.users > 0) return;
      entries.delete(key);
      const end = entry.opened.then(({ group, hold }) => closed(group, hold));
      closing.set(key, end);
      await end.finally(() => closing.delete(key));
    },
  };
}

async function closed(group: Group, hold: Hold | undefined): Promise<void> {
  try {
    await group.close();
  } finally {
    await hold?.release();
  }
}

const elsewhere = ({ group }: CursorName): BusError =>
  new BusError("bus-stopping", `another process of the bus serves the group ${group} now: connect again`, { retryAfter: 5_000 });
