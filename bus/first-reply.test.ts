/** `dedupe: { onDuplicate: return-first-reply }` through the whole bus: who gets the first reply, who is told to wait, who may try anew. */
import { afterEach, describe, expect, it } from "vitest";
import { grantOf, inboundOf, openBusWorld, setOf, sourceOf, type Send } from "#test/harness/bus-world.ts";
import { policyOf } from "#test/harness/policy.ts";
import { branchOf, contractOf, routeOf } from "#test/harness/route.ts";
import { stepParts } from "#test/harness/step-parts.ts";
import { createVirtualClock } from "#test/harness/virtual-clock.ts";
import type { Bus } from "./bus.ts";
import { compileType } from "./contract/avro.ts";
import type { Pattern } from "./contract/contract.ts";
import type { AvroRecord } from "./envelope.ts";
import { asBusError, BusError } from "./errors.ts";
import type { Route } from "./route/runtime.ts";
import { dedupe } from "./route/steps/dedupe.ts";

const HOUR = 3_600_000;
const open: Bus[] = [];
afterEach(async () => {
  await Promise.all(open.splice(0).map((bus) => bus.close()));
});

function route(pattern: Pattern, over: Partial<Route> = {}): Route {
  const key = { language: "path", field: "headers.case", path: [] } as const;
  const step = dedupe({ kind: "dedupe", path: [], key, window: HOUR, onDuplicate: "return-first-reply" }, stepParts(pattern));
  return routeOf({
    id: "r",
    contract: contractOf(pattern, "a.b.v1"),
    sources: [sourceOf()],
    steps: [step],
    branches: [branchOf({ system: "provider/one", deliver: policyOf({ deadline: 8000 }) })],
    ...over,
  });
}
const ALL = [grantOf("asker/one", "consumer", "a.b.v1"), grantOf("other/one", "consumer", "a.b.v1")];

async function setup(made: Route, send?: Send) {
  const clock = createVirtualClock();
  const world = await openBusWorld({ clock, set: setOf([made], ALL), ...(send ? { send } : undefined) });
  open.push(world.bus);
  const ask = (id: string, system = "asker/one") => world.bus.accept(inboundOf("r", system, { id }, { id, headers: { case: "T-1" } }));
  const refused = (id: string) =>
    ask(id).then(
      () => undefined,
      (thrown: unknown) => asBusError(thrown),
    );
  return { ...world, clock, ask, refused };
}
const numbered = (): Send => {
  let count = 0;
  return () => ({ number: (count += 1) });
};

describe("a query", () => {
  it("that comes again, under another id or its own, gets the first reply, and its provider is asked once", async () => {
    const { ask, sent } = await setup(route("query"), numbered());
    for (const id of ["q-1", "q-2", "q-1"]) expect(await ask(id)).toMatchObject({ kind: "reply", id, value: { number: 1 } });
    expect(sent).toHaveLength(1);
  });

  it("of another sender with the same key and id is a query of its own", async () => {
    const { ask } = await setup(route("query"), numbered());
    expect(await ask("q-1")).toMatchObject({ value: { number: 1 } });
    expect(await ask("q-1", "other/one")).toMatchObject({ value: { number: 2 } });
    expect(await ask("q-1")).toMatchObject({ value: { number: 1 } });
  });

  it("shows of the first reply what the grant allows today", async () => {
    const schema = {
      type: "record",
      name: "Reply",
      fields: [
        { name: "number", type: "int" },
        { name: "name", type: ["null", "string"] },
      ],
    };
    const reply = compileType({ id: "a.b-reply.v1", schemaId: 2, schemaText: JSON.stringify(schema) });
    const made = route("query", { reply });
    const { ask, bus } = await setup(made, () => ({ number: 1, name: "Ana" }));
    expect(await ask("q-1")).toMatchObject({ value: { number: 1, name: "Ana" } });
    await bus.apply(setOf([made], [grantOf("asker/one", "consumer", "a.b.v1", { allow: ["number"] })]));
    expect(await ask("q-2")).toMatchObject({ kind: "reply", value: { number: 1, name: null } });
  });

  it("is told to come again while the first is under way", async () => {
    const { promise, resolve } = Promise.withResolvers<AvroRecord>();
    const { ask, refused } = await setup(route("query"), () => promise);
    const first = ask("q-1");
    await expect.poll(() => refused("q-2")).toMatchObject({ code: "duplicate-message", retryAfter: 1000 });
    resolve({ number: 1 });
    await first;
    expect(await ask("q-2")).toMatchObject({ value: { number: 1 } });
  });

  it("takes the place of one that failed; its own refusals do not count as the first's failure", async () => {
    let fails = true;
    const { ask, refused, sent } = await setup(route("query"), () => {
      if (fails) throw new BusError("provider-fault", "not today", { providerCode: "Busy" });
      return { number: 1 };
    });
    expect((await refused("q-1"))?.code).toBe("provider-fault");
    fails = false;
    expect(await ask("q-1")).toMatchObject({ value: { number: 1 } });
    expect(await ask("q-2")).toMatchObject({ value: { number: 1 } });
    expect(sent).toHaveLength(2);
  });

  it("takes the place of one whose process died, when nobody can wait for that any more", async () => {
    const { ask, refused, journal, clock } = await setup(route("query"), numbered());
    journal.failWith(new Error("power cut")); // what was under way leaves no row
    expect((await refused("q-1"))?.code).toBe("journal-failed");
    journal.failWith(undefined);
    expect(await refused("q-2")).toMatchObject({ code: "duplicate-message", retryAfter: 1000 });
    await clock.advance(8001);
    expect(await ask("q-2")).toMatchObject({ kind: "reply" });
  });

  it("is refused with the reason where the journal keeps no payload", async () => {
    const { ask, refused } = await setup(route("query", { journal: { payload: "hash", keep: HOUR, index: () => ({}) } }), numbered());
    await ask("q-1");
    const error = await refused("q-2");
    expect(error).toMatchObject({ code: "duplicate-message", message: expect.stringContaining("not kept (`journal: { payload: full }`") });
    expect(error?.retryAfter).toBeUndefined();
  });

  it("is a query of its own after the window", async () => {
    const { ask, clock } = await setup(route("query"), numbered());
    await ask("q-1");
    await clock.advance(HOUR + 1);
    expect(await ask("q-2")).toMatchObject({ value: { number: 2 } });
  });
});

describe("a command", () => {
  it("that comes again gets the reply once there is one, is sent once, and leaves a row each time", async () => {
    const { promise, resolve } = Promise.withResolvers<AvroRecord>();
    const { ask, refused, sent, clock, journal } = await setup(route("command"), () => promise);
    expect(await ask("c-1")).toMatchObject({ kind: "accepted", duplicate: false });
    expect(await ask("c-1")).toMatchObject({ kind: "accepted", duplicate: true });
    expect(await refused("c-2")).toMatchObject({ code: "duplicate-message", retryAfter: 1000 });
    resolve({ number: 1 });
    await clock.advance(100);
    for (const id of ["c-1", "c-2"]) expect(await ask(id)).toMatchObject({ kind: "reply", id, value: { number: 1 } });
    expect(sent).toHaveLength(1);
    const steps = journal.records.map(({ id, step, outcome }) => `${id} ${step} ${outcome}`);
    expect(steps.slice(-2)).toEqual(["c-1 dropped duplicate", "c-2 dropped duplicate"]);
  });

  it("keeps its ticket after it was answered by step", async () => {
    const { ask, bus, clock } = await setup(route("command"), numbered());
    await ask("c-1");
    await clock.advance(100);
    await ask("c-1");
    expect(await bus.commands.ticket(bus.view().routes, "c-1", "asker/one")).toMatchObject({ state: "done", reply: { number: 1 } });
  });

  it("whose first one failed is refused with how it failed", async () => {
    const { ask, refused, clock } = await setup(route("command"), () => {
      throw new BusError("provider-fault", "no such benefit", { providerCode: "None" });
    });
    await ask("c-1");
    await clock.advance(100);
    const error = await refused("c-2");
    expect(error?.message).toContain("its reply cannot be given: it failed: no such benefit");
    expect(error?.retryAfter).toBeUndefined();
  });

  it("whose first one a later step dropped is refused with that step's reason", async () => {
    const made = route("command");
    const drop = { name: "filter", place: "r.yaml:10", run: () => ({ kind: "drop", reason: "not for us" }) as const };
    const { ask, refused } = await setup({ ...made, steps: [...made.steps, drop] });
    await ask("c-1");
    expect((await refused("c-2"))?.message).toContain("it got none: not for us");
  });
});

describe("an event", () => {
  it("that came under the same key is refused: it has no reply to give", async () => {
    const made = route("event");
    const clock = createVirtualClock();
    const world = await openBusWorld({ clock, set: setOf([made], [grantOf("maker/one", "producer", "a.b.v1")]) });
    open.push(world.bus);
    const tell = (id: string) => world.bus.accept(inboundOf("r", "maker/one", { id }, { id, headers: { case: "T-1" } }));
    await tell("e-1");
    await expect(tell("e-2")).rejects.toMatchObject({ code: "duplicate-message" });
  });
});
