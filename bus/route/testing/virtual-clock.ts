/** A clock that stands still until it is moved; route tests and the suites run on the same one. */
import type { Clock } from "../../ports.ts";

export type VirtualClock = Clock &
  Readonly<{
    /** Moves on by `ms`, waking every sleeper in its order and letting what it wakes run before the next. */
    advance(ms: number): Promise<void>;
    /** Wakes sleepers, one moment after the other, until `done` settles; gives up after `most` milliseconds of virtual time. */
    until<T>(done: Promise<T>, most?: number): Promise<T>;
    /** Lets everything run that needs no time. */
    settle(): Promise<void>;
    /** How many sleep. */
    readonly sleepers: number;
  }>;

type Sleeper = { at: number; order: number; wake: () => void };

export function createVirtualClock(start = Date.UTC(2026, 0, 5, 9)): VirtualClock {
  let time = start;
  let order = 0;
  const sleepers = new Set<Sleeper>();

  function next(): Sleeper | undefined {
    let first: Sleeper | undefined;
    for (const sleeper of sleepers) {
      if (!first || sleeper.at < first.at || (sleeper.at === first.at && sleeper.order < first.order)) first = sleeper;
    }
    return first;
  }

  async function wakeUntil(end: number, stop: () => boolean): Promise<void> {
    await settle();
    for (;;) {
      const sleeper = next();
      if (stop() || !sleeper || sleeper.at > end) return;
      time = Math.max(time, sleeper.at);
      sleepers.delete(sleeper);
      sleeper.wake();
      await settle();
    }
  }

  return {
    now: () => time,
    sleep: (ms, signal) =>
      new Promise<void>((resolve, reject) => {
        if (signal?.aborted) {
          reject(signal.reason as Error);
          return;
        }
        const abort = (): void => {
          sleepers.delete(sleeper);
          reject(signal?.reason as Error);
        };
        const sleeper: Sleeper = {
          at: time + Math.max(0, ms),
          order: order++,
          wake: () => {
            signal?.removeEventListener("abort", abort);
            resolve();
          },
        };
        sleepers.add(sleeper);
        signal?.addEventListener("abort", abort, { once: true });
      }),
    async advance(ms) {
      const end = time + ms;
      await wakeUntil(end, () => false);
      time = end;
      await settle();
    },
    async until(done, most = 48 * 3_600_000) {
      let over = false;
      const mark = (): void => {
        over = true;
      };
      done.then(mark, mark);
      await wakeUntil(time + most, () => over);
      if (!over) throw new Error(`still not settled after ${most} ms of virtual time, ${sleepers.size} sleepers`);
      return done;
    },
    settle,
    get sleepers() {
      return sleepers.size;
    },
  };
}

/** Two turns of the event loop: every chain of promises that needs no timer has then run out. */
async function settle(): Promise<void> {
  for (let turn = 0; turn < 2; turn++) await new Promise((resolve) => setImmediate(resolve));
}
