import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { checkDigitOf, identifierFault, isIdno, isIdnp, isIdnv, withCheckDigit } from "./idnp.ts";

const strict = { checkDigit: true };
const form = { checkDigit: false };

describe("check digit", () => {
  it.each(["1010600034203", "1018600049308", "1009600026622", "1008600038413", "1003600034203"])(
    "of the published IDNO %s is right",
    (idno) => {
      expect(isIdno(idno, strict)).toBe(true);
    },
  );
  it.each(["2000009011288", "2001003328546", "2134567890123", "2222222222222"])(
    "of the official sample %s is wrong, its form is good",
    (idnp) => {
      expect(isIdnp(idnp, form)).toBe(true);
      expect(isIdnp(idnp, strict)).toBe(false);
    },
  );
  const twelve = fc.stringMatching(/^[0-9]{12}$/);
  it("is always one digit, and the only one that fits", () => {
    fc.assert(
      fc.property(fc.stringMatching(/^2[0-9]{11}$/), (digits) => {
        const good = Array.from({ length: 10 }, (_, last) => `${digits}${last}`).filter((idnp) => isIdnp(idnp, strict));
        expect(good).toEqual([withCheckDigit(digits)]);
      }),
    );
  });
  it("catches every single wrong digit", () => {
    fc.assert(
      fc.property(twelve, fc.nat(11), fc.integer({ min: 1, max: 9 }), (digits, at, shift) => {
        const other = (Number(digits[at]) + shift) % 10;
        const typo = digits.slice(0, at) + String(other) + digits.slice(at + 1);
        expect(checkDigitOf(typo)).not.toBe(checkDigitOf(digits));
      }),
    );
  });
  it("is undefined for what is not twelve digits", () => {
    expect(["", "12345678901", "1234567890123", "12345678901a", "１２３４５６７８９０１２"].map(checkDigitOf)).toEqual(
      Array.from({ length: 5 }),
    );
    expect(() => withCheckDigit("123")).toThrow(RangeError);
  });
});

describe("kinds", () => {
  it("are told by their first digit when strict", () => {
    const idnp = withCheckDigit("200000000001");
    const old = withCheckDigit("098765432109");
    const idno = withCheckDigit("100360003420");
    const idnv = withCheckDigit("300000000001");
    expect([isIdnp(idnp, strict), isIdnp(old, strict), isIdno(idno, strict), isIdnv(idnv, strict)]).toEqual([true, true, true, true]);
    expect([isIdnp(idno, strict), isIdno(idnp, strict), isIdnv(idnp, strict)]).toEqual([false, false, false]);
    expect(identifierFault("IDNO", idnp, strict)).toContain("another kind");
  });
  it.each(["", "123", "20000000000011", "2000000000001\n", " 2000000000001", "200000000000x"])("refuse %j in every mode", (text) => {
    expect(identifierFault("IDNP", text, form)).toContain("13 digits");
    expect(isIdnp(text, strict)).toBe(false);
  });
  it("name the typing error", () => {
    expect(identifierFault("IDNP", "2222222222222", strict)).toContain("check digit");
  });
});
