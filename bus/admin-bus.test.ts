/** The operators' face over a running bus: what it says is what runs, and every act leaves its row first. */
import { afterEach, describe, expect, it } from "vitest";
import { sampleCatalogue } from "#test/harness/catalogue.ts";
import { evidenceFor } from "#test/harness/evidence-admin.ts";
import { openTestChanges } from "#test/harness/changes.ts";
import { branchOf } from "#test/harness/route.ts";
import {
  changed,
  GRANTS,
  inboundOf,
  lookup,
  openBusWorld,
  register,
  setOf,
  type BusWorld,
  type BusWorldOptions,
} from "#test/harness/bus-world.ts";
import { createAdmin, type AdminParts } from "./admin-bus.ts";
import { BusError } from "./errors.ts";

const open: BusWorld[] = [];
afterEach(async () => {
  await Promise.all(open.splice(0).map(({ bus }) => bus.close()));
});

async function setup(options: BusWorldOptions = {}, parts: Partial<AdminParts> = {}) {
  const world = await openBusWorld(options);
  open.push(world);
  const { bus, journal, clock } = world;
  const admin = createAdmin({
    bus,
    journal,
    evidence: await evidenceFor(world),
    clock,
    version: "1.2.3",
    pid: 1,
    startedAt: 5,
    memory: () => ({ rss: 2, heapUsed: 1 }),
    unclaimed: () => Promise.resolve([]),
    drift: () => ({ drift: false, findings: [] }),
    changes: (await openTestChanges(world)).changes,
    catalogue: await sampleCatalogue(),
    faces: () => ({ wsdl: undefined, rest: undefined }),
    ...parts,
  });
  return { ...world, admin };
}

describe("status", () => {
  it("follows what is applied, route by route", async () => {
    const { admin, bus } = await setup();
    expect((await admin.status()).routes.map(({ id, revision }) => `${id} ${revision}`)).toEqual([
      "lookup r1",
      "changed r1",
      "register r1",
    ]);
    await bus.apply(setOf([changed({ revision: "r2" })], GRANTS));
    expect((await admin.status()).routes.map(({ id, revision }) => `${id} ${revision}`)).toEqual(["changed r2"]);
  });

  it("leaves out drafts, which do not run, and calls what waits paused", async () => {
    const { admin } = await setup({ set: setOf([lookup({ state: "draft" }), changed({ state: "paused" }), register()], GRANTS) });
    expect((await admin.status()).routes.map(({ id, state }) => `${id} ${state}`)).toEqual(["changed paused", "register active"]);
  });

  it("counts dead letters and open breakers", async () => {
    const deliver = branchOf().deliver;
    const breaker = { window: 10_000, minimumCalls: 1, openAtFailureRate: 0.5, openFor: 60_000, probes: 1, whenOpen: "fault" } as const;
    const branch = branchOf({ name: "a", system: "taker/a", deliver: { ...deliver, breaker, retry: { ...deliver.retry, attempts: 1 } } });
    const { admin, bus, clock } = await setup({
      set: setOf([changed({ branches: [branch] })], GRANTS),
      send: () => {
        throw new BusError("endpoint-unreachable", "nobody is there");
      },
    });
    expect(await admin.status()).toMatchObject({ deadletters: 0, openBreakers: 0 });
    await bus.accept(inboundOf("changed", "maker/one", { n: 1 }));
    await clock.advance(1000);
    expect(await admin.status()).toMatchObject({ deadletters: 1, openBreakers: 1 });
  });

  it("shows lag while a branch is paused and none when it caught up", async () => {
    const { admin, bus, clock } = await setup();
    await admin.pause("changed", true, "ana", "planned");
    for (let i = 0; i < 3; i++) await bus.accept(inboundOf("changed", "maker/one", { n: i }));
    const lags = async () => (await admin.status()).routes.find(({ id }) => id === "changed")?.branches.map(({ lag }) => lag);
    expect(await lags()).toEqual([3, 3]);
    await admin.pause("changed", false, "ana", "done");
    await clock.advance(1000);
    expect(await lags()).toEqual([0, 0]);
  });

  it("names the process and its partitions where several are one bus, and only there", async () => {
    const cluster = { node: "two", partitions: [1, 3], of: 4 };
    const several = await setup({}, { cluster: () => cluster });
    expect((await several.admin.status()).cluster).toEqual(cluster);
    const alone = await setup();
    expect((await alone.admin.status()).cluster).toBeUndefined();
  });

  it("passes on what disk and running set disagree about", async () => {
    const finding = { file: "routes/x.yaml", line: 1, column: 1, severity: "error", rule: "x", text: "y" } as const;
    const { admin } = await setup({}, { drift: () => ({ drift: true, findings: [finding] }) });
    expect(await admin.status()).toMatchObject({ drift: true, findings: [finding], version: "1.2.3", pid: 1, startedAt: 5 });
  });
});

describe("pause", () => {
  it("of events holds deliveries, not acceptance; of queries it refuses", async () => {
    const { admin, bus, sent, clock } = await setup();
    await admin.pause("changed", true, "ana", "planned");
    await admin.pause("lookup", true, "ana", "planned");
    await expect(bus.accept(inboundOf("changed", "maker/one", { n: 1 }))).resolves.toMatchObject({ kind: "accepted" });
    await expect(bus.accept(inboundOf("lookup", "asker/one", { n: 1 }))).rejects.toMatchObject({
      code: "route-paused",
      retryAfter: 30_000,
    });
    await clock.advance(60_000);
    expect(sent).toEqual([]);
  });

  it("stops no other route", async () => {
    const { admin, bus } = await setup();
    await admin.pause("changed", true, "ana", "planned");
    await expect(bus.accept(inboundOf("lookup", "asker/one", { n: 1 }))).resolves.toMatchObject({ kind: "reply" });
  });

  it.each([
    ["", "why"],
    ["ana", ""],
  ])("by %j because %j is refused and leaves nothing", async (operator, reason) => {
    const { admin, journal, bus } = await setup();
    await expect(admin.pause("lookup", true, operator, reason)).rejects.toMatchObject({ code: "json-violation" });
    expect([journal.records, bus.view().routes.get("lookup")?.paused()]).toEqual([[], false]);
  });

  it("leaves its row before it holds: with a failing journal nothing changes", async () => {
    const { admin, journal, bus } = await setup();
    journal.failWith(new Error("disk full"));
    await expect(admin.pause("lookup", true, "ana", "planned")).rejects.toMatchObject({ code: "journal-failed" });
    expect(bus.view().routes.get("lookup")?.paused()).toBe(false);
  });
});

describe("contracts and traces", () => {
  it("name a contract with its domain, and the first face that serves it", async () => {
    const { admin } = await setup({}, { faces: ({ id }) => ({ wsdl: id === "lookup" ? "/w" : undefined, rest: "/r" }) });
    expect(admin.contracts().map(({ name, wsdl, rest }) => [name, wsdl, rest])).toEqual([
      ["person.request", "/w", "/r"],
      ["person.changed", undefined, "/r"],
      ["benefit.register", undefined, "/r"],
    ]);
  });

  it("trace a message by its own id, its exchange's, or not at all", async () => {
    const { admin, bus } = await setup();
    await bus.accept(inboundOf("lookup", "asker/one", { n: 1 }, { id: "q-1", correlationId: "case-1" }));
    await bus.accept(inboundOf("lookup", "asker/two", { n: 1 }, { id: "q-2", correlationId: "case-1" }));
    await bus.accept(inboundOf("lookup", "asker/two", { n: 1 }, { id: "q-3" }));
    const steps = async (id: string) => (await admin.trace(id)).map((row) => `${row.id} ${row.step}`);
    const whole = ["q-1 accepted", "q-1 replied", "q-2 accepted", "q-2 replied"];
    expect(await steps("q-1")).toEqual(whole);
    expect(await steps("case-1")).toEqual(whole);
    expect(await steps("q-3")).toEqual(["q-3 accepted", "q-3 replied"]);
    expect(await steps("none")).toEqual([]);
  });
});

describe("evidence", () => {
  it("is of one message, not of what else belongs to its exchange, and of a whole exchange where one is named", async () => {
    const asked: (readonly number[])[] = [];
    const evidence = {
      export: (_: string, records: readonly Readonly<{ position: number }>[]) => {
        asked.push(records.map(({ position }) => position));
        return Promise.resolve(new Uint8Array(0));
      },
      check: () => Promise.resolve([]),
      consistency: () => Promise.resolve({ checkpoint: "", proof: [] }),
      state: () => Promise.resolve({ size: 0, position: 0, checkpoint: "", stamp: undefined, verifierKey: "" }),
    };
    const { admin, journal } = await setup({}, { evidence });
    const row = (id: string, step: "accepted" | "delivered") => ({ step, outcome: "ok", time: 1, id, correlationId: "file-7" }) as const;
    await journal.append([row("first", "accepted"), row("second", "accepted"), row("first", "delivered")]);
    await admin.evidence("first");
    await admin.evidence("file-7");
    await admin.evidence("nobody's");
    expect(asked).toEqual([[1, 3], [1, 2, 3], []]);
  });
});
