/** Order per key: one head a key, the rest behind it in order, and what a waiting head blocks is counted. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { createKeys, type Work } from "./keys.ts";

const work = (position: number, key?: string): Work => ({
  position,
  key,
  attempts: 0,
  firstAt: 0,
  again: false,
  parked: false,
  due: 0,
  state: "behind",
});

const positions = (works: readonly Work[]): readonly number[] => works.map(({ position }) => position);

describe("keys in order", () => {
  it("let one message of a key go, and the next when it is done", () => {
    const keys = createKeys(true);
    const [a, b, c] = [work(1, "k"), work(2, "k"), work(3, "k")];
    expect([keys.enter(a), keys.enter(b), keys.enter(c)]).toEqual([true, false, false]);
    expect(positions(keys.behind(a))).toEqual([2, 3]);
    expect(keys.leave(a)).toBe(b);
    expect(keys.leave(b)).toBe(c);
    expect(keys.leave(c)).toBeUndefined();
    expect(keys.enter(work(4, "k"))).toBe(true);
  });

  it("hold no message back for another key, nor one without a key", () => {
    const keys = createKeys(true);
    expect([keys.enter(work(1, "k")), keys.enter(work(2, "l")), keys.enter(work(3)), keys.enter(work(4))]).toEqual([
      true,
      true,
      true,
      true,
    ]);
  });

  it("take the empty key for a key", () => {
    const keys = createKeys(true);
    expect([keys.enter(work(1, "")), keys.enter(work(2, ""))]).toEqual([true, false]);
  });

  it("are blocked while their head waits, and only then", () => {
    const keys = createKeys(true);
    const [head, other] = [work(1, "k"), work(2, "l")];
    keys.enter(head);
    keys.enter(other);
    expect(keys.blocked("k")).toBe(false);
    head.state = "waiting";
    expect(keys.blocked("k")).toBe(false); // not before that is durable: one behind it must not be kept where it is not
    head.parked = true;
    expect(keys.blocked("k")).toBe(true);
    expect(keys.blocked("l")).toBe(false);
    expect(keys.blocked(undefined)).toBe(false);
    expect(keys.blockedKeys()).toBe(1);
    head.state = "running";
    expect(keys.blockedKeys()).toBe(0);
  });

  it("do not let a second go when one leaves that was not the head", () => {
    const keys = createKeys(true);
    const [a, b, c] = [work(1, "k"), work(2, "k"), work(3, "k")];
    for (const one of [a, b, c]) keys.enter(one);
    expect(keys.leave(b)).toBeUndefined();
    expect(keys.leave(a)).toBe(c);
  });

  it("stand in the order of their positions: a head that waits steps back for one that comes late and was before it", () => {
    const keys = createKeys(true);
    const [late, head, last] = [work(2, "k"), work(5, "k"), work(7, "k")];
    expect([keys.enter(head), keys.enter(last)]).toEqual([true, false]);
    head.state = "waiting";
    expect(keys.enter(late)).toBe(true);
    expect(head.state).toBe("behind");
    expect(keys.enter(work(6, "k"))).toBe(false);
    expect(positions(keys.behind(late))).toEqual([5, 6, 7]);
    expect(keys.leave(late)).toBe(head);
  });

  it("without an order hold nothing back and block nothing", () => {
    const keys = createKeys(false);
    const first = work(1, "k");
    first.state = "waiting";
    expect([keys.enter(first), keys.enter(work(2, "k"))]).toEqual([true, true]);
    expect(keys.blocked("k")).toBe(false);
    expect(keys.blockedKeys()).toBe(0);
    expect(keys.leave(first)).toBeUndefined();
  });

  it("have at most one head each, and every key's messages go in the order they came, whatever ends and waits when", () => {
    const letters = fc.option(fc.constantFrom("a", "b", "c"), { nil: undefined });
    const act = fc.oneof(
      letters.map((key) => ({ do: "enter" as const, key })),
      fc.nat({ max: 20 }).map((which) => ({ do: "leave" as const, which })),
      fc.nat({ max: 20 }).map((which) => ({ do: "wait" as const, which })),
    );
    fc.assert(
      fc.property(fc.array(act, { maxLength: 80 }), (acts) => {
        const keys = createKeys(true);
        let position = 0;
        const heads: Work[] = [];
        const went = new Map<string, number>();
        const entered = new Map<string, number[]>();
        const go = (one: Work): void => {
          heads.push(one);
          one.state = "running";
          if (one.key === undefined) return;
          const rank = went.get(one.key) ?? 0;
          expect(one.position).toBe(entered.get(one.key)?.[rank]);
          went.set(one.key, rank + 1);
        };
        for (const one of acts) {
          if (one.do === "enter") {
            const made = work(++position, one.key);
            if (one.key !== undefined) entered.set(one.key, [...(entered.get(one.key) ?? []), made.position]);
            if (keys.enter(made)) go(made);
            continue;
          }
          const chosen = heads[one.which % Math.max(1, heads.length)];
          if (!chosen) continue;
          if (one.do === "wait") chosen.state = "waiting";
          else {
            heads.splice(heads.indexOf(chosen), 1);
            const next = keys.leave(chosen);
            if (next) go(next);
          }
          const named = heads.flatMap(({ key }) => (key === undefined ? [] : [key]));
          expect(new Set(named).size).toBe(named.length);
          expect(keys.blockedKeys()).toBe(heads.filter(({ key, state }) => key !== undefined && state === "waiting").length);
        }
      }),
      { numRuns: 300 },
    );
  });
});
