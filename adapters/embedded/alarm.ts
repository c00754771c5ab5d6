/** Wakes a group when the earliest of its waits is over. A heap by time, and one sleep on the clock at a time. */
import type { Clock } from "#bus/ports.ts";

export type Alarm = Readonly<{ set(at: number, position: number): void; close(): void }>;
type Entry = Readonly<{ at: number; position: number }>;

/** `ring` gets the positions that are due, earliest first. */
export function newAlarm(clock: Clock, ring: (positions: readonly number[]) => void): Alarm {
  const heap: Entry[] = [];
  let sleeping: { until: number; abort: AbortController } | undefined;
  let closed = false;

  const wake = (): void => {
    sleeping = undefined;
    if (closed) return;
    const now = clock.now();
    const positions: number[] = [];
    while (heap[0] !== undefined && heap[0].at <= now) positions.push(pop(heap));
    if (positions.length > 0) ring(positions);
    arm();
  };
  const arm = (): void => {
    const first = heap[0];
    if (closed || first === undefined || (sleeping !== undefined && sleeping.until <= first.at)) return;
    sleeping?.abort.abort();
    const mine = { until: first.at, abort: new AbortController() };
    sleeping = mine;
    clock.sleep(Math.max(0, first.at - clock.now()), mine.abort.signal).then(
      () => {
        if (sleeping === mine) wake();
      },
      () => undefined,
    );
  };
  return {
    set(at, position) {
      push(heap, { at, position });
      arm();
    },
    close() {
      closed = true;
      sleeping?.abort.abort();
    },
  };
}

function push(heap: Entry[], entry: Entry): void {
  let at = heap.push(entry) - 1;
  while (at > 0) {
    const up = (at - 1) >> 1;
    const above = heap[up];
    if (above === undefined || above.at <= entry.at) break;
    heap[at] = above;
    at = up;
  }
  heap[at] = entry;
}

/** Takes the earliest; the heap must not be empty. */
function pop(heap: Entry[]): number {
  const first = heap[0];
  const last = heap.pop();
  if (first === undefined || last === undefined) throw new RangeError("no wait is set");
  if (heap.length === 0) return first.position;
  let at = 0;
  for (;;) {
    let down = at * 2 + 1;
    const left = heap[down];
    if (left === undefined) break;
    const right = heap[down + 1];
    if (right !== undefined && right.at < left.at) down++;
    const lower = heap[down];
    if (lower === undefined || lower.at >= last.at) break;
    heap[at] = lower;
    at = down;
  }
  heap[at] = last;
  return first.position;
}
