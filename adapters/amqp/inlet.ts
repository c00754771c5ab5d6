/**
 * From modern systems: they publish to one topic exchange, into one quorum queue. A message is acknowledged only after the bus accepted
 * or refused it; a refusal goes to the sender's own queue as a problem document. What the bus cannot take now stays in the queue.
 */
import type { ConfirmChannel, ConsumeMessage } from "amqplib";
import { createGate } from "#bus/edge/gate.ts";
import { asBusError, CLASSES, CODES, type BusError } from "#bus/errors.ts";
import type { Accept, Inbound, Inlet } from "#bus/ports.ts";
import type { EdgeLimits } from "#bus/wire.ts";
import { tend, type Tended } from "./channel.ts";
import type { AmqpEdge } from "./edge.ts";
import { readReceived, type AmqpSource } from "./received.ts";
import { declareBase, quorum, versionOf } from "./topology.ts";

export type AmqpInletSettings = Readonly<{ edge: AmqpEdge; sources: readonly AmqpSource[]; limits: EdgeLimits }>;

/** What may pass soon is tried again by the broker; the classes of it. */
const LATER = new Set(["throttled", "provider-unavailable", "internal"]);
const WAIT = 1_000;
const LONGEST_WAIT = 30_000;

/** `drain`: milliseconds that `close` waits for messages still in the bus. */
export function createAmqpInlet(settings: AmqpInletSettings, drain = 10_000): Inlet {
  const { edge, limits } = settings;
  const { names, link } = edge;
  const byKey = new Map(settings.sources.map((source) => [names.fromKey(source.system, source.contract), source]));
  const gate = createGate(limits.maxInFlight);
  let tended: Tended | undefined;
  let consumer: Readonly<{ channel: ConfirmChannel; tag: string }> | undefined;

  const take = async (channel: ConfirmChannel, message: ConsumeMessage, accept: Accept): Promise<void> => {
    const kept = gate.enter();
    // Closing: it is handed out again when the channel ends.
    if (kept !== undefined) return;
    try {
      const done = await settle(message, accept);
      if (tended?.current() !== channel) return;
      if (done) channel.ack(message);
      else channel.nack(message, false, true);
    } catch (error) {
      link.options.onError(asBusError(error));
    } finally {
      gate.leave();
    }
  };
  /** False = have it again. */
  const settle = async (message: ConsumeMessage, accept: Accept): Promise<boolean> => {
    const inbound = readReceived(message, byKey.get(message.fields.routingKey), limits.maxBytes);
    try {
      await accept(inbound);
      return true;
    } catch (thrown) {
      const error = asBusError(thrown);
      if (!LATER.has(error.class)) {
        await notify(error, inbound);
        return true;
      }
      await new Promise((resolve) => setTimeout(resolve, Math.min(LONGEST_WAIT, error.retryAfter ?? WAIT)));
      return false;
    }
  };
  const notify = async (error: BusError, inbound: Inbound): Promise<void> => {
    // Only who the broker vouches for gets a notice; a system without a queue gets none.
    if (inbound.system === undefined) return;
    const body = Buffer.from(JSON.stringify(problemOf(error, inbound)));
    const correlationId = inbound.id === undefined ? {} : { correlationId: inbound.id };
    const options = { contentType: "application/problem+json", type: "problem", ...correlationId };
    await edge.publisher.post({ exchange: names.to, key: names.toKey(inbound.system, "problem"), body, options });
  };
  return {
    async start(accept) {
      const mine = tend(link, {
        async prepare(channel) {
          await declareBase(channel, names);
          await channel.assertExchange(names.from, "topic", { durable: true });
          await channel.assertQueue(names.from, quorum(names, versionOf(channel)));
          await channel.bindQueue(names.from, names.from, "from.#");
          await channel.prefetch(limits.maxInFlight);
          const { consumerTag } = await channel.consume(names.from, (message) => {
            if (message === null) mine.renew();
            else void take(channel, message, accept);
          });
          consumer = { channel, tag: consumerTag };
        },
        lost: () => (consumer = undefined),
      });
      tended = mine;
      await mine.ready();
    },
    async close() {
      const last = consumer;
      consumer = undefined;
      if (last !== undefined) await last.channel.cancel(last.tag).catch(() => undefined);
      await gate.close(drain);
      await tended?.close();
    },
  };
}

/** RFC 9457, in the shape that the HTTP face answers with. */
function problemOf(error: BusError, inbound: Inbound): object {
  return {
    type: `urn:mconnect-bus:error:${error.code}`,
    title: CODES[error.code][1],
    status: CLASSES[error.class].http,
    detail: error.message,
    instance: inbound.id,
    traceId: inbound.traceparent,
    errors: error.places.slice(0, 50).map(({ path, line, column, text }) => ({ path, line, column, text })),
  };
}
