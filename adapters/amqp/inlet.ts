/**
 * A modern system's messages over RabbitMQ. Events and commands come with the routing key `from.<system>.<contract>` into a quorum queue
 * of their own and are acknowledged after the bus accepted or refused them, a refusal with a notice to the sender; queries come with
 * `ask.<system>.<contract>` and are answered over the asker's direct reply-to.
 */
import type { ConsumeMessage } from "amqplib";
import { isPassing, PROBLEM_TYPE, REFUSED, writeProblem } from "#bus/edge/refusal.ts";
import { answerCodec } from "#bus/edge/topic.ts";
import { asBusError, type BusError } from "#bus/errors.ts";
import type { Accept, Inbound, Inlet, Outcome } from "#bus/ports.ts";
import type { TopicCodecs, TopicSource } from "#bus/wire.ts";
import type { AmqpEdge } from "./edge.ts";
import { readReceived, senderOf } from "./received.ts";
import { takeFrom, type Taken, type TakingFrom } from "./taking.ts";
import { declareAsked, declareFrom, declareSource } from "./topology.ts";

export type AmqpInletSettings = TopicSource & Readonly<{ edge: AmqpEdge }>;

/** Milliseconds after which a message comes again that could not be taken now, where the refusal does not say: doubled each time, to half a minute. */
const AGAIN = 500;
const LONGEST = 30_000;
/** RabbitMQ writes a reply-to of this beginning for the connection that asked; any other would let a system speak with the bus's rights. */
const DIRECT = "amq.rabbitmq.reply-to.";

/** `drain`: milliseconds that `close` waits for messages still in the bus. */
export function createAmqpInlet(settings: AmqpInletSettings, drain = 10_000): Inlet {
  const { edge, system, contract, limits } = settings;
  const { names } = edge;
  const query = settings.binding.pattern === "query";
  const key = query ? names.askKey(system, contract) : names.fromKey(system, contract);
  let taking: TakingFrom | undefined;
  return {
    async start(accept) {
      edge.unrouted(accept);
      taking = takeFrom({
        edge,
        declare: (channel) => (query ? declareAsked(channel, names, key) : declareSource(channel, names, key)),
        window: limits.maxInFlight,
        handle: (taken) => (query ? answer(taken, edge, settings, accept) : settle(taken, edge, settings, accept)),
        ...(query && { late: ({ message }, error) => refuse(edge, message, error, readReceived(message, settings)) }),
      });
      await taking.ready();
    },
    close: async () => taking?.close(drain),
  };
}

/** What no route takes: its sender is told, unless it is an answer that nobody waits for any more. One for all inlets of an edge. */
export function takeUnrouted(edge: AmqpEdge, accept: Accept): TakingFrom {
  const declare = async (channel: Parameters<typeof declareFrom>[0]): Promise<string> => {
    await declareFrom(channel, edge.names);
    return edge.names.unrouted;
  };
  const begins = ({ message }: Taken, word: string): boolean => message.fields.routingKey.startsWith(word);
  return takeFrom({
    edge,
    declare,
    window: 32,
    handle(taken) {
      if (begins(taken, "answer.")) return Promise.resolve(true);
      return begins(taken, "ask.") ? answer(taken, edge, undefined, accept) : settle(taken, edge, undefined, accept);
    },
  });
}

async function settle(taken: Taken, edge: AmqpEdge, source: TopicSource | undefined, accept: Accept): Promise<boolean> {
  const { message, closing } = taken;
  const inbound = readReceived(message, source);
  try {
    await accept(inbound);
    return true;
  } catch (thrown) {
    const error = asBusError(thrown);
    if (!isPassing(error)) {
      await notify(edge, error, inbound, message);
      return true;
    }
    if (error.class === "internal") edge.link.options.onError(error);
    await pause(Math.min(LONGEST, error.retryAfter ?? waitOf(message)), closing);
    return false;
  }
}

/** Only who the broker vouches for gets a notice; a system without a queue gets none. */
async function notify(edge: AmqpEdge, error: BusError, inbound: Inbound, message: ConsumeMessage): Promise<void> {
  const sender = senderOf(message);
  if (sender === undefined) return;
  const options = { contentType: PROBLEM_TYPE, ...(inbound.id !== undefined && { correlationId: inbound.id }) };
  const body = Buffer.from(writeProblem(error, inbound, message.fields.routingKey));
  await edge.publisher.post({ exchange: edge.names.to, key: `to.${sender}.${REFUSED}`, body, options });
}

async function answer({ message }: Taken, edge: AmqpEdge, source: TopicSource | undefined, accept: Accept): Promise<boolean> {
  const { replyTo } = message.properties as { replyTo?: unknown };
  if (typeof replyTo !== "string" || !replyTo.startsWith(DIRECT)) return true;
  // One that may have been begun before is left to its asker's timeout.
  if (message.fields.redelivered) return true;
  const inbound = readReceived(message, source);
  try {
    const outcome = await accept(inbound);
    await reply(edge, message, outcome, source?.replies, inbound.mediaType);
  } catch (error) {
    await refuse(edge, message, asBusError(error), inbound);
  }
  return true;
}

function reply(
  edge: AmqpEdge,
  message: ConsumeMessage,
  outcome: Outcome,
  replies: TopicCodecs | undefined,
  asked: string,
): Promise<unknown> {
  const { id, correlationId } = outcome;
  const codec = answerCodec(replies, asked);
  const body = outcome.kind === "reply" && codec ? codec.write(outcome.value) : Buffer.from(JSON.stringify({ id, correlationId }));
  return respond(edge, message, body, codec?.mediaType ?? "application/json", { "x-message-id": id, "x-correlation-id": correlationId });
}

function refuse(edge: AmqpEdge, message: ConsumeMessage, error: BusError, inbound: Inbound): Promise<unknown> {
  return respond(edge, message, writeProblem(error, inbound, message.fields.routingKey), PROBLEM_TYPE, { "x-error-code": error.code });
}

function respond(
  edge: AmqpEdge,
  { properties }: ConsumeMessage,
  body: Uint8Array,
  contentType: string,
  headers: Readonly<Record<string, string>>,
): Promise<unknown> {
  const { replyTo, correlationId } = properties as { replyTo: string; correlationId?: string };
  const options = { contentType, headers, persistent: false, ...(correlationId !== undefined && { correlationId }) };
  return edge.publisher.post({ exchange: "", key: replyTo, body: Buffer.from(body), options });
}

/** Quorum queues count how often a message was handed out again. */
function waitOf({ properties }: ConsumeMessage): number {
  const count: unknown = properties.headers?.["x-delivery-count"];
  return Math.min(LONGEST, AGAIN * 2 ** Math.min(10, typeof count === "number" ? count : 0));
}

async function pause(ms: number, closing: Promise<void>): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  await Promise.race([closing, new Promise<void>((resolve) => (timer = setTimeout(resolve, ms)))]);
  clearTimeout(timer);
}
