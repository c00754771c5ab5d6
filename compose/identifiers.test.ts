import { describe, expect, it } from "vitest";
import { identifierRules } from "./identifiers.ts";

describe("identifiers with a wrong check digit that are let through", () => {
  const world = () => {
    const said: unknown[][] = [];
    const clock = { time: 0, now: () => clock.time };
    const rules = identifierRules("warn", { warn: (...words: unknown[]) => void said.push(words) }, clock);
    return { said, clock, rules };
  };

  it("are told once an hour for each system", () => {
    const { said, clock, rules } = world();
    for (let n = 0; n < 1000; n++) rules.warn("a/b", "CallingUser: the check digit is wrong");
    rules.warn("c/d", "x");
    expect(said.map(([facts]) => (facts as { system: string }).system)).toEqual(["a/b", "c/d"]);
    clock.time = 3_600_000;
    rules.warn("a/b", "x");
    expect(said).toHaveLength(3);
  });

  it("take no more memory than ten thousand systems do", () => {
    const { said, rules } = world();
    for (let n = 0; n < 10_100; n++) rules.warn(`a/${n}`, "x");
    expect(said).toHaveLength(10_000);
  });
});
