/** Rings of arrows are found as a plain search would find them, at a cost that grows no faster than the picture. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { ringsOf, shortest, type Arrows } from "./rings.ts";

const arrows = (...pairs: readonly string[]): Arrows => {
  const next = new Map<string, Set<string>>();
  for (const pair of pairs) {
    const [from = "", to = ""] = pair.split(">");
    next.set(from, (next.get(from) ?? new Set<string>()).add(to));
  }
  return next;
};
/** Rings as sorted texts, each once. */
const ringTexts = (next: Arrows): readonly string[] =>
  [...new Set([...ringsOf(next).values()].map((ring) => [...ring].toSorted().join(" ")))].toSorted();

describe("rings", () => {
  it.each([
    ["nothing", [], []],
    ["a line", ["a>b", "b>c"], []],
    ["an arrow to itself", ["a>a"], ["a"]],
    ["two names", ["a>b", "b>a"], ["a b"]],
    ["a ring with ways in and out", ["x>a", "a>b", "b>c", "c>a", "c>y"], ["a b c"]],
    ["two rings that share a name", ["a>b", "b>a", "b>c", "c>b"], ["a b c"]],
    ["two rings, one after the other", ["a>b", "b>a", "b>c", "c>d", "d>c"], ["a b", "c d"]],
    ["two ways to one end", ["a>b", "a>c", "b>d", "c>d"], []],
  ])("of %s", (_, pairs, expected) => expect(ringTexts(arrows(...pairs))).toEqual(expected));

  const name = fc.constantFrom(..."abcdefg".split(""));
  const picture = fc.array(fc.tuple(name, name), { maxLength: 14 }).map((pairs) => arrows(...pairs.map(([from, to]) => `${from}>${to}`)));

  it("hold a name exactly when some way leads from it back to it, and its ring is all that it reaches and is reached by", () => {
    fc.assert(
      fc.property(picture, (next) => {
        const rings = ringsOf(next);
        const reach = (start: string): ReadonlySet<string> => {
          const seen = new Set<string>();
          const open = [...(next.get(start) ?? [])];
          for (let at = open.pop(); at !== undefined; at = open.pop()) {
            if (seen.has(at)) continue;
            seen.add(at);
            open.push(...(next.get(at) ?? []));
          }
          return seen;
        };
        for (const one of "abcdefg") {
          const back = reach(one).has(one);
          expect(rings.has(one)).toBe(back);
          if (back) expect(rings.get(one)).toEqual(new Set([...reach(one)].filter((other) => reach(other).has(one))));
        }
      }),
      { numRuns: 300 },
    );
  });

  it("have a shortest way from each of their names back to it, along the arrows", () => {
    fc.assert(
      fc.property(picture, (next) => {
        for (const [start, ring] of ringsOf(next)) {
          const way = shortest(start, next, ring);
          expect(way[0]).toBe(start);
          for (const [index, at] of way.entries()) expect(next.get(at)?.has(way[index + 1] ?? start)).toBe(true);
          expect(new Set(way).size).toBe(way.length);
        }
      }),
      { numRuns: 300 },
    );
  });
});

describe("the cost", () => {
  /** Counts how often the arrows of a name are asked for. */
  function counted(next: Arrows): { next: Arrows; asked: () => number } {
    let asked = 0;
    const watched = new Proxy(next as Map<string, ReadonlySet<string>>, {
      get(map, key) {
        const value: unknown = Reflect.get(map, key);
        if (typeof value !== "function") return value;
        if (key === "get") asked += 1;
        return (value as (...args: unknown[]) => unknown).bind(map);
      },
    });
    return { next: watched, asked: () => asked };
  }

  it.each([
    ["a chain", false],
    ["a ring", true],
  ])("of %s of ten thousand names is a few looks at each", (_, closed) => {
    const pairs = Array.from({ length: 10_000 }, (__, n) => `t${n}>t${n + 1}`);
    const { next, asked } = counted(arrows(...pairs, ...(closed ? ["t10000>t0"] : [])));
    const rings = ringsOf(next);
    expect(rings.size).toBe(closed ? 10_001 : 0);
    expect(asked()).toBeLessThanOrEqual(3 * 10_001);
    const ring = rings.get("t5");
    if (ring) expect(shortest("t5", next, ring)).toHaveLength(10_001);
    expect(asked()).toBeLessThanOrEqual(5 * 10_001);
  });
});
