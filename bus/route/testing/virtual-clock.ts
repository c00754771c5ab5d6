/** Time that stands still until somebody moves it; the same clock serves route tests and the suites. */
import type { Clock } from "../../ports.ts";

type Sleeper = { due: number; order: number; wake: () => void };

export interface VirtualClock extends Clock {
  /** Moves time on by `ms`, waking sleepers in order of their time; each may sleep again within the same move. */
  advance(ms: number): Promise<void>;
  /** Moves to the next sleeper's time and wakes it; false when nobody sleeps. */
  next(): Promise<boolean>;
  /** How many sleep now. */
  readonly sleeping: number;
}

/** Turns of the event loop given to whoever was woken, so that chains of promises settle before time moves on. */
const SETTLE_TURNS = 3;

export function createVirtualClock(start: number): VirtualClock {
  let now = start;
  let order = 0;
  const sleepers = new Set<Sleeper>();

  const first = (): Sleeper | undefined => {
    let found: Sleeper | undefined;
    for (const one of sleepers) {
      if (found === undefined || one.due < found.due || (one.due === found.due && one.order < found.order)) found = one;
    }
    return found;
  };
  const wake = async (sleeper: Sleeper): Promise<void> => {
    now = Math.max(now, sleeper.due);
    sleepers.delete(sleeper);
    sleeper.wake();
    await settle();
  };

  return {
    now: () => now,
    get sleeping() {
      return sleepers.size;
    },
    sleep: (ms, signal) =>
      new Promise((resolve, reject) => {
        if (signal?.aborted === true) {
          reject(signal.reason as Error);
          return;
        }
        const aborted = (): void => {
          sleepers.delete(sleeper);
          reject(signal?.reason as Error);
        };
        const sleeper: Sleeper = {
          due: now + Math.max(0, ms),
          order: order++,
          wake: () => {
            signal?.removeEventListener("abort", aborted);
            resolve();
          },
        };
        sleepers.add(sleeper);
        signal?.addEventListener("abort", aborted, { once: true });
      }),
    async advance(ms) {
      const until = now + ms;
      await settle();
      for (let sleeper = first(); sleeper !== undefined && sleeper.due <= until; sleeper = first()) await wake(sleeper);
      now = until;
    },
    async next() {
      await settle();
      const sleeper = first();
      if (sleeper === undefined) return false;
      await wake(sleeper);
      return true;
    },
  };
}

async function settle(): Promise<void> {
  for (let turn = 0; turn < SETTLE_TURNS; turn++) await new Promise((resolve) => setImmediate(resolve));
}

/** Runs `work`, moving time on whenever all of it waits; time moves at most `limit` ms in all. */
export async function runOn<T>(clock: VirtualClock, work: Promise<T>, limit = 366 * 24 * 3_600_000): Promise<T> {
  const end = clock.now() + limit;
  let done = false;
  const settled = work.finally(() => {
    done = true;
  });
  settled.catch(() => undefined); // awaited below; this only keeps an early failure from counting as unhandled
  for (let idle = 0; idle < 1_000 && clock.now() < end;) {
    const moved = await clock.next();
    if (done) break;
    idle = moved ? 0 : idle + 1;
  }
  if (!done) throw new Error("the work waits for something that is not this clock");
  return settled;
}
