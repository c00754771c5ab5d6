import { describe, expect, it } from "vitest";
import type { AvroRecord, Envelope, Message } from "#bus/envelope.ts";
import { BusError } from "#bus/errors.ts";
import { Redeliver, type Outlet } from "#bus/ports.ts";
import type { Branch, Step, StepContext, StepResult } from "#bus/route/runtime.ts";
import { policyOf } from "#test/harness/policy.ts";
import { branchOf, envelopeOf, routeOf } from "#test/harness/route.ts";
import { createVirtualClock } from "#test/harness/virtual-clock.ts";
import { createEndpoints } from "./endpoints.ts";
import { createFlights } from "./flights.ts";
import { deliverNow, type NowOptions, type NowParts } from "./now.ts";
import { pickOutlet } from "./once.ts";

const NEVER = new AbortController().signal;

function step(name: string, run: (message: Message) => StepResult): Step {
  return { name, place: `r.yaml:${name}`, run };
}

/** A branch whose target remembers what it got and answers `reply`. */
function world(branch: Partial<Branch> = {}, more: Partial<NowParts> = {}, reply?: AvroRecord) {
  const clock = createVirtualClock();
  const sent: Message[] = [];
  const outlet: Outlet = {
    endpoint: "http://a.example",
    close: async () => undefined,
    async send(message) {
      sent.push(message);
      return reply;
    },
  };
  const parts: NowParts = {
    route: routeOf({ pattern: "command" }),
    branch: branchOf(branch),
    outlets: [outlet],
    endpoints: createEndpoints({ clock }),
    clock,
    context: (signal) => ({ clock, signal, route: "r" }) as unknown as StepContext,
    ...more,
  };
  const deliver = (envelope: Envelope, options: Partial<NowOptions> = {}) =>
    deliverNow(parts, envelope, { signal: NEVER, attempt: 1, ...options });
  return { clock, sent, deliver };
}

describe("one message to one branch", () => {
  it("is mapped out and its reply is mapped back", async () => {
    const maps = { in: (value: AvroRecord) => ({ wire: value["n"] }), out: (value: AvroRecord) => ({ contract: value["status"] }) };
    const { sent, deliver } = world(maps, {}, { status: "done" });
    await expect(deliver(envelopeOf())).resolves.toEqual({ kind: "delivered", value: { contract: "done" }, endpoint: "http://a.example" });
    expect(sent[0]?.value).toEqual({ wire: 1 });
  });

  it("has no reply where its target gives none, and no map is asked for one", async () => {
    const { deliver } = world({
      out: () => {
        throw new BusError("map-failed", "there is nothing to map");
      },
    });
    await expect(deliver(envelopeOf())).resolves.toMatchObject({ kind: "delivered", value: undefined });
  });

  it("gets its body back before anything reads it, when that was checked in", async () => {
    const whole = envelopeOf({}, { big: true });
    const redeem = async ({ id }: Envelope): Promise<Envelope> => (id === whole.id ? whole : Promise.reject(new Error(id)));
    const { sent, deliver } = world({ when: (message) => message.value["big"] === true }, { redeem });
    await deliver(envelopeOf({ body: new Uint8Array(0), dataref: "blob:00" }));
    expect(sent[0]).toEqual({ envelope: whole, value: { big: true } });
    const gone = world({}, { redeem: () => Promise.reject(new BusError("not-found", "no longer kept")) });
    await expect(gone.deliver(envelopeOf({ dataref: "blob:00" }))).rejects.toMatchObject({ code: "not-found" });
    expect(gone.sent).toEqual([]);
  });

  it("sends every part that a step made, in order, and stops at the first that fails", async () => {
    const split = step("split", (message) => ({
      kind: "many",
      messages: [1, 2, 3].map((part) => ({ envelope: { ...message.envelope, id: `m-1.${part}` }, value: { part } })),
    }));
    const { sent, deliver } = world({ steps: [split] });
    await expect(deliver(envelopeOf())).resolves.toMatchObject({ kind: "delivered" });
    expect(sent.map(({ envelope }) => envelope.id)).toEqual(["m-1.1", "m-1.2", "m-1.3"]);
    const failing = world({
      steps: [split],
      in: (value) => {
        if (value["part"] === 2) throw new BusError("map-failed", "part 2 has no name");
        return value;
      },
    });
    await expect(failing.deliver(envelopeOf())).rejects.toMatchObject({ code: "map-failed" });
    expect(failing.sent.map(({ value }) => value)).toEqual([{ part: 1 }]);
  });

  it("is not sent when a step drops or answers it, and a delaying step gives it back to the transport", async () => {
    const dropping = world({ steps: [step("filter", () => ({ kind: "drop", reason: "not wanted" }))] });
    await expect(dropping.deliver(envelopeOf())).resolves.toEqual({ kind: "dropped", reason: "not wanted" });
    const answering = world({ steps: [step("dedupe", () => ({ kind: "answer", value: { first: "reply" } }))] });
    await expect(answering.deliver(envelopeOf())).resolves.toEqual({ kind: "answered", value: { first: "reply" } });
    const delaying = world({ steps: [step("delay", (message) => ({ kind: "delay", ms: 5000, message }))] });
    const thrown = await delaying.deliver(envelopeOf()).catch((error: unknown) => error);
    expect(thrown).toBeInstanceOf(Redeliver);
    expect(thrown).toMatchObject({ after: 5000, sameAttempt: true });
    for (const { sent } of [dropping, answering, delaying]) expect(sent).toEqual([]);
  });

  it("a grant that ended stops it before steps, map and target", async () => {
    const seen: string[] = [];
    const reduce = (): never => {
      throw new BusError("grant-expired", "the grant ended yesterday");
    };
    const steps = [
      step("tap", (message) => {
        seen.push("step");
        return { kind: "next", message };
      }),
    ];
    const { sent, deliver } = world({ steps }, { reduce });
    await expect(deliver(envelopeOf())).rejects.toMatchObject({ code: "grant-expired", class: "access-denied" });
    expect([seen, sent]).toEqual([[], []]);
  });

  it("keeps its deadline; a replay, whose deadline passed long ago, has none", async () => {
    const { clock, sent, deliver } = world();
    const late = envelopeOf({ deadline: clock.now() - 1 });
    await expect(deliver(late)).rejects.toMatchObject({ code: "deadline-passed" });
    await expect(deliver(late, { marks: { "mbus-replay": "replay 1" } })).resolves.toMatchObject({ kind: "delivered" });
    expect(sent).toHaveLength(1);
  });

  it("keeps the sender's headers beside the marks of a replay, and changes nothing else", async () => {
    const { sent, deliver } = world();
    const envelope = envelopeOf({ headers: { "case-number": "17" } });
    await deliver(envelope, { marks: { "mbus-replay": "replay 1" } });
    expect(sent[0]?.envelope).toEqual({ ...envelope, headers: { "case-number": "17", "mbus-replay": "replay 1" } });
    expect(envelope.headers).toEqual({ "case-number": "17" });
  });

  it("says when the target is asked: not while it waits for a place", async () => {
    const limits = { concurrency: 1, queue: 5, ratePerSecond: 1 };
    const { clock, sent, deliver } = world({ deliver: policyOf({ limits }) });
    const asked: number[] = [];
    const start = clock.now();
    const both = [1, 2].map(() => deliver(envelopeOf(), { onSend: () => asked.push(clock.now() - start) }));
    await clock.settle();
    expect([asked, sent.length]).toEqual([[0], 1]);
    await clock.until(Promise.all(both));
    expect(asked).toEqual([0, 1000]);
  });
});

describe("the address of an attempt", () => {
  const outlets = ["a", "b", "c"].map((name): Outlet => ({ endpoint: name, send: async () => undefined, close: async () => undefined }));
  const breaker = { window: 60_000, minimumCalls: 1, openAtFailureRate: 0.5, openFor: 60_000, probes: 1, whenOpen: "wait" } as const;
  const policy = policyOf({ breaker });

  async function pick(...down: readonly string[]) {
    const endpoints = createEndpoints({ clock: createVirtualClock() });
    const failing = (): Promise<never> => Promise.reject(new BusError("endpoint-unreachable", "no"));
    for (const name of down) await endpoints.call(name, policy, NEVER, failing).catch(() => undefined);
    return [1, 2, 3, 4].map((attempt) => pickOutlet(outlets, attempt, policy, endpoints).endpoint);
  }

  it("goes round, first preferred", async () => expect(await pick()).toEqual(["a", "b", "c", "a"]));
  it("passes over those whose breaker is open", async () => expect(await pick("b")).toEqual(["a", "c", "c", "a"]));
  it("is the one whose turn it is when all are open", async () => expect(await pick("a", "b", "c")).toEqual(["a", "b", "c", "a"]));

  it("a branch without one says so", () => {
    const endpoints = createEndpoints({ clock: createVirtualClock() });
    expect(() => pickOutlet([], 1, policy, endpoints)).toThrow(expect.objectContaining({ code: "configuration" }) as Error);
  });
});

describe("deliveries under way", () => {
  it("those that wait can be called back; those whose target was asked only with all", () => {
    const flights = createFlights();
    const [waiting, asked, ended] = [flights.begin(false), flights.begin(false), flights.begin(false)];
    asked.sent();
    ended.end();
    flights.recallWaiting();
    expect([waiting, asked, ended].map(({ signal }) => signal.aborted)).toEqual([true, false, false]);
    flights.recallAll();
    expect([waiting, asked, ended].map(({ signal }) => signal.aborted)).toEqual([true, true, false]);
  });

  it("one that begins while the branch is paused is called back at once", () => {
    expect(createFlights().begin(true).signal.aborted).toBe(true);
  });
});
