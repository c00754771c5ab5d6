import { describe, expect, it } from "vitest";
import fc from "fast-check";
import { BusError, CLASSES, CODES, type ErrorCode } from "#bus/errors.ts";
import { createBreaker, resultOf, type Breaker, type BreakerPolicy, type BreakerPosition, type Pass, type Transition } from "./breaker.ts";
import { createWindow } from "./window.ts";

const policy: BreakerPolicy = { window: 10_000, minimumCalls: 4, openAtFailureRate: 0.5, openFor: 5000, probes: 3 };

function world(given: Partial<BreakerPolicy> = {}) {
  const time = { now: 1_000_000 };
  const moves: Transition[] = [];
  const breaker = createBreaker({ policy: { ...policy, ...given }, now: () => time.now, onTransition: (move) => moves.push(move) });
  const call = (result: "success" | "failure" | "ignored"): boolean => {
    const pass = breaker.enter();
    if (pass) breaker.settle(pass, result, `a ${result}`);
    return pass !== undefined;
  };
  return { time, moves, breaker, call };
}
const enter = (breaker: Breaker): Pass => {
  const pass = breaker.enter();
  if (!pass) throw new Error("the breaker let nothing through");
  return pass;
};

describe("a closed breaker", () => {
  it("opens when the failure rate is reached, and not with fewer than minimumCalls", () => {
    const { breaker, call, moves } = world();
    for (const result of ["failure", "failure", "success"] as const) call(result);
    expect(breaker.state().position).toBe("closed");
    call("success"); // two of four are 50 %, but a success never opens it
    call("failure");
    expect(breaker.state()).toMatchObject({ position: "open", opensUntil: 1_005_000 });
    expect(moves).toEqual([
      { at: 1_000_000, from: "closed", to: "open", reason: "3 of 5 calls failed within 10000 ms, the last: a failure" },
    ]);
  });

  it("stays closed below the rate, and forgets failures that are older than the window", () => {
    const { breaker, call, time } = world();
    for (const result of ["failure", "failure", "failure"] as const) call(result);
    time.now += 10_000;
    call("success");
    call("failure");
    expect(breaker.state()).toMatchObject({ position: "closed", calls: 2, failures: 1 });
  });

  it("counts no ignored calls at all", () => {
    const { breaker, call } = world();
    for (let index = 0; index < 50; index++) call("ignored");
    expect(breaker.state()).toMatchObject({ position: "closed", calls: 0 });
  });
});

describe("an open breaker", () => {
  it("lets nothing through for openFor, then exactly `probes` calls, which must all succeed", () => {
    const { breaker, call, time } = world();
    for (let index = 0; index < 4; index++) call("failure");
    time.now += 4999;
    expect(breaker.enter()).toBeUndefined();
    expect(breaker.retryAfter()).toBe(1);
    time.now += 1;
    expect(breaker.ready()).toBe(true);
    const probes = [enter(breaker), enter(breaker), enter(breaker)];
    expect(breaker.enter()).toBeUndefined();
    for (const probe of probes) breaker.settle(probe, "success");
    expect(breaker.state()).toMatchObject({ position: "closed", calls: 0, opensUntil: undefined });
    expect(
      breaker
        .state()
        .history.map(({ to, reason }) => `${to}: ${reason}`)
        .slice(1),
    ).toEqual(["half-open: open for 5000 ms", "closed: 3 of 3 probes succeeded"]);
  });

  it("lets no more than `probes` calls through in all, also when some of them have succeeded already", () => {
    const { breaker, call, time } = world();
    for (let index = 0; index < 4; index++) call("failure");
    time.now += 5000;
    const [first, second, third] = [enter(breaker), enter(breaker), enter(breaker)];
    breaker.settle(first, "success");
    breaker.settle(second, "success");
    expect(breaker.ready()).toBe(false);
    expect(breaker.enter()).toBeUndefined();
    breaker.settle(third, "success");
    expect(breaker.state().position).toBe("closed");
  });

  it("opens again with the first failed probe; what the other probes bring counts nowhere", () => {
    const { breaker, call, time } = world();
    for (let index = 0; index < 4; index++) call("failure");
    time.now += 5000;
    const [first, second, third] = [enter(breaker), enter(breaker), enter(breaker)];
    breaker.settle(first, "success");
    breaker.settle(second, "failure");
    expect(breaker.state()).toMatchObject({ position: "open", opensUntil: time.now + 5000 });
    breaker.settle(third, "success");
    expect(breaker.state().position).toBe("open");
    expect(breaker.valid(third)).toBe(false);
  });

  it("gives a probe that says nothing to the next caller", () => {
    const { breaker, call, time } = world({ probes: 1 });
    for (let index = 0; index < 4; index++) call("failure");
    time.now += 5000;
    breaker.settle(enter(breaker), "ignored");
    expect(breaker.state().position).toBe("half-open");
    expect(call("success")).toBe(true);
    expect(breaker.state().position).toBe("closed");
  });

  it("is not reopened by failures of calls that began before it opened", () => {
    const { breaker, call, time } = world();
    const slow = enter(breaker);
    for (let index = 0; index < 4; index++) call("failure");
    time.now += 5000;
    for (let index = 0; index < 3; index++) call("success");
    breaker.settle(slow, "failure");
    expect(breaker.state()).toMatchObject({ position: "closed", calls: 0 });
  });
});

describe("an operator", () => {
  it("moves it to any position; the history keeps the last fifty moves", () => {
    const { breaker } = world();
    for (let index = 0; index < 60; index++) breaker.force(index % 2 === 0 ? "open" : "closed", `move ${index}`);
    expect(breaker.state().history).toHaveLength(50);
    expect(breaker.state().history[0]?.reason).toBe("move 10");
    breaker.force("half-open", "let us see");
    expect(breaker.ready()).toBe(true);
  });

  it("may ask fewer probes of a half-open breaker than it has had: it closes instead of waiting for ever", () => {
    const { breaker, call } = world();
    breaker.force("half-open", "test");
    call("success");
    call("success");
    breaker.adopt({ ...policy, probes: 2 });
    expect(breaker.state().position).toBe("closed");
  });
});

describe("what a failed call says of its endpoint", () => {
  it("only timeout, unreachable and provider-unavailable are failures of it", () => {
    const codes = Object.keys(CODES) as ErrorCode[];
    const failing = new Set(codes.filter((code) => resultOf(new BusError(code, "x")) === "failure").map((code) => CODES[code][0]));
    expect([...failing].sort()).toEqual(["provider-unavailable", "timeout", "unreachable"]);
    expect([...failing].every((name) => CLASSES[name].retryable)).toBe(true);
    expect(resultOf(new BusError("provider-fault", "x"))).toBe("success");
    expect(resultOf(new BusError("avro-violation", "x"))).toBe("ignored");
  });
});

// ── against a model ──────────────────────────────────────────────────────────────────────────────────────────────────

/** The same promises written the slow way: all calls kept, no buckets shared, no generations. */
function createModel(given: BreakerPolicy, now: () => number) {
  let position: BreakerPosition = "closed";
  let since = 0;
  let calls: { slice: number; ok: boolean }[] = [];
  let out = new Set<number>();
  let good = 0;
  const sliceOf = (at: number): number => Math.floor(at / (given.window / 10));
  const move = (to: BreakerPosition, at: number): void => {
    position = to;
    since = at;
    out = new Set();
    good = 0;
    if (to === "closed") calls = [];
  };
  const look = (): void => {
    if (position === "open" && now() >= since + given.openFor) move("half-open", since + given.openFor);
  };
  return {
    position: () => (look(), position),
    enter(call: number): boolean {
      look();
      if (position === "open" || (position === "half-open" && out.size + good >= given.probes)) return false;
      out.add(call);
      return true;
    },
    settle(call: number, result: "success" | "failure" | "ignored"): void {
      // no look: an open breaker that is due gives out no results of its own
      if (!out.delete(call) || result === "ignored") return;
      if (position === "half-open") {
        if (result === "failure") move("open", now());
        else if (++good >= given.probes) move("closed", now());
        return;
      }
      calls.push({ slice: sliceOf(now()), ok: result === "success" });
      const counted = calls.filter(({ slice }) => slice > sliceOf(now()) - 10);
      const failures = counted.filter(({ ok }) => !ok).length;
      if (result === "failure" && counted.length >= given.minimumCalls && failures / counted.length >= given.openAtFailureRate)
        move("open", now());
    },
  };
}

describe("any history of calls", () => {
  const command = fc.oneof(
    { weight: 4, arbitrary: fc.constant({ do: "enter" as const }) },
    {
      weight: 4,
      arbitrary: fc.record({
        do: fc.constant("settle" as const),
        which: fc.nat(20),
        result: fc.constantFrom("success" as const, "failure" as const, "failure" as const, "ignored" as const),
      }),
    },
    { weight: 1, arbitrary: fc.record({ do: fc.constant("wait" as const), ms: fc.integer({ min: 0, max: 3000 }) }) },
  );
  const policies = fc.record({
    window: fc.integer({ min: 1, max: 500 }).map((tens) => tens * 10),
    minimumCalls: fc.integer({ min: 1, max: 5 }),
    openAtFailureRate: fc.constantFrom(0.1, 0.5, 0.8, 1),
    openFor: fc.integer({ min: 1, max: 3000 }),
    probes: fc.integer({ min: 1, max: 4 }),
  });

  it("gives the positions and permissions of the model", () => {
    fc.assert(
      fc.property(policies, fc.array(command, { maxLength: 120 }), (given, commands) => {
        const { breaker, time } = world(given);
        const model = createModel(given, () => time.now);
        const running: { call: number; pass: Pass }[] = [];
        for (const [call, step] of commands.entries()) {
          if (step.do === "wait") time.now += step.ms;
          if (step.do === "enter") {
            const pass = breaker.enter();
            expect(pass !== undefined).toBe(model.enter(call));
            if (pass) running.push({ call, pass });
          }
          const settled = step.do === "settle" ? running.splice(step.which % Math.max(1, running.length), 1)[0] : undefined;
          if (settled && step.do === "settle") {
            breaker.settle(settled.pass, step.result);
            model.settle(settled.call, step.result);
          }
          expect(breaker.state().position).toBe(model.position());
        }
      }),
      { numRuns: 500 },
    );
  });

  it("never locks out for ever: with nothing under way, waiting openFor always lets a call through", () => {
    fc.assert(
      fc.property(policies, fc.array(command, { maxLength: 60 }), (given, commands) => {
        const { breaker, time } = world(given);
        const running: Pass[] = [];
        for (const step of commands) {
          if (step.do === "wait") time.now += step.ms;
          const pass = step.do === "enter" ? breaker.enter() : undefined;
          if (pass) running.push(pass);
          const settled = step.do === "settle" ? running.splice(step.which % Math.max(1, running.length), 1)[0] : undefined;
          if (settled && step.do === "settle") breaker.settle(settled, step.result);
        }
        for (const pass of running) breaker.settle(pass, "ignored");
        time.now += given.openFor;
        expect(breaker.enter()).toBeDefined();
      }),
    );
  });
});

describe("a rolling window", () => {
  it("counts what lies within nine to ten tenths of it, and nothing older", () => {
    const event = fc.record({ gap: fc.integer({ min: 0, max: 400 }), ok: fc.boolean() });
    fc.assert(
      fc.property(fc.array(event, { minLength: 1, maxLength: 60 }), (events) => {
        const window = createWindow(1000);
        const all: { at: number; ok: boolean }[] = [];
        let now = 5_000_000;
        for (const { gap, ok } of events) {
          now += gap;
          window.add(now, ok);
          all.push({ at: now, ok });
          const { calls, failures } = window.count(now);
          const surely = all.filter(({ at }) => at > now - 900);
          const perhaps = all.filter(({ at }) => at > now - 1000);
          expect(calls).toBeGreaterThanOrEqual(surely.length);
          expect(calls).toBeLessThanOrEqual(perhaps.length);
          expect(failures).toBeGreaterThanOrEqual(surely.filter((each) => !each.ok).length);
        }
      }),
    );
  });
});
