import { describe, expect, it } from "vitest";
import { chanceOf } from "./random.ts";

describe("chance", () => {
  it("is the same for one seed and index, and another for the next", () => {
    const draw = (seed: number, index: number): readonly number[] => {
      const chance = chanceOf(seed, index);
      return [chance.next(), chance.next(), chance.next()];
    };
    expect(draw(1, 2)).toEqual(draw(1, 2));
    expect(draw(1, 2)).not.toEqual(draw(1, 3));
    expect(draw(1, 2)).not.toEqual(draw(2, 2));
  });

  it("reaches both ends of a range and nothing beyond", () => {
    const seen = new Set<number>();
    for (let index = 0; index < 500; index += 1) seen.add(chanceOf(9, index).between(3, 6));
    expect([...seen].sort((left, right) => left - right)).toEqual([3, 4, 5, 6]);
  });

  it("spreads evenly over neighbouring indexes", () => {
    let hits = 0;
    for (let index = 0; index < 10_000; index += 1) if (chanceOf(2009, index).happens(0.25)) hits += 1;
    expect(hits).toBeGreaterThan(2_300);
    expect(hits).toBeLessThan(2_700);
  });
});
