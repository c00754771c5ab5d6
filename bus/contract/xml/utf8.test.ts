import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { isUtf8 } from "./utf8.ts";

const strict = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
function platformSays(bytes: Uint8Array): boolean {
  try {
    strict.decode(bytes);
    return true;
  } catch {
    return false;
  }
}
/** Bytes near every border of the table of RFC 3629, so that random sequences are often almost right. */
const border = fc.constantFrom(0x41, 0x7f, 0x80, 0x8f, 0x90, 0x9f, 0xa0, 0xbf, 0xc0, 0xc1, 0xc2, 0xdf, 0xe0, 0xe1, 0xec, 0xed, 0xee, 0xef);
const high = fc.constantFrom(0xf0, 0xf1, 0xf3, 0xf4, 0xf5, 0xf8, 0xff);

describe("UTF-8", () => {
  it("is what the platform's strict decoder takes, for every sequence of two bytes and all that open three", () => {
    for (let first = 0; first < 256; first++)
      for (let second = 0; second < 256; second++) {
        const two = Uint8Array.of(first, second);
        const three = Uint8Array.of(first, second, 0x80);
        expect([isUtf8(two), isUtf8(three)]).toEqual([platformSays(two), platformSays(three)]);
      }
  });
  it("is what the platform's strict decoder takes, at every border of longer sequences", () => {
    const bytes = fc.array(fc.oneof(border, high), { maxLength: 12 }).map((list) => Uint8Array.from(list));
    fc.assert(
      fc.property(bytes, (given) => {
        expect(isUtf8(given)).toBe(platformSays(given));
      }),
      { numRuns: 3000 },
    );
  });
  it("is every text, and no text that is cut inside a character", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary", minLength: 1 }), (text) => {
        const bytes = new TextEncoder().encode(`${text.toWellFormed()}\u{1F600}`);
        expect(isUtf8(bytes)).toBe(true);
        for (const cut of [1, 2, 3]) expect(isUtf8(bytes.subarray(0, bytes.length - cut))).toBe(false);
      }),
    );
  });
});
