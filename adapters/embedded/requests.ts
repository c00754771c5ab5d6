/** Request and reply within the process: a responder of the topic answers, in turn, or the request fails in time. */
import { asBusError, BusError } from "#bus/errors.ts";
import type { Envelope } from "#bus/envelope.ts";
import type { Clock, Subscription } from "#bus/ports.ts";

type Responder = { handler: (envelope: Envelope) => Promise<Envelope>; paused: boolean; running: Set<Promise<unknown>> };

export type Requests = Readonly<{
  request(topic: string, envelope: Envelope, timeout: number): Promise<Envelope>;
  respond(topic: string, handler: (envelope: Envelope) => Promise<Envelope>): Subscription;
  close(): void;
}>;

/** Requests that may wait for an answer at once. */
const MOST = 10_000;

export function openRequests(clock: Clock): Requests {
  const topics = new Map<string, Responder[]>();
  let waiting = 0;
  let turn = 0;
  const stop = new AbortController();

  const choose = (topic: string): Responder => {
    const able = (topics.get(topic) ?? []).filter((responder) => !responder.paused);
    const responder = able[turn++ % Math.max(1, able.length)];
    if (responder === undefined) throw new BusError("endpoint-unreachable", `nobody answers requests on topic ${topic}`);
    return responder;
  };

  return {
    async request(topic, envelope, timeout) {
      if (stop.signal.aborted) throw new BusError("bus-stopping", "the embedded transport is closed");
      if (waiting >= MOST) throw new BusError("queue-full", `${MOST} requests wait for an answer already`, { retryAfter: 1_000 });
      const responder = choose(topic);
      const done = new AbortController();
      waiting++;
      const answer = Promise.resolve().then(() => responder.handler(envelope));
      responder.running.add(answer);
      const late = clock.sleep(timeout, AbortSignal.any([stop.signal, done.signal])).then(
        () => {
          throw new BusError("attempt-timeout", `no answer on topic ${topic} within ${timeout} ms`);
        },
        () => {
          throw new BusError("bus-stopping", "the embedded transport was closed before the answer came");
        },
      );
      try {
        return await Promise.race([answer, late]);
      } catch (error) {
        throw asBusError(error);
      } finally {
        waiting--;
        answer.catch(() => undefined).finally(() => responder.running.delete(answer));
        late.catch(() => undefined);
        done.abort();
      }
    },
    respond(topic, handler) {
      const responder: Responder = { handler, paused: false, running: new Set() };
      const list = topics.get(topic) ?? [];
      topics.set(topic, [...list, responder]);
      return {
        state: () => Promise.resolve({ floor: 0, lag: 0, inFlight: responder.running.size, waiting: 0, blockedKeys: 0 }),
        pause: (paused) => void (responder.paused = paused),
        async close() {
          const rest = (topics.get(topic) ?? []).filter((other) => other !== responder);
          if (rest.length > 0) topics.set(topic, rest);
          else topics.delete(topic);
          await Promise.allSettled(responder.running);
        },
      };
    },
    close: () => stop.abort(),
  };
}
