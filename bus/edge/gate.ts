import { BusError } from "../errors.ts";

/** Bounds the unfinished messages of one inlet, and lets `close` wait for them. */
export type Gate = Readonly<{
  /** Undefined = come in, and call `leave` at the end; otherwise why not. */
  enter(): BusError | undefined;
  leave(): void;
  /** Lets nobody in any more; resolves when all have left, or after `timeout` milliseconds. */
  close(timeout: number): Promise<void>;
}>;

export function createGate(limit: number): Gate {
  let inside = 0;
  let closed = false;
  const empty = Promise.withResolvers<void>();
  return {
    enter() {
      if (closed) return new BusError("bus-stopping", "the bus is stopping and takes no new messages", { retryAfter: 5000 });
      if (inside >= limit)
        return new BusError("inlet-busy", `${limit} messages are unfinished here, which is the limit; try again soon`, {
          retryAfter: 1000,
        });
      inside += 1;
      return undefined;
    },
    leave() {
      inside -= 1;
      if (closed && inside === 0) empty.resolve();
    },
    async close(timeout) {
      closed = true;
      if (inside === 0) return;
      const timer = setTimeout(empty.resolve, timeout);
      await empty.promise;
      clearTimeout(timer);
    },
  };
}
