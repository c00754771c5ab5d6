/** Requests and answers, over NATS without JetStream: nothing of them is kept, for the caller of a query waits. */
import { errors, headers, RequestError, type Msg } from "@nats-io/transport-node";
import type { Envelope } from "#bus/envelope.ts";
import { BusError } from "#bus/errors.ts";
import type { Subscription, SubscriptionState } from "#bus/ports.ts";
import { readAnswer, writeAnswer, writeRefusal } from "./carry.ts";
import { raced, stopping, type Link } from "./connect.ts";
import type { Streams } from "./streams.ts";

/** Milliseconds that the asker waits. A span and not a moment: clocks of two machines differ. */
const WAITS = "Mbus-Waits";
/** Requests that one responder works on at once. */
const MOST = 1_000;
/** One of all responders of a topic answers. */
const QUEUE = "mbus";

export async function ask(link: Link, streams: Streams, topic: string, envelope: Envelope, timeout: number): Promise<Envelope> {
  const waits = headers();
  waits.set(WAITS, String(timeout));
  let answer: Msg;
  try {
    answer = await link.nc.request(streams.asking(topic), writeAnswer(envelope), { timeout: Math.max(1, timeout), headers: waits });
  } catch (error) {
    throw link.closed() ? stopping() : failure(error, topic, timeout);
  }
  return readAnswer(answer.data);
}

function failure(cause: unknown, topic: string, timeout: number): BusError {
  if (cause instanceof RequestError && cause.isNoResponders())
    return new BusError("endpoint-unreachable", `nobody answers requests of ${topic}: start a node that serves it`, { cause });
  if (cause instanceof errors.TimeoutError)
    return new BusError("attempt-timeout", `no answer to a request of ${topic} within ${timeout} ms`, { cause });
  return new BusError(
    "transport-unavailable",
    `a request of ${topic} could not be sent: ${cause instanceof Error ? cause.message : String(cause)}`,
    { cause },
  );
}

export function answer(link: Link, streams: Streams, topic: string, handler: (envelope: Envelope) => Promise<Envelope>): Subscription {
  const running = new Set<Promise<void>>();
  let subscription = listen();
  let paused = false;
  let closed = false;

  async function reply(message: Msg): Promise<void> {
    const until = performance.now() + Number(message.headers?.get(WAITS) ?? Infinity);
    let bytes: Uint8Array;
    try {
      bytes = writeAnswer(await handler(readAnswer(message.data)));
    } catch (error) {
      bytes = writeRefusal(error);
    }
    // Nobody waits any more: the journal has the answer.
    if (performance.now() > until || link.closed()) return;
    message.respond(bytes.length > (link.nc.info?.max_payload ?? Infinity) ? writeRefusal(tooLarge(bytes.length)) : bytes);
  }

  function start(message: Msg): void {
    const run = reply(message).finally(() => running.delete(run));
    running.add(run);
  }

  function listen() {
    return link.nc.subscribe(streams.asking(topic), {
      queue: QUEUE,
      callback(error, message) {
        if (error)
          return link.report(
            new BusError("transport-unavailable", `NATS hands out no requests of ${topic}: ${error.message}`, { cause: error }),
          );
        if (running.size >= MOST) return void message.respond(writeRefusal(busy()));
        start(message);
      },
    });
  }
  const deafen = (): Promise<void> =>
    link.up()
      ? raced(
          subscription.drain().catch(() => undefined),
          2_000,
        )
      : Promise.resolve(subscription.unsubscribe());

  return {
    state: (): Promise<SubscriptionState> =>
      Promise.resolve({ floor: 0, lag: running.size, inFlight: running.size, waiting: 0, blockedKeys: 0 }),
    pause(wanted) {
      if (wanted === paused || closed) return;
      paused = wanted;
      if (paused) void deafen();
      else subscription = listen();
    },
    async close() {
      if (!closed && !paused) await deafen();
      closed = true;
      await Promise.all(running);
    },
  };
}

const busy = (): BusError =>
  new BusError("queue-full", `a responder works on ${MOST} requests already: ask again in a moment`, { retryAfter: 1_000 });

const tooLarge = (bytes: number): BusError =>
  new BusError("message-too-large", `NATS does not take an answer of ${bytes} bytes: raise max_payload of the server, or answer with less`);
