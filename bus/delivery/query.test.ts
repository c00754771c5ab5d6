import { describe, expect, it } from "vitest";
import type { Message } from "#bus/envelope.ts";
import { BusError } from "#bus/errors.ts";
import { policyOf } from "#test/harness/policy.ts";
import { createVirtualClock } from "#test/harness/virtual-clock.ts";
import { branchOf, envelopeOf } from "#test/harness/route.ts";
import { createEndpoints } from "./endpoints.ts";
import { deliverQuery, type FailedAttempt } from "./query.ts";
import type { DeliverPolicy } from "#bus/route/runtime.ts";
import type { Outlet } from "#bus/ports.ts";

const message: Message = { envelope: envelopeOf({ id: "q-1" }), value: { personalCode: "123" } };
const breaker = { window: 30_000, minimumCalls: 2, openAtFailureRate: 0.5, openFor: 15_000, probes: 1, whenOpen: "fault" } as const;

/** Each outlet answers by its script: an error is thrown, a number is a wait in ms, anything else is the reply. */
function world(policy: DeliverPolicy, ...scripts: readonly (readonly unknown[])[]) {
  const clock = createVirtualClock();
  const endpoints = createEndpoints({ clock, random: () => 0.5 });
  const asked: string[] = [];
  const start = clock.now();
  const outlets = scripts.map((script, index): Outlet => {
    const endpoint = `http://${String.fromCharCode(97 + index)}.example`;
    let turn = 0;
    return {
      endpoint,
      close: async () => undefined,
      async send(_message, signal) {
        asked.push(`${endpoint.slice(7, 8)}@${clock.now() - start}`);
        const answer = script[Math.min(turn++, script.length - 1)];
        if (answer instanceof Error) throw answer;
        if (typeof answer === "number") await clock.sleep(answer, signal);
        return { answer: String(answer) };
      },
    };
  });
  const failed: FailedAttempt[] = [];
  const leaving = new AbortController();
  const ask = (within?: number) =>
    clock.until(
      deliverQuery({
        branch: branchOf({ deliver: policy }),
        outlets,
        message,
        policy,
        deadlineAt: within === undefined ? undefined : clock.now() + within,
        endpoints,
        clock,
        signal: leaving.signal,
        onAttempt: (attempt) => failed.push(attempt),
      }),
    );
  return { clock, endpoints, asked, failed, ask, leaving };
}
const unreachable = new BusError("endpoint-unreachable", "connection refused");
const faulty = (code: string): BusError => new BusError("provider-fault", "no", { providerCode: code });

describe("a query", () => {
  it("is asked once when the first attempt is answered", async () => {
    const { ask, asked, failed } = world(policyOf({}), ["yes"]);
    await expect(ask()).resolves.toEqual({ value: { answer: "yes" }, attempts: 1, endpoint: "http://a.example" });
    expect(asked).toEqual(["a@0"]);
    expect(failed).toEqual([]);
  });

  it("is retried after the policy's back-off, and each failed attempt is reported with its time and class", async () => {
    const { ask, asked, failed } = world(policyOf({ attemptTimeout: 2500 }), [unreachable, 60_000, "yes"]);
    await expect(ask()).resolves.toMatchObject({ attempts: 3 });
    expect(asked).toEqual(["a@0", "a@200", "a@3100"]); // 200, then 2500 of the attempt + 400
    expect(failed).toMatchObject([
      { attempt: 1, elapsed: 0, errorClass: "unreachable", errorCode: "endpoint-unreachable", detail: "connection refused" },
      { attempt: 2, elapsed: 2500, errorClass: "timeout", errorCode: "attempt-timeout" },
    ]);
  });

  it("fails with the last attempt's own error when attempts are used up", async () => {
    const { ask, asked } = world(policyOf({}), [unreachable]);
    await expect(ask()).rejects.toMatchObject({ code: "endpoint-unreachable" });
    expect(asked).toHaveLength(3);
  });

  it("retries only what retry.on names; a provider fault only with its code", async () => {
    const on = [{ class: "provider-fault", code: "Busy" }] as const;
    const policy = policyOf({ retry: { on } });
    const busy = world(policy, [faulty("Busy"), "yes"]);
    await expect(busy.ask()).resolves.toMatchObject({ attempts: 2 });
    const other = world(policy, [faulty("PersonNotFound"), "yes"]);
    await expect(other.ask()).rejects.toMatchObject({ providerCode: "PersonNotFound" });
    const unnamed = world(policyOf({ retry: { on: [{ class: "provider-fault" }] } }), [faulty("Busy"), "yes"]);
    await expect(unnamed.ask()).rejects.toMatchObject({ code: "provider-fault" });
    const violation = world(policyOf({}), [new BusError("xsd-violation", "no"), "yes"]);
    await expect(violation.ask()).rejects.toMatchObject({ code: "xsd-violation" });
  });

  it("waits as long as the provider's Retry-After says when that is longer than the back-off", async () => {
    const throttled = new BusError("endpoint-throttled", "429", { retryAfter: 700 });
    const { ask, asked } = world(policyOf({ retry: { on: [{ class: "throttled" }] } }), [throttled, "yes"]);
    await ask();
    expect(asked).toEqual(["a@0", "a@700"]);
  });

  it("asks the next address at once, and waits only when every address had its turn", async () => {
    const policy = policyOf({ retry: { attempts: 4 } });
    const { ask, asked } = world(policy, [unreachable], [unreachable, "yes"]);
    await expect(ask()).resolves.toMatchObject({ attempts: 4, endpoint: "http://b.example" });
    expect(asked).toEqual(["a@0", "b@0", "a@400", "b@400"]);
  });

  it("leaves out an address whose breaker is open, and asks it again when that has closed", async () => {
    const { ask, asked, clock, endpoints } = world(policyOf({ breaker }), [unreachable, unreachable, "first"], ["second"]);
    await ask();
    await ask();
    expect(endpoints.list()[0]?.breaker?.position).toBe("open");
    await expect(ask()).resolves.toMatchObject({ attempts: 1, endpoint: "http://b.example" });
    expect(asked).toEqual(["a@0", "b@0", "a@0", "b@0", "b@0"]);
    await clock.advance(15_000);
    await expect(ask()).resolves.toMatchObject({ attempts: 1, endpoint: "http://a.example" });
  });

  it("fails at once, without an attempt, when every breaker is open", async () => {
    const { ask, asked, failed } = world(policyOf({ breaker }), [unreachable]);
    await expect(ask()).rejects.toMatchObject({ code: "breaker-open" });
    expect(asked).toHaveLength(2); // the second failure opened it; the third attempt was never made
    await expect(ask()).rejects.toMatchObject({ code: "breaker-open", retryAfter: expect.any(Number) });
    expect(asked).toHaveLength(2);
    expect(failed).toHaveLength(2);
  });
});

describe("a query's deadline", () => {
  it("ends a running attempt", async () => {
    const { ask, clock } = world(policyOf({ attemptTimeout: 5000 }), [60_000]);
    const start = clock.now();
    await expect(ask(3000)).rejects.toMatchObject({ code: "deadline-passed", class: "expired" });
    expect(clock.now() - start).toBe(3000);
  });

  it("ends the retries early, naming the last failure, when it leaves no time for another", async () => {
    const { ask, asked, clock } = world(policyOf({}), [unreachable]);
    const start = clock.now();
    const error = await ask(500).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ code: "deadline-passed", message: expect.stringContaining("connection refused") });
    expect(asked).toEqual(["a@0", "a@200"]);
    expect(clock.now() - start).toBe(200); // it does not wait in vain
  });

  it("ends waiting in the endpoint's line", async () => {
    const { ask, asked } = world(policyOf({ limits: { concurrency: 1, queue: 5, ratePerSecond: undefined } }), [5000]);
    const first = ask();
    await expect(ask(1000)).rejects.toMatchObject({ code: "deadline-passed" });
    await first;
    expect(asked).toHaveLength(1);
  });

  it("the caller's leaving ends the back-off", async () => {
    const { ask, leaving, clock, asked } = world(
      policyOf({ retry: { backoff: { first: 60_000, factor: 1, max: 60_000, jitter: "none" } } }),
      [unreachable],
    );
    const asking = ask().catch((thrown: unknown) => thrown);
    await clock.settle();
    leaving.abort(new Error("caller has gone"));
    expect(await asking).toMatchObject({ message: "caller has gone" });
    expect(asked).toHaveLength(1);
  });
});
