/** No field of a record is mapped twice, whatever the order in which its targets stand. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { createTargets } from "./map-targets.ts";

/** Lines that each target met, in order; lines count from 1. */
const met = (...paths: readonly string[]): readonly (number | undefined)[] => {
  const targets = createTargets();
  return paths.map((path, index) => targets.add(path.split("."), index + 1));
};

describe("a target", () => {
  it.each([
    ["alone meets nothing", ["a", "b", "a1"], [undefined, undefined, undefined]],
    ["meets the same one", ["a", "a"], [undefined, 1]],
    ["meets the record that it stands in", ["a", "a.b.c"], [undefined, 1]],
    ["meets the fields that stand in it", ["a.b.c", "a.d", "a"], [undefined, undefined, 1]],
    ["meets no neighbour in the same record", ["a.b", "a.c", "a.bb"], [undefined, undefined, undefined]],
    ["meets the first of several", ["a.b", "a.c", "a", "a.b.c"], [undefined, undefined, 1, 1]],
  ])("%s", (_, paths, expected) => {
    expect(met(...paths)).toEqual(expected);
  });

  it("meets another exactly when one path begins with the other, name by name", () => {
    const name = fc.constantFrom("a", "b", "ab");
    const path = fc.array(name, { minLength: 1, maxLength: 3 });
    fc.assert(
      fc.property(fc.array(path, { maxLength: 12 }), (paths) => {
        const begins = (left: readonly string[], right: readonly string[]): boolean => left.every((one, index) => right[index] === one);
        const targets = createTargets();
        for (const [index, target] of paths.entries()) {
          const before = paths.slice(0, index).findIndex((other) => begins(other, target) || begins(target, other));
          expect(targets.add(target, index + 1)).toBe(before < 0 ? undefined : before + 1);
        }
      }),
    );
  });

  it("costs the same however many stand before it", () => {
    let steps = 0;
    const counted = (n: number): readonly string[] =>
      new Proxy([`f${n}`, "x"], {
        get(names, key, receiver) {
          steps += 1;
          return Reflect.get(names, key, receiver) as unknown;
        },
      });
    const targets = createTargets();
    const cost = (from: number, to: number): number => {
      steps = 0;
      for (let n = from; n < to; n += 1) targets.add(counted(n), n);
      return steps;
    };
    expect(cost(0, 100)).toBe(cost(4900, 5000));
  });
});
