/** Topics of many routes seen together: rings, dead ends, and copies that taps make; also of ten thousand routes. */
import { describe, expect, it } from "vitest";
import { GOOD, lintTexts, saidOf } from "#test/harness/good-files.ts";

type Ends = Readonly<{ id: string; from: string | undefined; to: string | undefined; tap?: string }>;

/** A route of the event `person.changed.v1` between two topics, or from or to the outside. */
function route({ id, from, to, tap }: Ends): string {
  const source =
    from === undefined ? `{ name: in, system: registry/population, http: { path: /in/${id} } }` : `{ name: in, topic: { name: ${from} } }`;
  const target = to === undefined ? `{ system: benefits/core, http: { path: /out } }` : `{ topic: { name: ${to} } }`;
  const steps = tap === undefined ? "" : `steps:\n  - tap: { topic: ${tap}, fields: [personKey] }\n`;
  return `bus: route/v1\nid: ${id}\ntitle: Passes on\nowner: team\ncontract: { event: person.changed.v1 }\nfrom:\n  - ${source}\n${steps}to: ${target}\ntests: ./tests/person-changed.test.yaml\n`;
}

const among = (...ends: readonly Ends[]) => ({ ...GOOD, "routes/x.yaml": ends.map(route).join("---\n") });
const said = (...ends: readonly Ends[]): readonly string[] => saidOf(among(...ends)).filter((line) => line.startsWith("routes/x.yaml"));

describe("a ring of topics", () => {
  it("is told once, by its shortest way, at the first route that closes it", () => {
    expect(
      said(
        { id: "a", from: "t.one.v1", to: "t.two.v1" },
        { id: "b", from: "t.two.v1", to: "t.three.v1" },
        { id: "c", from: "t.three.v1", to: "t.one.v1" },
      ),
    ).toEqual([
      "routes/x.yaml:8:22  error  topic-loop  messages go round for ever: t.two.v1 → t.three.v1 → t.one.v1 → t.two.v1; send to another topic or take one of these routes away",
    ]);
  });

  it("is seen through the prefix of the bus", () => {
    expect(said({ id: "a", from: "mbus.t.one.v1", to: "t.one.v1" }).join()).toContain("messages go round for ever: t.one.v1 → t.one.v1");
  });

  it("is seen when a tap closes it: the copy comes back and is copied again", () => {
    expect(said({ id: "a", from: "t.one.v1", to: undefined, tap: "t.one.v1" })).toEqual([
      "routes/x.yaml:9:19  error  topic-loop  messages go round for ever: t.one.v1 → t.one.v1; send to another topic or take one of these routes away",
    ]);
  });

  it("is no ring when the way back leads through the outside", () => {
    expect(said({ id: "a", from: undefined, to: "t.one.v1" }, { id: "b", from: "t.one.v1", to: undefined })).toEqual([]);
  });

  it("that shares a topic with another one is told beside it", () => {
    const lines = said(
      { id: "a", from: "t.one.v1", to: "t.two.v1" },
      { id: "b", from: "t.two.v1", to: "t.one.v1" },
      { id: "c", from: "t.two.v1", to: "t.three.v1" },
      { id: "d", from: "t.three.v1", to: "t.two.v1" },
    );
    expect(lines.map((line) => / ever: (.*);/.exec(line)?.[1])).toEqual([
      "t.two.v1 → t.one.v1 → t.two.v1",
      "t.three.v1 → t.two.v1 → t.three.v1",
    ]);
  });
});

describe("a dead end", () => {
  it("is a topic that nobody takes from, and one that nobody sends to", () => {
    expect(said({ id: "a", from: "t.nobody.v1", to: "t.nowhere.v1" }).map((line) => line.split("  ").slice(1, 3).join(" "))).toEqual([
      "warn topic-unfed",
      "warn topic-unused",
    ]);
  });

  it("is none where a tap feeds the topic", () => {
    expect(said({ id: "a", from: undefined, to: undefined, tap: "t.copies.v1" }, { id: "b", from: "t.copies.v1", to: undefined })).toEqual(
      [],
    );
  });

  it("is none where a copy of a tap is for somebody outside", () => {
    expect(said({ id: "a", from: undefined, to: undefined, tap: "t.copies.v1" })).toEqual([]);
  });

  it("is not looked for while a file hides routes", () => {
    const texts = { ...among({ id: "a", from: "t.nobody.v1", to: undefined }), "routes/y.yaml": 'bus: route/v1\nid: "never ends\n' };
    expect(lintTexts(texts).findings.map(({ rule }) => rule)).toEqual(["yaml-syntax"]);
  });
});

describe("a chain of two thousand routes", () => {
  it("is looked through and found sound, and closed it is one ring", () => {
    const chain = Array.from({ length: 2_000 }, (_, n): Ends => ({
      id: `r${n}`,
      from: n === 0 ? undefined : `t.c${n}.v1`,
      to: n === 1_999 ? undefined : `t.c${n + 1}.v1`,
    }));
    const files = (ends: readonly Ends[]) =>
      Object.fromEntries(
        Array.from({ length: 20 }, (_, part) => [
          `routes/x${part}.yaml`,
          ends
            .slice(part * 100, part * 100 + 100)
            .map(route)
            .join("---\n"),
        ]),
      );
    expect(saidOf({ ...GOOD, ...files(chain) })).toEqual([]);
    const closed = chain.map((ends) => (ends.id === "r1999" ? { ...ends, to: "t.c1.v1" } : ends));
    expect(lintTexts({ ...GOOD, ...files(closed) }).findings.map(({ rule }) => rule)).toEqual(["topic-loop"]);
  }, 120_000);
});
