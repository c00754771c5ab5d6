/** A broker in memory, honest or as bad as brokers can be: it repeats, forgets what it confirmed, reorders, refuses, and loses its data. */
import type { Broker, Carried, Lane, Taken } from "#bus/broker.ts";
import { BusError } from "#bus/errors.ts";
import type { Envelope } from "#bus/envelope.ts";

/** Chances from 0 to 1, and the dice. */
export type Vices = Readonly<{ forgets?: number; repeats?: number; swaps?: number; refuses?: number; random?: () => number }>;

type Held = { message: Carried; deliveries: number };
type Consumer = { window: number; handler: (message: Taken) => void; paused: boolean; unsettled: Map<Held, number> };
type Queue = { waiting: Held[]; consumers: Set<Consumer> };

/** What outlives the broker object. */
export type BrokerDisk = { queues: Map<string, Queue> };
export const createBrokerDisk = (): BrokerDisk => ({ queues: new Map() });

export type MemoryBroker = Broker & Readonly<{ wipe(): void; reconnect(): void }>;

const nameOf = ({ topic, group, partition }: Lane): string => JSON.stringify([topic, partition, group]);

export function createMemoryBroker(disk: BrokerDisk = createBrokerDisk(), vices: Vices = {}): MemoryBroker {
  const dice = vices.random ?? Math.random;
  const hits = (chance = 0): boolean => chance > 0 && dice() < chance;
  const responders = new Map<string, ((envelope: Envelope) => Promise<Envelope>)[]>();
  const mine = new Set<Consumer>();
  const listeners: (() => void)[] = [];
  let closed = false;
  const guard = (): void => {
    if (closed) throw new BusError("bus-stopping", "the broker is closed");
  };

  function queueOf(name: string): Queue {
    const queue = disk.queues.get(name) ?? { waiting: [], consumers: new Set<Consumer>() };
    disk.queues.set(name, queue);
    return queue;
  }

  function handOut(queue: Queue): void {
    for (const consumer of queue.consumers) {
      while (!consumer.paused && consumer.unsettled.size < consumer.window && queue.waiting.length > 0) {
        const at = hits(vices.swaps) ? Math.floor(dice() * queue.waiting.length) : 0;
        const [held] = queue.waiting.splice(at, 1);
        if (!held) return;
        held.deliveries++;
        consumer.unsettled.set(held, held.message.position);
        const taken: Taken = {
          ...held.message,
          redelivered: held.deliveries > 1,
          settle() {
            if (consumer.unsettled.delete(held)) queueMicrotask(() => handOut(queue));
          },
        };
        consumer.handler(taken);
      }
    }
  }

  function putBack(queue: Queue, consumer: Consumer): void {
    queue.consumers.delete(consumer);
    mine.delete(consumer);
    const back = [...consumer.unsettled.keys()].sort((a, b) => a.message.position - b.message.position);
    consumer.unsettled.clear();
    queue.waiting.unshift(...back);
    handOut(queue);
  }

  return {
    name: "memory",
    window: 256,
    async send(topic, partition, message) {
      guard();
      await Promise.resolve();
      guard();
      if (hits(vices.refuses)) throw new BusError("transport-unavailable", "the broker refused it");
      const start = JSON.stringify([topic, partition]).slice(0, -1);
      for (const [name, queue] of disk.queues) {
        if (!name.startsWith(`${start},`) || hits(vices.forgets)) continue;
        queue.waiting.push({ message, deliveries: 0 });
        if (hits(vices.repeats)) queue.waiting.push({ message, deliveries: 1 });
        handOut(queue);
      }
    },
    async take(lane, window, handler) {
      guard();
      await Promise.resolve();
      const queue = queueOf(nameOf(lane));
      const consumer: Consumer = { window, handler, paused: false, unsettled: new Map() };
      queue.consumers.add(consumer);
      mine.add(consumer);
      queueMicrotask(() => handOut(queue));
      return {
        pause(paused) {
          consumer.paused = paused;
          if (!paused) handOut(queue);
        },
        close: () => Promise.resolve(putBack(queue, consumer)),
      };
    },
    depth(lane) {
      const queue = queueOf(nameOf(lane));
      return Promise.resolve([...queue.consumers].reduce((sum, { unsettled }) => sum + unsettled.size, queue.waiting.length));
    },
    async forget(lane) {
      guard();
      disk.queues.delete(nameOf(lane));
    },
    async request(topic, envelope, timeout) {
      guard();
      const handler = responders.get(topic)?.[0];
      if (!handler) throw new BusError("endpoint-unreachable", `nobody answers requests of \`${topic}\``);
      let timer: NodeJS.Timeout | undefined;
      const late = new Promise<never>((_resolve, reject) => {
        timer = setTimeout(() => reject(new BusError("attempt-timeout", `no answer within ${timeout} ms`)), timeout);
      });
      return Promise.race([handler(envelope), late]).finally(() => clearTimeout(timer));
    },
    async respond(topic, handler) {
      guard();
      responders.set(topic, [...(responders.get(topic) ?? []), handler]);
      return {
        state: () => Promise.resolve({ floor: 0, lag: 0, inFlight: 0, waiting: 0, blockedKeys: 0 }),
        pause: () => undefined,
        close() {
          responders.set(
            topic,
            (responders.get(topic) ?? []).filter((other) => other !== handler),
          );
          return Promise.resolve();
        },
      };
    },
    onReconnect: (listener) => void listeners.push(listener),
    hazards: () => Promise.resolve([]),
    close() {
      closed = true;
      for (const queue of disk.queues.values()) for (const consumer of queue.consumers) if (mine.has(consumer)) putBack(queue, consumer);
      return Promise.resolve();
    },
    wipe() {
      for (const queue of disk.queues.values()) {
        queue.waiting.length = 0;
        for (const consumer of queue.consumers) consumer.unsettled.clear();
      }
    },
    reconnect() {
      for (const queue of disk.queues.values()) {
        for (const consumer of queue.consumers) {
          const back = [...consumer.unsettled.keys()].sort((a, b) => a.message.position - b.message.position);
          consumer.unsettled.clear();
          queue.waiting.unshift(...back);
        }
        queueMicrotask(() => handOut(queue));
      }
      for (const listener of listeners) listener();
    },
  };
}
