/** Lines that differ between two texts: little is shown, and what is shown leads from one to the other. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { hunks } from "./line-diff.ts";

const numbered = (from: number, to: number): string => Array.from({ length: to - from }, (_, n) => `line ${from + n}\n`).join("");

describe("a difference", () => {
  it("of equal texts is nothing", () => {
    expect(hunks("a\nb\n", "a\nb\n")).toEqual([]);
  });

  it("shows what went, what came, and two lines around", () => {
    const before = numbered(1, 20);
    expect(hunks(before, before.replace("line 9\n", "line nine\nand more\n"))).toEqual([
      "@@ 7",
      " line 7",
      " line 8",
      "-line 9",
      "+line nine",
      "+and more",
      " line 10",
      " line 11",
    ]);
  });

  it("keeps pieces that are far from each other apart", () => {
    const before = numbered(1, 40);
    const after = before.replace("line 5\n", "").replace("line 30\n", "line thirty\n");
    expect(hunks(before, after).filter((line) => line.startsWith("@@"))).toEqual(["@@ 3", "@@ 27"]);
  });

  it("of a text that came or went is the whole text", () => {
    expect(hunks("", "a\nb\n")).toEqual(["@@ 1", "+a", "+b"]);
    expect(hunks("a\n", "")).toEqual(["@@ 1", "-a"]);
  });

  it("leads from one text to the other, and back", () => {
    const lines = fc.array(fc.constantFrom("a", "b", "c", "d"), { maxLength: 5 }); // so short that all lines are near a change
    fc.assert(
      fc.property(lines, lines, (a, b) => {
        const shown = hunks(a.join("\n"), b.join("\n")).filter((line) => !line.startsWith("@@"));
        if (shown.length === 0) {
          expect(a.join("\n")).toBe(b.join("\n"));
          return;
        }
        const side = (sign: string): number => shown.filter((line) => line.startsWith(" ") || line.startsWith(sign)).length;
        const keep = (sign: string): string =>
          shown
            .filter((line) => line.startsWith(" ") || line.startsWith(sign))
            .map((line) => line.slice(1))
            .join("\n");
        expect(a.join("\n")).toContain(keep("-"));
        expect(b.join("\n")).toContain(keep("+"));
        expect(side("-") - side("+")).toBe(a.length - b.length);
      }),
    );
  });

  it("of two big texts that share nothing is bounded in time and memory", () => {
    const [a, b] = [numbered(0, 20_000), numbered(50_000, 70_000)];
    expect(hunks(a, b)).toHaveLength(40_001);
  });
});
