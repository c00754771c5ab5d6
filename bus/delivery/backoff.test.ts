import { describe, expect, it } from "vitest";
import fc from "fast-check";
import { BusError } from "#bus/errors.ts";
import type { FailureRule } from "#bus/route/runtime.ts";
import { policyOf } from "#test/harness/policy.ts";
import { failureRule, longestWait, mayRetry, timetable, waitBefore } from "./backoff.ts";
import { judge } from "./outcome.ts";

const backoff = { first: 200, factor: 2, max: 1000, jitter: "none" } as const;
const error = new BusError("endpoint-unreachable", "connection refused");

const backoffs = fc.record({
  first: fc.integer({ min: 0, max: 60_000 }),
  factor: fc.double({ min: 1, max: 10, noNaN: true }),
  max: fc.integer({ min: 0, max: 3_600_000 }),
  jitter: fc.constantFrom("none" as const, "full" as const),
});

describe("back-off", () => {
  it("grows by its factor up to its maximum", () => {
    expect([1, 2, 3, 4, 5, 6].map((next) => longestWait(backoff, next))).toEqual([0, 200, 400, 800, 1000, 1000]);
    expect(longestWait({ ...backoff, factor: 10 }, 5000)).toBe(1000); // no overflow into infinity
  });

  it("with full jitter is anywhere between nothing and the longest wait, both included", () => {
    const full = { ...backoff, jitter: "full" } as const;
    expect(waitBefore(full, 3, () => 0)).toBe(0);
    expect(waitBefore(full, 3, () => 1 - Number.EPSILON)).toBe(400);
    expect(waitBefore(backoff, 3, () => 0)).toBe(400);
  });
});

describe("retry.on", () => {
  const fault = (providerCode: string): BusError => new BusError("provider-fault", "no", { providerCode });

  it("names classes; a provider fault only together with its code", () => {
    expect(mayRetry([{ class: "unreachable" }], error)).toBe(true);
    expect(mayRetry([{ class: "timeout" }], error)).toBe(false);
    expect(mayRetry([{ class: "provider-fault" }], fault("Busy"))).toBe(false);
    expect(mayRetry([{ class: "provider-fault", code: "Busy" }], fault("Busy"))).toBe(true);
    expect(mayRetry([{ class: "provider-fault", code: "Busy" }], fault("Gone"))).toBe(false);
    expect(mayRetry([{ class: "unreachable", code: "other" }], error)).toBe(false);
  });
});

describe("failures", () => {
  const rules: readonly FailureRule[] = [
    { on: ["provider-fault"], code: "Gone", do: "drop" },
    { on: ["provider-fault", "timeout"], do: "reject" },
    { on: undefined, do: "deadletter" },
  ];

  it("the first rule that names class and code wins; a rule without `on` takes the rest", () => {
    expect(failureRule(rules, new BusError("provider-fault", "x", { providerCode: "Gone" }))?.do).toBe("drop");
    expect(failureRule(rules, new BusError("provider-fault", "x", { providerCode: "Else" }))?.do).toBe("reject");
    expect(failureRule(rules, error)?.do).toBe("deadletter");
    expect(failureRule(rules.slice(0, 2), error)).toBeUndefined();
  });
});

describe("the timetable of a policy", () => {
  it("is what explain prints: each attempt's start, at best and at worst", () => {
    const policy = policyOf({ deadline: 9000, attemptTimeout: 2500, retry: { attempts: 3, backoff: { ...backoff, jitter: "full" } } });
    expect(timetable(policy)).toEqual({
      slots: [
        { attempt: 1, earliest: 0, latest: 0 },
        { attempt: 2, earliest: 0, latest: 2700 },
        { attempt: 3, earliest: 0, latest: 5600 },
      ],
      best: 0,
      worst: 8100,
      unreachable: 0,
    });
  });

  it("says how many attempts the deadline or giveUpAfter leave no time for", () => {
    const policy = policyOf({ deadline: 3000, attemptTimeout: 2500, retry: { attempts: 4, backoff } });
    expect(timetable(policy)).toMatchObject({ worst: 3000, unreachable: 2 });
    expect(timetable({ ...policy, deadline: undefined, retry: { ...policy.retry, giveUpAfter: 2600 } })).toMatchObject({
      worst: 2600,
      unreachable: 3,
    });
  });

  it("bounds what delivery does, whatever chance says", () => {
    fc.assert(
      fc.property(
        backoffs,
        fc.integer({ min: 1, max: 30 }),
        fc.integer({ min: 1, max: 60_000 }),
        fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
        (given, attempts, attemptTimeout, chance) => {
          const table = timetable(policyOf({ attemptTimeout, retry: { attempts, backoff: given } }));
          expect(table.slots).toHaveLength(attempts);
          let quick = 0; // every attempt fails at once
          let slow = 0; // every attempt takes its whole timeout
          for (const { attempt, earliest, latest } of table.slots) {
            const wait = attempt === 1 ? 0 : waitBefore(given, attempt, () => chance);
            quick += wait;
            slow += attempt === 1 ? 0 : attemptTimeout + wait;
            expect(quick).toBeGreaterThanOrEqual(earliest);
            expect(slow).toBeLessThanOrEqual(latest);
            expect(wait).toBeLessThanOrEqual(given.max);
          }
          expect(slow + attemptTimeout).toBeLessThanOrEqual(table.worst);
          expect(table.best).toBeLessThanOrEqual(table.worst);
        },
      ),
    );
  });
});

describe("the verdict on a failed attempt", () => {
  const policy = policyOf({ retry: { attempts: 3, backoff, giveUpAfter: 60_000 } });
  const failed = { error, attempt: 1, firstAttemptAt: 1000, now: 1000 };
  const rules: readonly FailureRule[] = [{ on: undefined, do: "drop" }];
  const verdict = (more: Partial<typeof failed>) => judge(policy, rules, { ...failed, ...more }, () => 0.5);

  it("is a retry after the back-off, or after the provider's own Retry-After when that is longer", () => {
    expect(verdict({})).toEqual({ kind: "retry", after: 200 });
    expect(verdict({ attempt: 2 })).toEqual({ kind: "retry", after: 400 });
    expect(verdict({ error: new BusError("endpoint-unavailable", "503", { retryAfter: 7000 }) })).toEqual({ kind: "retry", after: 7000 });
  });

  it("is the end after the last attempt, after giveUpAfter, and for what is not retried; each says why", () => {
    expect(verdict({ attempt: 3 })).toMatchObject({ kind: "end", why: "attempt 3 of 3: all attempts failed" });
    expect(verdict({ now: 60_900 })).toMatchObject({ kind: "end", why: expect.stringContaining("60000 ms") });
    expect(verdict({ error: new BusError("xsd-violation", "x") })).toMatchObject({
      kind: "end",
      why: expect.stringContaining("not retried"),
    });
  });

  it("holds a message whose provider was not asked, without counting; giveUpAfter ends that too", () => {
    for (const code of ["breaker-open", "queue-full", "rate-exceeded"] as const) {
      const refused = new BusError(code, "x", { retryAfter: 5000 });
      expect(verdict({ error: refused, attempt: 3 })).toEqual({ kind: "hold", after: 5000 });
      expect(verdict({ error: refused, now: 58_000 })).toMatchObject({ kind: "end" });
    }
  });

  it("is a dead letter where no rule names the error", () => {
    expect(judge(policy, [], { ...failed, attempt: 3 }, () => 0)).toMatchObject({ rule: { do: "deadletter" } });
  });
});
