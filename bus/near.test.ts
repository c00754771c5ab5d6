import { distance } from "fastest-levenshtein";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { hint, meant, near } from "./near.ts";

describe("the nearest name", () => {
  it.each([
    ["dedline", ["deadline", "attempt"], "deadline"],
    ["DEADLINE", ["deadline"], "deadline"],
    ["filname", ["familyName", "fileName"], "fileName"],
    ["ftp", ["http", "file"], undefined],
    ["too", ["to"], "to"],
    ["xy", ["to"], undefined],
    ["banana", ["deadline", "attempt"], undefined],
    ["", ["a", "ab"], undefined],
    ["a", ["b"], undefined],
  ])("to %j among %j is %j", (word, names, expected) => expect(near(word, names)).toBe(expected));

  it("is the first of two that are equally near", () => {
    expect(near("statu", ["status", "statue"])).toBe("status");
    expect(near("statu", ["statue", "status"])).toBe("statue");
  });

  const name = fc.stringMatching(/^[a-z]{4,12}$/);

  it("is found after any one slip: a letter lost, doubled, changed", () => {
    fc.assert(
      fc.property(
        name,
        fc.array(name, { maxLength: 5 }),
        fc.nat(),
        fc.constantFrom("lost", "doubled", "changed"),
        (word, others, at, how) => {
          const index = at % word.length;
          const letter = word[index] ?? "";
          const put = { lost: "", doubled: letter + letter, changed: letter === "q" ? "w" : "q" }[how];
          const slip = word.slice(0, index) + put + word.slice(index + 1);
          const found = near(slip, [...others, word]);
          expect(found).toBeDefined();
          expect(distance(slip, found ?? "")).toBeLessThanOrEqual(1);
        },
      ),
    );
  });

  it("never lies further off than a third of the word, and is always one of the names", () => {
    fc.assert(
      fc.property(fc.string({ maxLength: 20 }), fc.array(fc.string({ maxLength: 20 }), { maxLength: 8 }), (word, names) => {
        const found = near(word, names);
        if (found === undefined) return;
        expect(names).toContain(found);
        expect(distance(word.toLowerCase(), found.toLowerCase())).toBeLessThanOrEqual(Math.max(2, Math.floor(word.length / 3)));
      }),
    );
  });

  it("leaves no nearer name aside", () => {
    fc.assert(
      fc.property(name, fc.array(name, { minLength: 1, maxLength: 8 }), (word, names) => {
        const found = near(word, names);
        const least = Math.min(...names.map((each) => distance(word, each)));
        if (found === undefined) expect(least).toBeGreaterThan(Math.max(2, Math.floor(word.length / 3)));
        else expect(distance(word, found)).toBe(least);
      }),
    );
  });

  it("costs no more for a word of a megabyte", () => {
    expect(near("x".repeat(1024 * 1024), ["deadline", "y".repeat(199)])).toBeUndefined();
  });
});

describe("what a message says of it", () => {
  it("asks whether the near name was meant", () => {
    expect(meant("dedline", ["deadline"])).toBe("; did you mean `deadline`?");
    expect(hint("dedline", ["deadline"], "; never said")).toBe("; did you mean `deadline`?");
  });
  it("says nothing of names that are far, or lists them while they are few", () => {
    expect(meant("ftp", ["http", "file"])).toBe("");
    expect(hint("ftp", ["http", "file"])).toBe("; known are http, file");
    expect(
      hint(
        "ftp",
        Array.from({ length: 12 }, (_, n) => `name-${n}`),
      ),
    ).toContain("; known are name-0, ");
  });
  it("says the other words where there are too many names, or none", () => {
    expect(
      hint(
        "ftp",
        Array.from({ length: 13 }, (_, n) => `name-${n}`),
        "; write one",
      ),
    ).toBe("; write one");
    expect(hint("ftp", [], "; write one")).toBe("; write one");
    expect(hint("ftp", [])).toBe("");
  });
});
