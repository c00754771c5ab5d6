/** Replies of commands that are pushed to their sender, and callers that are held for them: durable, to the right one, no field too many. */
import { afterEach, describe, expect, it } from "vitest";
import {
  GRANTS,
  START,
  grantOf,
  inboundOf,
  openBusWorld,
  register,
  setOf,
  sourceOf,
  type BusWorld,
  type BusWorldOptions,
} from "#test/harness/bus-world.ts";
import { createMemoryDisk } from "#test/harness/memory.ts";
import { policyOf } from "#test/harness/policy.ts";
import { branchOf, envelopeOf } from "#test/harness/route.ts";
import { indexGrants } from "./access/grants.ts";
import { CLAIM_CHECK_SIZE } from "./claim-check.ts";
import type { AvroRecord } from "./envelope.ts";
import { BusError } from "./errors.ts";
import { replyMessage } from "./replies.ts";
import type { Route } from "./route/runtime.ts";

const open: BusWorld[] = [];
/** Ends providers that a test let wait for ever. */
const release: (() => void)[] = [];
const silence = (): Promise<Record<string, unknown>> => new Promise((resolve) => release.push(() => resolve({})));
afterEach(async () => {
  for (const end of release.splice(0)) end();
  await Promise.all(open.splice(0).map(({ bus }) => bus.close()));
});

const PUSHED = [branchOf({ name: "to-one", system: "asker/one" }), branchOf({ name: "to-two", system: "asker/two" })];
const pushing = (over: Partial<Route> = {}): Route => register({ replies: PUSHED, ...over });

async function setup(options: BusWorldOptions & Readonly<{ route?: Route; answer?: () => AvroRecord }> = {}) {
  const { route = pushing(), answer = () => ({ number: 12, secret: "s" }), ...rest } = options;
  const world = await openBusWorld({
    set: setOf([route], GRANTS),
    send: (_message, branch) => (branch === "to" ? answer() : {}),
    ...rest,
  });
  open.push(world);
  const send = (id: string, system = "asker/one", over: Readonly<Record<string, unknown>> = {}) =>
    world.bus.accept(inboundOf("register", system, { n: 1 }, { id, ...over }));
  const pushes = () => world.sent.filter(({ branch }) => branch.startsWith("to-"));
  const rows = (id: string, branch: string) =>
    world.journal.records.filter((row) => row.id === id && row.branch === branch).map(({ step }) => step);
  return { ...world, send, pushes, rows };
}

describe("a reply that is pushed", () => {
  it("goes to the address of its sender alone, as news from the provider with the ticket as its id", async () => {
    const { send, pushes, clock, rows } = await setup();
    await send("c-1", "asker/two", { correlationId: "case-9" });
    await clock.advance(1000);
    expect(pushes().map(({ branch }) => branch)).toEqual(["to-two"]);
    const { envelope, value } = pushes()[0]?.message ?? {};
    expect(value).toEqual({ number: 12, secret: "s" });
    expect(envelope).toMatchObject({
      id: "c-1",
      source: "provider/one",
      correlationId: "case-9",
      causationId: "c-1",
      contract: "benefit.register-reply.v1",
      type: "mbus.benefit.register-reply.v1",
    });
    expect(rows("c-1", "to-two")).toEqual(["replied", "delivered"]);
  });

  it("of a sender without an address here is fetched by its ticket as before", async () => {
    const { send, pushes, clock, bus } = await setup({ route: pushing({ replies: PUSHED.slice(1) }) });
    await send("c-1");
    await clock.advance(1000);
    expect(pushes()).toEqual([]);
    expect(await bus.commands.ticket(bus.view().routes, "c-1", "asker/one")).toMatchObject({ state: "done", reply: { number: 12 } });
  });

  it("leaves its ticket to be fetched as well, by its sender and by nobody else", async () => {
    const { send, clock, bus } = await setup();
    await send("c-1");
    await clock.advance(1000);
    expect(await bus.commands.ticket(bus.view().routes, "c-1", "asker/one")).toMatchObject({ state: "done", reply: { number: 12 } });
    await expect(bus.commands.ticket(bus.view().routes, "c-1", "asker/two")).rejects.toMatchObject({ code: "not-found" });
  });

  it("of two senders that use one id goes to each its own", async () => {
    let n = 0;
    const { send, pushes, clock } = await setup({ answer: () => ({ number: ++n }) });
    await send("c-1", "asker/one");
    await send("c-1", "asker/two");
    await clock.advance(1000);
    const seen = pushes().map(({ branch, message }) => `${branch} ${String(message.value["number"])}`);
    expect(seen.toSorted()).toEqual(["to-one 1", "to-two 2"]);
  });

  it("goes out under the grant of that moment: one that ended meanwhile makes it a dead letter", async () => {
    const { send, pushes, clock, bus } = await setup();
    for (const running of bus.view().routes.values()) for (const branch of running.replies) branch.pause(true);
    await send("c-1");
    await clock.advance(1000);
    await bus.apply(
      setOf(
        [pushing()],
        GRANTS.filter(({ system, role }) => system !== "asker/one" || role !== "consumer"),
      ),
    );
    for (const running of bus.view().routes.values()) for (const branch of running.replies) branch.pause(false);
    await clock.advance(1000);
    expect(pushes()).toEqual([]);
    expect(await bus.deadletters.list()).toMatchObject([{ branch: "to-one", errorCode: "grant-missing" }]);
  });

  it("is tried again while its receiver is away, without asking the provider twice, and keeps its id", async () => {
    let away = true;
    const asked: string[] = [];
    const { send, clock, sent } = await setup({
      set: setOf(
        [
          pushing({
            replies: [
              branchOf({
                name: "to-one",
                system: "asker/one",
                deliver: policyOf({ retry: { attempts: 5, on: [{ class: "unreachable" }] } }),
              }),
            ],
          }),
        ],
        GRANTS,
      ),
      send: (message, branch) => {
        asked.push(`${branch} ${message.envelope.id}`);
        if (branch === "to") return { number: 1 };
        if (away) throw new BusError("endpoint-unreachable", "nobody is there");
        return {};
      },
    });
    await send("c-1");
    await clock.advance(2000);
    away = false;
    await clock.advance(600_000);
    expect(asked.filter((each) => each.startsWith("to "))).toEqual(["to c-1"]);
    const pushed = sent.filter(({ branch }) => branch === "to-one");
    expect(pushed.length).toBeGreaterThan(1);
    expect(new Set(pushed.map(({ message }) => message.envelope.id))).toEqual(new Set(["c-1"]));
  });

  it("that cannot be delivered is a dead letter of its own branch, and is sent by its replay", async () => {
    let away = true;
    const { send, clock, bus, pushes } = await setup({
      send: (_message, branch) => {
        if (branch === "to") return { number: 1 };
        if (away) throw new BusError("provider-fault", "the counter is closed");
        return {};
      },
    });
    await send("c-1");
    await clock.advance(1000);
    expect(await bus.deadletters.list()).toMatchObject([{ branch: "to-one", messageId: "c-1" }]);
    away = false;
    const [letter] = await bus.deadletters.list();
    expect(await bus.deadletters.replay({ ids: [letter?.id ?? ""] }, "ana", "it is open again")).toMatchObject({ done: 1, failed: [] });
    expect(pushes()).toHaveLength(2);
    expect(await bus.commands.ticket(bus.view().routes, "c-1", "asker/one")).toMatchObject({ state: "done" });
  });

  it("is not pushed twice when the end of its command is written down again after a crash", async () => {
    const { send, clock, bus, pushes, journal } = await setup();
    await send("c-1");
    await clock.advance(1000);
    const route = bus.view().routes.get("register")?.route;
    const command = journal.records.find(({ id, step }) => id === "c-1" && step === "accepted")?.envelope;
    if (!route || !command) throw new Error("no command");
    await bus.commands.settle(route, command, { value: { number: 12 }, error: undefined });
    await clock.advance(1000);
    expect(pushes()).toHaveLength(1);
  });

  it("waits for its receiver through a restart of the bus", async () => {
    const disk = createMemoryDisk();
    const first = await setup({ disk });
    for (const running of first.bus.view().routes.values()) for (const branch of running.replies) branch.pause(true);
    await first.send("c-1");
    await first.clock.advance(1000);
    await first.bus.close();
    const { clock, pushes } = await setup({ disk });
    await clock.advance(1000);
    expect(pushes().map(({ message }) => message.envelope.id)).toEqual(["c-1"]);
  });

  it("is cut to what its sender's grant allows, by the grant of that system", () => {
    const route = pushing();
    const wide = grantOf("asker/two", "consumer", "benefit.register.v1");
    const grants = [grantOf("asker/one", "consumer", "benefit.register.v1", { allow: ["number"] }), wide];
    const set = setOf([route], grants);
    const cut = replyMessage({
      route,
      view: () => ({ routes: new Map(), grants: indexGrants(grants), systems: set.systems, contracts: set.contracts }),
      now: () => START,
      reduce: ({ allow }, value) =>
        Object.fromEntries(Object.entries(value).filter(([name]) => allow === undefined || allow.includes(name))),
    });
    const value = { number: 12, secret: "s" };
    const one = cut({ envelope: envelopeOf({ source: "asker/one" }), value });
    expect([one.value, one.envelope.source]).toEqual([{ number: 12 }, "provider/one"]);
    expect(cut({ envelope: envelopeOf({ source: "asker/two" }), value }).value).toEqual(value);
    expect(() => cut({ envelope: envelopeOf({ source: "maker/one" }), value })).toThrow("no grant");
  });

  it("is the reply also where the command itself travelled by reference", async () => {
    const { bus, clock, pushes } = await setup();
    const text = "x".repeat(CLAIM_CHECK_SIZE + 10);
    await bus.accept(inboundOf("register", "asker/one", { text }, { id: "c-1" }));
    await clock.advance(1000);
    expect(pushes().map(({ message }) => message.value)).toEqual([{ number: 12, secret: "s" }]);
  });

  it("of a big body travels by reference and arrives whole", async () => {
    const text = "x".repeat(CLAIM_CHECK_SIZE + 10);
    const { send, clock, pushes, journal, bus } = await setup({ answer: () => ({ text }) });
    await send("c-1");
    await clock.advance(1000);
    expect(journal.records.find(({ branch, step }) => branch === "to-one" && step === "replied")?.envelope?.dataref).toMatch(/^blob:/u);
    expect(pushes()[0]?.message.value).toEqual({ text });
    expect(await bus.commands.ticket(bus.view().routes, "c-1", "asker/one")).toMatchObject({ reply: { text } });
  });

  it("is no event that a replay of the route could send again", async () => {
    const { bus, clock, send } = await setup();
    await send("c-1");
    await clock.advance(1000);
    const filter = { route: "register", from: 0, to: clock.now() + 1, branch: "to-one" };
    await expect(bus.replays.dryRun(filter)).rejects.toMatchObject({ code: "not-found" });
  });
});

describe("a caller that is held", () => {
  const holding = (wait: number, over: Partial<Route> = {}): Route => register({ sources: [sourceOf({ wait })], ...over });

  it("gets the reply in its answer when it comes in time, reduced to its grant", async () => {
    const only = [
      ...GRANTS.filter(({ contract }) => contract !== "benefit.register.v1"),
      grantOf("asker/one", "consumer", "benefit.register.v1"),
    ];
    const { send, clock } = await setup({ set: setOf([holding(5000)], only) });
    const answer = send("c-1");
    await clock.advance(100);
    expect(await answer).toMatchObject({ kind: "reply", id: "c-1", value: { number: 12 } });
  });

  it("gets a ticket when the time is over, and the command goes on", async () => {
    const { promise, resolve } = Promise.withResolvers<Record<string, unknown>>();
    const { send, clock, bus } = await setup({ route: holding(5000), send: () => promise });
    const answer = send("c-1");
    await clock.advance(5000);
    expect(await answer).toMatchObject({ kind: "accepted", id: "c-1", duplicate: false });
    resolve({ number: 3 });
    await clock.advance(1000);
    expect(await bus.commands.ticket(bus.view().routes, "c-1", "asker/one")).toMatchObject({ state: "done", reply: { number: 3 } });
  });

  it("is held as long as it asks for where it says so, and never longer than half a minute", async () => {
    const { send, clock } = await setup({ route: holding(5000), send: silence });
    const short = send("c-1", "asker/one", { waits: 1000 });
    await clock.advance(1000);
    expect((await short).kind).toBe("accepted");
    const long = send("c-2", "asker/one", { waits: 3_600_000 });
    await clock.advance(30_000);
    expect((await long).kind).toBe("accepted");
  });

  it("is told how its command failed, and no refusal is written for what was carried out", async () => {
    const failures = [{ on: undefined, do: "reject" }] as const;
    const { send, clock, journal } = await setup({
      route: holding(5000, { branches: [branchOf({ system: "provider/one", failures })] }),
      send: () => {
        throw new BusError("provider-fault", "no such benefit", { providerCode: "NoBenefit" });
      },
    });
    const answer = send("c-1").catch((error: unknown) => error);
    await clock.advance(1000);
    expect(await answer).toMatchObject({ code: "provider-fault", providerCode: "NoBenefit" });
    expect(journal.records.filter(({ id, step }) => id === "c-1" && step === "refused")).toEqual([]);
  });

  it("that comes again gets the reply that is there already", async () => {
    const { send, clock, sent } = await setup({ route: holding(5000) });
    const first = send("c-1");
    await clock.advance(100);
    await first;
    const again = send("c-1");
    await clock.advance(100);
    expect(await again).toMatchObject({ kind: "reply", value: { number: 12 } });
    expect(sent.filter(({ branch }) => branch === "to")).toHaveLength(1);
  });

  it("hears what another process of the cluster finished", async () => {
    const { send, clock, journal } = await setup({ route: holding(5000), send: silence });
    Object.assign(journal, { writers: "many" });
    const answer = send("c-1");
    await clock.advance(600);
    const accepted = journal.records.find(({ id, step }) => id === "c-1" && step === "accepted");
    const body = new TextEncoder().encode('{"number":7}');
    if (!accepted?.envelope) throw new Error("not accepted");
    const { topic: _, dedupe: __, position: ___, ...row } = accepted;
    await journal.append([{ ...row, step: "replied", envelope: { ...accepted.envelope, body } }]);
    await clock.advance(600);
    expect(await answer).toMatchObject({ kind: "reply", value: { number: 7 } });
  });

  it("that goes is not waited for", async () => {
    const { bus, clock } = await setup({ route: holding(5000), send: silence });
    const gone = new AbortController();
    const answer = bus.accept(inboundOf("register", "asker/one", { n: 1 }, { id: "c-1" }), gone.signal);
    await clock.advance(100);
    gone.abort(new Error("hung up"));
    await clock.settle();
    expect((await answer).kind).toBe("accepted");
  });
});
