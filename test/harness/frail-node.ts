/**
 * A node of a cluster that pauses for longer than it knows and dies, over ports that answer late, or whose answer is lost. What it asked
 * for before still happens; what it is told while it is paused, it hears when it goes on; what comes after its death, never.
 */
import type { Broker, Lane, Taken, Taking } from "#bus/broker.ts";
import { BusError, type ErrorCode } from "#bus/errors.ts";
import type { Clock, Collection, Journal, Json, Store } from "#bus/ports.ts";

export type FrailOptions = Readonly<{
  clock: Clock;
  broker: Broker;
  journal: Journal;
  store: Store;
  random: () => number;
  /** Chance that a call to the store fails: half of them had their effect. */
  lost: number;
  /** Chance that a call takes time, and the longest, milliseconds. */
  late: number;
  longest: number;
  /** Milliseconds after which the broker takes a node that says nothing for gone. */
  heartbeat: number;
}>;

export type FrailNode = Readonly<{
  clock: Clock;
  broker: Broker;
  journal: Journal;
  store: Store;
  pause(): void;
  resume(): Promise<void>;
  kill(): Promise<void>;
  dead(): boolean;
}>;

type Seat = { readonly lane: Lane; readonly window: number; readonly hear: (message: Taken) => void; taking: Taking | undefined };

export function createFrailNode(options: FrailOptions): FrailNode {
  const { clock, random } = options;
  let waking: PromiseWithResolvers<void> | undefined;
  let dead = false;
  let pauses = 0;
  const seats = new Set<Seat>();
  const unheard: (() => void)[] = [];
  const never = new Promise<never>(() => undefined);
  const awake = async (): Promise<void> => {
    if (waking) await waking.promise.then(awake);
    if (dead) await never;
  };
  const way = async (): Promise<void> => {
    if (random() < options.late) await clock.sleep(Math.ceil(random() * options.longest));
  };

  /** One call: out, its effect, and back. */
  async function call<T>(work: () => Promise<T>, lost?: ErrorCode): Promise<T> {
    await awake();
    await way();
    const fails = lost !== undefined && random() < options.lost;
    const happened = !fails || random() < 0.5;
    const outcome = happened ? await work().then(...both<T>()) : undefined;
    await way();
    await awake();
    if (fails && lost !== undefined) throw new BusError(lost, "the answer was lost");
    if (!outcome) throw new Error("no outcome");
    return outcome();
  }

  function hear(message: Taken, handler: (message: Taken) => void): void {
    if (dead) return;
    if (waking) unheard.push(() => handler(message));
    else handler(message);
  }

  async function sit(seat: Seat): Promise<void> {
    seat.taking = await options.broker.take(seat.lane, seat.window, seat.hear);
  }

  async function leave(): Promise<void> {
    unheard.length = 0; // with its connection
    for (const seat of seats) {
      const { taking } = seat;
      seat.taking = undefined;
      await taking?.close();
    }
  }

  const { journal, store, broker } = options;
  return {
    clock: {
      now: () => clock.now(),
      async sleep(ms, signal) {
        const ended = clock.sleep(ms, signal).then(...both<void>());
        const outcome = await ended;
        await awake();
        outcome();
      },
    },
    journal: {
      ...journal,
      append: (records) => call(() => journal.append(records), "journal-failed"),
      read: (from, limit, only) => call(() => journal.read(from, limit, only)),
      find: (query) => call(() => journal.find(query)),
    },
    store: {
      ...store,
      async collection<T extends Json>(name: string, members?: Readonly<{ unique?: readonly string[]; index?: readonly string[] }>) {
        const inner: Collection<T> = await store.collection<T>(name, members);
        const collection: Collection<T> = {
          insert: (id, value) => call(() => inner.insert(id, value), "store-unavailable"),
          get: (id) => call(() => inner.get(id), "store-unavailable"),
          update: (id, version, value) => call(() => inner.update(id, version, value), "store-unavailable"),
          find: (query) => call(() => inner.find(query), "store-unavailable"),
          remove: (id) => call(() => inner.remove(id), "store-unavailable"),
        };
        return collection;
      },
    },
    broker: {
      ...broker,
      send: (topic, partition, message) => call(() => broker.send(topic, partition, message)),
      depth: (lane) => call(() => broker.depth(lane)),
      async take(lane, window, handler) {
        const seat: Seat = { lane, window, hear: (message) => hear(message, handler), taking: undefined };
        await call(() => sit(seat));
        seats.add(seat);
        return {
          pause: (paused) => seat.taking?.pause(paused),
          async close() {
            seats.delete(seat);
            await call(async () => seat.taking?.close());
          },
        };
      },
    },
    pause() {
      if (waking || dead) return;
      waking = Promise.withResolvers();
      const mine = ++pauses;
      void clock.sleep(options.heartbeat).then(() => (waking && pauses === mine ? leave() : undefined));
    },
    async resume() {
      const was = waking;
      if (!was || dead) return;
      for (const seat of seats) if (!seat.taking) await sit(seat);
      waking = undefined;
      was.resolve();
      for (const say of unheard.splice(0)) say();
    },
    async kill() {
      dead = true;
      const was = waking;
      waking = undefined;
      was?.resolve();
      await leave();
    },
    dead: () => dead,
  };
}

/** Both ends of a promise, as something that gives the one or throws the other later. */
function both<T>(): [(value: T) => () => T, (error: unknown) => () => T] {
  return [
    (value) => () => value,
    (error) => () => {
      throw error;
    },
  ];
}
