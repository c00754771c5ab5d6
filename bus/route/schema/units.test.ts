import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { readIdno } from "./scalar.ts";
import { formatDuration, readDuration, readMoment, readPercent, readQuota, readRate, readSize, spokenDuration } from "./units.ts";

describe("units", () => {
  it.each([
    ["250ms", 250],
    ["2.5s", 2500],
    ["10m", 600_000],
    ["24h", 86_400_000],
    ["30d", 2_592_000_000],
    ["7y", 7 * 365 * 86_400_000],
  ])("reads the duration %s", (text, value) => expect(readDuration(text)).toEqual({ value }));

  it.each([
    ["10", "`10` has no unit; write `10s`"],
    ["ten", "`ten` is not a duration; write for example 250ms, 10s, 5m, 24h, 30d or 7y"],
    ["5 sec", "`sec` is no unit of duration; the units are ms, s, m, h, d, w, y"],
    ["-1s", "`-1s` is not a duration; write for example 250ms, 10s, 5m, 24h, 30d or 7y"],
    ["5constructor", "`constructor` is no unit of duration; the units are ms, s, m, h, d, w, y"],
  ])("refuses the duration %s in words", (text, fault) => expect(readDuration(text)).toEqual({ fault }));

  it("reads sizes, shares, rates and quotas", () => {
    expect(readSize("256KiB")).toEqual({ value: 262_144 });
    expect(readPercent("50%")).toEqual({ value: 0.5 });
    expect(readRate("20/s")).toEqual({ value: 20 });
    expect(readRate("600/minute")).toEqual({ value: 10 });
    expect(readQuota("5000/day")).toEqual({ value: { count: 5000, per: 86_400_000 } });
  });

  it("refuses them in words", () => {
    expect(readSize("256")).toEqual({ fault: "`256` has no unit; write `256KiB`" });
    expect(readPercent("0.5")).toEqual({ fault: "`0.5` has no unit; write `50%`" });
    expect(readPercent("150%")).toEqual({ fault: "`150%` is outside 1%..100%" });
    expect(readQuota("5000")).toEqual({ fault: "`5000` has no period; write `5000/s` or `5000/day`" });
  });

  it("knows the days of each month", () => {
    expect(readMoment("2028-02-29")).toEqual({ value: Date.UTC(2028, 1, 29) });
    expect(readMoment("2026-02-29")).toHaveProperty("fault");
    expect(readMoment("2026-05-04T09:00:00Z")).toEqual({ value: Date.UTC(2026, 4, 4, 9) });
    expect(readMoment("2026-05-04T09:00:00")).toHaveProperty("fault");
  });

  it("writes durations so that they read back", () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 400 * 86_400_000 }), (ms) => {
        expect(readDuration(formatDuration(ms))).toEqual({ value: ms });
      }),
    );
    expect([600, 8100, 655_000, 9_682_500].map(spokenDuration)).toEqual(["600ms", "8.1s", "10.9m", "2.7h"]);
  });
});

describe("IDNO", () => {
  it.each(["1010600034203", "1018600049308", "1003600034203"])("accepts %s", (idno) => expect(readIdno(idno)).toEqual({ value: idno }));
  it("refuses any one wrong digit whose weight shows it", () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 12 }), fc.integer({ min: 1, max: 9 }), (at, plus) => {
        const digits = "1010600034203".split("");
        digits[at] = String((Number(digits[at]) + plus) % 10);
        expect(readIdno(digits.join(""))).toHaveProperty("fault");
      }),
    );
  });
});
