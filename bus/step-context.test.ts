/** What steps reach: memory of keys that is durable and raced for, copies beside the flow, and other contracts under the sender's own rights. */
import { afterEach, describe, expect, it } from "vitest";
import { changed, GRANTS, grantOf, inboundOf, lookup, openBusWorld, setOf, type BusWorld, type Send } from "#test/harness/bus-world.ts";
import { createMemoryPorts } from "#test/harness/memory.ts";
import { messageOf } from "#test/harness/message.ts";
import { refusalOf } from "#test/harness/refusal.ts";
import { branchOf, contractOf } from "#test/harness/route.ts";
import { createVirtualClock } from "#test/harness/virtual-clock.ts";
import { indexGrants } from "./access/grants.ts";
import type { AvroRecord } from "./envelope.ts";
import type { Step, StepContext } from "./route/runtime.ts";
import { createStepContexts } from "./step-context.ts";

const open: BusWorld[] = [];
afterEach(async () => {
  await Promise.all(open.splice(0).map(({ bus }) => bus.close()));
});

async function memory() {
  const clock = createVirtualClock();
  const ports = createMemoryPorts(clock);
  const parts = { clock, ...ports, view: () => ({ routes: new Map(), grants: indexGrants([]), systems: new Map(), contracts: new Map() }) };
  const make = () => createStepContexts({ ...parts, accept: () => () => Promise.reject(new Error("nothing is asked here")) });
  const signal = new AbortController().signal;
  return { clock, ...ports, of: async (route: string): Promise<StepContext> => (await make())(route, signal) };
}

describe("a remembered key", () => {
  it("is what was remembered first, until its window is over, also after a restart", async () => {
    const { of, clock } = await memory();
    const context = await of("r");
    expect(await context.remember("k", 1_000, "first")).toBeUndefined();
    expect(await context.remember("k", 1_000, "second")).toBe("first");
    await clock.advance(999);
    expect(await (await of("r")).remember("k", 1_000, "third")).toBe("first");
    await clock.advance(1);
    expect(await context.remember("k", 1_000, "fourth")).toBeUndefined();
    expect(await context.remember("k", 1_000, "fifth")).toBe("fourth");
  });

  it("belongs to its route", async () => {
    const { of } = await memory();
    expect(await (await of("r")).remember("k", 1_000, "mine")).toBeUndefined();
    expect(await (await of("s")).remember("k", 1_000, "yours")).toBeUndefined();
    expect(await (await of("r\nk")).remember("", 1_000, "other")).toBeUndefined();
  });

  it("is given to one of many that come at once", async () => {
    const { of } = await memory();
    const context = await of("r");
    const all = await Promise.all(Array.from({ length: 20 }, (_, n) => context.remember("k", 1_000, `m-${n}`)));
    const winners = all.flatMap((known, n) => (known === undefined ? [`m-${n}`] : []));
    expect(winners).toHaveLength(1);
    for (const known of all) if (known !== undefined) expect(known).toBe(winners[0]);
  });

  it("may be replaced by who names what stands there, and by one of many", async () => {
    const { of } = await memory();
    const context = await of("r");
    await context.remember("k", 1_000, "old");
    expect(await context.remember("k", 1_000, "new", "another")).toBe("old");
    const all = await Promise.all(["a", "b", "c"].map((name) => context.remember("k", 1_000, name, "old")));
    expect(all.filter((known) => known === undefined)).toHaveLength(1);
  });

  it("is asked of a store that fails: the step fails, it does not let the message through", async () => {
    const { of, store } = await memory();
    const context = await of("r");
    await store.close();
    await expect(context.remember("k", 1_000, "x")).rejects.toThrow();
  });

  it("has no group to wait in outside of waiting steps", async () => {
    const { of } = await memory();
    const context = await of("r");
    expect((await refusalOf(context.gather("g", messageOf({}), { timeout: 1 }))).code).not.toBe("unexpected");
  });
});

const stepOf = (run: Step["run"]): Step => ({ name: "probe", place: "routes/r.yaml:9", run });

async function world(step: Step, send?: Send, over: Parameters<typeof setOf>[1] = GRANTS) {
  const audit = changed({
    id: "audit",
    contract: contractOf("event", "audit.person.v1"),
    sources: [],
    branches: [branchOf({ name: "log", system: "taker/b" })],
  });
  const grants = [...over, grantOf("taker/b", "consumer", "audit.person.v1"), grantOf("maker/one", "consumer", "person.request.v1")];
  const route = changed({ steps: [step], branches: [branchOf({ name: "a", system: "taker/a" })] });
  const opened = await openBusWorld({ set: setOf([route, audit, lookup()], grants), ...(send ? { send } : undefined) });
  open.push(opened);
  const tell = async (value: AvroRecord = { n: 1, secret: "x" }) => {
    const outcome = await opened.bus.accept(inboundOf("changed", "maker/one", value, { id: "m-1", headers: { case: "T-1" } }));
    await opened.clock.advance(1_000);
    return outcome;
  };
  return { ...opened, tell };
}

describe("a tap", () => {
  const tapping = (topic: string, fields: readonly string[]): Step =>
    stepOf((message, context) => {
      context.tap(topic, message, fields);
      return { kind: "next", message };
    });

  it("sends a copy of the named fields and nothing else, as a message of its own with its cause", async () => {
    const { tell, sent } = await world(tapping("audit.person.v1", ["n", "headers.case", "absent"]));
    await tell();
    const copy = sent.find(({ branch }) => branch === "log")?.message;
    expect(copy?.value).toEqual({ n: 1, case: "T-1" });
    expect(copy?.envelope).toMatchObject({ contract: "audit.person.v1", causationId: "m-1", source: "maker/one" });
    expect(copy?.envelope.id).not.toBe("m-1");
    expect(sent.filter(({ branch }) => branch === "a")).toHaveLength(1);
  });

  it("never fails the flow: a topic that is no contract leaves a row that says so", async () => {
    const { tell, sent, rows, journal } = await world(tapping("audit.nothing.v1", ["n"]));
    expect(await tell()).toMatchObject({ kind: "accepted" });
    expect(sent.map(({ branch }) => branch)).toEqual(["a"]);
    expect(rows()).toContain("dropped failed contract-unknown");
    expect(journal.records.find(({ step }) => step === "dropped")?.detail).toMatch(
      /^tap to audit\.nothing\.v1: topic `audit\.nothing\.v1` is no contract/,
    );
  });
});

describe("another contract that a step asks", () => {
  const asking = stepOf(async (message, context) => ({
    kind: "next",
    message: { ...message, value: { ...message.value, person: await context.ask("person.request.v1", { id: 7 }, message) } },
  }));

  it("answers under the sender's own grant, and its exchange has rows of its own under the same correlation", async () => {
    const { tell, sent, journal } = await world(asking, ({ value }) => ({ name: `person ${String(value["id"])}` }));
    await tell();
    expect(sent.find(({ branch }) => branch === "a")?.message.value["person"]).toEqual({ name: "person 7" });
    const asked = journal.records.filter(({ route }) => route === "lookup");
    expect(asked.map(({ step, system }) => `${step} ${system ?? ""}`)).toEqual(["accepted maker/one", "replied maker/one"]);
    expect(new Set(journal.records.map(({ correlationId }) => correlationId)).size).toBe(1);
  });

  it("refuses who has no grant for it: the message is refused with that reason", async () => {
    const route = changed({ steps: [asking], branches: [branchOf({ name: "a", system: "taker/a" })] });
    const opened = await openBusWorld({ set: setOf([route, lookup()], GRANTS) });
    open.push(opened);
    const error = await refusalOf(opened.bus.accept(inboundOf("changed", "maker/one", { n: 1 }, { id: "m-1" })));
    expect(error).toMatchObject({ code: "grant-missing", step: "probe (routes/r.yaml:9)" });
    expect(opened.sent).toEqual([]);
  });

  it("says so when no query route serves it", async () => {
    const stray = stepOf(async (message, context) => ({
      kind: "next",
      message: { ...message, value: await context.ask("nobody.asks.v1", {}, message) },
    }));
    const { bus } = await world(stray);
    const error = await refusalOf(bus.accept(inboundOf("changed", "maker/one", { n: 1 }, { id: "m-1" })));
    expect([error.code, error.message]).toEqual([
      "contract-unknown",
      "no query route that `maker/one` may use serves contract `nobody.asks.v1`",
    ]);
  });
});
