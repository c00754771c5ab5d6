/** Dates, instants and decimals: text and number are two forms of one value, and nothing that is neither is taken. */
import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  dateFromDays,
  daysFromDate,
  decimalText,
  fromTwosComplement,
  instantFromMillis,
  millisFromInstant,
  twosComplement,
  unscaled,
} from "./values.ts";

const FIRST = -719_162;
const LAST = 2_932_896;
const DAY = 86_400_000;

describe("dates", () => {
  it.each([
    ["1970-01-01", 0],
    ["1969-12-31", -1],
    ["0001-01-01", FIRST],
    ["9999-12-31", LAST],
    ["2000-02-29", 11_016],
    ["2024-02-29", 19_782],
    ["1900-03-01", -25_508],
  ])("%s is day %d, both ways", (text, days) => {
    expect([daysFromDate(text), dateFromDays(days)]).toEqual([days, text]);
  });

  it("agree with the platform's calendar on every day", () => {
    fc.assert(
      fc.property(fc.integer({ min: FIRST, max: LAST }), (days) => {
        const text = dateFromDays(days);
        expect(text).toBe(new Date(days * DAY).toISOString().slice(0, 10));
        expect(daysFromDate(text ?? "")).toBe(days);
      }),
    );
  });

  it.each([FIRST - 1, LAST + 1, Number.MAX_SAFE_INTEGER, Number.MIN_SAFE_INTEGER])("day %d has no text", (days) => {
    expect(dateFromDays(days)).toBeUndefined();
  });

  it.each([
    "",
    "2026-1-31",
    "2026-02-30",
    "2023-02-29",
    "1900-02-29",
    "2026-04-31",
    "2026-13-01",
    "2026-00-10",
    "2026-01-00",
    "0000-01-01",
    "2026/01/31",
    "20260131",
    " 2026-01-31",
    "2026-01-31 ",
    "+026-01-31",
    "2026-01-31T00:00:00Z",
    "２０２６-01-31",
    "10000-01-01",
  ])("%j is no date", (text) => {
    expect(daysFromDate(text)).toBeUndefined();
  });

  it("take every day of every month and not one more", () => {
    for (const year of [1900, 2000, 2023, 2024])
      for (let month = 1; month <= 12; month++) {
        const last = new Date(Date.UTC(year, month, 0)).getUTCDate();
        const text = (day: number): string => `${year}-${String(month).padStart(2, "0")}-${String(day).padStart(2, "0")}`;
        for (let day = 1; day <= last; day++) expect(daysFromDate(text(day)), text(day)).toBeTypeOf("number");
        expect(daysFromDate(text(last + 1)), text(last + 1)).toBeUndefined();
      }
  });
});

describe("instants", () => {
  it("agree with the platform on every millisecond", () => {
    fc.assert(
      fc.property(fc.integer({ min: FIRST * DAY, max: (LAST + 1) * DAY - 1 }), (millis) => {
        const text = instantFromMillis(millis);
        expect(text).toBe(new Date(millis).toISOString());
        expect(millisFromInstant(text ?? "")).toBe(millis);
      }),
    );
  });

  it("with any offset mean the same moment", () => {
    const offset = fc.record({ sign: fc.constantFrom(1, -1), hours: fc.nat(23), minutes: fc.nat(59) });
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 4_000_000_000_000 }), offset, (millis, { sign, hours, minutes }) => {
        const local = new Date(millis + sign * (hours * 60 + minutes) * 60_000).toISOString().slice(0, -1);
        const two = (value: number): string => String(value).padStart(2, "0");
        expect(millisFromInstant(`${local}${sign > 0 ? "+" : "-"}${two(hours)}:${two(minutes)}`)).toBe(millis);
      }),
    );
  });

  it.each([
    ["2026-01-31T08:00:00Z", "2026-01-31T08:00:00.000Z"],
    ["2026-01-31t08:00:00z", "2026-01-31T08:00:00.000Z"],
    ["2026-01-31T08:00:00.1Z", "2026-01-31T08:00:00.100Z"],
    ["2026-01-31T08:00:00.12Z", "2026-01-31T08:00:00.120Z"],
    ["2026-01-31T08:00:00.1239999Z", "2026-01-31T08:00:00.123Z"],
    ["2026-01-31T08:00:00.999999999Z", "2026-01-31T08:00:00.999Z"],
    ["2026-01-31T00:30:00+02:00", "2026-01-30T22:30:00.000Z"],
    ["2026-01-31T00:30:00-00:00", "2026-01-31T00:30:00.000Z"],
    ["0001-01-01T00:00:00.000Z", "0001-01-01T00:00:00.000Z"],
    ["9999-12-31T23:59:59.999Z", "9999-12-31T23:59:59.999Z"],
  ])("%s is %s", (given, canonical) => {
    expect(instantFromMillis(millisFromInstant(given) ?? Number.NaN)).toBe(canonical);
  });

  it.each([
    "2026-01-31",
    "2026-01-31T08:00:00",
    "2026-01-31 08:00:00Z",
    "2026-01-31T24:00:00Z",
    "2026-01-31T08:60:00Z",
    "2026-01-31T08:00:60Z",
    "2026-01-31T08:00Z",
    "2026-01-31T08:00:00.Z",
    "2026-01-31T08:00:00.1234567890Z",
    "2026-01-31T08:00:00,1Z",
    "2026-01-31T08:00:00+2:00",
    "2026-01-31T08:00:00+0200",
    "2026-01-31T08:00:00+24:00",
    "2026-01-31T08:00:00+02:60",
    "2026-01-31T08:00:00ZZ",
    "2026-02-30T08:00:00Z",
    "0001-01-01T00:00:00+00:01",
    "9999-12-31T23:59:59-00:01",
    "",
  ])("%j is no instant", (text) => {
    expect(millisFromInstant(text)).toBeUndefined();
  });

  it.each([FIRST * DAY - 1, (LAST + 1) * DAY])("the millisecond %d has no text", (millis) => {
    expect(instantFromMillis(millis)).toBeUndefined();
  });

  it("never come of text made by chance, unless the platform reads it too", () => {
    fc.assert(
      fc.property(fc.stringMatching(/^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{3})?Z$/), (text) => {
        const millis = millisFromInstant(text);
        if (millis !== undefined) expect(Date.parse(text)).toBe(millis);
      }),
    );
  });
});

describe("decimals", () => {
  const digits = fc
    .record({ precision: fc.integer({ min: 1, max: 38 }), cut: fc.nat(38) })
    .map(({ precision, cut }) => ({ precision, scale: Math.min(precision, cut) }));

  it("of any precision come back from their text", () => {
    fc.assert(
      fc.property(digits, fc.bigInt({ min: -(10n ** 38n), max: 10n ** 38n }), ({ precision, scale }, value) => {
        const fits = value < 10n ** BigInt(precision) && value > -(10n ** BigInt(precision));
        expect(unscaled(decimalText(value, scale), precision, scale)).toBe(fits ? value : undefined);
      }),
    );
  });

  it.each([
    ["12.5", 9, 2, 1250n],
    ["12.50", 9, 2, 1250n],
    ["12.5000", 9, 2, 1250n],
    ["-0.01", 9, 2, -1n],
    ["0", 1, 0, 0n],
    ["-0", 9, 2, 0n],
    ["9.99", 3, 2, 999n],
    ["7", 3, 2, 700n],
  ])("%s in decimal(%d,%d) is %d hundredths", (text, precision, scale, value) => {
    expect(unscaled(text, precision, scale)).toBe(value);
  });

  it.each([
    ["12.505", 9, 2],
    ["10.00", 3, 2],
    ["1e3", 9, 2],
    ["+1", 9, 2],
    [".5", 9, 2],
    ["5.", 9, 2],
    ["007", 9, 2],
    ["1,5", 9, 2],
    [" 1", 9, 2],
    ["", 9, 2],
    ["-", 9, 2],
    ["١٢", 9, 2],
    ["9".repeat(161), 77, 0],
  ])("%j is none in decimal(%d,%d)", (text, precision, scale) => {
    expect(unscaled(text, precision, scale)).toBeUndefined();
  });

  it("write every decimal of their scale", () => {
    expect([decimalText(0n, 2), decimalText(-5n, 2), decimalText(123n, 0), decimalText(-1n, 3), decimalText(100n, 2)]).toEqual([
      "0.00",
      "-0.05",
      "123",
      "-0.001",
      "1.00",
    ]);
  });
});

describe("two's complement", () => {
  it("comes back, in the fewest bytes", () => {
    fc.assert(
      fc.property(fc.bigInt({ min: -(2n ** 100n), max: 2n ** 100n }), (value) => {
        const bytes = twosComplement(value, undefined) ?? new Uint8Array(0);
        expect(fromTwosComplement(bytes)).toBe(value);
        if (bytes.length > 1) expect(BigInt.asIntN((bytes.length - 1) * 8, value)).not.toBe(value);
      }),
    );
  });

  it("of a fixed size is filled with its sign, or is none where it does not fit", () => {
    fc.assert(
      fc.property(fc.bigInt({ min: -(2n ** 40n), max: 2n ** 40n }), fc.integer({ min: 1, max: 6 }), (value, size) => {
        const bytes = twosComplement(value, size);
        const fits = BigInt.asIntN(size * 8, value) === value;
        expect(bytes?.length).toBe(fits ? size : undefined);
        if (bytes) expect(fromTwosComplement(bytes)).toBe(value);
      }),
    );
  });

  it.each([
    [0n, [0]],
    [127n, [0x7f]],
    [128n, [0, 0x80]],
    [-128n, [0x80]],
    [-129n, [0xff, 0x7f]],
    [-1n, [0xff]],
  ])("of %d is %j", (value, bytes) => {
    expect([...(twosComplement(value, undefined) ?? [])]).toEqual(bytes);
  });

  it("of no bytes is nothing", () => {
    expect(fromTwosComplement(new Uint8Array(0))).toBe(0n);
  });
});
