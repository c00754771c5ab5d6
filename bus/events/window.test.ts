/** The window of unconfirmed events: what a consumer confirms is done once, in order, and never more than it was given. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { createWindow } from "./window.ts";

describe("the window of a session", () => {
  it("gives offsets from 1 upward, and confirms all up to one", () => {
    const window = createWindow<string>(10, 1000);
    expect(["a", "b", "c"].map((item) => window.add(item, 1))).toEqual([1, 2, 3]);
    expect(window.confirm(2)).toEqual(["a", "b"]);
    expect(window.confirm(2)).toEqual([]);
    expect(window.confirm(1)).toEqual([]);
    expect(window.open()).toEqual(["c"]);
    expect(window.add("d", 1)).toBe(4);
    expect(window.confirm(4)).toEqual(["c", "d"]);
  });

  it.each([4, 1.5, -1, Number.NaN, Infinity, Number.MAX_SAFE_INTEGER + 1])("refuses an offset that was never given: %d", (offset) => {
    const window = createWindow<string>(10, 1000);
    for (const item of ["a", "b", "c"]) window.add(item, 1);
    expect(() => window.confirm(offset)).toThrow("was not handed out in this session; the last one was 3");
    expect(window.open()).toEqual(["a", "b", "c"]);
  });

  it("has no room above either bound, and always for one", () => {
    const window = createWindow<string>(2, 100);
    window.add("big", 1_000_000);
    expect(window.room()).toBe(false);
    window.confirm(1);
    expect(window.room()).toBe(true);
    window.add("a", 1);
    window.add("b", 1);
    expect(window.room()).toBe(false);
  });

  it("is what a list would be, whatever is added and confirmed in what order", () => {
    const step = fc.oneof(fc.record({ add: fc.nat(100) }), fc.record({ confirm: fc.nat(400) }));
    fc.assert(
      fc.property(
        fc.array(step, { maxLength: 300 }),
        fc.integer({ min: 1, max: 50 }),
        fc.integer({ min: 1, max: 2000 }),
        (steps, most, bytes) => {
          const window = createWindow<number>(most, bytes);
          let last = 0;
          let model: { offset: number; size: number }[] = [];
          for (const one of steps) {
            if ("add" in one) {
              if (!window.room()) continue;
              last += 1;
              model.push({ offset: last, size: one.add });
              expect(window.add(last, one.add)).toBe(last);
            } else if (one.confirm > last) expect(() => window.confirm(one.confirm)).toThrow();
            else {
              expect(window.confirm(one.confirm)).toEqual(model.filter(({ offset }) => offset <= one.confirm).map(({ offset }) => offset));
              model = model.filter(({ offset }) => offset > one.confirm);
            }
            expect(window.open()).toEqual(model.map(({ offset }) => offset));
            expect(model.length).toBeLessThanOrEqual(most);
            const held = model.reduce((sum, { size }) => sum + size, 0);
            expect(window.room()).toBe(model.length === 0 || (model.length < most && held < bytes));
          }
        },
      ),
    );
  });
});
