import { setImmediate as turn } from "node:timers/promises";
import { describe, expect, it } from "vitest";
import { newReplies, type Ticket, type Waiting } from "./replies.ts";

const refused = (): never => {
  throw new Error("nothing of this fails");
};

/** A batch of `count` appends of two records each and one operation; what each is told goes to `told`. */
function batch(name: string, count: number, told: string[]): { tickets: Ticket[]; waiting: Waiting[] } {
  const tickets = Array.from({ length: count }, (_, i) => ({
    records: 2,
    done: (positions: Float64Array, at: number) => void told.push(`${name}${i}:${positions[at]}-${positions[at + 1]}`),
    failed: refused,
  }));
  return { tickets, waiting: [{ resolve: (value) => void told.push(`${name}:${String(value)}`), reject: refused }] };
}
const answer = (first: number, count: number, value: string) => ({
  id: 1,
  positions: Float64Array.from({ length: count * 2 }, (_, i) => first + i),
  ops: [{ value }],
});
const expected = (name: string, first: number, count: number, value: string): string[] => [
  ...Array.from({ length: count }, (_, i) => `${name}${i}:${first + 2 * i}-${first + 2 * i + 1}`),
  `${name}:${value}`,
];

describe("answers of the worker", () => {
  it("reach a few writers in the same turn", () => {
    const told: string[] = [];
    let rested = 0;
    const replies = newReplies(() => rested++);
    replies.push(batch("a", 5, told), answer(1, 5, "read"));
    expect(told).toEqual(expected("a", 1, 5, "read"));
    expect(replies.busy()).toBe(false);
    // The pusher knows that it rests; only a turn of its own has to say so.
    expect(rested).toBe(0);
  });

  it("reach many writers over several turns, each record once, in order, operations last, batch by batch", async () => {
    const told: string[] = [];
    const rests: number[] = [];
    const replies = newReplies(() => rests.push(told.length));
    const all = [...expected("a", 1, 1_000, "first"), ...expected("b", 2_001, 3, "second"), ...expected("c", 2_007, 200, "third")];
    replies.push(batch("a", 1_000, told), answer(1, 1_000, "first"));
    replies.push(batch("b", 3, told), answer(2_001, 3, "second"));
    replies.push(batch("c", 200, told), answer(2_007, 200, "third"));
    let most = told.length;
    for (let before = told.length; replies.busy(); before = told.length) {
      expect(rests).toEqual([]);
      await turn();
      most = Math.max(most, told.length - before);
    }
    expect(told).toEqual(all);
    expect(rests).toEqual([all.length]);
    expect(most).toBeLessThan(200);
  });

  it("pass on an operation's refusal to its asker alone", () => {
    const ends: string[] = [];
    const waiting = [0, 1, 2].map((i) => ({
      resolve: () => void ends.push(`${i} ok`),
      reject: (error: Error) => void ends.push(`${i} ${error.message}`),
    }));
    const ops = [{ value: 1 }, { fault: { code: "store-conflict", message: "stale" } }];
    newReplies(refused).push({ tickets: [], waiting }, { id: 1, positions: new Float64Array(0), ops });
    expect(ends).toEqual(["0 ok", "1 stale", "2 the engine gave no answer"]);
  });
});
