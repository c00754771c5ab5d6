import { describe, expect, it } from "vitest";
import { createPace } from "./pace.ts";

const PACE = { least: 20, most: 500, share: 4 };

function timed() {
  let now = 1_000;
  const clock = { now: () => now, sleep: () => Promise.resolve() };
  const pace = createPace(clock, PACE);
  const pass = (ms: number): void => void (now += ms);
  const work = (ms: number): Promise<string> =>
    pace.timed(() => {
      pass(ms);
      return Promise.resolve("done");
    });
  return { pace, pass, work };
}

describe("the pace of what costs a server", () => {
  it("is due at once the first time", () => {
    expect(timed().pace.due()).toBe(true);
  });
  it.each([
    ["what was quick", 1, 20],
    ["what took a while", 30, 120],
    ["what took very long", 10_000, 500],
  ])("after %s rests as long as its share of it, within its bounds", async (_, took, rest) => {
    const { pace, pass, work } = timed();
    expect(await work(took)).toBe("done");
    expect(pace.rest()).toBe(rest);
    pass(rest - 1);
    expect(pace.due()).toBe(false);
    pass(1);
    expect(pace.due()).toBe(true);
  });
  it("quickens again when the server does", async () => {
    const { pace, work } = timed();
    await work(100);
    await work(2);
    expect(pace.rest()).toBe(20);
  });
  it("rests after a failure too, and gives it on", async () => {
    const { pace, pass } = timed();
    const failing = pace.timed(() => {
      pass(50);
      return Promise.reject(new Error("away"));
    });
    await expect(failing).rejects.toThrow("away");
    expect(pace.rest()).toBe(200);
  });
  it("does not stand still when the clock is set back", async () => {
    const { pace, pass } = timed();
    await pace.timed(() => {
      pass(-5_000);
      return Promise.resolve();
    });
    expect(pace.rest()).toBe(20);
  });
});
