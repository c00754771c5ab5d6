import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { decodeName, encodeName, joinNames, tokenOf } from "./names.ts";

/** Few characters, so that names that are almost alike are common. */
const close = fc.string({
  unit: fc.constantFrom("a", "A", ".", "_", "2", "e", "x", "z", "u", "-", "*", ">", " ", "ț", "😀", "\ud800"),
  maxLength: 6,
});
const any = fc.oneof(close, fc.string({ unit: "binary", maxLength: 300 }));

describe("names on NATS", () => {
  it("keep letters, digits and the hyphen, and write the rest as bytes", () => {
    expect(encodeName("rsp-population")).toBe("rsp-population");
    expect(encodeName("mbus.person.v1")).toBe("mbus_2eperson_2ev1");
    expect(encodeName("a_ț>*")).toBe("a_5f_c8_9b_3e_2a");
  });
  it("never have one encoding for two names", () => {
    fc.assert(
      fc.property(any, any, (a, b) => (encodeName(a) === encodeName(b)) === (a === b) && (tokenOf(a) === tokenOf(b)) === (a === b)),
      { numRuns: 5_000 },
    );
  });
  it("are tokens of a subject and names of a consumer that fit a file name", () => {
    fc.assert(
      fc.property(any, any, (a, b) => {
        expect(tokenOf(a)).toMatch(/^[A-Za-z0-9_-]{1,100}$/u);
        expect(joinNames(a, b, "999999").length).toBeLessThan(255);
      }),
    );
  });
  it("stay apart when several are one", () => {
    const pair = fc.tuple(close, close);
    fc.assert(
      fc.property(pair, pair, (a, b) => (joinNames(...a) === joinNames(...b)) === (a[0] === b[0] && a[1] === b[1])),
      { numRuns: 20_000 },
    );
  });
  it("come back from what an outsider wrote only when it is how we write them", () => {
    fc.assert(fc.property(fc.string({ unit: "grapheme", minLength: 1 }), (name) => decodeName(encodeName(name)) === name));
    for (const token of ["", "_z", "_u d800", "_2E", "_61", "_ff", "a.b", "_x00", "a_"]) expect(decodeName(token), token).toBeUndefined();
  });
});
