import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { checkDigit, identifierOf, IDENTIFIERS, indexOf, isIdentifier } from "./identifiers.ts";

const index = fc.integer({ min: 0, max: IDENTIFIERS - 1 });
const series = fc.constantFrom("idnp" as const, "idnv" as const);

describe("identifiers", () => {
  it.each(["1010600034203", "1018600049308", "1009600026622", "1008600038413", "1003600034203", "1002600024700", "1004600030235"])(
    "%s, published by its owner, is valid",
    (idno) => expect(isIdentifier(idno)).toBe(true),
  );

  it.each(["2000009011288", "2134567890123", "2222222222222", "200410042378", "20041004237899", "2004100423781", "200410042378X", ""])(
    "%s is not",
    (text) => expect(isIdentifier(text)).toBe(false),
  );

  it("finds its index again", () => {
    fc.assert(fc.property(series, index, (kind, at) => indexOf(kind, identifierOf(kind, at)) === at));
  });

  it("has 13 digits, begins as its series does and carries its check digit", () => {
    fc.assert(
      fc.property(series, index, (kind, at) => {
        const text = identifierOf(kind, at);
        expect(text).toMatch(kind === "idnp" ? /^2\d{12}$/u : /^3\d{12}$/u);
        expect(checkDigit(text.slice(0, 12))).toBe(text[12]);
      }),
    );
  });

  it("notices any one digit that is wrong", () => {
    fc.assert(
      fc.property(index, fc.integer({ min: 0, max: 12 }), fc.integer({ min: 1, max: 9 }), (at, place, by) => {
        const digits = identifierOf("idnp", at).split("");
        digits[place] = String((Number(digits[place]) + by) % 10);
        expect(isIdentifier(digits.join(""))).toBe(false);
      }),
    );
  });

  it("knows no index of a number between two of its own, or of another series", () => {
    const between = `2004${String(10_000_001)}`;
    expect(indexOf("idnp", between + checkDigit(between))).toBeUndefined();
    expect(indexOf("idnp", identifierOf("idnv", 7))).toBeUndefined();
    expect(indexOf("idnp", "2004000000000")).toBeUndefined();
  });

  it("refuses an index beyond the series instead of making 14 digits", () => {
    expect(() => identifierOf("idnv", IDENTIFIERS)).toThrow(RangeError);
    expect(() => identifierOf("idnv", -1)).toThrow(RangeError);
    expect(() => identifierOf("idnv", 0.5)).toThrow(RangeError);
  });
});
