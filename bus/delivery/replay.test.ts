import { afterEach, describe, expect, it } from "vitest";
import fc from "fast-check";
import type { Envelope, Message } from "#bus/envelope.ts";
import { BusError } from "#bus/errors.ts";
import type { Predicate } from "#bus/route/runtime.ts";
import { createWorld, type Answer, type World } from "#test/harness/delivery.ts";
import { policyOf } from "#test/harness/policy.ts";
import { branchOf, routeOf } from "#test/harness/route.ts";
import type { Recheck } from "./deadletters.ts";
import { createLeases, type Leases } from "../cluster/lease.ts";
import { createReplays, type ReplayParts, type ReplayRequest, type Replays } from "./replay.ts";

const BY = { operator: "ana.rusu", reason: "the school register was restored from a backup" };
const HOUR = 3_600_000;

/** Understands `n > 3` and the like: enough of an expression language for a filter. */
function predicate(text: string): Predicate {
  const match = /^n > (\d+)$/u.exec(text);
  if (!match) throw new BusError("expression-failed", `\`${text}\` is no expression; write for example \`n > 3\``);
  return (message) => Number(message.value["n"]) > Number(match[1]);
}

type Ill = { ids: Set<string> };

async function setUp(more: Partial<ReplayParts> = {}, world?: World) {
  const route = routeOf();
  const here = world ?? (await createWorld({ route }));
  const school: Message[] = [];
  const benefits: string[] = [];
  const times: number[] = [];
  const ill: Ill = { ids: new Set() };
  const answer: Answer = (message) => {
    if (ill.ids.has(message.envelope.id)) throw new BusError("endpoint-unreachable", "connection refused");
    school.push(message);
    times.push(here.clock.now());
    return undefined;
  };
  const breaker = { window: 60_000, minimumCalls: 3, openAtFailureRate: 0.9, openFor: 30_000, probes: 1, whenOpen: "wait" } as const;
  const branches = [
    await here.start(branchOf({ name: "school", addresses: ["http://school.example"], deliver: policyOf({ breaker }) }), answer),
    await here.start(branchOf({ name: "benefits" }), ({ envelope }) => void benefits.push(envelope.id)),
  ];
  const find: ReplayParts["find"] = (id) => (id === route.id ? { route, branches } : undefined);
  const replays = await createReplays({ store: here.store, journal: here.journal, clock: here.clock, find, predicate, ...more });
  open.push(replays);
  const start = here.clock.now();
  const request = (filter: Partial<ReplayRequest> = {}): ReplayRequest => ({
    route: route.id,
    from: 0,
    to: start + HOUR,
    branch: "school",
    ...BY,
    ...filter,
  });
  const ids = (): readonly string[] => school.map(({ envelope }) => envelope.id);
  return { world: here, replays, school, benefits, times, ill, request, ids, branches };
}

const open: Replays[] = [];
afterEach(async () => {
  await Promise.all(open.splice(0).map((replays) => replays.close()));
});

/** Accepts `n` messages a second apart and lets the flow deliver them. */
async function flow(world: World, n: number): Promise<readonly Envelope[]> {
  const sent: Envelope[] = [];
  for (let index = 1; index <= n; index++) {
    sent.push(await world.accept({ id: `m${index}`, correlationId: `c${index % 2}` }, { n: index }));
    await world.clock.advance(1000);
  }
  return sent;
}

describe("a dry run", () => {
  it("counts by time, position, correlation, id and expression, and sends nothing", async () => {
    const { world, replays, request, ids } = await setUp();
    const sent = await flow(world, 6);
    const before = world.journal.records.length;
    const count = async (filter: Partial<ReplayRequest>): Promise<number> => (await replays.dryRun(request(filter))).total;
    expect(await count({})).toBe(6);
    expect(await count({ from: sent[1]?.time ?? 0, to: sent[4]?.time ?? 0 })).toBe(3); // from inclusive, to exclusive
    expect(await count({ correlationId: "c1" })).toBe(3);
    expect(await count({ id: "m4" })).toBe(1);
    expect(await count({ where: "n > 4" })).toBe(2);
    const fourth = world.journal.records.filter(({ step }) => step === "accepted")[3]?.position ?? 0;
    expect(await count({ fromPosition: fourth })).toBe(3);
    expect(ids()).toHaveLength(6);
    expect(world.journal.records).toHaveLength(before);
  });

  it("says how many the journal does not keep whole", async () => {
    const { world, replays, request } = await setUp();
    await flow(world, 2);
    await world.journal.append([
      { step: "accepted", outcome: "ok", time: world.clock.now(), id: "x", correlationId: "x", topic: "mbus.person.changed.v1" },
    ]);
    expect(await replays.dryRun(request())).toMatchObject({ total: 2, withoutPayload: 1 });
  });

  it("refuses queries, unknown routes and branches, and expressions that do not compile", async () => {
    const { replays, request } = await setUp();
    const query = routeOf({ pattern: "query" });
    const queries = await setUp({ find: () => ({ route: query, branches: [] }) });
    await expect(queries.replays.dryRun(request())).rejects.toMatchObject({
      code: "replay-refused",
      message: expect.stringContaining("callers have gone"),
    });
    await expect(replays.dryRun(request({ route: "nobody" }))).rejects.toMatchObject({ code: "not-found" });
    await expect(replays.dryRun(request({ branch: "scool" }))).rejects.toThrow("it has `school`, `benefits`");
    await expect(replays.dryRun(request({ where: "((" }))).rejects.toMatchObject({ code: "expression-failed" });
    await expect(replays.dryRun(request({ from: 5, to: 5 }))).rejects.toMatchObject({ code: "configuration" });
  });
});

describe("a replay", () => {
  it("sends the same bytes and ids to the named branch only, marked as a replay, and not what came after it began", async () => {
    const { world, replays, request, school, benefits, ids } = await setUp();
    const sent = await flow(world, 3);
    const job = await replays.run(request());
    await world.accept({ id: "later" }, { n: 9 });
    await world.clock.advance(60_000);
    expect(ids()).toEqual(["m1", "m2", "m3", "later", "m1", "m2", "m3"]);
    expect(benefits).toEqual(["m1", "m2", "m3", "later"]);
    expect(school[6]?.envelope).toEqual({ ...sent[2], headers: { "mbus-replay": `replay ${job.id}` } });
    expect(await replays.show(job.id)).toMatchObject({
      state: "done",
      total: 3,
      done: 3,
      failed: 0,
      remaining: 0,
      endedAt: expect.any(Number),
    });
  });

  it("is one act with operator, reason, filter and count, and one row for each message", async () => {
    const { world, replays, request } = await setUp();
    await flow(world, 2);
    const job = await replays.run(request({ where: "n > 1" }));
    await world.clock.advance(1000);
    const rows = world.journal.records.filter(({ step }) => step === "act" || step === "replayed");
    expect(rows.map(({ step, id }) => `${step} ${id}`)).toEqual([`act ${job.id}`, "replayed m2"]);
    for (const part of ["ana.rusu", BY.reason, "1 messages to school at 20/s", '"where":"n > 1"']) expect(rows[0]?.detail).toContain(part);
    expect(rows[1]).toMatchObject({ outcome: "ok", branch: "school", detail: `replay ${job.id}: delivered` });
    await expect(replays.run(request({ reason: "" }))).rejects.toMatchObject({ code: "configuration" });
    await expect(replays.run(request({ operator: " " }))).rejects.toMatchObject({ code: "configuration" });
    await expect(replays.run(request({ rate: 0 }))).rejects.toThrow("messages per second");
  });

  it("keeps to its rate", async () => {
    const { world, replays, request, times } = await setUp();
    await flow(world, 5);
    times.length = 0;
    await replays.run(request({ rate: 2 }));
    await world.clock.advance(10_000);
    const [first = 0] = times;
    expect(times.map((time) => time - first)).toEqual([0, 500, 1000, 1500, 2000]);
  });

  it("counts failures and goes on; with stopOnFailure it stops there, and resuming tries that one again", async () => {
    const { world, replays, request, ill, ids } = await setUp();
    await flow(world, 4);
    ill.ids.add("m2");
    const going = await replays.run(request());
    await world.clock.advance(1000);
    expect(await replays.show(going.id)).toMatchObject({ state: "done", done: 3, failed: 1, lastError: expect.stringContaining("m2") });
    expect(world.journal.records.filter(({ step, outcome }) => step === "replayed" && outcome === "failed").map(({ id }) => id)).toEqual([
      "m2",
    ]);
    const stopping = await replays.run(request({ stopOnFailure: true }));
    await world.clock.advance(1000);
    expect(await replays.show(stopping.id)).toMatchObject({ state: "stopped", done: 1, failed: 0, remaining: 3 });
    ill.ids.clear();
    const before = ids().length;
    await replays.resume(stopping.id, BY.operator, "repaired");
    await world.clock.advance(1000);
    expect(ids().slice(before)).toEqual(["m2", "m3", "m4"]);
    expect(await replays.show(stopping.id)).toMatchObject({ state: "done", done: 4 });
  });

  it("waits for an open breaker instead of failing", async () => {
    const { world, replays, request, ill, ids } = await setUp();
    await flow(world, 2);
    world.endpoints.force("http://school.example", "open", "test");
    const job = await replays.run(request());
    await world.clock.advance(29_000);
    expect(await replays.show(job.id)).toMatchObject({ state: "running", done: 0, failed: 0 });
    ill.ids.clear();
    await world.clock.advance(10_000);
    expect(await replays.show(job.id)).toMatchObject({ state: "done", done: 2 });
    expect(ids()).toHaveLength(4);
  });

  it("checks the grant again for every message", async () => {
    const recheck: Recheck = (_route, branch, envelope) => {
      if (envelope.id === "m2") throw new BusError("grant-expired", `the grant of ${branch} ended yesterday`);
    };
    const { world, replays, request, ids } = await setUp({ recheck });
    await flow(world, 3);
    const job = await replays.run(request());
    await world.clock.advance(1000);
    expect(await replays.show(job.id)).toMatchObject({ done: 2, failed: 1 });
    expect(ids().slice(3)).toEqual(["m1", "m3"]);
  });
});

describe("pausing and restarting", () => {
  it("a paused replay sends nothing more, even where it waited for a breaker, and goes on where it was", async () => {
    const { world, replays, request, ids } = await setUp();
    await flow(world, 5);
    const job = await replays.run(request({ rate: 1 }));
    await world.clock.advance(1500); // two are out
    expect(await replays.pause(job.id, BY.operator, "lunch")).toMatchObject({ state: "paused", done: 2, remaining: 3 });
    await world.clock.advance(60_000);
    expect(ids().slice(5)).toEqual(["m1", "m2"]);
    await expect(replays.pause(job.id, BY.operator, "again")).rejects.toMatchObject({ code: "store-conflict" });
    world.endpoints.force("http://school.example", "open", "test");
    await replays.resume(job.id, BY.operator, "lunch is over");
    await world.clock.advance(1000);
    expect(await replays.pause(job.id, BY.operator, "breaker")).toMatchObject({ state: "paused", done: 2 });
    await world.clock.advance(60_000);
    expect(ids().slice(5)).toEqual(["m1", "m2"]);
    await replays.resume(job.id, BY.operator, "now really");
    await world.clock.advance(60_000);
    expect(ids().slice(5)).toEqual(["m1", "m2", "m3", "m4", "m5"]);
    await expect(replays.resume(job.id, BY.operator, "again")).rejects.toMatchObject({ code: "store-conflict" });
    expect(world.journal.records.filter(({ step, id }) => step === "act" && id === job.id)).toHaveLength(5);
  });

  it("sends only what was counted, also when more was accepted while it was paused", async () => {
    const { world, replays, request, ids } = await setUp();
    await flow(world, 3);
    const job = await replays.run(request({ rate: 1 }));
    await world.clock.advance(500);
    await replays.pause(job.id, BY.operator, "wait");
    await world.accept({ id: "later" }, { n: 9 });
    await world.clock.settle();
    await replays.resume(job.id, BY.operator, "go on");
    await world.clock.advance(60_000);
    expect(ids()).toEqual(["m1", "m2", "m3", "m1", "later", "m2", "m3"]);
    expect(await replays.show(job.id)).toMatchObject({ state: "done", total: 3, done: 3, remaining: 0 });
  });

  it("a job goes on after a restart from its own cursor and sends nothing twice", async () => {
    const { world, replays, request, ids } = await setUp();
    await flow(world, 30);
    const job = await replays.run(request({ rate: 100 })); // fast enough that its cursor is saved only now and then
    await world.clock.advance(75);
    await replays.close();
    const first = ids().slice(30);
    expect(first.length).toBeGreaterThan(3);
    expect(first.length).toBeLessThan(20);
    const again = await setUp({}, await world.restart());
    await again.replays.recover();
    await again.world.clock.advance(60_000);
    expect([...first, ...again.ids()]).toEqual(Array.from({ length: 30 }, (_, index) => `m${index + 1}`));
    expect(await again.replays.show(job.id)).toMatchObject({ state: "done", done: 30, remaining: 0 });
  });

  it("after a crash, what was sent but not saved is found in the journal and not sent again", async () => {
    const { world, replays, request, ids, branches } = await setUp();
    await flow(world, 30);
    const job = await replays.run(request({ rate: 100 }));
    const saved = await world.store.collection<{ cursor: number }>("replays").then((jobs) => jobs.get(job.id));
    await world.clock.advance(75);
    const first = ids().slice(30);
    for (const branch of branches) branch.deliver = () => new Promise(() => undefined); // the old process does nothing more
    expect((await world.store.collection<{ cursor: number }>("replays").then((jobs) => jobs.get(job.id)))?.value).toEqual(saved?.value);
    const again = await setUp({}, await world.restart());
    open.shift();
    await again.replays.recover();
    await again.world.clock.advance(60_000);
    expect([...first, ...again.ids()]).toEqual(Array.from({ length: 30 }, (_, index) => `m${index + 1}`));
  });

  it("a job whose route is gone after a restart stops and says so", async () => {
    const { world, replays, request } = await setUp();
    await flow(world, 3);
    const job = await replays.run(request({ rate: 1 }));
    await replays.close();
    const again = await setUp({ find: () => undefined }, await world.restart());
    await again.replays.recover();
    expect(await again.replays.show(job.id)).toMatchObject({ state: "stopped", lastError: expect.stringContaining("no route") });
  });
});

describe("in a cluster", () => {
  /** Two processes on one store; `dead` ones neither send nor extend their leases. */
  async function pair() {
    const dead = new Set<string>();
    const a = await setUp();
    const { store, clock } = a.world;
    const leasesOf = async (node: string): Promise<Leases> => {
      const own = await createLeases({ store, clock, node, sole: false });
      return {
        ...own,
        async claim(name) {
          const lease = await own.claim(name);
          return lease && { ...lease, renew: () => (dead.has(node) ? new Promise(() => undefined) : lease.renew()) };
        },
      };
    };
    const find: ReplayParts["find"] = () => ({ route: routeOf(), branches: a.branches });
    const node = async (name: string): Promise<Replays> => {
      const replays = await createReplays({ ...a.world, find, predicate, leases: await leasesOf(name) });
      open.push(replays);
      return replays;
    };
    return { ...a, first: await node("a"), second: await node("b"), dead };
  }

  it("a job that runs is taken by nobody else, who says where it runs", async () => {
    const { world, first, second, request, ids } = await pair();
    await flow(world, 20);
    const job = await first.run(request({ rate: 2 }));
    await second.recover();
    await world.clock.advance(5_000);
    await expect(second.pause(job.id, BY.operator, BY.reason)).rejects.toThrow(/runs on `a`: ask there/u);
    await expect(second.resume(job.id, BY.operator, BY.reason)).rejects.toMatchObject({ code: "store-conflict" });
    await second.recover();
    await world.clock.advance(60_000);
    expect(ids().slice(20)).toEqual(Array.from({ length: 20 }, (_, index) => `m${index + 1}`));
    expect(await second.show(job.id)).toMatchObject({ state: "done", done: 20 });
  });

  it("a job whose process died goes on at another, from where it was, and the dead one changes nothing any more", async () => {
    const { world, first, second, dead, request, ids, branches } = await pair();
    await flow(world, 30);
    const job = await first.run(request({ rate: 2 }));
    await world.clock.advance(5_000);
    dead.add("a");
    const [school] = branches;
    const send = school?.deliver.bind(school);
    if (school) school.deliver = () => new Promise(() => undefined); // stuck in the middle of a message
    await world.clock.advance(12_000);
    if (school && send) school.deliver = send;
    await second.recover();
    await world.clock.advance(60_000);
    expect(ids().slice(30)).toEqual(Array.from({ length: 30 }, (_, index) => `m${index + 1}`));
    expect(await second.show(job.id)).toMatchObject({ state: "done", done: 30, remaining: 0 });
    open.splice(0, open.length, second); // the dead one cannot be closed
  });
});

describe("exactly the counted set", () => {
  it("is what any filter sends, whatever fails, in order of acceptance", async () => {
    const message = fc.record({ n: fc.integer({ min: 0, max: 9 }), gap: fc.integer({ min: 1, max: 50 }), fails: fc.boolean() });
    const filter = fc.record({
      from: fc.integer({ min: 0, max: 300 }),
      length: fc.integer({ min: 1, max: 600 }),
      above: fc.option(fc.integer({ min: 0, max: 9 })),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(message, { maxLength: 15 }), filter, async (messages, { from, length, above }) => {
        const { world, replays, request, ids, ill } = await setUp();
        const start = world.clock.now();
        const expected: string[] = [];
        for (const [index, { n, gap }] of messages.entries()) {
          await world.clock.advance(gap);
          const { time, id } = await world.accept({ id: `m${index}` }, { n });
          if (time >= start + from && time < start + from + length && (above === null || n > above)) expected.push(id);
        }
        await world.clock.settle();
        const before = ids().length;
        for (const [index, { fails }] of messages.entries()) if (fails) ill.ids.add(`m${index}`);
        const wanted = request({
          from: start + from,
          to: start + from + length,
          rate: 1000,
          ...(above === null ? undefined : { where: `n > ${above}` }),
        });
        expect(await replays.dryRun(wanted)).toMatchObject({ total: expected.length });
        const job = await replays.run(wanted);
        await world.clock.advance(10 * 60_000);
        const { done, failed, state } = await replays.show(job.id);
        const good = expected.filter((id) => !ill.ids.has(id));
        expect(ids().slice(before)).toEqual(good);
        expect({ done, failed, state }).toEqual({ done: good.length, failed: expected.length - good.length, state: "done" });
      }),
      { numRuns: 40 },
    );
  });
});
