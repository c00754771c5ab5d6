/** Whatever calls do and whenever their callers leave: the books of an endpoint stay right. */
import { describe, expect, it } from "vitest";
import fc from "fast-check";
import { BusError } from "#bus/errors.ts";
import { policyOf } from "#test/harness/policy.ts";
import { createVirtualClock } from "#test/harness/virtual-clock.ts";
import { createEndpoints } from "./endpoints.ts";

const ADDRESS = "http://provider.example";
const NEVER = new AbortController().signal;
const open = { window: 10_000, minimumCalls: 2, openAtFailureRate: 0.5, openFor: 3000, probes: 2 } as const;
const unreachable = (): Promise<never> => Promise.reject(new BusError("endpoint-unreachable", "no"));

const call = fc.record({
  gap: fc.integer({ min: 0, max: 400 }),
  takes: fc.integer({ min: 0, max: 1500 }),
  ends: fc.constantFrom("good" as const, "bad" as const, "fault" as const, "never" as const),
  leavesAfter: fc.option(fc.integer({ min: 0, max: 2000 })),
  deadline: fc.option(fc.integer({ min: 1, max: 3000 })),
  whenOpen: fc.constantFrom("wait" as const, "fault" as const, undefined),
});

describe("any mix of calls", () => {
  it("keeps to concurrency and line, settles every call, and leaves nobody inside or waiting", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(call, { maxLength: 25 }), fc.integer({ min: 1, max: 4 }), async (calls, concurrency) => {
        const clock = createVirtualClock();
        const endpoints = createEndpoints({ clock });
        const limits = { concurrency, queue: 6, ratePerSecond: undefined };
        let inside = 0;
        let settled = 0;
        for (const { gap, takes, ends, leavesAfter, deadline, whenOpen } of calls) {
          await clock.advance(gap);
          const leaving = new AbortController();
          const policy = policyOf({ attemptTimeout: 1000, limits, breaker: whenOpen && { ...open, whenOpen } });
          const attempt = async (signal: AbortSignal): Promise<string> => {
            inside++;
            expect(inside).toBeLessThanOrEqual(concurrency);
            try {
              await clock.sleep(ends === "never" ? 1e9 : takes, signal);
            } finally {
              inside--;
            }
            if (ends === "bad") return unreachable();
            if (ends === "fault") throw new BusError("provider-fault", "no");
            return "good";
          };
          const count = (): void => void settled++;
          endpoints
            .call(ADDRESS, policy, leaving.signal, attempt, deadline === null ? undefined : clock.now() + deadline)
            .then(count, count);
          if (leavesAfter !== null) {
            void clock.sleep(leavesAfter).then(() => leaving.abort(new Error("left")));
          }
          expect(endpoints.list()[0]?.limits.queued ?? 0).toBeLessThanOrEqual(6);
        }
        await clock.advance(3_600_000);
        expect(settled).toBe(calls.length);
        expect(inside).toBe(0);
        for (const state of endpoints.list()) expect(state).toMatchObject({ waiting: 0, limits: { inFlight: 0, queued: 0 } });
        // and the endpoint can be used again: no probe was lost on the way
        const after = policyOf({ attemptTimeout: 1000, limits, breaker: { ...open, whenOpen: "wait" } });
        await expect(clock.until(endpoints.call(ADDRESS, after, NEVER, async () => "again"))).resolves.toBe("again");
        expect(clock.sleepers).toBeLessThanOrEqual(1);
      }),
      { numRuns: 150 },
    );
  });
});

describe("a probe", () => {
  it("whose caller leaves the endpoint's line is given to the next: the breaker does not stay half open for ever", async () => {
    const clock = createVirtualClock();
    const endpoints = createEndpoints({ clock });
    const limits = { concurrency: 1, queue: 5, ratePerSecond: undefined };
    const guarded = policyOf({ limits, breaker: { ...open, minimumCalls: 1, probes: 1, whenOpen: "fault" } });
    await endpoints.call(ADDRESS, guarded, NEVER, unreachable).catch(() => undefined);
    await clock.advance(3000);
    const unguarded = policyOf({ limits }); // a route without a breaker holds the only place
    const long = endpoints.call(ADDRESS, unguarded, NEVER, async (signal) => clock.sleep(5000, signal));
    const leaving = new AbortController();
    const probe = endpoints.call(ADDRESS, guarded, leaving.signal, async () => "never made").catch((error: unknown) => error);
    await clock.settle();
    leaving.abort(new Error("left"));
    expect(await probe).toMatchObject({ message: "left" });
    await clock.until(long);
    await expect(endpoints.call(ADDRESS, guarded, NEVER, async () => "probed")).resolves.toBe("probed");
    expect(endpoints.list()[0]?.breaker?.position).toBe("closed");
  });

  it("that was let through while others wait frees the next of them when it says nothing", async () => {
    const clock = createVirtualClock();
    const endpoints = createEndpoints({ clock });
    const policy = policyOf({ breaker: { ...open, minimumCalls: 1, probes: 1, whenOpen: "wait" } });
    await endpoints.call(ADDRESS, policy, NEVER, unreachable).catch(() => undefined);
    const broken = endpoints.call(ADDRESS, policy, NEVER, () => Promise.reject(new BusError("map-failed", "our own mistake")));
    const good = endpoints.call(ADDRESS, policy, NEVER, async () => "good");
    await expect(clock.until(broken)).rejects.toMatchObject({ code: "map-failed" });
    await expect(good).resolves.toBe("good");
  });
});
