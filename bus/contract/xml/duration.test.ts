/** Durations in order, where there is one. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { compareDurations } from "./duration.ts";

describe("durations", () => {
  it.each([
    ["P1D", "PT24H", 0],
    ["PT60S", "PT1M", 0],
    ["P1Y", "P12M", 0],
    ["-P1D", "P0D", -1],
    ["PT0.5S", "PT0.25S", 1],
    ["P1M", "P27D", 1],
    ["P1M", "P32D", -1],
    ["P1Y", "P364D", 1],
    ["P400Y", "P146097D", 0],
    ["-P1Y", "-P367D", 1],
    ["P10675199DT2H48M5.4775807S", "P10675199DT2H48M5.4775808S", -1],
  ])("%s against %s", (a, b, order) => {
    expect(compareDurations(a, b)).toBe(order);
    expect(compareDurations(b, a)).toBe(order === 0 ? 0 : -order);
  });

  it.each([
    ["P1M", "P30D"],
    ["P1M", "P28D"],
    ["P1Y", "P365D"],
    ["P5M", "P152D"],
    ["P1D", "no duration"],
  ])("%s and %s have no order", (a, b) => expect(compareDurations(a, b)).toBeNaN());

  it("of days and seconds alone always have one, that of their lengths", () => {
    const part = fc.integer({ min: 0, max: 100_000 });
    fc.assert(
      fc.property(part, part, part, part, (d, s, e, t) => {
        expect(compareDurations(`P${d}DT${s}S`, `P${e}DT${t}S`)).toBe(Math.sign(d * 86_400 + s - (e * 86_400 + t)));
      }),
    );
  });

  it("of months alone always have one", () => {
    const part = fc.integer({ min: -100_000, max: 100_000 });
    const text = (months: number): string => `${months < 0 ? "-" : ""}P${Math.abs(months)}M`;
    fc.assert(
      fc.property(part, part, (a, b) => {
        expect(compareDurations(text(a), text(b))).toBe(Math.sign(a - b));
      }),
    );
  });
});
