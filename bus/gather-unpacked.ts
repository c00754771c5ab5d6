/** Messages of groups as their predicates ask about them, again with every message that joins: each is read once, not once per question. */
import type { Message } from "./envelope.ts";
import { GROUP_MAX, unpack, type Item } from "./gather-item.ts";

/** Characters of packed messages that are kept unpacked at most; the oldest go first, and are read again when they are asked for. */
const KEPT = 8 * 1024 * 1024;

export type Unpacked = (items: readonly Item[]) => readonly Message[];

export function createUnpacked(kept = KEPT): Unpacked {
  const known = new Map<string, Readonly<{ item: Item; message: Message }>>();
  let size = 0;
  const weigh = ({ envelope, value }: Item): number => envelope.length + value.length;

  const forget = (key: string): void => {
    const old = known.get(key);
    if (old && known.delete(key)) size -= weigh(old.item);
  };

  function read(item: Item): Message {
    const found = known.get(item.key);
    // the same message may stand in two routes, each with its own value
    if (found?.item.envelope === item.envelope && found.item.value === item.value) return found.message;
    forget(item.key);
    const message = unpack(item);
    known.set(item.key, { item, message });
    size += weigh(item);
    for (const key of known.keys()) {
      if (size <= kept && known.size <= 4 * GROUP_MAX) break;
      forget(key);
    }
    return message;
  }

  return (items) => items.map(read);
}
