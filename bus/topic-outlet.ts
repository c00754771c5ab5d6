/** The outlet of a branch that publishes to a topic of the bus: one durable record, which is also the publication. */
import type { ContractType } from "./contract/contract.ts";
import { topicOf } from "./envelope.ts";
import { BusError } from "./errors.ts";
import { digestOf } from "./ids.ts";
import type { Clock, Journal, Outlet } from "./ports.ts";

/** The same message published again (after a crash before its acknowledgement) is one message: 7 days. */
const DEDUPE_WINDOW = 7 * 24 * 3600 * 1000;

export type TopicOutletSettings = Readonly<{
  journal: Journal;
  clock: Clock;
  route: string;
  contract: string;
  /** The topic's own type, looked up at each send because a reload may change it. */
  type: () => ContractType | undefined;
}>;

export function createTopicOutlet(settings: TopicOutletSettings): Outlet {
  const topic = topicOf(settings.contract);
  return {
    endpoint: `topic:${topic}`,
    async send(message) {
      const type = settings.type();
      if (!type) throw new BusError("contract-unknown", `topic \`${settings.contract}\` is no contract of this bus`);
      const { dataref: _, ...from } = message.envelope;
      const body = type.encode(message.value);
      const time = settings.clock.now();
      // a replay is meant to be published again, once
      const replay = from.headers["mbus-replay"] ?? "";
      const envelope = { ...from, type: topic, contract: settings.contract, causationId: from.id, time, body };
      await settings.journal.append([
        {
          step: "accepted",
          outcome: "ok",
          time,
          id: from.id,
          correlationId: from.correlationId,
          route: settings.route,
          contract: settings.contract,
          system: from.source,
          digest: digestOf(body),
          envelope,
          topic,
          dedupe: { key: `${topic} ${from.source} ${from.id} ${replay}`, window: DEDUPE_WINDOW },
        },
      ]);
      return undefined;
    },
    close: () => Promise.resolve(),
  };
}
