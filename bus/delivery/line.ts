/** A waiting line: first come, first served; who leaves (by his signal) leaves no gap. Whoever opens one bounds its size. */
type Waiter<T> = { resolve: (value: T) => void; leave: () => void; signal: AbortSignal };

export interface Line<T> {
  readonly size: number;
  /** Waits for `give`; rejects with the signal's reason. */
  wait(signal: AbortSignal): Promise<T>;
  /** Hands the value to the first in the line; false = nobody waits. */
  give(value: T): boolean;
}

export function createLine<T>(): Line<T> {
  const waiters = new Set<Waiter<T>>(); // keeps the order of insertion, and removal costs nothing
  return {
    get size() {
      return waiters.size;
    },
    wait(signal) {
      return new Promise<T>((resolve, reject) => {
        if (signal.aborted) {
          reject(reasonOf(signal));
          return;
        }
        const leave = (): void => {
          waiters.delete(waiter);
          reject(reasonOf(signal));
        };
        const waiter: Waiter<T> = { resolve, leave, signal };
        waiters.add(waiter);
        signal.addEventListener("abort", leave, { once: true });
      });
    },
    give(value) {
      for (const waiter of waiters) {
        waiters.delete(waiter);
        waiter.signal.removeEventListener("abort", waiter.leave);
        waiter.resolve(value);
        return true;
      }
      return false;
    },
  };
}

/** The reason of an aborted signal, always an Error. */
export function reasonOf(signal: AbortSignal): Error {
  return signal.reason instanceof Error ? signal.reason : new Error("the call was given up", { cause: signal.reason });
}
