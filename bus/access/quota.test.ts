import { describe, expect, it } from "vitest";
import { BusError } from "../errors.ts";
import type { Clock } from "../ports.ts";
import type { Grant } from "../route/runtime.ts";
import { createQuotas } from "./quota.ts";

const HOUR = 3_600_000;
const grant = { id: "g", place: "grants.yaml:9", quota: { count: 3, per: HOUR } } as unknown as Grant;

function setup(counted: number) {
  const state = { now: 10 * HOUR + 5, asked: [] as number[] };
  const clock: Clock = { now: () => state.now, sleep: () => Promise.resolve() };
  const quotas = createQuotas(clock, (_grant, from) => {
    state.asked.push(from);
    return Promise.resolve(state.asked.length === 1 ? counted : 0);
  });
  const take = async (): Promise<string> => {
    try {
      await quotas.take(grant);
      return "ok";
    } catch (thrown) {
      return thrown instanceof BusError ? `${thrown.code} ${thrown.retryAfter}` : String(thrown);
    }
  };
  return { state, take };
}

describe("quota", () => {
  it("lets through as many as the grant says, then tells when the next window begins", async () => {
    const { take } = setup(0);
    expect([await take(), await take(), await take(), await take()]).toEqual(["ok", "ok", "ok", `quota-exceeded ${HOUR - 5}`]);
  });

  it("counts what the journal holds of this window, once", async () => {
    const { state, take } = setup(2);
    expect([await take(), await take()]).toEqual(["ok", `quota-exceeded ${HOUR - 5}`]);
    expect(state.asked).toEqual([10 * HOUR]);
  });

  it("holds the bound when many come while the count is being read", async () => {
    const { take } = setup(1);
    const answers = await Promise.all([take(), take(), take(), take()]);
    expect(answers.filter((answer) => answer === "ok")).toHaveLength(2);
  });

  it("begins anew in the next window", async () => {
    const { state, take } = setup(3);
    expect(await take()).toContain("quota-exceeded");
    state.now = 11 * HOUR;
    expect(await take()).toBe("ok");
  });

  it("costs nothing where a grant has no quota", () => {
    const quotas = createQuotas({ now: () => 0, sleep: () => Promise.resolve() }, () => Promise.reject(new Error("not asked")));
    expect(quotas.take({ ...grant, quota: undefined })).toBeUndefined();
  });
});
