/** Dead letters of a group of consumers: events that it put aside, in a topic of its own, from which it may take them again. */
import type { EventIn } from "../edge/events.ts";
import { topicToken } from "../edge/topic.ts";
import { topicOf } from "../envelope.ts";
import { BusError } from "../errors.ts";
import type { StoredRecord } from "../journal/record.ts";
import type { Clock, Journal } from "../ports.ts";
import type { KnownTypes } from "./types.ts";

export interface DeadEvents {
  /** `position`: where the event stands, if the session knows. Throws not-found for what this system never got. */
  put(event: Pick<EventIn, "id" | "source" | "type">, position: number | undefined): Promise<void>;
}

export const deadTopic = (system: string, group: string): string => topicOf(`events.dead.${topicToken(system)}.${topicToken(group)}`);
export const testTopic = (system: string): string => topicOf(`events.test.${topicToken(system)}`);

export type DeadParts = Readonly<{ journal: Journal; clock: Clock; types: () => KnownTypes; system: string; group: string }>;

/** Records of one id that are looked through. */
const LOOKED = 50;

export function createDead({ journal, clock, types, system, group }: DeadParts): DeadEvents {
  const confirmedBefore = async ({ id, source, type }: Pick<EventIn, "id" | "source" | "type">): Promise<StoredRecord | undefined> => {
    const known = types().byName.get(type);
    if (!known) return undefined;
    const { records } = await journal.find({ id, contract: known.contract.id, limit: LOOKED });
    const got = records.some(({ step, target, branch }) => step === "delivered" && target === system && branch === `events ${group}`);
    if (!got) return undefined;
    return records.find(({ envelope, topic }) => topic === known.topic && (envelope?.headers["ce-source"] ?? source) === source);
  };
  return {
    async put(event, position) {
      const record = position === undefined ? await confirmedBefore(event) : (await journal.read(position, 1))[0];
      const { envelope } = record ?? {};
      if (!record || !envelope || (position !== undefined && record.position !== position))
        throw new BusError("not-found", `the group ${group} has no event ${event.id} of source ${event.source} and type ${event.type}`);
      await journal.append([
        {
          step: "deadletter",
          outcome: "dead",
          time: clock.now(),
          id: record.id,
          correlationId: record.correlationId,
          ...(record.contract !== undefined && { contract: record.contract }),
          system: envelope.source,
          target: system,
          branch: `events ${group}`,
          detail: `the group ${group} of ${system} put the event aside`,
          envelope,
          topic: deadTopic(system, group),
        },
      ]);
    },
  };
}
