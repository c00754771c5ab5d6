/** The bus as a whole on little ports in memory: what it promises of acceptance, denial, delivery and reload. */
import { afterEach, describe, expect, it } from "vitest";
import { changed, grantOf, inboundOf, lookup, openBusWorld, setOf, sourceOf, type Send } from "#test/harness/bus-world.ts";
import { createMemoryPorts } from "#test/harness/memory.ts";
import { refusalOf } from "#test/harness/refusal.ts";
import { branchOf, contractOf, routeOf } from "#test/harness/route.ts";
import { createVirtualClock } from "#test/harness/virtual-clock.ts";
import { createBus, type Bus } from "./bus.ts";
import type { AvroRecord, Message } from "./envelope.ts";
import { BusError } from "./errors.ts";
import type { Inlet } from "./ports.ts";
import type { Route, RouteSet } from "./route/runtime.ts";

const EVENT_GRANTS = [
  grantOf("maker/one", "producer", "person.changed.v1"),
  grantOf("taker/a", "consumer", "person.changed.v1"),
  grantOf("taker/b", "consumer", "person.changed.v1"),
];
const QUERY_GRANTS = [grantOf("asker/one", "consumer", "person.request.v1")];

const open: Bus[] = [];
afterEach(async () => {
  await Promise.all(open.splice(0).map((bus) => bus.close()));
});

async function setup(set: RouteSet, send?: Send) {
  const inlets: string[] = [];
  const inlet = (route: Route): Inlet => ({
    start: () => Promise.resolve(void inlets.push(`start ${route.id} ${route.revision}`)),
    close: () => Promise.resolve(void inlets.push(`close ${route.id} ${route.revision}`)),
  });
  const world = await openBusWorld({ clock: createVirtualClock(), set, inlet, ...(send ? { send } : undefined) });
  open.push(world.bus);
  return { ...world, ports: world, inlets };
}

describe("a query", () => {
  it("brings the reply and has both records durable before", async () => {
    const { bus, rows, sent } = await setup(setOf([lookup()], QUERY_GRANTS), ({ value }) => ({ name: `person ${String(value["id"])}` }));
    const outcome = await bus.accept(inboundOf("lookup", "asker/one", { id: 7 }));
    expect(outcome).toMatchObject({ kind: "reply", value: { name: "person 7" } });
    expect(rows()).toEqual(["accepted ok", "replied ok"]);
    expect(sent).toHaveLength(1);
  });

  it("does not answer when the journal fails", async () => {
    const { bus, ports } = await setup(setOf([lookup()], QUERY_GRANTS));
    ports.journal.failWith(new Error("disk full"));
    expect((await refusalOf(bus.accept(inboundOf("lookup", "asker/one", { id: 7 })))).code).toBe("journal-failed");
  });

  it("without a grant reaches nobody and leaves a row that says so", async () => {
    const { bus, rows, sent } = await setup(setOf([lookup()], []));
    expect((await refusalOf(bus.accept(inboundOf("lookup", "asker/one", { id: 7 })))).code).toBe("grant-missing");
    expect(rows()).toEqual(["refused denied grant-missing"]);
    expect(sent).toEqual([]);
  });

  it("that cannot be read leaves a row with the bytes as they came", async () => {
    const { bus, rows, ports } = await setup(setOf([lookup()], QUERY_GRANTS));
    const read = (): AvroRecord => {
      throw new BusError("xsd-violation", "IDNP does not fit", { places: [{ line: 3, path: "/p:IDNP", text: "13 digits" }] });
    };
    const error = await refusalOf(bus.accept(inboundOf("lookup", "asker/one", {}, { read })));
    expect(error.places[0]).toMatchObject({ line: 3, path: "/p:IDNP" });
    expect(rows()).toEqual(["refused failed xsd-violation"]);
    expect(new TextDecoder().decode(ports.journal.records[0]?.original)).toBe("{}");
  });

  it("whose provider fails gets that failure, and the journal both", async () => {
    const { bus, rows } = await setup(setOf([lookup()], QUERY_GRANTS), () => {
      throw new BusError("provider-fault", "no such person", { providerCode: "PersonNotFound" });
    });
    expect((await refusalOf(bus.accept(inboundOf("lookup", "asker/one", { id: 7 })))).providerCode).toBe("PersonNotFound");
    expect(rows()).toEqual(["accepted ok", "attempt failed to provider-fault", "refused failed provider-fault"]);
  });

  it("is answered by a failure rule where the route has one", async () => {
    const branch = branchOf({ failures: [{ on: ["provider-fault"], code: "PersonNotFound", do: "reply", with: { status: "not-found" } }] });
    const { bus } = await setup(setOf([lookup({ branches: [branch] })], QUERY_GRANTS), () => {
      throw new BusError("provider-fault", "no such person", { providerCode: "PersonNotFound" });
    });
    expect(await bus.accept(inboundOf("lookup", "asker/one", { id: 7 }))).toMatchObject({ kind: "reply", value: { status: "not-found" } });
  });

  it("passes the maps of source and target both ways", async () => {
    const map = (name: string) => (value: AvroRecord) => ({ [name]: value });
    const route = lookup({
      sources: [sourceOf({ in: map("sourceIn"), out: map("sourceOut") })],
      branches: [branchOf({ in: map("targetIn"), out: map("targetOut") })],
    });
    const { bus, sent } = await setup(setOf([route], QUERY_GRANTS), () => ({ reply: 1 }));
    const outcome = await bus.accept(inboundOf("lookup", "asker/one", { id: 7 }));
    expect(sent[0]?.message.value).toEqual({ targetIn: { sourceIn: { id: 7 } } });
    expect(outcome).toMatchObject({ value: { sourceOut: { targetOut: { reply: 1 } } } });
  });

  it("of another system than the source's own is refused", async () => {
    const { bus } = await setup(
      setOf(
        [lookup({ sources: [sourceOf({ system: "asker/one" })] })],
        [...QUERY_GRANTS, grantOf("taker/a", "consumer", "person.request.v1")],
      ),
    );
    expect((await refusalOf(bus.accept(inboundOf("lookup", "taker/a", { id: 7 })))).code).toBe("grant-missing");
  });

  it("is counted against its grant's quota", async () => {
    const grants = [grantOf("asker/one", "consumer", "person.request.v1", { quota: { count: 1, per: 3_600_000 } })];
    const { bus } = await setup(setOf([lookup()], grants));
    await bus.accept(inboundOf("lookup", "asker/one", { id: 7 }));
    const error = await refusalOf(bus.accept(inboundOf("lookup", "asker/one", { id: 8 })));
    expect(error.code).toBe("quota-exceeded");
    expect(error.retryAfter).toBeGreaterThan(0);
  });
});

describe("an event", () => {
  it("is accepted when durable and reaches every branch", async () => {
    const { bus, rows, sent, clock } = await setup(setOf([changed()], EVENT_GRANTS));
    const outcome = await bus.accept(inboundOf("changed", "maker/one", { key: "k", n: 1 }, { id: "m-1" }));
    expect(outcome).toMatchObject({ kind: "accepted", id: "m-1", duplicate: false });
    await clock.advance(100);
    expect(sent.map(({ branch }) => branch).toSorted()).toEqual(["a", "b"]);
    expect(rows().toSorted()).toEqual(["accepted ok", "delivered ok a", "delivered ok b"]);
  });

  it("under the same id counts once; with another content it is refused", async () => {
    const { bus, sent, clock } = await setup(setOf([changed()], EVENT_GRANTS));
    const first = await bus.accept(inboundOf("changed", "maker/one", { n: 1 }, { id: "m-1" }));
    const again = await bus.accept(inboundOf("changed", "maker/one", { n: 1 }, { id: "m-1" }));
    expect(again).toMatchObject({ kind: "accepted", duplicate: true, position: first.position });
    expect((await refusalOf(bus.accept(inboundOf("changed", "maker/one", { n: 2 }, { id: "m-1" })))).code).toBe("id-reused");
    await clock.advance(100);
    expect(sent).toHaveLength(2);
  });

  it("does not reach a subscriber whose grant is gone; that is a dead letter, and the other branch has it", async () => {
    const { bus, rows, sent, clock } = await setup(setOf([changed()], EVENT_GRANTS.slice(0, 2)));
    await bus.accept(inboundOf("changed", "maker/one", { n: 1 }));
    await clock.advance(100);
    expect(sent.map(({ branch }) => branch)).toEqual(["a"]);
    expect(rows().toSorted()).toEqual(["accepted ok", "deadletter dead b grant-missing", "delivered ok a"]);
  });

  it("needs a producer's grant; a consumer's is none", async () => {
    const { bus } = await setup(setOf([changed()], EVENT_GRANTS));
    expect((await refusalOf(bus.accept(inboundOf("changed", "taker/a", { n: 1 })))).code).toBe("grant-missing");
  });

  it("that a step drops is acknowledged with a row and goes nowhere", async () => {
    const step = { name: "filter", place: "r.yaml:9", run: () => ({ kind: "drop", reason: "not for us" }) as const };
    const { bus, rows, sent, clock } = await setup(setOf([changed({ steps: [step] })], EVENT_GRANTS));
    expect(await bus.accept(inboundOf("changed", "maker/one", { n: 1 }))).toMatchObject({ kind: "accepted" });
    await clock.advance(100);
    expect(rows()).toEqual(["dropped dropped"]);
    expect(sent).toEqual([]);
  });

  it("with a step that waits is accepted first and goes on when its time comes", async () => {
    const due = { at: 0 };
    const step = {
      name: "delay",
      place: "r.yaml:9",
      waits: true,
      run: (message: Message, { clock }: { clock: { now(): number } }) => {
        due.at ||= message.envelope.time + 60_000;
        return clock.now() < due.at
          ? ({ kind: "delay", ms: due.at - clock.now(), message } as const)
          : ({ kind: "next", message } as const);
      },
    };
    const { bus, sent, clock } = await setup(setOf([changed({ steps: [step] })], EVENT_GRANTS));
    expect(await bus.accept(inboundOf("changed", "maker/one", { n: 1 }, { id: "m-1" }))).toMatchObject({ kind: "accepted" });
    await clock.advance(59_000);
    expect(sent).toEqual([]);
    await clock.advance(3000);
    expect(sent.map(({ branch }) => branch).toSorted()).toEqual(["a", "b"]);
  });

  it("above the claim-check size travels by reference and arrives whole", async () => {
    const { bus, sent, clock, ports } = await setup(setOf([changed()], EVENT_GRANTS));
    const text = "x".repeat(300 * 1024);
    await bus.accept(inboundOf("changed", "maker/one", { text }));
    await clock.advance(100);
    expect(ports.journal.records[0]?.envelope?.body.length).toBe(0);
    expect(ports.journal.records[0]?.envelope?.dataref).toMatch(/^blob:[0-9a-f]{64}$/u);
    expect(sent.map(({ message }) => message.value["text"] === text)).toEqual([true, true]);
  });
});

describe("a command", () => {
  const command = (): Route =>
    routeOf({
      id: "register",
      contract: contractOf("command", "benefit.register.v1"),
      sources: [sourceOf()],
      branches: [branchOf({ system: "provider/one" })],
    });
  const grants = [grantOf("asker/one", "consumer", "benefit.register.v1")];

  it("is accepted with a ticket, and its reply is fetched by it", async () => {
    const { bus, clock } = await setup(setOf([command()], grants), () => ({ number: 12 }));
    const outcome = await bus.accept(inboundOf("register", "asker/one", { n: 1 }, { id: "c-1" }));
    expect(outcome).toMatchObject({ kind: "accepted", id: "c-1" });
    expect(await bus.commands.ticket(bus.view().routes, "c-1", "asker/one")).toMatchObject({ state: "pending" });
    await clock.advance(100);
    expect(await bus.commands.ticket(bus.view().routes, "c-1", "asker/one")).toMatchObject({ state: "done", reply: { number: 12 } });
  });

  it("shows of its reply what the sender's grant allows today, and nothing once that is gone", async () => {
    const { bus, clock } = await setup(setOf([command()], grants), () => ({ number: 12 }));
    await bus.accept(inboundOf("register", "asker/one", { n: 1 }, { id: "c-1" }));
    await clock.advance(100);
    await bus.apply(setOf([command()], []));
    const ticket = await bus.commands.ticket(bus.view().routes, "c-1", "asker/one");
    expect(ticket.reply).toBeUndefined();
    expect(ticket.error).toContain("no grant");
  });

  it("tells another system nothing of its ticket", async () => {
    const { bus } = await setup(setOf([command()], grants));
    await bus.accept(inboundOf("register", "asker/one", { n: 1 }, { id: "c-1" }));
    expect((await refusalOf(bus.commands.ticket(bus.view().routes, "c-1", "taker/a"))).code).toBe("not-found");
  });
});

describe("apply", () => {
  it("leaves a route of the same revision untouched and replaces a changed one", async () => {
    const { bus, inlets } = await setup(setOf([lookup(), changed()], [...QUERY_GRANTS, ...EVENT_GRANTS]));
    inlets.length = 0;
    await bus.apply(setOf([lookup(), changed({ revision: "r2" })], [...QUERY_GRANTS, ...EVENT_GRANTS]));
    expect(inlets).toEqual(["close changed r1", "start changed r2"]);
  });

  it("of a new revision takes what comes meanwhile, and delivers it once, by the new revision", async () => {
    const { promise: answered, resolve: answer } = Promise.withResolvers<void>();
    let asked = 0;
    const { bus, sent, clock, inlets } = await setup(setOf([changed()], EVENT_GRANTS), async () => {
      asked += 1;
      await answered;
      return undefined;
    });
    await bus.accept(inboundOf("changed", "maker/one", { n: 1 }));
    await clock.settle();
    expect(asked).toBe(2); // both branches wait for their receivers
    inlets.length = 0;
    const applying = bus.apply(setOf([changed({ revision: "r2" })], EVENT_GRANTS));
    await clock.settle();
    expect(inlets).toEqual([]);
    expect(await bus.accept(inboundOf("changed", "maker/one", { n: 2 }))).toMatchObject({ kind: "accepted" });
    answer();
    await clock.until(applying);
    expect(bus.view().routes.get("changed")?.route.revision).toBe("r2");
    expect(inlets).toEqual(["close changed r1", "start changed r2"]);
    await clock.advance(5000);
    expect(sent.map(({ message }) => message.value["n"])).toEqual([1, 1, 2, 2]);
  });

  it("takes a removed route away and a grant's change at once", async () => {
    const { bus, inlets } = await setup(setOf([lookup(), changed()], [...QUERY_GRANTS, ...EVENT_GRANTS]));
    await bus.apply(setOf([lookup()], []));
    expect(inlets).toContain("close changed r1");
    expect((await refusalOf(bus.accept(inboundOf("lookup", "asker/one", { id: 7 })))).code).toBe("grant-missing");
  });

  it("reports a route that cannot start and runs the others", async () => {
    const broken = lookup({ id: "broken", sources: [sourceOf()], branches: [branchOf({ name: "boom" })] });
    const clock = createVirtualClock();
    const ports = createMemoryPorts(clock);
    const bus = await createBus({
      clock,
      ...ports,
      inlet: () => undefined,
      outlets: (_route, branch) => {
        if (branch.name === "boom") throw new BusError("configuration", "no address");
        return [{ endpoint: "x", send: () => Promise.resolve({ ok: true }), close: () => Promise.resolve() }];
      },
      onError: () => undefined,
    });
    open.push(bus);
    const failed = await bus.apply(setOf([broken, lookup()], QUERY_GRANTS));
    expect(failed.map(({ route }) => route)).toEqual(["broken"]);
    expect(await bus.accept(inboundOf("lookup", "asker/one", { id: 7 }))).toMatchObject({ kind: "reply" });
  });

  it("does not start a draft", async () => {
    const { inlets } = await setup(setOf([lookup({ state: "draft" })], QUERY_GRANTS));
    expect(inlets).toEqual([]);
  });
});

describe("stopping", () => {
  it("refuses new messages with a time to come again", async () => {
    const { bus } = await setup(setOf([lookup()], QUERY_GRANTS));
    await bus.close();
    const error = await refusalOf(bus.accept(inboundOf("lookup", "asker/one", { id: 7 })));
    expect([error.code, error.retryAfter]).toEqual(["bus-stopping", 5000]);
  });

  it("holds a paused query route and lets it go on", async () => {
    const { bus } = await setup(setOf([lookup()], QUERY_GRANTS));
    bus.view().routes.get("lookup")?.pause(true);
    expect((await refusalOf(bus.accept(inboundOf("lookup", "asker/one", { id: 7 })))).code).toBe("route-paused");
    bus.view().routes.get("lookup")?.pause(false);
    expect(await bus.accept(inboundOf("lookup", "asker/one", { id: 7 }))).toMatchObject({ kind: "reply" });
  });

  it("keeps events that come while their branches are paused", async () => {
    const { bus, sent, clock } = await setup(setOf([changed()], EVENT_GRANTS));
    bus.view().routes.get("changed")?.pause(true);
    await bus.accept(inboundOf("changed", "maker/one", { n: 1 }));
    await clock.advance(5000);
    expect(sent).toEqual([]);
    bus.view().routes.get("changed")?.pause(false);
    await clock.advance(5000);
    expect(sent).toHaveLength(2);
  });
});
