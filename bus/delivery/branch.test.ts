import { describe, expect, it } from "vitest";
import type { Message } from "#bus/envelope.ts";
import { BusError } from "#bus/errors.ts";
import { createWorld, type Answer } from "#test/harness/delivery.ts";
import { policyOf } from "#test/harness/policy.ts";
import { branchOf, routeOf } from "#test/harness/route.ts";

const unreachable = (): never => {
  throw new BusError("endpoint-unreachable", "connection refused");
};
const backoff = { first: 5000, factor: 3, max: 1_800_000, jitter: "none" } as const;
const patient = policyOf({ retry: { attempts: 3, backoff } });

/** A target that remembers what it got, and fails for as many calls as `failures` says (by id, or for all). */
function target(failures: Readonly<Record<string, number>> = {}) {
  const got: string[] = [];
  const messages: Message[] = [];
  const left = { ...failures };
  const answer: Answer = (message) => {
    const { id } = message.envelope;
    const name = id in left ? id : "*";
    if ((left[name] ?? 0) > 0) {
      left[name] = (left[name] ?? 0) - 1;
      unreachable();
    }
    got.push(id);
    messages.push(message);
    return undefined;
  };
  return { got, messages, answer };
}

describe("a branch", () => {
  it("delivers each message once and journals it with target, attempt and time", async () => {
    const world = await createWorld();
    const { got, answer } = target();
    await world.start(branchOf(), answer);
    await world.accept({ id: "a" });
    await world.accept({ id: "b" });
    await world.clock.settle();
    expect(got).toEqual(["a", "b"]);
    expect(world.rows()).toEqual(["a to delivered ok", "b to delivered ok"]);
    const row = world.journal.records.find(({ step }) => step === "delivered");
    expect(row).toMatchObject({ id: "a", correlationId: "c-a", route: "person-changed", target: "benefits/core", attempt: 1, elapsed: 0 });
  });

  it("acknowledges only after the row is durable: when the journal fails, the message comes again", async () => {
    const world = await createWorld();
    const { got, answer } = target();
    const branch = await world.start(branchOf(), answer);
    await world.accept({ id: "a" });
    world.journal.failWith(new Error("disk full"));
    await world.clock.settle();
    expect(got).toEqual(["a"]);
    expect(await branch.state()).toMatchObject({ lag: 1 });
    world.journal.failWith(undefined);
    await world.clock.advance(1000);
    expect(got).toEqual(["a", "a"]); // at least once
    expect(world.rows()).toEqual(["a to delivered ok"]);
    expect(await branch.state()).toMatchObject({ lag: 0, delivered: 1 });
  });

  it("passes over what its `when` does not want, without a row", async () => {
    const world = await createWorld();
    const { got, answer } = target();
    await world.start(branchOf({ when: (message) => message.value["n"] === 2 }), answer);
    await world.accept({ id: "a" }, { n: 1 });
    await world.accept({ id: "b" }, { n: 2 });
    await world.clock.settle();
    expect(got).toEqual(["b"]);
    expect(world.rows()).toEqual(["b to delivered ok"]);
  });

  it("cuts to the granted fields before steps and map see the message", async () => {
    const world = await createWorld();
    const { messages, answer } = target();
    const branch = branchOf({
      steps: [
        {
          name: "map",
          place: "r.yaml:9",
          run: (message) => ({ kind: "next", message: { ...message, value: { seen: Object.keys(message.value) } } }),
        },
      ],
      in: (value) => ({ mapped: value }),
    });
    await world.start(branch, answer, { reduce: ({ envelope, value }) => ({ envelope, value: { name: value["name"] } }) });
    await world.accept({ id: "a" }, { name: "Ion", diagnosis: "secret" });
    await world.clock.settle();
    expect(messages[0]?.value).toEqual({ mapped: { seen: ["name"] } });
  });

  it("a step's drop leaves a row that says why", async () => {
    const world = await createWorld();
    const { got, answer } = target();
    const branch = branchOf({ steps: [{ name: "filter", place: "r.yaml:9", run: () => ({ kind: "drop", reason: "not a resident" }) }] });
    await world.start(branch, answer);
    await world.accept({ id: "a" });
    await world.clock.settle();
    expect(got).toEqual([]);
    expect(world.journal.records.at(-1)).toMatchObject({ step: "dropped", outcome: "dropped", detail: "not a resident" });
  });
});

describe("a failed attempt", () => {
  it("comes again after the policy's back-off, each attempt with a row", async () => {
    const world = await createWorld();
    const { got, answer } = target({ a: 2 });
    const branch = await world.start(branchOf({ deliver: patient }), answer);
    await world.accept({ id: "a" });
    await world.clock.settle();
    expect(await branch.state()).toMatchObject({ lag: 1, waiting: 1, oldest: world.clock.now() });
    await world.clock.advance(4999);
    expect(world.rows()).toEqual(["a to attempt failed"]);
    await world.clock.advance(1);
    await world.clock.advance(14_999);
    expect(got).toEqual([]);
    await world.clock.advance(1);
    expect(got).toEqual(["a"]);
    expect(world.rows()).toEqual(["a to attempt failed", "a to attempt failed", "a to delivered ok"]);
  });

  it("keeps its count through a restart: the wait and the attempts are durable", async () => {
    const world = await createWorld();
    await world.start(branchOf({ deliver: patient }), unreachable);
    await world.accept({ id: "a" });
    await world.clock.advance(5000); // two of three attempts are made
    const again = await world.restart();
    await again.start(branchOf({ deliver: patient }), unreachable);
    await again.clock.advance(14_999);
    expect(again.rows()).toEqual(["a to attempt failed", "a to attempt failed"]);
    await again.clock.advance(1);
    expect(again.rows().at(-1)).toBe("a to deadletter dead");
    expect(again.journal.records.at(-1)?.attempt).toBe(3);
  });

  it("blocks neither other messages nor other branches, and duplicates nothing for them", async () => {
    const world = await createWorld();
    const good = target();
    const bad = target({ a: 99 });
    await world.start(branchOf({ name: "good", addresses: ["http://good.example"] }), good.answer);
    await world.start(branchOf({ name: "bad", addresses: ["http://bad.example"], deliver: patient }), bad.answer);
    for (const id of ["a", "b", "c"]) await world.accept({ id });
    await world.clock.advance(60_000);
    expect(good.got).toEqual(["a", "b", "c"]);
    expect(bad.got).toEqual(["b", "c"]);
    expect(world.rows().filter((row) => row.startsWith("a good"))).toEqual(["a good delivered ok"]);
    expect(world.rows().filter((row) => row.startsWith("a bad"))).toEqual([
      "a bad attempt failed",
      "a bad attempt failed",
      "a bad deadletter dead",
    ]);
  });

  it("gives up after giveUpAfter, though attempts are left", async () => {
    const world = await createWorld();
    const policy = policyOf({ retry: { attempts: 100, backoff: { ...backoff, factor: 1 }, giveUpAfter: 12_000 } });
    await world.start(branchOf({ deliver: policy }), unreachable);
    await world.accept({ id: "a" });
    await world.clock.advance(60_000);
    expect(world.rows()).toEqual(["a to attempt failed", "a to attempt failed", "a to deadletter dead"]);
    expect(world.journal.records.at(-1)?.detail).toContain("given up after 12000 ms");
  });

  it("goes to the next address of the branch", async () => {
    const world = await createWorld();
    const branch = branchOf({ addresses: ["http://a.example", "http://b.example"], deliver: patient });
    const asked: string[] = [];
    const outlets = branch.addresses.map((endpoint) => ({
      endpoint,
      close: async () => undefined,
      send: async () => {
        asked.push(endpoint);
        return endpoint.includes("//a") ? unreachable() : undefined;
      },
    }));
    await world.start(branch, unreachable, { outlets });
    await world.accept({ id: "a" });
    await world.clock.advance(5000);
    expect(asked).toEqual(["http://a.example", "http://b.example"]);
  });
});

describe("order per key", () => {
  it("a retrying head blocks its key only, visibly", async () => {
    const world = await createWorld();
    const { got, answer } = target({ a1: 1 });
    const branch = await world.start(branchOf({ deliver: patient, order: ({ envelope }) => envelope.key }), answer);
    for (const [id, key] of [
      ["a1", "A"],
      ["a2", "A"],
      ["b1", "B"],
      ["a3", "A"],
    ] as const)
      await world.accept({ id, key });
    await world.clock.settle();
    expect(got).toEqual(["b1"]);
    expect(await branch.state()).toMatchObject({ blockedKeys: 1, lag: 3 });
    await world.clock.advance(5000);
    expect(got).toEqual(["b1", "a1", "a2", "a3"]);
    expect(await branch.state()).toMatchObject({ blockedKeys: 0, lag: 0 });
  });
});

describe("an open breaker", () => {
  const breaker = { window: 60_000, minimumCalls: 2, openAtFailureRate: 0.5, openFor: 60_000, probes: 1, whenOpen: "wait" } as const;

  it("takes no attempt: the message waits until it closes, longer than the longest wait in the process", async () => {
    const world = await createWorld();
    const { got, answer } = target({ "*": 2 });
    const policy = policyOf({ breaker, retry: { attempts: 3, backoff: { ...backoff, first: 1000, factor: 1 } } });
    await world.start(branchOf({ deliver: policy }), answer);
    await world.accept({ id: "a" });
    await world.clock.advance(1000); // the second failure opens it
    expect(world.endpoints.list()[0]?.breaker?.position).toBe("open");
    await world.clock.advance(59_000);
    expect(world.rows()).toEqual(["a to attempt failed", "a to attempt failed"]);
    await world.clock.advance(5_000);
    expect(got).toEqual(["a"]);
    expect(world.journal.records.at(-1)).toMatchObject({ step: "delivered", attempt: 3 });
  });
});

describe("pause and close", () => {
  const breaker = { window: 60_000, minimumCalls: 1, openAtFailureRate: 0.5, openFor: 5000, probes: 1, whenOpen: "wait" } as const;

  it("a paused branch calls nobody, not even those that waited for a breaker, and goes on when resumed", async () => {
    const world = await createWorld();
    const { got, answer } = target({ "*": 1 });
    const policy = policyOf({ breaker, retry: { attempts: 9, backoff: { ...backoff, first: 10, factor: 1 } } });
    const branch = await world.start(branchOf({ deliver: policy }), answer);
    await world.accept({ id: "a" });
    await world.clock.advance(1000);
    expect(world.endpoints.list()[0]?.waiting).toBe(1);
    branch.pause(true);
    await world.accept({ id: "b" });
    await world.clock.advance(60_000);
    expect(got).toEqual([]);
    expect(await branch.state()).toMatchObject({ paused: true, lag: 2, inFlight: 0 });
    branch.pause(false);
    await world.clock.advance(10_000);
    expect(got.sort()).toEqual(["a", "b"]);
  });

  it("closing lets an answer come in, and gives up after ten seconds what does not answer; it comes again", async () => {
    const world = await createWorld();
    const slow: Answer = async ({ envelope }, signal) => {
      await world.clock.sleep(envelope.id === "a" ? 3000 : 3_600_000, signal);
      return undefined;
    };
    const branch = await world.start(branchOf({ deliver: policyOf({ attemptTimeout: 7_200_000 }) }), slow);
    await world.accept({ id: "a" });
    await world.accept({ id: "b" });
    await world.clock.settle();
    const before = world.clock.now();
    await world.clock.until(branch.close());
    expect(world.clock.now() - before).toBe(10_000);
    expect(world.rows()).toEqual(["a to delivered ok"]);
    const again = await world.restart();
    const { got, answer } = target();
    await again.start(branchOf(), answer);
    await again.clock.settle();
    expect(got).toEqual(["b"]);
    expect(again.journal.records.at(-1)?.attempt).toBe(1); // giving up was no attempt of the provider's
  });
});

describe("failure rules", () => {
  const fault = (code: string) => (): never => {
    throw new BusError("provider-fault", "no", { providerCode: code });
  };
  const rules = [
    { on: ["provider-fault"], code: "Gone", do: "drop" },
    { on: ["provider-fault"], code: "NotFound", do: "reply", with: { status: "not-found" } },
    { on: ["provider-fault"], code: "Broken", do: "stop" },
    { on: ["provider-fault"], do: "reject" },
    { on: undefined, do: "deadletter" },
  ] as const;

  async function failing(answer: Answer) {
    const world = await createWorld({ route: routeOf({ pattern: "command" }) });
    const settled: unknown[] = [];
    const branch = await world.start(branchOf({ failures: rules }), answer, {
      settled: async (envelope, { value, error }) => void settled.push([envelope.id, value, error?.code]),
    });
    await world.accept({ id: "a" });
    await world.clock.settle();
    return { world, branch, settled, row: world.journal.records.at(-1) };
  }

  it("drop leaves a row and tells the caller", async () => {
    const { row, settled } = await failing(fault("Gone"));
    expect(row).toMatchObject({ step: "dropped", outcome: "dropped", errorClass: "provider-fault" });
    expect(settled).toEqual([["a", undefined, "provider-fault"]]);
  });

  it("reply answers the command with the rule's value", async () => {
    const { row, settled } = await failing(fault("NotFound"));
    expect(settled).toEqual([["a", { status: "not-found" }, undefined]]);
    expect(row).toMatchObject({ step: "dropped", outcome: "ok" });
  });

  it("reject is the first rule that names the class, whatever the code", async () => {
    const { row, settled } = await failing(fault("Anything"));
    expect(row).toMatchObject({ step: "dropped", outcome: "failed", detail: expect.stringContaining("rejected") });
    expect(settled).toEqual([["a", undefined, "provider-fault"]]);
  });

  it("stop pauses the branch visibly and keeps the message for when it is resumed", async () => {
    const { world, branch } = await failing(fault("Broken"));
    await world.clock.advance(60_000);
    expect(await branch.state()).toMatchObject({ paused: true, stopped: expect.stringContaining("no"), lag: 1 });
    expect(world.rows()).toEqual(["a to attempt failed"]);
    branch.pause(false);
    await world.clock.settle();
    expect(world.rows()).toEqual(["a to attempt failed", "a to attempt failed"]);
  });

  it("what no rule names becomes a dead letter, and the branch's own rules go before the route's", async () => {
    const world = await createWorld({ route: routeOf({ failures: [{ on: undefined, do: "drop" }] }) });
    await world.start(branchOf({ name: "own", failures: [{ on: ["timeout"], do: "drop" }] }), fault("x"));
    await world.start(branchOf({ name: "routes", failures: [] }), fault("x"));
    await world.accept({ id: "a" });
    await world.clock.settle();
    expect([...world.rows()].sort()).toEqual(["a own deadletter dead", "a routes dropped dropped"]);
  });
});

describe("poison", () => {
  it("bytes that do not decode become a dead letter with the whole envelope, and the next message flows", async () => {
    const world = await createWorld();
    const { got, answer } = target();
    await world.start(branchOf({ order: ({ envelope }) => envelope.key }), answer);
    const body = new Uint8Array([0, 0xff, 1]);
    await world.accept({ id: "bad", key: "K", body });
    await world.accept({ id: "good", key: "K" });
    await world.clock.settle();
    expect(got).toEqual(["good"]);
    const dead = world.journal.records.find(({ step }) => step === "deadletter");
    expect(dead).toMatchObject({ id: "bad", errorCode: "avro-malformed", errorClass: "contract-violation", attempt: 1 });
    expect(dead?.envelope?.body).toEqual(body);
  });

  it("a `when`, a step or a map that throws ends in the same envelope", async () => {
    const world = await createWorld();
    const broken = (): never => {
      throw new BusError("expression-failed", "division by zero");
    };
    await world.start(branchOf({ name: "when", when: broken }), unreachable);
    await world.start(branchOf({ name: "step", steps: [{ name: "enrich", place: "r.yaml:7", run: broken }] }), unreachable);
    await world.start(branchOf({ name: "map", in: broken }), unreachable);
    await world.accept({ id: "a" });
    await world.clock.settle();
    expect([...world.rows()].sort()).toEqual(["a map deadletter dead", "a step deadletter dead", "a when deadletter dead"]);
    expect(world.journal.records.find(({ branch, step }) => branch === "step" && step === "deadletter")?.detail).toContain(
      "enrich (r.yaml:7)",
    );
  });
});
