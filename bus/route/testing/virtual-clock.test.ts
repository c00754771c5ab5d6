import { describe, expect, it } from "vitest";
import { createVirtualClock } from "./virtual-clock.ts";

describe("the virtual clock", () => {
  it("stands still until it is moved", async () => {
    const clock = createVirtualClock(1_000);
    let woke = false;
    const slept = clock.sleep(10).then(() => {
      woke = true;
    });
    await clock.advance(9);
    expect([clock.now(), woke, clock.sleepers]).toEqual([1_009, false, 1]);
    await clock.advance(1);
    expect([clock.now(), woke, clock.sleepers]).toEqual([1_010, true, 0]);
    await slept;
  });

  it("wakes in order of time, and shows each its own time", async () => {
    const clock = createVirtualClock(0);
    const seen: string[] = [];
    const sleep = async (name: string, ms: number): Promise<void> => {
      await clock.sleep(ms);
      seen.push(`${name}@${clock.now()}`);
    };
    const all = Promise.all([sleep("c", 30), sleep("a", 10), sleep("b", 10)]);
    await clock.advance(100);
    await all;
    expect(seen).toEqual(["a@10", "b@10", "c@30"]);
    expect(clock.now()).toBe(100);
  });

  it("lets one who sleeps again wake within the same move", async () => {
    const clock = createVirtualClock(0);
    const seen: number[] = [];
    const loop = (async () => {
      for (let i = 0; i < 3; i++) {
        await clock.sleep(10);
        seen.push(clock.now());
      }
    })();
    await clock.advance(30);
    await loop;
    expect(seen).toEqual([10, 20, 30]);
  });

  it("rejects a sleep with the signal's reason, before and while sleeping", async () => {
    const clock = createVirtualClock(0);
    const controller = new AbortController();
    const slept = clock.sleep(10, controller.signal);
    const reason = new Error("enough");
    controller.abort(reason);
    await expect(slept).rejects.toBe(reason);
    await expect(clock.sleep(10, controller.signal)).rejects.toBe(reason);
    expect(clock.sleepers).toBe(0);
  });

  it("runs work to its end by moving time itself", async () => {
    const clock = createVirtualClock(0);
    const work = async (): Promise<number> => {
      await clock.sleep(3_600_000);
      await new Promise((resolve) => setImmediate(resolve));
      await clock.sleep(1);
      return clock.now();
    };
    expect(await clock.until(work())).toBe(3_600_001);
  });

  it("passes a failure on, and does not wait for ever", async () => {
    const clock = createVirtualClock(0);
    await expect(clock.until(Promise.reject(new Error("broken")))).rejects.toThrow("broken");
    await expect(clock.until(new Promise(() => undefined))).rejects.toThrow("still not settled");
  });
});
