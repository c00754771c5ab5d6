/**
 * How often something is done that costs a server: the longer the last time took, the longer it waits for the next, so that all who ask
 * one slow server leave it most of its time for the work itself.
 */
import type { Clock } from "../ports.ts";

export interface Pace {
  /** Milliseconds until the next time, counted from the end of the last. */
  rest(): number;
  due(): boolean;
  timed<T>(work: () => Promise<T>): Promise<T>;
}

/** `share`: the rest is so many times what the work took, from `least` up to `most` milliseconds. */
export function createPace(clock: Clock, { least, most, share }: Readonly<{ least: number; most: number; share: number }>): Pace {
  let ended = Number.NEGATIVE_INFINITY;
  let took = 0;
  const rest = (): number => Math.min(most, Math.max(least, took * share));
  return {
    rest,
    due: () => clock.now() - ended >= rest(),
    async timed(work) {
      const began = clock.now();
      try {
        return await work();
      } finally {
        ended = clock.now();
        took = Math.max(0, ended - began);
      }
    },
  };
}
