/** Patterns match as the specification says, in bounded time, whichever of the two matchers does it. */
import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { compileMachine } from "./pattern-machine.ts";
import { translatePattern } from "./pattern.ts";

const seed = 20_261_125;

function patternOf(source: string): Readonly<{ test(text: string): boolean }> {
  const pattern = translatePattern(source);
  if (typeof pattern === "string") throw new Error(pattern);
  return pattern;
}

/** Sources of patterns with everything that both XML Schema and we know. */
const { source } = fc.letrec<{ source: string; row: string; part: string }>((tie) => ({
  source: fc.array(tie("row"), { minLength: 1, maxLength: 3 }).map((rows) => rows.join("|")),
  row: fc.array(tie("part"), { maxLength: 4 }).map((parts) => parts.join("")),
  part: fc
    .tuple(
      fc.oneof(
        { maxDepth: 2, depthSize: "small" },
        fc.constantFrom("a", "b", "0", "[ab]", "[^a]", "[0-9]", "\\d", ".", "\\.", "[\\-a]", "ș", "\\s", "\\p{Lu}"),
        tie("source").map((inner) => `(${inner})`),
      ),
      fc.constantFrom("", "", "", "?", "*", "+", "{2}", "{0,2}", "{1,}"),
    )
    .map(([part, times]) => part + times),
}));
const text = fc
  .array(fc.constantFrom("a", "b", "0", "9", ".", "-", "ș", "Ș", " ", "\n", "𝄞"), { maxLength: 8 })
  .map((chars) => chars.join(""));

describe("the machine", () => {
  it("and JavaScript's own expression agree on every pattern and text", () => {
    const verdicts = { yes: 0, no: 0 };
    fc.assert(
      fc.property(source, fc.array(text, { minLength: 5, maxLength: 12 }), (body, texts) => {
        const expression = new RegExp(`^(?:${body})$`, "u");
        const machine = compileMachine(body);
        for (const one of texts) {
          const wanted = expression.test(one);
          verdicts[wanted ? "yes" : "no"]++;
          expect([body, one, machine?.(one)]).toEqual([body, one, wanted]);
        }
      }),
      { numRuns: 500, seed },
    );
    expect(Math.min(verdicts.yes, verdicts.no)).toBeGreaterThan(200);
  });
});

describe("a hostile text", () => {
  it.each<[string, string, boolean]>([
    ["(a|a)*b", "a".repeat(100_000), false],
    ["(a|a)*b", `${"a".repeat(100_000)}b`, true],
    ["(a+)+x", "a".repeat(100_000), false],
    ["(a*)*", "a".repeat(100_000), true],
    ["([A-Z]+ ?)+", `${"ABC ".repeat(20_000)}!`, false],
    ["([A-Z]+ ?)+", "ABC ".repeat(20_000), true],
    ["((ab?)*c?)*d", "abac".repeat(20_000), false],
    [".*@.*\\..*", "@".repeat(200_000), false],
    [".*@.*\\..*", `${"@".repeat(200_000)}.`, true],
    ["[0-9]*[0-9]*[0-9]*x", "1".repeat(200_000), false],
    ["(\\d+,)*\\d+", `${"1,".repeat(50_000)}x`, false],
    ["(\\w+\\s?)*\\.", "word ".repeat(20_000), false],
    ["(x?y?z?){1,20}!", "xyz".repeat(20), false],
    [`${"a?".repeat(40)}${"a".repeat(40)}`, "a".repeat(39), false],
    [`${"a?".repeat(40)}${"a".repeat(40)}`, "a".repeat(80), true],
    [`${"(a|a)".repeat(60)}b`, "a".repeat(60), false],
    ["(a|ab)(c|bcd)(d*)*e", `abcd${"d".repeat(50_000)}`, false],
  ])("%s is judged on it in one pass", (pattern, hostile, fits) => {
    expect(patternOf(pattern).test(hostile)).toBe(fits);
  });

  it("of ten megabytes against thousands of places at once is given up, and counts as none", () => {
    expect(patternOf(".*.{0,9000}x").test("y".repeat(10_000_000))).toBe(false);
  });

  it("is matched by the same verdict at every length: where one matcher hands over to the other too", () => {
    for (const pattern of [".*a.*b", "[a-z]*[a-z]+x?", ".{0,200}.*c", "a+b*a+"]) {
      const expression = new RegExp(`^(?:${pattern})$`, "u");
      for (let length = 120; length < 136; length++)
        for (const last of ["a", "b", "c", "ab", "x", "𝄞"]) {
          const one = "a".repeat(length) + last;
          expect([pattern, length, last, patternOf(pattern).test(one)]).toEqual([pattern, length, last, expression.test(one)]);
        }
    }
  });
});

describe("what is written out", () => {
  it.each<[string, string, boolean]>([
    ["(a{2,3}){2}", "aaaa", true],
    ["(a{2,3}){2}", "aaaaaa", true],
    ["(a{2,3}){2}", "aaa", false],
    ["(a{0,2}b){3}", "bbb", true],
    ["(ab?){2,}", "aba", true],
    ["(ab?){2,}", "a", false],
    ["(|a){2}", "aa", true],
    ["(|a){2}", "", true],
    ["(a?){3}", "aaaa", false],
    ["([\\]\\[]+|\\\\)*", "[]\\[", true],
    ["(\\p{Lu}\\P{Lu}*)+", "ȘefMare", true],
    ["(\\p{Lu}\\P{Lu}*)+", "șef", false],
    ["(𝄞|a)+", "𝄞a𝄞", true],
    ["([^𝄞]|b)+", "𝄞", false],
  ])("%s on %j: %s", (pattern, one, fits) => {
    expect(patternOf(pattern).test(one)).toBe(fits);
  });

  it("more than 20000 parts is refused when the schema is loaded", () => {
    expect(translatePattern("((a?b){1,200}c){1,200}")).toContain("more than 20000 parts");
    expect(compileMachine("(a{9999}){9}")).toBeUndefined();
    expect(compileMachine("(a{99}){99}")?.("a".repeat(9_801))).toBe(true);
  });
});
