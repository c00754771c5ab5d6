/** Single values of the administrator's files: what is read, what is refused and in which words, and that no text breaks a reader. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { CLASSES } from "../../errors.ts";
import { readScalar } from "./scalar.ts";
import type { Schema } from "./schema.ts";
import type { ScalarNode } from "./tree.ts";
import { formatDuration, readDuration, readMoment, readPercent, readQuota, readRate, readSize, spokenDuration } from "./units.ts";

const spot = { file: "routes/a.yaml", line: 1, column: 1 };
function read(value: ScalarNode["value"], schema: Schema, raw = false) {
  const text = String(value);
  return readScalar({ kind: "scalar", value, text, spot, at: () => spot }, text, schema, raw);
}

describe("a value of a type", () => {
  it.each<[ScalarNode["value"], Schema, unknown]>([
    [true, { type: "boolean" }, true],
    [3, { type: "integer" }, 3],
    [2.5, { type: "number" }, 2.5],
    ["text", { type: "string" }, "text"],
    [42, { type: "string" }, "42"],
    [true, { type: ["boolean", "string"] }, true],
    ["b", { enum: ["a", "b"] }, "b"],
    [7, {}, 7],
    ["abc", { type: "string", pattern: "^[a-c]+$" }, "abc"],
  ])("%j by %j", (value, schema, expected) => expect(read(value, schema)).toEqual({ value: expected }));

  it.each<[ScalarNode["value"], Schema, string, string]>([
    ["yes", { type: "boolean" }, "wrong-type", "write true or false instead of `yes`"],
    ["3", { type: "integer" }, "wrong-type", "write a whole number without quotes instead of `3`"],
    ["3.5", { type: "number" }, "wrong-type", "write a number without quotes instead of `3.5`"],
    [2.5, { type: "integer" }, "wrong-type", "write a whole number instead of `2.5`"],
    [0, { type: "integer", minimum: 1, maximum: 9 }, "out-of-range", "0 is outside 1..9"],
    [Infinity, { type: "number" }, "out-of-range", "Infinity is outside -Infinity..Infinity"],
    ["actve", { enum: ["active", "paused"] }, "unknown-word", "`actve` is not known here; did you mean `active`?"],
    ["", { type: "string", minLength: 1 }, "empty", "the text is empty"],
    ["abcdef", { type: "string", maxLength: 5 }, "too-long", "the text is longer than 5 characters"],
    [
      "A b",
      { type: "string", pattern: "^[a-z]+$", "x-write": "write small letters", examples: ["abc"] },
      "bad-form",
      "`A b` does not fit; write small letters, for example `abc`",
    ],
    [
      "A b",
      { type: "string", pattern: "^[a-z]+$", description: "A name." },
      "bad-form",
      "`A b` does not fit the pattern ^[a-z]+$. A name.",
    ],
    ["x".repeat(70), { type: "string", pattern: "^y" }, "bad-form", `\`${"x".repeat(57)}…\` does not fit the pattern ^y.`],
  ])("%j by %j is refused", (value, schema, rule, fault) => expect(read(value, schema)).toEqual({ rule, fault }));
});

describe("a value of a kind", () => {
  it.each<[string, Schema["x-kind"], unknown]>([
    ["10s", "duration", 10_000],
    ["256KiB", "size", 262_144],
    ["600/minute", "rate", 10],
    ["50%", "percent", 0.5],
    ["5000/day", "quota", { count: 5000, per: 86_400_000 }],
    ["2026-01-01", "moment", Date.UTC(2026, 0, 1)],
    ["./map/a.map.yaml", "file", "routes/map/a.map.yaml"],
    ["../contracts/a.avsc", "file", "contracts/a.avsc"],
    ["contracts/a.avsc", "file", "contracts/a.avsc"],
    ["1002600024700", "idno", "1002600024700"],
    ["timeout", "retry-rule", { class: "timeout" }],
    ["provider-fault:Busy", "retry-rule", { class: "provider-fault", code: "Busy" }],
    ["provider-fault:urn:a:b", "retry-rule", { class: "provider-fault", code: "urn:a:b" }],
    ["< 9s", "bounds", { below: 9000 }],
    [">1.5s", "bounds", { above: 1500 }],
  ])("%s is %s", (text, kind, value) => {
    const schema: Schema = { type: "string", ...(kind === undefined ? {} : { "x-kind": kind }) };
    expect(read(text, schema)).toEqual({ value });
    expect(read(text, schema, true)).toEqual({ value: kind === "file" ? value : text });
  });

  it.each<[string, NonNullable<Schema["x-kind"]>, string, string]>([
    [
      "../../etc/passwd",
      "file",
      "bad-path",
      "`../../etc/passwd` leaves the folder of the files; write a path relative to this file, for example ./map/person.map.yaml",
    ],
    [
      "/etc/passwd",
      "file",
      "bad-path",
      "`/etc/passwd` leaves the folder of the files; write a path relative to this file, for example ./map/person.map.yaml",
    ],
    [
      "C:\\a",
      "file",
      "bad-path",
      "`C:\\a` leaves the folder of the files; write a path relative to this file, for example ./map/person.map.yaml",
    ],
    [
      "a/../../b",
      "file",
      "bad-path",
      "`a/../../b` leaves the folder of the files; write a path relative to this file, for example ./map/person.map.yaml",
    ],
    ["123", "idno", "bad-idno", "`123` is no IDNO; an IDNO has 13 digits"],
    ["1002600024701", "idno", "bad-idno", "`1002600024701` is no IDNO: its check digit is 1, by the other digits it would be 0"],
    ["timeuot", "retry-rule", "retry-class", "`timeuot` is no class of error; did you mean `timeout`?"],
    ["provider-fault", "retry-rule", "retry-class", "a provider-fault is retried only with its code; write `provider-fault:CODE`"],
    ["timeout:Busy", "retry-rule", "retry-class", "only provider-fault takes a code; write `timeout`"],
    ["9s", "bounds", "bad-duration", '`9s` is no bound; write `"< 9s"` or `"> 1s"`'],
    ["< 9", "bounds", "bad-duration", "`9` has no unit; write `9s`"],
    ["0%", "percent", "bad-percent", "`0%` is outside 1%..100%"],
    ["50", "percent", "bad-percent", "`50` has no unit; write `50%`"],
    ["half", "percent", "bad-percent", "`half` is not a percentage; write for example 50%"],
    ["20 per s", "rate", "bad-rate", "`20 per s` is not a count per period; write for example 20/s, 600/minute or 5000/day"],
    ["1/constructor", "quota", "bad-quota", "`1/constructor` is not a count per period; write for example 20/s, 600/minute or 5000/day"],
    ["9007199254740993B", "size", "bad-size", "`9007199254740993B` is too large"],
    ["tomorrow", "moment", "bad-date", "`tomorrow` is no date; write for example 2026-12-31 or 2026-12-31T09:00:00Z"],
    ["2026-13-01", "moment", "bad-date", "`2026-13-01` is no date; write for example 2026-12-31 or 2026-12-31T09:00:00Z"],
  ])("%s is no %s", (text, kind, rule, fault) => expect(read(text, { type: "string", "x-kind": kind })).toEqual({ rule, fault }));

  it("retries exactly the classes that can get better", () => {
    for (const [name, { retryable }] of Object.entries(CLASSES)) {
      if (name === "provider-fault") continue;
      expect("value" in read(name, { type: "string", "x-kind": "retry-rule" }), name).toBe(retryable);
    }
  });
});

const READERS = { readDuration, readSize, readPercent, readQuota, readRate, readMoment };
const nearly = fc.oneof(
  fc.string({ maxLength: 60, unit: "binary" }),
  fc
    .tuple(
      fc.oneof(fc.nat(), fc.double({ noNaN: true }), fc.bigInt()),
      fc.constantFrom("", " ", "/", "%", "-"),
      fc.constantFrom("", "s", "ms", "KiB", "GiB", "day", "y", "%", "__proto__"),
    )
    .map((parts) => parts.join("")),
);

describe("any text", () => {
  it.each(Object.entries(READERS))("%s gives a finite value or a fault in words, and never throws", (_, reader) => {
    fc.assert(
      fc.property(nearly, (text) => {
        const result = reader(text);
        if ("fault" in result) {
          expect(result.fault.length).toBeGreaterThan(10);
          expect(result.fault).not.toMatch(/undefined|NaN|\[object/u);
          return;
        }
        const numbers = typeof result.value === "number" ? [result.value] : Object.values(result.value);
        for (const number of numbers) expect(Number.isFinite(number)).toBe(true);
      }),
      { numRuns: 500 },
    );
  });

  it("as a reference never leaves the folder of the files", () => {
    const part = fc.constantFrom("..", ".", "a", "b.yaml", "", "\\", "C:", "\0", "...");
    fc.assert(
      fc.property(fc.array(part, { minLength: 1, maxLength: 8 }), (parts) => {
        const result = read(parts.join("/"), { type: "string", "x-kind": "file" });
        if (!("value" in result)) return;
        const path = String(result.value);
        expect(path).not.toMatch(/^\/|\\|\0/u);
        let depth = 0;
        for (const name of path.split("/")) {
          depth += name === ".." ? -1 : name === "" || name === "." ? 0 : 1;
          expect(depth).toBeGreaterThanOrEqual(0);
        }
      }),
    );
  });
});

describe("units", () => {
  const factors = { B: 1, KiB: 1024, MiB: 1024 ** 2, GiB: 1024 ** 3 } as const;
  it("of sizes multiply, with or without a space", () => {
    fc.assert(
      fc.property(
        fc.nat({ max: 4096 }),
        fc.constantFrom(...(["B", "KiB", "MiB", "GiB"] as const)),
        fc.constantFrom("", " "),
        (count, unit, gap) => {
          expect(readSize(`${count}${gap}${unit}`)).toEqual({ value: count * factors[unit] });
        },
      ),
    );
  });

  it("of rates are quotas per second", () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 1_000_000 }),
        fc.constantFrom("s", "second", "m", "minute", "h", "hour", "d", "day"),
        (count, period) => {
          const [quota, rate] = [readQuota(`${count}/${period}`), readRate(`${count}/${period}`)];
          if (!("value" in quota) || !("value" in rate)) throw new Error("it was refused");
          expect(quota.value.count).toBe(count);
          expect(rate.value).toBeCloseTo((count * 1000) / quota.value.per, 9);
        },
      ),
    );
  });

  it("of durations keep their order, and are spoken within a twentieth of what they are", () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 400 * 86_400_000 }), (ms) => {
        const spoken = readDuration(spokenDuration(ms));
        const exact = readDuration(formatDuration(ms));
        if (!("value" in spoken)) throw new Error("what is spoken cannot be read");
        expect(exact).toEqual({ value: ms });
        expect(Math.abs(spoken.value - ms)).toBeLessThanOrEqual(ms / 20 + 50);
      }),
    );
  });

  it("of days are midnight in UTC, and a zone moves the moment", () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 40_000 }), (days) => {
        const day = new Date(days * 86_400_000).toISOString().slice(0, 10);
        expect(readMoment(day)).toEqual({ value: days * 86_400_000 });
        expect(readMoment(`${day}T03:00:00+03:00`)).toEqual({ value: days * 86_400_000 });
      }),
    );
  });
});
