/** Steps that wait run after acceptance: what becomes of messages that wait, fail there, and are sent again by an operator. */
import { afterEach, describe, expect, it } from "vitest";
import { changed, grantOf, inboundOf, openBusWorld, setOf, type BusWorld } from "#test/harness/bus-world.ts";
import { branchOf, contractOf } from "#test/harness/route.ts";
import { stepParts } from "#test/harness/step-parts.ts";
import type { Contract } from "./contract/contract.ts";
import { BusError } from "./errors.ts";
import type { Route, Step } from "./route/runtime.ts";
import { aggregate } from "./route/steps/aggregate.ts";
import { delay } from "./route/steps/delay.ts";

const MINUTE = 60_000;
const open: BusWorld[] = [];
afterEach(async () => {
  await Promise.all(open.splice(0).map(({ bus }) => bus.close()));
});

const GRANTS = [grantOf("maker/one", "producer", "person.changed.v1"), grantOf("taker/a", "consumer", "person.changed.v1")];
const waitFor = (ms: number): Step => delay({ kind: "delay", path: [], for: ms }, stepParts("event"));
const gather = (count: number): Step =>
  aggregate(
    { kind: "aggregate", path: [], correlate: { language: "path", field: "group", path: [] }, complete: { count, timeout: MINUTE } },
    stepParts("event"),
  );
/** Fails as long as the switch is on. */
const failing = (ill: { now: boolean }): Step => ({
  name: "map",
  place: "routes/r.yaml:12",
  run: (message) => {
    if (ill.now) throw new BusError("map-failed", "required field `a` has no value");
    return { kind: "next", message };
  },
});
/** Takes no record that holds `misfit`, as an encoder does. */
function strict(): Contract {
  const contract = contractOf("event");
  const encode: Contract["request"]["encode"] = (value) => {
    if (JSON.stringify(value).includes("misfit")) throw new BusError("avro-violation", "`n` is no number");
    return contract.request.encode(value);
  };
  return { ...contract, request: { ...contract.request, encode } };
}
const spoil: Step = {
  name: "map",
  place: "routes/r.yaml:14",
  run: ({ envelope, value }) => ({ kind: "next", message: { envelope, value: { ...value, misfit: true } } }),
};

async function setup(steps: readonly Step[], over: Partial<Route> = {}) {
  const route = changed({ id: "r", steps, branches: [branchOf({ name: "a", system: "taker/a" })], ...over });
  const world = await openBusWorld({ set: setOf([route], GRANTS) });
  open.push(world);
  const { bus, clock } = world;
  const letters = async () =>
    (await bus.deadletters.list({ route: "r" })).map(({ messageId, branch, errorCode }) => `${messageId} ${branch} ${errorCode}`);
  return {
    ...world,
    letters,
    send: async (id: string, value: Record<string, unknown> = { group: "g" }) => {
      await bus.accept(inboundOf("r", "maker/one", { ...value, n: id }, { id }));
      await clock.advance(10);
    },
    replay: (ids: readonly string[]) => bus.deadletters.replay({ ids }, "operator", "the map is mended"),
    sentIds: () => world.sent.map(({ message }) => message.envelope.id),
  };
}

describe("a message that waits in a step", () => {
  it("is accepted at once and delivered when its time has come, not before", async () => {
    const { send, sentIds, clock } = await setup([waitFor(MINUTE)]);
    await send("m-1");
    await clock.advance(MINUTE - 1000);
    expect(sentIds()).toEqual([]);
    await clock.advance(2000);
    expect(sentIds()).toEqual(["m-1"]);
  });

  it("goes on waiting after a restart on the same disk, and is delivered once", async () => {
    const first = await setup([waitFor(MINUTE)]);
    await first.send("m-1");
    await first.bus.close();
    const route = changed({ id: "r", steps: [waitFor(MINUTE)], branches: [branchOf({ name: "a", system: "taker/a" })] });
    const second = await openBusWorld({ set: setOf([route], GRANTS), disk: first.disk, clock: first.clock });
    open.push(second);
    await second.clock.advance(2 * MINUTE);
    expect(second.sent.map(({ message }) => message.envelope.id)).toEqual(["m-1"]);
  });
});

describe("a message whose steps fail for good", () => {
  it("is one dead letter of `steps`, with step and place, and is not tried again", async () => {
    const { send, letters, sentIds, clock, bus } = await setup([waitFor(0), failing({ now: true })]);
    await send("m-1");
    await clock.advance(10 * MINUTE);
    expect(await letters()).toEqual(["m-1 steps map-failed"]);
    expect((await bus.deadletters.list())[0]?.step).toBe("map (routes/r.yaml:12)");
    expect(sentIds()).toEqual([]);
  });

  it("is one when what they made does not fit the contract: it neither stays for ever nor gets lost", async () => {
    const { send, letters, sentIds, clock, errors } = await setup([waitFor(0), spoil], { contract: strict() });
    await send("m-1");
    await clock.advance(10 * MINUTE);
    expect(await letters()).toEqual(["m-1 steps avro-violation"]);
    expect([sentIds(), errors]).toEqual([[], []]);
  });

  it("is one for each of its group when the whole does not fit, ended by count or by time", async () => {
    for (const [count, wait] of [
      [2, 1000],
      [9, 2 * MINUTE],
    ] as const) {
      const { send, letters, clock, errors, sentIds } = await setup([gather(count), spoil], { contract: strict() });
      await send("m-1");
      await send("m-2");
      await clock.advance(wait);
      await clock.advance(MINUTE);
      expect((await letters()).toSorted(), `count ${count}`).toEqual(["m-1 steps avro-violation", "m-2 steps avro-violation"]);
      expect([sentIds(), errors]).toEqual([[], []]);
    }
  });
});

describe("an operator who sends such a message again", () => {
  it("has it go through the steps and on to every branch, once", async () => {
    const ill = { now: true };
    const { send, letters, replay, sentIds, clock, bus } = await setup([waitFor(0), failing(ill)]);
    await send("m-1");
    ill.now = false;
    const [letter] = await bus.deadletters.list();
    expect(await replay([letter?.id ?? ""])).toMatchObject({ done: 1, failed: [] });
    await clock.advance(1000);
    expect([sentIds(), await letters()]).toEqual([["m-1"], []]);
    expect(await replay([letter?.id ?? ""])).toMatchObject({ done: 0, failed: [{ code: "store-conflict" }] });
    await clock.advance(1000);
    expect(sentIds()).toEqual(["m-1"]);
  });

  it("is told that it failed again, and the letter stays open with the newer error", async () => {
    const ill = { now: true };
    const { send, letters, replay, sentIds, bus, rows } = await setup([waitFor(0), failing(ill)]);
    await send("m-1");
    const [letter] = await bus.deadletters.list();
    expect(await replay([letter?.id ?? ""])).toMatchObject({ done: 0, failed: [{ code: "map-failed" }] });
    expect(await letters()).toEqual(["m-1 steps map-failed"]);
    expect((await bus.deadletters.list())[0]).toMatchObject({ attempts: 2, operator: "operator" });
    expect(rows().slice(-2)).toEqual(["act ok steps", "replayed failed steps map-failed"]);
    expect(sentIds()).toEqual([]);
  });

  it("has one that must wait again wait durably", async () => {
    const ill = { now: true };
    const until: Step = {
      name: "delay",
      place: "routes/r.yaml:13",
      waits: true,
      run: (message, context) =>
        context.clock.now() < due ? { kind: "delay", ms: due - context.clock.now(), message } : { kind: "next", message },
    };
    let due = 0;
    const { send, replay, sentIds, clock, bus } = await setup([failing(ill), until]);
    await send("m-1");
    ill.now = false;
    due = clock.now() + 5 * MINUTE;
    const [letter] = await bus.deadletters.list();
    expect(await replay([letter?.id ?? ""])).toMatchObject({ done: 1 });
    await clock.advance(4 * MINUTE);
    expect(sentIds()).toEqual([]);
    await clock.advance(2 * MINUTE);
    expect(sentIds()).toEqual(["m-1"]);
  });

  it("has the messages of a group that failed form a group anew", async () => {
    const ill = { now: true };
    const { send, letters, replay, sent, clock, bus } = await setup([gather(2), failing(ill)]);
    await send("m-1");
    await send("m-2");
    await clock.advance(1000);
    expect((await letters()).toSorted()).toEqual(["m-1 steps map-failed", "m-2 steps map-failed"]);
    ill.now = false;
    const ids = (await bus.deadletters.list()).map(({ id }) => id);
    expect(await replay(ids)).toMatchObject({ done: 2, failed: [] });
    await clock.advance(1000);
    expect(sent.map(({ message }) => message.value["count"])).toEqual([2]);
    expect(await letters()).toEqual([]);
  });

  it("loses none of a group that fails again, and each is one letter still", async () => {
    const { send, letters, replay, bus, clock } = await setup([gather(2), failing({ now: true })]);
    await send("m-1");
    await send("m-2");
    await clock.advance(1000);
    const ids = (await bus.deadletters.list()).map(({ id }) => id);
    await replay(ids);
    await clock.advance(1000);
    expect((await letters()).toSorted()).toEqual(["m-1 steps map-failed", "m-2 steps map-failed"]);
  });

  it("may not, where the route has no such steps any more: nothing is sent, and the reason is said", async () => {
    const { send, replay, bus, sentIds } = await setup([waitFor(0), failing({ now: true })]);
    await send("m-1");
    const [letter] = await bus.deadletters.list();
    await bus.apply(setOf([changed({ id: "r", revision: "r2", branches: [branchOf({ name: "a", system: "taker/a" })] })], GRANTS));
    expect(await replay([letter?.id ?? ""])).toMatchObject({ done: 0, failed: [{ code: "replay-refused" }] });
    expect(sentIds()).toEqual([]);
  });
});
