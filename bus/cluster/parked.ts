/** Messages that wait: which, since when, until when, and which stand behind them. Durable in the store, so that no broker keeps a wait. */
import { asBusError } from "../errors.ts";
import type { Collection, Store } from "../ports.ts";

export type Parked = {
  lane: string;
  position: number;
  key: string | null;
  /** Attempts made. */
  attempts: number;
  /** Time of the first, 0 before it. */
  firstAt: number;
  /** When it may go; for one that stands behind another of its key, 0. */
  due: number;
};

export interface ParkedMessages {
  load(lane: string): Promise<readonly Parked[]>;
  /** Position of the first that waits in a lane. */
  first(lane: string): Promise<number | undefined>;
  /** Nothing of the lane waits any more. */
  forget(lane: string): Promise<void>;
  put(parked: Parked): Promise<void>;
  remove(parked: Pick<Parked, "lane" | "position">): Promise<void>;
}

const PAGE = 1000;
/** A message may be parked by two ways at once, by its own arrival and by the wait of its head; the one that comes second tries again. */
const TRIES = 5;
const RACED: ReadonlySet<string> = new Set(["store-duplicate", "store-conflict", "not-found"]);

const idOf = ({ lane, position }: Pick<Parked, "lane" | "position">): string => `${lane} ${String(position).padStart(16, "0")}`;

export async function openParked(store: Store): Promise<ParkedMessages> {
  const documents: Collection<Parked> = await store.collection<Parked>("parked", { index: ["lane"] });
  return {
    async load(lane) {
      const all: Parked[] = [];
      let after: string | undefined;
      do {
        const page = await documents.find({ where: { lane }, limit: PAGE, ...(after === undefined ? undefined : { after }) });
        for (const { value } of page) all.push(value);
        after = page.length < PAGE ? undefined : page.at(-1)?.id;
      } while (after !== undefined);
      return all.sort((a, b) => a.position - b.position);
    },
    async first(lane) {
      return (await documents.find({ where: { lane }, limit: 1 }))[0]?.value.position; // in order of id, which is the order of positions
    },
    async forget(lane) {
      for (;;) {
        const page = await documents.find({ where: { lane }, limit: PAGE });
        for (const { id } of page) await documents.remove(id);
        if (page.length < PAGE) return;
      }
    },
    async put(parked) {
      const id = idOf(parked);
      for (let left = TRIES; ; left--) {
        const known = await documents.get(id);
        try {
          if (known) await documents.update(id, known.version, parked);
          else await documents.insert(id, parked);
          return;
        } catch (thrown) {
          if (left <= 1 || !RACED.has(asBusError(thrown).code)) throw thrown;
        }
      }
    },
    async remove(parked) {
      await documents.remove(idOf(parked));
    },
  };
}
