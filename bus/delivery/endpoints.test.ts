import { describe, expect, it } from "vitest";
import { BusError } from "#bus/errors.ts";
import { createVirtualClock } from "#test/harness/virtual-clock.ts";
import { createEndpoints } from "./endpoints.ts";
import { policyOf } from "#test/harness/policy.ts";

const ADDRESS = "http://provider.example/service";
const NEVER = new AbortController().signal;
const fault = { window: 30_000, minimumCalls: 4, openAtFailureRate: 0.5, openFor: 15_000, probes: 3, whenOpen: "fault" } as const;
const wait = { ...fault, whenOpen: "wait" } as const;

const down = (): Promise<never> => Promise.reject(new BusError("endpoint-unreachable", "connection refused"));
const up = (): Promise<string> => Promise.resolve("answer");
/** Answers after `ms` of the clock, and says when it was aborted. */
function world() {
  const clock = createVirtualClock();
  const moves: string[] = [];
  const endpoints = createEndpoints({ clock, onTransition: (endpoint, { from, to }) => moves.push(`${endpoint} ${from}>${to}`) });
  const after =
    (ms: number) =>
    async (signal: AbortSignal): Promise<string> => {
      await clock.sleep(ms, signal);
      return `after ${ms}`;
    };
  return { clock, endpoints, moves, after };
}
const codeOf = (promise: Promise<unknown>): Promise<string> =>
  promise.then(
    () => "ok",
    (thrown: unknown) => (thrown instanceof BusError ? thrown.code : String(thrown)),
  );
async function breakIt(endpoints: ReturnType<typeof world>["endpoints"], policy = policyOf({ breaker: fault })): Promise<void> {
  for (let call = 0; call < 4; call++) await codeOf(endpoints.call(ADDRESS, policy, NEVER, down));
}

describe("an attempt", () => {
  it("gives what the outlet gave", async () => {
    const { endpoints } = world();
    await expect(endpoints.call(ADDRESS, policyOf({}), NEVER, up)).resolves.toBe("answer");
  });

  it("is aborted and classed `timeout` when its time is up, even if the outlet never settles", async () => {
    const { endpoints, clock } = world();
    let aborted: unknown;
    const hang = (signal: AbortSignal): Promise<never> => {
      signal.addEventListener("abort", () => (aborted = signal.reason));
      return new Promise(() => undefined);
    };
    const error = await clock.until(endpoints.call(ADDRESS, policyOf({ attemptTimeout: 2500 }), NEVER, hang).catch((thrown) => thrown));
    expect(error).toMatchObject({ code: "attempt-timeout", class: "timeout" });
    expect(aborted).toBe(error);
    expect(endpoints.list()[0]?.limits.inFlight).toBe(0);
  });

  it("ends with the deadline when that comes first, and is not started after it", async () => {
    const { endpoints, clock, after } = world();
    const late = endpoints.call(ADDRESS, policyOf({ attemptTimeout: 5000 }), NEVER, after(9000), clock.now() + 1000);
    expect(await clock.until(codeOf(late))).toBe("deadline-passed");
    let started = false;
    const tooLate = endpoints.call(ADDRESS, policyOf({}), NEVER, async () => (started = true), clock.now());
    expect(await codeOf(tooLate)).toBe("deadline-passed");
    expect(started).toBe(false);
  });

  it("is given up when the caller leaves, without counting against the endpoint", async () => {
    const { endpoints, after } = world();
    const policy = policyOf({ breaker: { ...fault, minimumCalls: 1 } });
    const leaving = new AbortController();
    const call = endpoints.call(ADDRESS, policy, leaving.signal, after(1000));
    leaving.abort(new Error("caller has gone"));
    await expect(call).rejects.toThrow("caller has gone");
    expect(endpoints.list()[0]).toMatchObject({ limits: { inFlight: 0 }, breaker: { position: "closed", calls: 0 } });
  });

  it("that throws before it makes a promise keeps the books right", async () => {
    const { endpoints } = world();
    const broken = (): never => {
      throw new TypeError("no such thing");
    };
    expect(await codeOf(endpoints.call(ADDRESS, policyOf({}), NEVER, broken))).toBe("unexpected");
    expect(endpoints.list()[0]?.limits.inFlight).toBe(0);
  });
});

describe("a breaker in front of an endpoint", () => {
  it("opens for every route that uses the address, and refuses at once with retryAfter", async () => {
    const { endpoints, clock, moves } = world();
    await breakIt(endpoints);
    await clock.advance(5000);
    let called = false;
    const other = endpoints.call(ADDRESS, policyOf({ breaker: fault }), NEVER, async () => (called = true));
    await expect(other).rejects.toMatchObject({ code: "breaker-open", class: "provider-unavailable", retryAfter: 10_000 });
    expect(called).toBe(false);
    expect(moves).toEqual([`${ADDRESS} closed>open`]);
    await expect(endpoints.call("http://other.example", policyOf({ breaker: fault }), NEVER, up)).resolves.toBe("answer");
  });

  it("lets exactly `probes` of many waiting calls through, and all of them when those succeed", async () => {
    const { endpoints, clock, after } = world();
    await breakIt(endpoints, policyOf({ breaker: wait }));
    let started = 0;
    const policy = policyOf({ breaker: wait, limits: { concurrency: 50, queue: 50, ratePerSecond: undefined } });
    const calls = Array.from({ length: 10 }, () =>
      endpoints.call(ADDRESS, policy, NEVER, (signal) => {
        started++;
        return after(100)(signal);
      }),
    );
    await clock.advance(14_999);
    expect(started).toBe(0);
    expect(endpoints.list()[0]).toMatchObject({ waiting: 10, limits: { inFlight: 0 } });
    await clock.advance(1);
    expect(started).toBe(3);
    await clock.advance(100);
    expect(started).toBe(10);
    await clock.until(Promise.all(calls));
    expect(endpoints.list()[0]?.breaker?.position).toBe("closed");
  });

  it("opens again when one probe fails, and goes on probing by itself", async () => {
    const { endpoints, clock, moves } = world();
    const policy = policyOf({ breaker: wait });
    await breakIt(endpoints, policy);
    let tries = 0;
    const flaky = (): Promise<string> => (++tries < 3 ? down() : up());
    const first = codeOf(endpoints.call(ADDRESS, policy, NEVER, flaky));
    await clock.advance(15_000);
    expect(await first).toBe("endpoint-unreachable");
    expect(moves.at(-1)).toBe(`${ADDRESS} half-open>open`);
    expect(endpoints.list()[0]?.breaker?.opensUntil).toBe(clock.now() + 15_000);
  });

  it("hands a waiting call back with breaker-open after the longest wait, and when its signal says so", async () => {
    const { clock } = world();
    const endpoints = createEndpoints({ clock, longestWait: 4000 });
    const policy = policyOf({ breaker: wait });
    await breakIt(endpoints, policy);
    const long = endpoints.call(ADDRESS, policy, NEVER, up);
    const leaving = new AbortController();
    const left = codeOf(endpoints.call(ADDRESS, policy, leaving.signal, up));
    leaving.abort(new BusError("bus-stopping", "closing"));
    expect(await left).toBe("bus-stopping");
    expect(endpoints.list()[0]?.waiting).toBe(1);
    await expect(clock.until(long)).rejects.toMatchObject({ code: "breaker-open", retryAfter: 11_000 });
    expect(endpoints.list()[0]?.waiting).toBe(0);
  });

  it("counts neither provider faults nor contract violations as failures", async () => {
    const { endpoints } = world();
    const policy = policyOf({ breaker: fault });
    for (let call = 0; call < 20; call++) {
      const code = call % 2 === 0 ? "provider-fault" : "avro-violation";
      await codeOf(endpoints.call(ADDRESS, policy, NEVER, () => Promise.reject(new BusError(code, "no"))));
    }
    expect(endpoints.list()[0]?.breaker).toMatchObject({ position: "closed", failures: 0 });
  });

  it("can be moved by an operator, with the reason in its history", async () => {
    const { endpoints, clock } = world();
    const policy = policyOf({ breaker: fault });
    await endpoints.call(ADDRESS, policy, NEVER, up);
    expect(endpoints.force(ADDRESS, "open", "maintenance of the registry")).toBe(true);
    expect(await codeOf(endpoints.call(ADDRESS, policy, NEVER, up))).toBe("breaker-open");
    expect(endpoints.list()[0]?.breaker?.history.at(-1)).toMatchObject({ at: clock.now(), reason: "maintenance of the registry" });
    endpoints.force(ADDRESS, "closed", "maintenance is over");
    expect(await codeOf(endpoints.call(ADDRESS, policy, NEVER, up))).toBe("ok");
    expect(endpoints.force("http://nobody.example", "open", "typo")).toBe(false);
  });
});

describe("breaker and limits together", () => {
  it("who waits for an open breaker holds no place: a query of another route is refused at once", async () => {
    const { endpoints, clock } = world();
    const limits = { concurrency: 2, queue: 5, ratePerSecond: undefined };
    await breakIt(endpoints, policyOf({ breaker: wait, limits }));
    const events = Array.from({ length: 6 }, () => endpoints.call(ADDRESS, policyOf({ breaker: wait, limits }), NEVER, up));
    await clock.settle();
    expect(await codeOf(endpoints.call(ADDRESS, policyOf({ breaker: fault, limits }), NEVER, up))).toBe("breaker-open");
    await clock.until(Promise.all(events));
  });

  it("a call that stood in line while the breaker opened is not made", async () => {
    const { endpoints, clock, after } = world();
    const policy = policyOf({
      attemptTimeout: 1000,
      breaker: { ...fault, minimumCalls: 1 },
      limits: { concurrency: 1, queue: 5, ratePerSecond: undefined },
    });
    const first = codeOf(endpoints.call(ADDRESS, policy, NEVER, after(5000)));
    let made = false;
    const second = codeOf(endpoints.call(ADDRESS, policy, NEVER, async () => (made = true)));
    expect(await clock.until(first)).toBe("attempt-timeout");
    expect(await second).toBe("breaker-open");
    expect(made).toBe(false);
  });

  it("the strictest policy of the routes that use an address holds for all, until its route is gone", async () => {
    const { endpoints, clock, after } = world();
    const strict = policyOf({ limits: { concurrency: 1, queue: 0, ratePerSecond: undefined } });
    const loose = policyOf({ limits: { concurrency: 10, queue: 0, ratePerSecond: undefined } });
    await endpoints.call(ADDRESS, strict, NEVER, up);
    const running = endpoints.call(ADDRESS, loose, NEVER, after(100));
    expect(await codeOf(endpoints.call(ADDRESS, loose, NEVER, up))).toBe("queue-full");
    await clock.until(running);
    await clock.advance(700_000);
    const again = endpoints.call(ADDRESS, loose, NEVER, after(100));
    expect(await codeOf(endpoints.call(ADDRESS, loose, NEVER, up))).toBe("ok");
    await clock.until(again);
  });
});
