/** To a modern system's own queue, as CloudEvents in headers. Confirmed by the broker = delivered. */
import type { Message } from "#bus/envelope.ts";
import { BusError } from "#bus/errors.ts";
import type { Outlet } from "#bus/ports.ts";
import type { TopicTarget } from "#bus/wire.ts";
import { writeProperties } from "./cloudevents.ts";
import type { AmqpEdge } from "./edge.ts";

export type AmqpOutletSettings = TopicTarget & Readonly<{ edge: AmqpEdge }>;

/** A system without a queue is endpoint-unreachable. */
export function createAmqpOutlet({ edge, system, contract, codec }: AmqpOutletSettings): Outlet {
  const { names, publisher } = edge;
  const inbox = names.inbox(system);
  return {
    endpoint: `amqp:${inbox}`,
    async send({ envelope, value }: Message, signal) {
      const taken = await publisher.post(
        {
          exchange: names.to,
          key: names.toKey(system, contract),
          body: Buffer.from(codec.write(value)),
          options: { ...writeProperties(envelope, codec.mediaType) },
        },
        signal,
      );
      if (!taken)
        throw new BusError("endpoint-unreachable", `there is no queue ${inbox} bound to ${names.to}: nobody would get the message`);
      return undefined;
    },
    // The edge is shared with other outlets; its owner closes it.
    close: () => Promise.resolve(),
  };
}
