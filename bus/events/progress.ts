/**
 * How far a group has come, to be written down: everything below `next` is done, and of what lies above, `done`. Its size follows what
 * is unfinished, never the backlog. Pure.
 */

export type ProgressDocument = Readonly<{ next: number; done: readonly number[] }>;

export interface Progress {
  /** First position that was not looked at. */
  readonly scan: number;
  /** Everything below this position was looked at. */
  scanned(position: number): void;
  /** Was it finished in an earlier life? */
  finishedBefore(position: number): boolean;
  /** A message was taken from the log. Positions grow. */
  taken(position: number): void;
  finished(position: number): void;
  /** Messages taken and not finished, and those finished above the first of them. */
  readonly open: number;
  readonly ahead: number;
  document(): ProgressDocument;
}

export function createProgress(from: ProgressDocument): Progress {
  const before = new Set(from.done);
  const open = new Set<number>();
  const done = new Set(from.done);
  let scan = from.next;
  const floor = (): number => {
    for (const first of open) return first; // in order of position: that is how they were taken
    return scan;
  };
  return {
    get scan() {
      return scan;
    },
    get open() {
      return open.size;
    },
    get ahead() {
      return done.size;
    },
    scanned(position) {
      scan = Math.max(scan, position);
    },
    finishedBefore: (position) => before.has(position),
    taken(position) {
      open.add(position);
      scan = Math.max(scan, position + 1);
    },
    finished(position) {
      if (!open.delete(position)) return;
      done.add(position);
      if (open.size === 0) done.clear();
    },
    document() {
      const next = floor();
      for (const position of done) if (position < next) done.delete(position);
      // what an earlier life finished ahead is not looked at yet, and must be remembered until it is
      const ahead = new Set([...done, ...[...before].filter((position) => position >= scan)]);
      return { next, done: [...ahead].filter((position) => position >= next).sort((a, b) => a - b) };
    },
  };
}
