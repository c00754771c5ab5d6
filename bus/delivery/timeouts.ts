/**
 * Many deadlines on one sleeping clock. A call that is answered in time costs two pushes into an array and no timer: only the
 * earliest deadline sleeps, and finished calls are swept when they outnumber the running ones.
 */
import type { Clock } from "../ports.ts";

/** A deadline that was set. `done` makes it never fire. */
export type Deadline = { at: number; fire: (() => void) | undefined };

export interface Timeouts {
  /** Calls `fire` once when the clock reaches `at` (milliseconds since the epoch). */
  add(at: number, fire: () => void): Deadline;
  done(deadline: Deadline): void;
  /** Nothing fires any more. */
  close(): void;
}

export function createTimeouts(clock: Clock): Timeouts {
  const heap: Deadline[] = [];
  let finished = 0;
  let wake: AbortController | undefined;
  let wakesAt = Number.POSITIVE_INFINITY;
  let closed = false;

  async function watch(): Promise<void> {
    while (dropFinished()) {
      const first = heap[0];
      if (!first) break;
      const controller = new AbortController();
      wake = controller;
      wakesAt = first.at;
      // an earlier deadline or close cuts the sleep short; either way the loop looks again
      await clock.sleep(Math.min(Math.max(0, first.at - clock.now()), LONGEST_SLEEP), controller.signal).catch(() => undefined);
      fireDue();
    }
    wake = undefined;
    wakesAt = Number.POSITIVE_INFINITY;
  }

  /** Leaves a running deadline at the top. False = none is running. */
  function dropFinished(): boolean {
    while (heap[0] && heap[0].fire === undefined) {
      pop(heap);
      finished--;
    }
    return heap.length > 0;
  }

  function fireDue(): void {
    const now = clock.now();
    while (dropFinished() && heap[0] && heap[0].at <= now) {
      const due = pop(heap);
      const fire = due?.fire;
      if (due) due.fire = undefined;
      fire?.();
    }
  }

  return {
    add(at, fire) {
      const deadline: Deadline = { at, fire };
      if (closed) return deadline;
      push(heap, deadline);
      if (wake === undefined) void watch();
      else if (at < wakesAt) wake?.abort(CUT_SHORT);
      return deadline;
    },
    done(deadline) {
      if (deadline.fire === undefined) return;
      deadline.fire = undefined;
      finished++;
      if (finished > 64 && finished * 2 > heap.length) finished -= sweep(heap);
    },
    close() {
      closed = true;
      heap.length = 0;
      wake?.abort(CUT_SHORT);
    },
  };
}

/** Timers hold no longer wait (2³¹ − 1 ms, 24 days); the watch then looks and sleeps again. */
const LONGEST_SLEEP = 2_147_483_647;

/** Made once: an error with a stack is the dear part of an abort. */
const CUT_SHORT = new Error("woken early");

function push(heap: Deadline[], deadline: Deadline): void {
  let at = heap.push(deadline) - 1;
  while (at > 0) {
    const parent = (at - 1) >> 1;
    const above = heap[parent];
    if (!above || above.at <= deadline.at) break;
    heap[at] = above;
    heap[parent] = deadline;
    at = parent;
  }
}

function pop(heap: Deadline[]): Deadline | undefined {
  const top = heap[0];
  const last = heap.pop();
  if (!last || heap.length === 0) return top;
  sink(heap, 0, last);
  return top;
}

function sink(heap: Deadline[], start: number, item: Deadline): void {
  let at = start;
  for (;;) {
    let child = at * 2 + 1;
    const left = heap[child];
    const right = heap[child + 1];
    if (left && right && right.at < left.at) child++;
    const below = heap[child];
    if (!below || below.at >= item.at) break;
    heap[at] = below;
    at = child;
  }
  heap[at] = item;
}

/** Takes the finished ones out and orders the rest anew; gives how many went. A sorted array is a heap. */
function sweep(heap: Deadline[]): number {
  const running = heap.filter((deadline) => deadline.fire !== undefined).sort((a, b) => a.at - b.at);
  const gone = heap.length - running.length;
  heap.length = 0;
  for (const deadline of running) heap.push(deadline);
  return gone;
}
