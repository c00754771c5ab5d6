/** The group cursor against a model that remembers everything: what was handed out, what ended, and what a new process is told. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { createCursor, type CursorDocument, type GroupCursor } from "./cursor.ts";

type Values = Pick<CursorDocument, "floor" | "count" | "done" | "reach">;
const BEGIN: Values = { floor: 0, count: 0, done: [], reach: 0 };

/** Steps of a process: which message of the chain arrives, which of the handed out ones ends, a write, a death, an orderly end. */
type Step =
  | Readonly<{ do: "arrive" }>
  | Readonly<{ do: "again"; back: number }>
  | Readonly<{ do: "skip"; ahead: number }>
  | Readonly<{ do: "finish"; which: number }>
  | Readonly<{ do: "write"; stride: number }>
  | Readonly<{ do: "die" }>
  | Readonly<{ do: "close" }>;

const small = fc.nat({ max: 9 });
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 6, arbitrary: fc.constant<Step>({ do: "arrive" }) },
  { weight: 1, arbitrary: small.map((back): Step => ({ do: "again", back })) },
  { weight: 1, arbitrary: small.map((ahead): Step => ({ do: "skip", ahead })) },
  { weight: 6, arbitrary: small.map((which): Step => ({ do: "finish", which })) },
  { weight: 2, arbitrary: small.map((stride): Step => ({ do: "write", stride })) },
  { weight: 1, arbitrary: fc.constant<Step>({ do: "die" }) },
  { weight: 1, arbitrary: fc.constant<Step>({ do: "close" }) },
);
const chains = fc.array(fc.integer({ min: 1, max: 5 }), { minLength: 1, maxLength: 40 }).map((gaps) => {
  let position = 0;
  return gaps.map((gap) => (position += gap));
});

/** A group at work over a chain of positions. Every promise of the cursor is checked after every step. */
function model(chain: readonly number[]) {
  let kept = BEGIN;
  let cursor: GroupCursor = createCursor(kept);
  /** Taken in this life and not finished; ever handed to a handler; ever finished. */
  let running: number[] = [];
  const handed = new Set<number>();
  const ended = new Set<number>();

  const at = (position: number): number => chain.indexOf(position);
  const before = (position: number): number => chain[at(position) - 1] ?? 0;
  const following = (): number | undefined => chain.find((position) => position > cursor.seen());

  function finish(position: number): void {
    ended.add(position);
    cursor.finish(position);
    running = running.filter((other) => other !== position);
  }

  function arrive(position: number): void {
    expect(cursor.arrive(position, before(position))).toBe("next");
    if (cursor.wasDone(position)) {
      expect(ended.has(position), `${position} was called done`).toBe(true);
      cursor.finish(position);
      return;
    }
    if (handed.has(position)) expect(cursor.maybeBefore(position), `${position} was handed out before and is not said so`).toBe(true);
    running.push(position);
    if (position > cursor.reach()) write(3); // nothing above the reach goes to a handler
    handed.add(position);
  }

  function write(stride: number): void {
    const reach = Math.max(cursor.reach(), cursor.seen() + stride);
    kept = cursor.snapshot(reach);
    expect(cursor.reach()).toBe(reach);
  }

  function open(): void {
    cursor = createCursor(structuredClone(kept));
    running = [];
  }

  return {
    run(one: Step): void {
      const next = following();
      switch (one.do) {
        case "arrive":
          if (next !== undefined) arrive(next);
          break;
        case "again": {
          const had = chain.filter((position) => position <= cursor.seen());
          const position = had[one.back % Math.max(1, had.length)];
          if (position !== undefined) expect(cursor.arrive(position, before(position))).toBe("had");
          break;
        }
        case "skip": {
          const beyond = chain[at(next ?? Number.NaN) + 1 + one.ahead];
          if (next !== undefined && beyond !== undefined) expect(cursor.arrive(beyond, before(beyond))).toBe("gap");
          break;
        }
        case "finish": {
          const position = running[one.which % Math.max(1, running.length)];
          if (position !== undefined) finish(position);
          break;
        }
        case "write":
          write(one.stride);
          break;
        case "die":
          open();
          break;
        case "close":
          kept = cursor.snapshot(cursor.handedOut());
          open();
          break;
      }
      this.holds();
    },
    holds(): void {
      const { floor, count, done } = cursor.snapshot(cursor.reach());
      for (const position of chain.filter((one) => one <= floor)) expect(ended.has(position), `${position} is below the floor`).toBe(true);
      for (const position of done) expect(ended.has(position), `${position} is written as done`).toBe(true);
      expect(count).toBe(chain.filter((position) => position <= floor).length);
      expect(cursor.taken()).toBe(chain.filter((position) => position <= cursor.seen()).length);
      expect(cursor.unfinished()).toBe(running.length);
      expect(cursor.lowest()).toBe(running.length > 0 ? Math.min(...running) : undefined);
    },
    end(): void {
      open();
      for (let next = following(); next !== undefined; next = following()) {
        arrive(next);
        if (running.includes(next)) finish(next);
      }
      this.holds();
      expect([...ended].sort((a, b) => a - b)).toEqual(chain);
      expect(cursor.snapshot(0)).toMatchObject({ floor: chain.at(-1), count: chain.length, done: [] });
    },
  };
}

describe("a group's cursor", () => {
  it("forgets no unfinished message and says of each that may come again that it may, whatever happens when", () => {
    fc.assert(
      fc.property(chains, fc.array(step, { maxLength: 120 }), (chain, steps) => {
        const world = model(chain);
        for (const one of steps) world.run(one);
        world.end();
      }),
      { numRuns: 400 },
    );
  });

  it("takes a message only behind the one it names", () => {
    const cursor = createCursor({ ...BEGIN, floor: 5, count: 2 });
    expect(cursor.arrive(9, 7)).toBe("gap");
    expect(cursor.arrive(7, 5)).toBe("next");
    expect(cursor.arrive(9, 7)).toBe("next");
    expect(cursor.arrive(7, 5)).toBe("had");
    expect(cursor.seen()).toBe(9);
  });

  it("takes no message whose sender does not know the one before: it asks", () => {
    expect(createCursor(BEGIN).arrive(1, -1)).toBe("gap");
  });

  it("takes one that names a message long done, for the sender began anew from there", () => {
    const cursor = createCursor({ ...BEGIN, floor: 50, count: 9 });
    expect(cursor.arrive(60, 40)).toBe("next");
  });

  it("keeps what was done above a message that has not come again yet", () => {
    const first = createCursor(BEGIN);
    for (const [position, after] of [
      [1, 0],
      [2, 1],
      [3, 2],
    ] as const)
      first.arrive(position, after);
    first.finish(3);
    const second = createCursor(first.snapshot(10));
    second.arrive(1, 0);
    second.finish(1);
    const third = createCursor(second.snapshot(10));
    expect(third.snapshot(10)).toMatchObject({ floor: 1, count: 1, done: [3] });
    expect(third.wasDone(3)).toBe(true);
    expect(third.wasDone(2)).toBe(false);
  });

  it("ended in good order, reaches no further than what a handler had", () => {
    const cursor = createCursor(BEGIN);
    cursor.arrive(4, 0);
    cursor.arrive(7, 4);
    cursor.snapshot(10_007);
    expect(cursor.handedOut()).toBe(7);
    cursor.finish(4);
    cursor.finish(7);
    expect(cursor.handedOut()).toBe(7);
  });

  it("ended before all of a former life came again, still covers that life", () => {
    const cursor = createCursor({ ...BEGIN, reach: 10_000 });
    cursor.arrive(1, 0);
    cursor.finish(1);
    expect(cursor.handedOut()).toBe(10_000);
    expect(createCursor(cursor.snapshot(cursor.handedOut())).maybeBefore(200)).toBe(true);
  });

  it("stays exact over many thousands, finished from the far end", () => {
    const cursor = createCursor(BEGIN);
    const most = 5_000;
    for (let position = 1; position <= most; position++) cursor.arrive(position, position - 1);
    for (let position = most; position > 1; position--) cursor.finish(position);
    expect(cursor.snapshot(most)).toMatchObject({ floor: 0, count: 0 });
    expect(cursor.lowest()).toBe(1);
    cursor.finish(1);
    expect(cursor.snapshot(most)).toEqual({ floor: most, count: most, done: [], reach: most });
    cursor.arrive(most + 1, most);
    expect(cursor.taken()).toBe(most + 1);
    expect(cursor.unfinished()).toBe(1);
  });
});
