/** How the command line prints: tables that line up, control characters that steer no terminal, one JSON document for machines. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { CommandFailed, plain, print, table, when, whole, type Column } from "./output.ts";

type Row = Readonly<{ name: string | undefined; count: number | undefined }>;
const COLUMNS: readonly Column<Row>[] = [
  { title: "name", value: ({ name }) => name },
  { title: "count", value: ({ count }) => count, right: true },
];

describe("a table", () => {
  it("is as wide as its widest cells, numbers to the right, nothing at the ends of lines", () => {
    expect(
      table(
        [
          { name: "a", count: 1 },
          { name: "longer name", count: 1000 },
        ],
        COLUMNS,
        "none",
      ),
    ).toBe(["name         count", "a                1", "longer name   1000"].join("\n"));
  });

  it("of nothing is its words", () => {
    expect(table([], COLUMNS, "no rows")).toBe("no rows");
  });

  it("leaves what is undefined empty, never `undefined`", () => {
    expect(table([{ name: undefined, count: undefined }], COLUMNS, "")).toBe("name  count\n");
    expect(table([{ name: undefined, count: 0 }], COLUMNS, "")).toBe("name  count\n          0");
  });

  it("has one line for each row and each column at one place, whatever the cells hold", () => {
    const row = fc.record({ name: fc.string({ unit: "binary", maxLength: 20 }), count: fc.nat() });
    fc.assert(
      fc.property(fc.array(row, { minLength: 1, maxLength: 6 }), (rows) => {
        const lines = table(rows, COLUMNS, "").split("\n");
        expect(lines).toHaveLength(rows.length + 1);
        const widths = lines.map((line) => line.length);
        // the last column stands to the right: all lines end at the same place
        expect(new Set(widths).size).toBe(1);
      }),
    );
  });
});

describe("control characters", () => {
  it.each([
    ["\u001b[31mred", "\\u001b[31mred"],
    ["a\nb\tc\r", "a\\u000ab\\u0009c\\u000d"],
    ["\u0000\u007f\u009b", "\\u0000\\u007f\\u009b"],
    ["\u202egnp.exe", "\\u202egnp.exe"],
    ["\u2066x\u2069", "\\u2066x\\u2069"],
    ["\u200e\u200f\u2028\u2029", "\\u200e\\u200f\\u2028\\u2029"],
    ["Țurcanu ő 😀", "Țurcanu ő 😀"],
  ])("%j is shown as %s", (given, shown) => {
    expect(plain(given)).toBe(shown);
  });

  it("are never printed in a cell", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary" }), (text) => {
        expect(plain(text)).not.toMatch(/[\u0000-\u001f\u007f-\u009f\u200e\u200f\u2028-\u202e\u2066-\u2069]/u);
        expect(plain(plain(text))).toBe(plain(text));
      }),
    );
  });
});

describe("print", () => {
  const printed = (json: boolean): string[] => {
    const lines: string[] = [];
    print({ json, out: (text) => lines.push(text), err: () => lines.push("err") }, { a: [1, undefined], b: undefined }, "for people");
    return lines;
  };

  it("gives machines one line of JSON and people words", () => {
    expect(printed(true)).toEqual(['{"a":[1,null]}']);
    expect(printed(false)).toEqual(["for people"]);
  });
});

describe("whole numbers", () => {
  it("come back", () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 999_999_999_999_999 }), (value) => {
        expect(whole(String(value), "--limit")).toBe(value);
      }),
    );
  });

  it.each(["0", "-1", "1.5", "1e3", "0x10", "", " 1", "1 ", "01", "１", "NaN", "Infinity", "1000000000000000"])(
    "%j is none: bad usage",
    (text) => {
      expect(() => whole(text, "--limit")).toThrow(new CommandFailed(`--limit ${text} is no whole number from 1`, 2));
      try {
        whole(text, "--limit");
      } catch (error) {
        expect(error).toMatchObject({ exitCode: 2, name: "CommandFailed" });
      }
    },
  );
});

it("times are UTC with milliseconds", () => {
  expect(when(Date.UTC(2026, 10, 23, 9, 41, 7, 5))).toBe("2026-11-23 09:41:07.005");
});

it("a failure is exit 1 unless it is bad usage", () => {
  expect([new CommandFailed("x").exitCode, new CommandFailed("x", 2).exitCode]).toEqual([1, 2]);
});
