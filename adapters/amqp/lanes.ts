/**
 * Taking from lanes. Each lane has a channel, so that a fault of one stops no other. A lane is declared anew with each channel: after
 * the server lost its data, or somebody deleted the queue, it is there again and gets what is sent from then on.
 */
import type { ConfirmChannel, ConsumeMessage } from "amqplib";
import type { Lane, Taken, Taking } from "#bus/broker.ts";
import { asBusError, BusError } from "#bus/errors.ts";
import { readCarried } from "./carry.ts";
import { openChannel, shut, tend, type Tended } from "./channel.ts";
import type { Link } from "./connection.ts";
import type { Names } from "./names.ts";
import { createSettling, type Settling } from "./settling.ts";
import { declareBase, declareLane } from "./topology.ts";

export interface Lanes {
  take(lane: Lane, window: number, handler: (message: Taken) => void): Promise<Taking>;
  depth(lane: Lane): Promise<number | undefined>;
  /** Deletes the queue with what it holds, where it is. */
  forget(lane: Lane): Promise<void>;
  /** Lanes of ours that hold messages of this routing key. */
  of(this: void, key: string): readonly Tended[];
  /** Resolves when every lane is there, or after `ms`. */
  settled(ms: number): Promise<void>;
  close(): Promise<void>;
}

/**
 * A server that is killed within half a second after a queue was declared forgets the queue's data, and the queue never has a leader
 * again. The journal still has its messages, so after this many tries of this many milliseconds it is deleted and made anew.
 */
const GIVE_UP_AFTER = 2;
const LEADERLESS = 10_000;

type OpenLane = { readonly key: string; readonly tended: Tended; readonly held: () => number; readonly close: () => Promise<void> };

export function createLanes(link: Link, names: Names): Lanes {
  const open = new Map<string, Set<OpenLane>>();

  const start = (lane: Lane, window: number, handler: (message: Taken) => void): Readonly<{ opened: OpenLane; taking: Taking }> => {
    const queue = names.lane(lane);
    let paused = false;
    let settling: Settling | undefined;
    let waiting: ConsumeMessage[] = [];
    const hand = (message: ConsumeMessage, by: Settling): void => {
      if (by !== settling) return;
      const taken = read(message, by.take(message));
      if (taken === undefined) return by.drop(message);
      try {
        handler(taken);
      } catch (error) {
        link.options.onError(asBusError(error));
      }
    };
    const read = (message: ConsumeMessage, settle: () => void): Taken | undefined => {
      try {
        return { ...readCarried(message.content), redelivered: message.fields.redelivered, settle };
      } catch (error) {
        const text = `a message of the queue ${queue} cannot be read and goes to ${names.dead}`;
        link.options.onError(new BusError("unexpected", text, { cause: error }));
        return undefined;
      }
    };
    const forget = (): void => {
      settling?.end();
      settling = undefined;
      waiting = [];
    };
    let leaderless = 0;
    const prepare = async (channel: ConfirmChannel): Promise<void> => {
      await declareBase(channel, names);
      if (leaderless >= GIVE_UP_AFTER) {
        leaderless = 0;
        link.options.onError(new BusError("transport-unavailable", `the queue ${queue} has no leader: it is deleted and made anew`));
        await channel.deleteQueue(queue);
      }
      await declareLane(channel, names, lane);
      await channel.prefetch(window);
      const mine = createSettling(channel);
      forget();
      settling = mine;
      const onMessage = (message: ConsumeMessage | null): void => {
        // The queue was deleted, or its server left: both are mended by a new channel.
        if (message === null) return tended.renew();
        if (mine !== settling) return;
        if (paused) waiting.push(message);
        else hand(message, mine);
      };
      const hangs = setTimeout(() => (leaderless += 1), LEADERLESS);
      try {
        await channel.consume(queue, onMessage);
        leaderless = 0;
      } finally {
        clearTimeout(hangs);
      }
    };
    const tended = tend(link, { prepare, lost: forget });
    let ending: Promise<void> | undefined;
    const end = async (): Promise<void> => {
      open.get(queue)?.delete(opened);
      settling?.flush();
      const closing = tended.close();
      forget();
      await closing;
    };
    const close = (): Promise<void> => (ending ??= end());
    const held = (): number => (settling?.unsettled() ?? 0) + waiting.length;
    const opened: OpenLane = { key: names.key(lane.topic, lane.partition), tended, held, close };
    const taking: Taking = {
      pause(now) {
        paused = now;
        if (paused || settling === undefined) return;
        const mine = settling;
        for (const message of waiting.splice(0)) hand(message, mine);
      },
      close,
    };
    return { opened, taking };
  };

  return {
    async take(lane, window, handler) {
      const { opened, taking } = start(lane, window, handler);
      const queue = names.lane(lane);
      const takers = open.get(queue) ?? new Set();
      open.set(queue, takers.add(opened));
      try {
        await opened.tended.ready();
      } catch (error) {
        await taking.close();
        throw error;
      }
      return taking;
    },
    async depth(lane) {
      const queue = names.lane(lane);
      const channel = await openChannel(await link.connected(), link.options.onError);
      try {
        const { messageCount, consumerCount } = await channel.checkQueue(queue);
        const ours = [...(open.get(queue) ?? [])];
        // What another process holds unsettled is not told by the protocol.
        if (consumerCount > ours.length) return undefined;
        return ours.reduce((sum, each) => sum + each.held(), messageCount);
      } catch (error) {
        if (error instanceof Error && "code" in error && error.code === 404) return 0;
        if (link.model() === undefined) throw link.away();
        return undefined;
      } finally {
        void shut(channel);
      }
    },
    async forget(lane) {
      const channel = await openChannel(await link.connected(), link.options.onError);
      try {
        await channel.deleteQueue(names.lane(lane)); // the server says nothing of one that is not there
      } catch (error) {
        throw link.model() === undefined ? link.away() : asBusError(error);
      } finally {
        void shut(channel);
      }
    },
    of: (key) => [...open.values()].flatMap((takers) => [...takers].filter((each) => each.key === key).map((each) => each.tended)),
    async settled(ms) {
      const all = [...open.values()].flatMap((takers) => [...takers].map((each) => each.tended.ready().catch(() => undefined)));
      let timer: NodeJS.Timeout | undefined;
      await Promise.race([Promise.all(all), new Promise((resolve) => (timer = setTimeout(resolve, ms)))]);
      clearTimeout(timer);
    },
    async close() {
      await Promise.all([...open.values()].flatMap((takers) => [...takers].map((each) => each.close())));
    },
  };
}
