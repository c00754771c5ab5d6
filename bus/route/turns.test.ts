import { describe, expect, it } from "vitest";
import { createTurns } from "./turns.ts";

describe("turns", () => {
  it("are taken one at a time, in order, and a failure is its own work's alone", async () => {
    const inTurn = createTurns();
    const seen: string[] = [];
    let running = 0;
    const work = (name: string, steps: number) =>
      inTurn(async () => {
        running += 1;
        expect(running).toBe(1);
        for (let step = 0; step < steps; step += 1) await Promise.resolve();
        running -= 1;
        seen.push(name);
        if (name === "b") throw new Error("b failed");
        return name;
      });
    expect(await Promise.allSettled([work("a", 9), work("b", 5), work("c", 1)])).toMatchObject([
      { status: "fulfilled", value: "a" },
      { status: "rejected", reason: { message: "b failed" } },
      { status: "fulfilled", value: "c" },
    ]);
    expect(seen).toEqual(["a", "b", "c"]);
  });
});
