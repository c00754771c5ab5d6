import { describe, expect, it } from "vitest";
import { createShared } from "./shared.ts";

/** Work that ends when it is told to. */
function held() {
  const runs: PromiseWithResolvers<void>[] = [];
  const shared = createShared(() => {
    const run = Promise.withResolvers<void>();
    runs.push(run);
    return run.promise;
  });
  const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
  return { shared, runs, turn };
}

describe("shared work", () => {
  it("runs once for all who ask before it begins", async () => {
    const { shared, runs, turn } = held();
    const asked = [shared.run(), shared.run(), shared.run()];
    await turn();
    expect(runs).toHaveLength(1);
    runs[0]?.resolve();
    await Promise.all(asked);
  });
  it("runs once more, after it, for all who ask while it runs", async () => {
    const { shared, runs, turn } = held();
    const first = shared.run();
    await turn();
    const later = Array.from({ length: 500 }, () => shared.run());
    await turn();
    expect(runs, "one at a time").toHaveLength(1);
    runs[0]?.resolve();
    await first;
    await turn();
    expect(runs).toHaveLength(2);
    runs[1]?.resolve();
    await Promise.all(later);
    expect(runs).toHaveLength(2);
  });
  it("fails for those whose run failed, and runs again for who asks next", async () => {
    const { shared, runs, turn } = held();
    const failing = shared.run();
    await turn();
    const next = shared.run();
    runs[0]?.reject(new Error("away"));
    await expect(failing).rejects.toThrow("away");
    await turn();
    runs[1]?.resolve();
    await next;
  });
  it("is settled when nothing of it runs or waits, however it ended", async () => {
    const { shared, runs, turn } = held();
    await shared.settled();
    const failing = shared.run();
    await turn();
    let settled = false;
    const end = shared.settled().then(() => (settled = true));
    await turn();
    expect(settled).toBe(false);
    runs[0]?.reject(new Error("away"));
    await expect(failing).rejects.toThrow("away");
    await end;
  });
});
