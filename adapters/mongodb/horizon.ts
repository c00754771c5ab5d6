/**
 * How far the log is final: up to the first hole. Reads end here, so what they returned never gets a new record below it. A hole that is
 * seen for as long as the lease is closed.
 */
import { setTimeout as sleep } from "node:timers/promises";
import type { ClientSession } from "mongodb";
import type { Connection } from "./connection.ts";
import type { Log } from "./log.ts";

const PAGE = 4_096;
const PAUSE = 20;

export type Horizon = Readonly<{
  /** Last position that is known to be final. */
  at(): number;
  /** Looks how far it is now: never less than what was final when it was called. */
  look(): Promise<number>;
  /** All of this range is filled. */
  filled(first: number, last: number): void;
  /** Waits until the position is final, at most so long. */
  reach(position: number, ms: number): Promise<void>;
}>;

export function openHorizon(connection: Connection, log: Log, lease: number): Horizon {
  let at = 0;
  let hole: { position: number; since: number } | undefined;
  let running: Promise<number> | undefined;
  let waiting: Promise<number> | undefined;

  const raise = (position: number): void => {
    if (position > at) at = position;
  };

  /** One page of positions after the last final one. True = look again. */
  const step = async (session: ClientSession | undefined): Promise<boolean> => {
    const { next, stable, floor } = await log.counter(session);
    raise(Math.max(stable, floor));
    if (at >= next) {
      hole = undefined;
      return false;
    }
    const options = { projection: { _id: 1 }, ...(session === undefined ? {} : { session }) };
    const page = await log.rows
      .find({ _id: { $gt: at } }, options)
      .sort({ _id: 1 })
      .limit(PAGE)
      .toArray();
    let final = at;
    for (const { _id } of page) {
      if (_id <= final) continue;
      if (_id !== final + 1) {
        raise(final);
        return patch(final + 1, _id);
      }
      final = _id;
    }
    raise(final);
    hole = undefined;
    return page.length === PAGE;
  };

  const patch = async (first: number, end: number): Promise<boolean> => {
    const now = performance.now();
    if (hole?.position !== first) hole = { position: first, since: now };
    if (now - hole.since < lease) return false;
    hole = undefined;
    await log.close(Array.from({ length: Math.min(end - first, PAGE) }, (_, n) => first + n));
    return true;
  };

  const run = async (): Promise<number> => {
    try {
      await connection.run("journal-failed", "read the journal", () =>
        connection.inOrder(async (session) => {
          while (await step(session));
        }),
      );
      return at;
    } catch (error) {
      // While the server is away nobody can write: the time does not count against the hole's writer.
      hole = undefined;
      throw error;
    }
  };
  const begin = (): Promise<number> => {
    waiting = undefined;
    const mine = run().finally(() => {
      if (running === mine) running = undefined;
    });
    running = mine;
    return mine;
  };

  const look = (): Promise<number> => {
    if (running === undefined) return begin();
    // One that began earlier may have looked too early: all who come now share the next.
    waiting ??= running.then(begin, begin);
    return waiting;
  };
  return {
    at: () => at,
    look,
    filled(first, last) {
      if (first <= at + 1) raise(last);
    },
    async reach(position, ms) {
      const until = performance.now() + ms;
      for (let final = at; final < position && performance.now() < until;) {
        final = await look();
        if (final < position) await sleep(PAUSE);
      }
    },
  };
}
