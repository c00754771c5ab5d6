/** The cursor over a JSON text: what it takes is what JSON.parse takes, and every fault has its place. */
import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { asBusError } from "../errors.ts";
import { JsonScan, MAX_DEPTH, textOf } from "./json-scan.ts";

const skipped = (text: string): boolean => {
  const scan = new JsonScan(text);
  try {
    scan.skip("");
  } catch {
    return false;
  }
  return Number.isNaN(scan.next());
};
const parsed = (text: string): boolean => {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
};
function fault(run: () => unknown) {
  try {
    run();
  } catch (error) {
    const { code, message, places } = asBusError(error);
    return { code, message, places };
  }
  throw new Error("nothing was thrown");
}
const skipFault = (text: string) => fault(() => new JsonScan(text).skip(""));

describe("reading over a value", () => {
  it("takes every JSON document", () => {
    fc.assert(
      fc.property(fc.json(), (text) => {
        expect(skipped(text)).toBe(true);
      }),
    );
  });

  it("agrees with JSON.parse on documents with any characters changed, half surrogates aside", () => {
    const edit = fc.record({
      at: fc.nat(),
      put: fc.constantFrom("", "0", "-", ".", "e", '"', "\\", "{", "}", "[", "]", ",", ":", "t", "null", " ", "\n", "\t", "\u0001"),
    });
    fc.assert(
      fc.property(fc.json({ maxDepth: 3 }), fc.array(edit, { minLength: 1, maxLength: 3 }), (given, edits) => {
        let text = given;
        for (const { at, put } of edits) {
          const cut = at % (text.length + 1);
          text = text.slice(0, cut) + put + text.slice(cut + 1);
        }
        if (!/\\u[dD][89a-fA-F]/u.test(text)) expect(skipped(text), text).toBe(parsed(text));
      }),
      { numRuns: 500 },
    );
  });

  it.each(["01", "1.", ".5", "+1", "1e", "1e+", "--1", "0x1", "1_000", "Infinity", "NaN", "-", "1.2.3", "1e5.5", "00"])(
    "refuses the number %s",
    (text) => {
      expect([skipped(text), parsed(text)]).toEqual([false, false]);
    },
  );

  it.each(["0", "-0", "1", "-1.5", "1e5", "1E-5", "0.0001", "123456789012345678901234567890"])("takes the number %s", (text) => {
    expect(skipped(text)).toBe(true);
  });

  it.each([
    "'a'",
    '"a',
    '"\\x"',
    '"\\u12"',
    '"\\u12g4"',
    '"a\nb"',
    '"\t"',
    "a",
    "tru",
    "nul",
    "undefined",
    "{a:1}",
    "{,}",
    "[,]",
    "[1,]",
    '{"a":1,}',
    '{"a"}',
    '{"a" 1}',
    "[1 2]",
    "[",
    "{",
    "]",
    "",
  ])("refuses %j", (text) => {
    expect([skipped(text), parsed(text)]).toEqual([false, false]);
  });

  it("knows no white space but JSON's four", () => {
    expect(skipped(" \t\r\n1 \t\r\n")).toBe(true);
    for (const space of ["\u00a0", "\u2028", "\ufeff", "\u000b", "\u000c", "\u0000"])
      expect(skipped(`${space}1`), JSON.stringify(space)).toBe(false);
  });
});

describe("depth", () => {
  const nested = (levels: number, open: string, close: string): string => `${open.repeat(levels)}0${close.repeat(levels)}`;

  it.each([
    ["[", "]"],
    ['{"a":', "}"],
  ])("of %s is bounded: one level more is refused by its limit, not by the stack", (open, close) => {
    expect(skipped(nested(MAX_DEPTH, open, close))).toBe(true);
    expect(skipFault(nested(MAX_DEPTH + 1, open, close))).toMatchObject({
      code: "json-limit",
      message: expect.stringContaining(`values are nested deeper than ${MAX_DEPTH} levels`),
    });
    expect(skipFault(nested(1_000_000, open, close)).code).toBe("json-limit");
  });

  it("is given back by what was closed: many siblings are no depth", () => {
    expect(skipped(`[${"[],{},[[]],".repeat(1000)}0]`)).toBe(true);
  });
});

describe("a fault", () => {
  it.each([
    ["[1,\n 2,\n x]", 3, 2, "expected a number, found `x`"],
    ['{"a" 1}', 1, 6, "expected `:`, found `1`"],
    ["[1;2]", 1, 3, "expected `,` or `]`, found `;`"],
    ['{"a":1;', 1, 7, "expected `,` or `}`, found `;`"],
    ["[1", 1, 3, "expected `,` or `]`, the document ends here"],
    ['"abc', 1, 5, "expected the closing double quote, the document ends here"],
    ["1x1".slice(0, 1) + ".", 1, 2, "expected the end of the number, found `.`"],
    ["{1:2}", 1, 2, "expected text in double quotes, found `1`"],
    ["", 1, 1, "expected a number, the document ends here"],
    ['"a\u0001b"', 1, 3, "a control character stands in a text; write it as an escape such as \\n"],
    ['"\\q"', 1, 3, "no such escape"],
    ['"\\u00zz"', 1, 3, "\\u needs four hexadecimal digits"],
    ['"\\ud800"', 1, 2, "an escape is half a surrogate pair"],
    ["tru", 1, 1, "expected a value, found `t`"],
  ])("of %j has line %d, column %d", (text, line, column, message) => {
    expect(skipFault(text)).toEqual({
      code: "json-malformed",
      message: `line ${line}, column ${column}: ${message}`,
      places: [{ line, column, text: message }],
    });
  });

  it("names its path where there is one", () => {
    expect(fault(() => new JsonScan("x").string("a.b"))).toEqual({
      code: "json-malformed",
      message: "line 1, column 1 at `a.b`: expected text in double quotes, found `x`",
      places: [{ line: 1, column: 1, path: "a.b", text: "expected text in double quotes, found `x`" }],
    });
  });

  it("of the contract is noted, twenty at most, so that one document cannot fill the memory", () => {
    const scan = new JsonScan("\n\n  x");
    for (let i = 0; i < 1000; i++) scan.note(`fault ${i}`, "a", 4);
    expect(scan.places).toHaveLength(20);
    expect(scan.places[0]).toEqual({ line: 3, column: 3, path: "a", text: "fault 0" });
  });
});

describe("a text", () => {
  it("is what JSON.parse makes of it", () => {
    const unit = fc.oneof(fc.string({ unit: "binary" }), fc.constantFrom("\\", '"', "\n", "\u2028", "😀", "\u0000", "/"));
    fc.assert(
      fc.property(fc.array(unit, { maxLength: 6 }), (parts) => {
        const value = parts.join("");
        const scan = new JsonScan(JSON.stringify(value));
        if (value.isWellFormed()) expect(scan.string("")).toBe(value);
        else expect(() => scan.string("")).toThrow(/surrogate/u);
      }),
    );
  });

  it("may write any character as an escape", () => {
    expect(new JsonScan('"\\u0041\\ud83d\\uDE00\\/\\b\\f\\n\\r\\t\\\\\\""').string("")).toBe('A😀/\b\f\n\r\t\\"');
  });
});

describe("bytes", () => {
  const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

  it("of UTF-8 are text", () => {
    fc.assert(
      fc.property(fc.string({ unit: "grapheme" }), (text) => {
        expect(textOf(bytes(`x${text}`))).toBe(`x${text}`);
      }),
    );
  });

  it.each([
    ["a lone continuation", [0x80]],
    ["a cut character", [0x22, 0xc4]],
    ["an overlong slash", [0xc0, 0xaf]],
    ["half a surrogate", [0xed, 0xa0, 0x80]],
    ["beyond Unicode", [0xf5, 0x80, 0x80, 0x80]],
    ["UTF-16", [0xff, 0xfe, 0x7b, 0x00]],
  ])("that are %s are refused", (_, given) => {
    expect(fault(() => textOf(Uint8Array.from(given)))).toMatchObject({ code: "json-malformed", message: "the document is not UTF-8" });
  });

  it("with a byte order mark are refused by its name", () => {
    expect(fault(() => textOf(Uint8Array.of(0xef, 0xbb, 0xbf, 0x7b, 0x7d)))).toEqual({
      code: "json-malformed",
      message: "the document starts with a byte order mark, which JSON does not allow",
      places: [{ line: 1, column: 1, text: "is a byte order mark" }],
    });
  });
});
