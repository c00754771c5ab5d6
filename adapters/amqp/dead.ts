/**
 * The safety net: what the broker itself gave up, because it was handed out more often than its limit or could not be read. The journal
 * still has each such message and its group will ask for it again, so that all to do here is to say that it happened.
 */
import type { ConsumeMessage } from "amqplib";
import { tend, type Tended } from "./channel.ts";
import type { Link } from "./connection.ts";
import type { Names } from "./names.ts";
import { declareBase } from "./topology.ts";

/** A message that the broker gave up. */
export type GivenUp = Readonly<{
  /** Name of the queue that it lay in. */
  queue: string;
  /** The broker's word: `delivery_limit`, `rejected`, `expired`, `maxlen`. */
  reason: string;
  bytes: Uint8Array;
}>;

/** Takes the dead messages one after the other. One whose `report` fails stays. */
export function watchDead(link: Link, names: Names, report: (dead: GivenUp) => void): Tended {
  const tended = tend(link, {
    async prepare(channel) {
      await declareBase(channel, names);
      await channel.prefetch(32);
      await channel.consume(names.dead, (message: ConsumeMessage | null) => {
        if (message === null) return tended.renew();
        const headers = message.properties.headers ?? {};
        const first = headers["x-death"]?.[0];
        report({
          queue: headers["x-first-death-queue"] ?? first?.queue ?? "?",
          reason: headers["x-first-death-reason"] ?? first?.reason ?? "?",
          bytes: message.content,
        });
        channel.ack(message);
      });
    },
  });
  return tended;
}
