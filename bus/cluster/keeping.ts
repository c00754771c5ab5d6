/** The consumer groups of a broker's transport for those who keep house. Asked of the store alone: groups of other nodes, and of nobody, count. */
import type { Broker, Lane } from "../broker.ts";
import type { GroupKeeping, GroupName } from "../keep/keeping.ts";
import type { Collection, Journal, Stored } from "../ports.ts";
import { idOfLane } from "./cursor-file.ts";
import type { CursorDocument } from "./cursor.ts";
import type { ParkedMessages } from "./parked.ts";
import { idOfPart, type RelayDocument } from "./relay.ts";

export type KeepingParts = Readonly<{
  /** Undefined = there is none any more; then nothing can be forgotten of it. */
  broker: Broker | undefined;
  journal: Journal;
  partitions: number;
  cursors: Collection<CursorDocument>;
  relays: Collection<RelayDocument>;
  parked: ParkedMessages;
}>;

const PAGE = 1_000;

export function createKeeping(parts: KeepingParts): GroupKeeping {
  const { broker, journal, partitions, cursors, relays, parked } = parts;

  async function* documents(): AsyncGenerator<Stored<CursorDocument>> {
    let after: string | undefined;
    do {
      const page = await cursors.find({ limit: PAGE, ...(after === undefined ? undefined : { after }) });
      yield* page;
      after = page.length < PAGE ? undefined : page.at(-1)?.id;
    } while (after !== undefined);
  }

  const lanesOf = ({ topic, group }: GroupName): readonly Lane[] =>
    Array.from({ length: partitions }, (_, partition) => ({ topic, group, partition }));

  return {
    async groups() {
      const names = new Map<string, GroupName>();
      for await (const { value } of documents()) names.set(`${value.topic}\n${value.group}`, { topic: value.topic, group: value.group });
      return [...names.values()];
    },
    async needs() {
      const sent = await Promise.all(
        Array.from({ length: partitions }, async (_, partition) => (await relays.get(idOfPart(partition)))?.value),
      );
      const lowest = Math.min(...sent.map((part) => part?.cursor ?? 0));
      const [unsent] = await journal.read(lowest + 1, 1, "published");
      let first = unsent?.position ?? Infinity;
      for await (const { id, value } of documents()) {
        // a lane that had everything needs nothing, however long ago that was
        const last = sent[value.partition]?.last[value.topic]?.[0] ?? 0;
        if (value.floor < last) first = Math.min(first, value.floor + 1);
        first = Math.min(first, (await parked.first(id)) ?? Infinity);
      }
      return first;
    },
    async forget(name) {
      for (const lane of lanesOf(name)) {
        await broker?.forget(lane);
        await parked.forget(idOfLane(lane));
        await cursors.remove(idOfLane(lane));
      }
    },
  };
}
