/** Work that runs once at a time. All who ask while it runs share the next run: it begins after they asked, so it sees what they did. */

export type Shared = Readonly<{
  run: () => Promise<void>;
  /** When nothing of it runs or waits; however it ended. */
  settled: () => Promise<void>;
}>;

export function createShared(work: () => Promise<void>): Shared {
  let running: Promise<void> = Promise.resolve();
  let next: Promise<void> | undefined;
  return {
    run() {
      next ??= running
        .catch(() => undefined)
        .then(() => {
          next = undefined;
          return work();
        });
      running = next;
      return next;
    },
    settled: () => running.catch(() => undefined),
  };
}
