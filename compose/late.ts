/** Inlets and outlets on a broker that may not be there yet: it is tried for ever, and they go on with it when it is. */
import { BusError } from "#bus/errors.ts";
import type { Accept, Clock, Inlet, Outlet } from "#bus/ports.ts";
import type { TopicSource, TopicTarget } from "#bus/wire.ts";
import type { TopicEdge } from "./topics.ts";

type OnError = (error: unknown, where: string) => void;

export interface LateEdge {
  readonly name: string;
  up(): boolean;
  /** Inlets that do not receive yet. */
  readonly waiting: Set<object>;
  /** Waits until the broker is there; fails when the signal is given, or the edge closes. */
  get(signal: AbortSignal): Promise<TopicEdge>;
  close(): Promise<void>;
}

/** Milliseconds between two tries. */
const FIRST = 500;
const LONGEST = 15_000;
/** What a start waits for the broker, so that in the usual case a route that was applied already receives. */
const START = 3_000;

export type LateEdgeParts = Readonly<{ name: string; open: () => Promise<TopicEdge>; clock: Clock; onError: OnError }>;

/** Begins at once. */
export function lateEdge({ name, open, clock, onError }: LateEdgeParts): LateEdge {
  const stop = new AbortController();
  const arrived = Promise.withResolvers<TopicEdge>();
  arrived.promise.catch(() => undefined);
  let edge: TopicEdge | undefined;
  let last: unknown;
  const run = async (): Promise<void> => {
    for (let wait = FIRST; !stop.signal.aborted; wait = Math.min(LONGEST, wait * 2)) {
      try {
        edge = await open();
        if (stop.signal.aborted) await edge.close();
        else arrived.resolve(edge);
        return;
      } catch (error) {
        last = error;
        if (stop.signal.aborted) return;
        onError(error, `topics on ${name}`);
        await clock.sleep(wait, stop.signal).catch(() => undefined);
      }
    }
  };
  const running = run();
  const away = (cause: unknown): BusError =>
    new BusError("transport-unavailable", `${name} is not there${last instanceof Error ? `: ${last.message}` : ""}`, { cause });
  return {
    name,
    up: () => edge?.up() ?? false,
    waiting: new Set(),
    async get(signal) {
      if (stop.signal.aborted) throw new BusError("bus-stopping", `the connection to ${name} is closed: the bus is stopping`);
      if (edge) return edge;
      const given = Promise.withResolvers<never>();
      const abort = (): void => given.reject(away(signal.reason));
      if (signal.aborted) abort();
      signal.addEventListener("abort", abort);
      try {
        return await Promise.race([arrived.promise, given.promise]);
      } finally {
        signal.removeEventListener("abort", abort);
        given.promise.catch(() => undefined);
      }
    },
    async close() {
      if (stop.signal.aborted) return;
      stop.abort();
      arrived.reject(new BusError("bus-stopping", `the connection to ${name} is closed: the bus is stopping`));
      // an opening that goes on closes itself
      if (edge) await running.then(() => edge?.close());
    },
  };
}

export type LateInletParts = Readonly<{ edge: LateEdge; source: TopicSource; clock: Clock; onError: OnError }>;

/** `start` resolves when it receives, or after some seconds: then it goes on beside the flow. */
export function lateInlet({ edge, source, clock, onError }: LateInletParts): Inlet {
  const stop = new AbortController();
  const me = {};
  let inlet: Inlet | undefined;
  let running: Promise<void> = Promise.resolve();
  const begin = async (accept: Accept): Promise<void> => {
    const opened = await edge.get(stop.signal);
    // one that could not start does not start again
    inlet = opened.inlet(source);
    try {
      await inlet.start(accept);
    } catch (error) {
      await inlet.close();
      throw error;
    }
  };
  const run = async (accept: Accept): Promise<void> => {
    for (let wait = FIRST; !stop.signal.aborted; wait = Math.min(LONGEST, wait * 2)) {
      try {
        await begin(accept);
        return;
      } catch (error) {
        if (stop.signal.aborted) return;
        onError(error, `source \`${source.binding.from}\` of route \`${source.binding.route}\``);
        await clock.sleep(wait, stop.signal).catch(() => undefined);
      }
    }
  };
  return {
    async start(accept) {
      edge.waiting.add(me);
      running = run(accept).finally(() => edge.waiting.delete(me));
      const enough = new AbortController();
      await Promise.race([running, clock.sleep(START, enough.signal).catch(() => undefined)]);
      enough.abort();
    },
    async close() {
      stop.abort();
      // closing an inlet also ends a start that still waits
      await inlet?.close();
      await running;
      await inlet?.close();
    },
  };
}

/** Made as soon as the broker is there, not with the first message: so the receiver finds its place there before. */
export function lateOutlet(edge: LateEdge, endpoint: string, target: TopicTarget): Outlet {
  const stop = new AbortController();
  let outlet: Outlet | undefined;
  const made = async (signal: AbortSignal): Promise<Outlet> => {
    const opened = await edge.get(signal);
    return (outlet ??= opened.outlet(target));
  };
  made(stop.signal).catch(() => undefined);
  return {
    endpoint,
    send: async (message, signal) => (await made(signal)).send(message, signal),
    async close() {
      stop.abort();
      await outlet?.close();
    },
  };
}
