import { describe, expect, it } from "vitest";
import fc from "fast-check";
import { BusError } from "#bus/errors.ts";
import { createVirtualClock } from "#test/harness/virtual-clock.ts";
import { policyOf } from "#test/harness/policy.ts";
import { createLine, reasonOf } from "./line.ts";
import { createLimits, type LimitPolicy } from "./limits.ts";
import { strictestBreaker, strictestLimits } from "./strictest.ts";
import { createTimeouts } from "./timeouts.ts";

const NEVER = new AbortController().signal;

function world(policy: Partial<LimitPolicy>) {
  const clock = createVirtualClock();
  const timeouts = createTimeouts(clock);
  const limits = createLimits({
    policy: { concurrency: 10, queue: 10, ratePerSecond: undefined, ...policy },
    now: () => clock.now(),
    timeouts,
  });
  return { clock, limits };
}

describe("concurrency", () => {
  it("lets in at most so many, the rest in the order of their coming", async () => {
    const { clock, limits } = world({ concurrency: 2 });
    const inside: number[] = [];
    const all = [0, 1, 2, 3, 4].map((caller) => limits.acquire(NEVER).then(() => inside.push(caller)));
    await clock.settle();
    expect(inside).toEqual([0, 1]);
    expect(limits.state()).toMatchObject({ inFlight: 2, queued: 3 });
    limits.release();
    await clock.settle();
    expect(inside).toEqual([0, 1, 2]);
    limits.release();
    limits.release();
    await Promise.all(all);
    expect(inside).toEqual([0, 1, 2, 3, 4]);
  });

  it("a newcomer does not overtake those who wait", async () => {
    const { clock, limits } = world({ concurrency: 1 });
    expect(limits.tryAcquire()).toBe(true);
    const waiting = limits.acquire(NEVER);
    limits.release();
    expect(limits.tryAcquire()).toBe(false);
    await waiting;
    await clock.settle();
    expect(limits.state()).toMatchObject({ inFlight: 1, queued: 0 });
  });

  it("a full line is refused at once with retryAfter", async () => {
    const { limits } = world({ concurrency: 1, queue: 1 });
    await limits.acquire(NEVER);
    void limits.acquire(NEVER);
    await expect(limits.acquire(NEVER)).rejects.toMatchObject({ code: "queue-full", class: "throttled", retryAfter: 1000 });
    const none = world({ concurrency: 1, queue: 0 });
    await none.limits.acquire(NEVER);
    await expect(none.limits.acquire(NEVER)).rejects.toMatchObject({ code: "queue-full" });
  });

  it("who leaves the line leaves no gap and takes no place", async () => {
    const { clock, limits } = world({ concurrency: 1, queue: 2 });
    await limits.acquire(NEVER);
    const leaving = new AbortController();
    const left = limits.acquire(leaving.signal);
    const staying = limits.acquire(NEVER);
    leaving.abort(new BusError("deadline-passed", "too late"));
    await expect(left).rejects.toMatchObject({ code: "deadline-passed" });
    await expect(limits.acquire(leaving.signal)).rejects.toMatchObject({ code: "deadline-passed" });
    limits.release();
    await staying;
    await clock.settle();
    expect(limits.state()).toMatchObject({ inFlight: 1, queued: 0 });
  });
});

describe("rate", () => {
  it("lets calls through evenly after a burst of a tenth of a second", async () => {
    const { clock, limits } = world({ ratePerSecond: 20, concurrency: 100, queue: 100 });
    const start = clock.now();
    const times: number[] = [];
    for (let call = 0; call < 6; call++) void limits.acquire(NEVER).then(() => times.push(clock.now() - start));
    await clock.advance(1000);
    expect(times).toEqual([0, 0, 50, 100, 150, 200]);
  });

  it("a newcomer does not take the token that those in the line wait for", async () => {
    const { clock, limits } = world({ ratePerSecond: 1 });
    expect(limits.tryAcquire()).toBe(true);
    await clock.advance(500);
    const first = clock.now() + 500;
    let servedAt = 0;
    const waiting = limits.acquire(NEVER).then(() => (servedAt = clock.now()));
    void clock.sleep(500).then(() => expect(limits.tryAcquire()).toBe(false)); // asleep later, at the very moment of the token
    await clock.until(waiting);
    expect(servedAt).toBe(first);
    const overtaker = world({ ratePerSecond: 1 });
    overtaker.limits.tryAcquire();
    let overtaken = true;
    void overtaker.clock.sleep(1000).then(() => (overtaken = overtaker.limits.tryAcquire()));
    const patient = overtaker.limits.acquire(NEVER);
    await overtaker.clock.until(patient);
    expect(overtaken).toBe(false);
  });

  it("a full line tells how long the rate needs for it", async () => {
    const { limits } = world({ ratePerSecond: 2, queue: 3 });
    await limits.acquire(NEVER);
    for (let call = 0; call < 3; call++) void limits.acquire(NEVER);
    await expect(limits.acquire(NEVER)).rejects.toMatchObject({ code: "rate-exceeded", retryAfter: 2000 });
  });

  it("is kept over any stretch of time, whatever the pattern of calls", async () => {
    const pattern = fc.array(fc.record({ gap: fc.integer({ min: 0, max: 700 }), calls: fc.integer({ min: 1, max: 8 }) }), {
      maxLength: 12,
    });
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 1, max: 40 }), pattern, async (rate, given) => {
        const { clock, limits } = world({ ratePerSecond: rate, concurrency: 1000, queue: 1000 });
        const times: number[] = [];
        let asked = 0;
        for (const { gap, calls } of given) {
          await clock.advance(gap);
          for (let call = 0; call < calls; call++, asked++) void limits.acquire(NEVER).then(() => times.push(clock.now()));
        }
        await clock.advance(120_000);
        expect(times).toHaveLength(asked); // nobody is forgotten
        for (let from = 0; from < times.length; from++) {
          for (let to = from; to < times.length; to++) {
            const span = (times[to] ?? 0) - (times[from] ?? 0);
            expect(to - from + 1).toBeLessThanOrEqual(Math.max(1, rate / 10) + (rate * span) / 1000 + 1e-6);
          }
        }
      }),
      { numRuns: 60 },
    );
  });
});

describe("a change of policy", () => {
  it("lets in those who wait when the concurrency grows", async () => {
    const { clock, limits } = world({ concurrency: 1 });
    await limits.acquire(NEVER);
    let inside = false;
    void limits.acquire(NEVER).then(() => (inside = true));
    limits.adopt({ concurrency: 2, queue: 10, ratePerSecond: undefined });
    await clock.settle();
    expect(inside).toBe(true);
  });
});

describe("the strictest of several policies", () => {
  const breaker = { window: 30_000, minimumCalls: 20, openAtFailureRate: 0.5, openFor: 15_000, probes: 3, whenOpen: "fault" } as const;

  it("takes of each number the one that presses the provider least", () => {
    const one = policyOf({ limits: { concurrency: 16, queue: 200, ratePerSecond: 50 }, breaker });
    const two = policyOf({
      limits: { concurrency: 4, queue: 500, ratePerSecond: undefined },
      breaker: { ...breaker, window: 60_000, openAtFailureRate: 0.8, openFor: 60_000, probes: 1, minimumCalls: 10 },
    });
    expect(strictestLimits([one, two])).toEqual({ concurrency: 4, queue: 200, ratePerSecond: 50 });
    expect(strictestBreaker([one, two])).toEqual({ window: 60_000, minimumCalls: 10, openAtFailureRate: 0.5, openFor: 60_000, probes: 3 });
  });

  it("is no breaker and no rate when none asks for one", () => {
    expect(strictestBreaker([policyOf({})])).toBeUndefined();
    expect(strictestLimits([policyOf({})]).ratePerSecond).toBeUndefined();
  });
});

describe("a waiting line", () => {
  it("serves those who stayed in their order, whoever leaves", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.boolean(), { maxLength: 30 }), async (stays) => {
        const line = createLine<number>();
        const served: number[] = [];
        const waiters = stays.map((_, caller) => {
          const leaving = new AbortController();
          line.wait(leaving.signal).then(
            () => served.push(caller),
            () => undefined,
          );
          return leaving;
        });
        for (const [caller, stay] of stays.entries()) if (!stay) waiters[caller]?.abort(new Error("leaves"));
        const expected = [...stays.keys()].filter((caller) => stays[caller]);
        expect(line.size).toBe(expected.length);
        while (line.give(1)) await Promise.resolve();
        await Promise.resolve();
        expect(served).toEqual(expected);
        expect(line.give(1)).toBe(false);
      }),
    );
  });

  it("the reason of a signal is always an Error", () => {
    const plain = new AbortController();
    plain.abort("enough");
    expect(reasonOf(plain.signal)).toMatchObject({ message: "the call was given up", cause: "enough" });
  });
});

describe("many deadlines on one clock", () => {
  it("each fires once, at its time, unless it was done before; and only one sleeps", async () => {
    const deadline = fc.record({ after: fc.integer({ min: 0, max: 500 }), doneAt: fc.option(fc.integer({ min: 0, max: 500 })) });
    await fc.assert(
      fc.asyncProperty(fc.array(deadline, { maxLength: 200 }), async (deadlines) => {
        const clock = createVirtualClock();
        const timeouts = createTimeouts(clock);
        const start = clock.now();
        const fired = new Map<number, number>();
        const set = deadlines.map(({ after }, index) =>
          timeouts.add(start + after, () => {
            expect(fired.has(index)).toBe(false);
            fired.set(index, clock.now() - start);
          }),
        );
        await clock.settle();
        expect(clock.sleepers).toBeLessThanOrEqual(1);
        for (let at = 0; at <= 500; at += 25) {
          for (const [index, { doneAt }] of deadlines.entries()) {
            const it = set[index];
            if (it && doneAt !== null && doneAt >= at && doneAt < at + 25) timeouts.done(it);
          }
          await clock.advance(25);
        }
        await clock.advance(100);
        for (const [index, { after, doneAt }] of deadlines.entries()) {
          const doneBefore = doneAt !== null && Math.floor(doneAt / 25) * 25 < after;
          if (doneBefore) expect(fired.has(index)).toBe(false);
          else if (doneAt === null) expect(fired.get(index)).toBe(after);
        }
      }),
      { numRuns: 30 },
    );
  });

  it("closed, nothing fires any more and nothing sleeps", async () => {
    const clock = createVirtualClock();
    const timeouts = createTimeouts(clock);
    let fired = false;
    timeouts.add(clock.now() + 10, () => (fired = true));
    timeouts.close();
    timeouts.add(clock.now() + 10, () => (fired = true));
    await clock.advance(1000);
    expect(fired).toBe(false);
    expect(clock.sleepers).toBe(0);
  });
});
