/** Tickets of commands: what a sender learns of its own commands, and that nobody learns of another's. */
import { afterEach, describe, expect, it } from "vitest";
import { branchOf } from "#test/harness/route.ts";
import { policyOf } from "#test/harness/policy.ts";
import { GRANTS, grantOf, inboundOf, openBusWorld, register, setOf, type BusWorld, type BusWorldOptions } from "#test/harness/bus-world.ts";
import { asBusError, BusError } from "./errors.ts";

const open: BusWorld[] = [];
afterEach(async () => {
  await Promise.all(open.splice(0).map(({ bus }) => bus.close()));
});

async function setup(options: BusWorldOptions = {}) {
  const world = await openBusWorld(options);
  open.push(world);
  const { bus } = world;
  return {
    ...world,
    send: (id: string, system = "asker/one", value: Record<string, unknown> = { n: 1 }) =>
      bus.accept(inboundOf("register", system, value, { id })),
    ticket: (id: string, system: string | undefined = "asker/one") => bus.commands.ticket(bus.view().routes, id, system),
    refused: (id: string, system?: string) =>
      bus.commands.ticket(bus.view().routes, id, system).then(
        () => "it was told",
        (thrown: unknown) => `${asBusError(thrown).code}: ${asBusError(thrown).message}`,
      ),
  };
}

describe("a ticket", () => {
  it("is never the id of an event: nobody answers that, so it would be pending for ever", async () => {
    const { bus, refused, clock } = await setup();
    await bus.accept(inboundOf("changed", "maker/one", { n: 1 }, { id: "e-1" }));
    expect(await refused("e-1", "maker/one")).toBe("not-found: no command has the ticket `e-1`");
    await clock.advance(60_000);
    expect(await refused("e-1", "maker/one")).toBe("not-found: no command has the ticket `e-1`");
  });

  it("is never the id of a query, not even while it runs", async () => {
    const { promise, resolve } = Promise.withResolvers<Record<string, unknown>>();
    const { bus, refused, clock } = await setup({ send: () => promise });
    const asked = bus.accept(inboundOf("lookup", "asker/one", { id: 7 }, { id: "q-1" }));
    await clock.settle();
    expect(await refused("q-1", "asker/one")).toBe("not-found: no command has the ticket `q-1`");
    resolve({ name: "x" });
    await asked;
    expect(await refused("q-1", "asker/one")).toBe("not-found: no command has the ticket `q-1`");
  });

  it("is pending until the provider answered, then done with the reply, as often as it is asked for", async () => {
    const { send, ticket, clock, bus } = await setup({ send: () => ({ number: 12 }) });
    bus.view().routes.get("register")?.pause(true);
    const accepted = await send("c-1");
    expect(await ticket("c-1")).toEqual({ id: "c-1", state: "pending", position: accepted.position });
    bus.view().routes.get("register")?.pause(false);
    await clock.advance(1000);
    const done = await ticket("c-1");
    expect(done).toEqual({ id: "c-1", state: "done", position: expect.any(Number), reply: { number: 12 } });
    expect(done.position).toBeGreaterThan(accepted.position);
    await clock.advance(3_600_000);
    expect(await ticket("c-1")).toEqual(done);
  });

  it("is failed with the reason when the command ended badly", async () => {
    const { send, ticket, clock } = await setup({
      send: () => {
        throw new BusError("provider-fault", "the fund is closed", { providerCode: "Closed" });
      },
    });
    await send("c-1");
    await clock.advance(1000);
    expect(await ticket("c-1")).toMatchObject({ state: "failed", error: "the fund is closed" });
  });

  it("is done after a dead letter was replayed with success", async () => {
    const state = { fails: true };
    const { bus, send, ticket, clock } = await setup({
      send: () => {
        if (state.fails) throw new BusError("provider-fault", "the fund is closed");
        return { number: 13 };
      },
    });
    await send("c-1");
    await clock.advance(1000);
    expect(await ticket("c-1")).toMatchObject({ state: "failed" });
    state.fails = false;
    const ids = (await bus.deadletters.list()).map(({ id }) => id);
    await bus.deadletters.replay({ ids }, "ana", "the fund is open");
    expect(await ticket("c-1")).toMatchObject({ state: "done", reply: { number: 13 } });
  });

  it("is known however often its command was tried", async () => {
    const deliver = policyOf({ retry: { attempts: 200, backoff: { first: 10, factor: 1, max: 10, jitter: "none" } } });
    const route = register({ branches: [branchOf({ system: "provider/one", deliver })] });
    const { send, ticket, clock, journal } = await setup({
      set: setOf([route], GRANTS),
      send: () => {
        throw new BusError("endpoint-unreachable", "nobody is there");
      },
    });
    await send("c-1");
    await clock.advance(1500);
    expect(journal.records.filter(({ step }) => step === "attempt").length).toBeGreaterThan(110);
    expect(await ticket("c-1")).toMatchObject({ state: "pending" });
  });
});

describe("another system", () => {
  const NEVER = "not-found: no command has the ticket `c-1`";

  it("is answered as if the command never was, before and after the reply", async () => {
    const { send, refused, clock } = await setup({ send: () => ({ number: 12 }) });
    await send("c-1");
    expect(await refused("c-1", "asker/two")).toBe(NEVER);
    await clock.advance(1000);
    expect(await refused("c-1", "asker/two")).toBe(NEVER);
    expect(await refused("c-1", "provider/one")).toBe(NEVER);
    expect(await refused("c-1", undefined)).toBe(NEVER);
    expect(await refused("c-1", "")).toBe(NEVER);
  });

  it("gets the very words that an id nobody used gets", async () => {
    const { send, refused } = await setup();
    await send("c-1");
    expect(await refused("c-1", "asker/two")).toBe((await refused("c-2", "asker/two")).replace("c-2", "c-1"));
  });

  it("that uses the same id has a ticket of its own, and neither sees the other's reply", async () => {
    const { bus, send, ticket, clock } = await setup({ send: ({ envelope, value }) => ({ for: envelope.source, n: value["n"] }) });
    bus.view().routes.get("register")?.pause(true);
    await send("c-1", "asker/one", { n: 1 });
    await send("c-1", "asker/two", { n: 2 });
    expect([(await ticket("c-1")).state, (await ticket("c-1", "asker/two")).state]).toEqual(["pending", "pending"]);
    bus.view().routes.get("register")?.pause(false);
    await clock.advance(1000);
    expect((await ticket("c-1")).reply).toEqual({ for: "asker/one", n: 1 });
    expect((await ticket("c-1", "asker/two")).reply).toEqual({ for: "asker/two", n: 2 });
  });

  it("that used the id later does not get the earlier reply while its own command waits", async () => {
    let answered = 0;
    const { send, ticket, clock, refused } = await setup({
      send: ({ envelope }) => {
        if (envelope.source === "asker/two") throw new BusError("endpoint-unreachable", "nobody is there");
        answered++;
        return { secret: "of asker/one" };
      },
    });
    await send("c-1", "asker/two");
    await clock.advance(100);
    await send("c-1", "asker/one");
    await clock.advance(100);
    expect(answered).toBe(1);
    expect(await ticket("c-1", "asker/two")).toMatchObject({ state: "pending" });
    expect(await ticket("c-1", "asker/two")).not.toHaveProperty("reply");
    expect(await refused("c-1", "taker/a")).toBe(NEVER);
  });
});

describe("the reply of a ticket", () => {
  it("shows what the grant allows now, not what it allowed then", async () => {
    const grants = (allow: readonly string[] | undefined) => [grantOf("asker/one", "consumer", "benefit.register.v1", { allow })];
    const { bus, send, ticket, clock } = await setup({ set: setOf([register()], grants(undefined)), send: () => ({ number: 12 }) });
    await send("c-1");
    await clock.advance(1000);
    expect((await ticket("c-1")).reply).toEqual({ number: 12 });
    await bus.apply(setOf([register()], []));
    const gone = await ticket("c-1");
    expect(gone.state).toBe("done");
    expect(gone).not.toHaveProperty("reply");
    expect(gone.error).toContain("no grant lets system `asker/one` be a consumer of contract `benefit.register.v1`");
  });

  it("is not told once its route is gone, though that it is done still is", async () => {
    const { bus, send, ticket, clock } = await setup({ send: () => ({ number: 12 }) });
    await send("c-1");
    await clock.advance(1000);
    await bus.apply(setOf([], GRANTS));
    expect(await ticket("c-1")).toEqual({ id: "c-1", state: "done", position: expect.any(Number) });
  });

  it("is durable before the transport hears that the command is done", async () => {
    const { bus, send, clock, journal, ticket } = await setup({ send: () => ({ number: 12 }) });
    await send("c-1");
    journal.failWith(new Error("disk full"));
    await clock.advance(100);
    expect(journal.records.map(({ step }) => step)).toEqual(["accepted"]);
    expect((await bus.view().routes.get("register")?.branches[0]?.state())?.lag).toBe(1);
    journal.failWith(undefined);
    await clock.advance(60_000);
    expect(await ticket("c-1")).toMatchObject({ state: "done", reply: { number: 12 } });
  });

  it("comes under its own id, caused by the command, in the reply's contract", async () => {
    const { send, clock, journal } = await setup({ send: () => ({ number: 12 }) });
    await send("c-1");
    await clock.advance(1000);
    const replied = journal.records.find(({ step }) => step === "replied");
    expect(replied).toMatchObject({ id: "c-1", outcome: "ok", envelope: { causationId: "c-1", contract: "benefit.register-reply.v1" } });
    expect(replied?.envelope?.id).not.toBe("c-1");
  });
});
