import { describe, expect, it } from "vitest";
import type { Message } from "#bus/envelope.ts";
import { BusError } from "#bus/errors.ts";
import { createWorld, type Answer, type World } from "#test/harness/delivery.ts";
import { branchOf, envelopeOf, routeOf } from "#test/harness/route.ts";
import type { DeadLetterAdmin, Recheck } from "./deadletters.ts";
import { fingerprintOf, normalised } from "./fingerprint.ts";
import type { Route } from "#bus/route/runtime.ts";

const BY = ["ana.rusu", "the registry was repaired"] as const;

/** Two branches; `ill` says whether the first one's target is. */
async function setUp(more: { route?: Route; recheck?: Recheck } = {}) {
  const route = more.route ?? routeOf();
  const world = await createWorld({ route });
  const ill = { now: true, text: "person `2001` is locked by session 17" };
  const got: Message[] = [];
  const answer: Answer = (message) => {
    if (ill.now) throw new BusError("provider-fault", ill.text, { providerCode: "Locked" });
    got.push(message);
    return undefined;
  };
  const other: string[] = [];
  const branches = [
    await world.start(branchOf({ name: "school", addresses: ["http://school.example"] }), answer),
    await world.start(branchOf({ name: "benefits" }), ({ envelope }) => void other.push(envelope.id)),
  ];
  const admin = world.deadletters.admin({
    find: (id) => (id === route.id ? { route, branches } : undefined),
    ...(more.recheck ? { recheck: more.recheck } : undefined),
  });
  return { world, admin, ill, got, other, branches };
}

async function die(world: World, ...ids: readonly string[]): Promise<void> {
  for (const id of ids) await world.accept({ id }, { n: id });
  await world.clock.settle();
}

async function codeOf(admin: DeadLetterAdmin, id: string): Promise<string | undefined> {
  return (await admin.replay({ ids: [id] }, ...BY)).failed[0]?.code;
}

describe("a dead letter", () => {
  it("keeps the whole message, error class, step, attempts and times, where they can be found", async () => {
    const { world, admin } = await setUp();
    await die(world, "a");
    const [row] = await admin.list();
    expect(row).toMatchObject({
      messageId: "a",
      route: "person-changed",
      branch: "school",
      target: "benefits/core",
      errorClass: "provider-fault",
      errorCode: "provider-fault",
      attempts: 1,
      deaths: 1,
      state: "open",
      diedAt: world.clock.now(),
      firstAttemptAt: world.clock.now(),
    });
    const { record } = await admin.show(row?.id ?? "");
    expect(record).toMatchObject({ step: "deadletter", outcome: "dead", id: "a", digest: expect.any(String) });
    expect(record?.envelope).toEqual(envelopeOf({ id: "a", time: world.clock.now() }, { n: "a" }));
    expect((await admin.show("a")).deadLetter.id).toBe(row?.id); // the message's id finds it too
    await expect(admin.show("nobody")).rejects.toMatchObject({ code: "not-found" });
  });

  it("of one message in one branch is one, however often it dies there; another branch has its own", async () => {
    const { world, admin } = await setUp();
    const error = new BusError("endpoint-unreachable", "no");
    const death = { route: "person-changed", envelope: envelopeOf({ id: "a" }), error, attempts: 12, keep: 1000 };
    await world.deadletters.record({ ...death, branch: "school" });
    await world.deadletters.record({ ...death, branch: "school" });
    await world.deadletters.record({ ...death, branch: "benefits" });
    const rows = await admin.list();
    expect(rows.map(({ branch, deaths }) => `${branch} ${deaths}`).sort()).toEqual(["benefits 1", "school 2"]);
  });

  it("keeps the bytes as received where they are given", async () => {
    const { world, admin } = await setUp();
    const original = new Uint8Array([60, 97, 62]);
    const death = { route: "r", branch: "b", envelope: envelopeOf(), error: new BusError("xsd-violation", "no"), attempts: 1, keep: 1 };
    await world.deadletters.record({ ...death, original });
    expect((await admin.show("m-1")).record?.original).toEqual(original);
  });

  it("is removed after `deadletter.keep`, and not before", async () => {
    const { world, admin } = await setUp({ route: routeOf({ deadletter: { keep: 60_000, replay: "manual" } }) });
    await die(world, "a");
    await world.clock.advance(59_999);
    expect(await world.deadletters.expire()).toBe(0);
    await world.clock.advance(2);
    expect(await world.deadletters.expire()).toBe(1);
    expect(await admin.list()).toEqual([]);
  });

  it("says which record of the journal the open ones need, and nothing when none is open", async () => {
    const { world, admin } = await setUp();
    expect(await world.deadletters.needs()).toBe(Infinity);
    await die(world, "a", "b");
    const [older, newer] = (await admin.list()).toSorted((a, b) => a.position - b.position);
    expect(await world.deadletters.needs()).toBe(older?.position);
    await admin.discard({ ids: [older?.id ?? ""] }, ...BY);
    expect(await world.deadletters.needs()).toBe(newer?.position);
    await admin.discard({ ids: [newer?.id ?? ""] }, ...BY);
    expect(await world.deadletters.needs()).toBe(Infinity);
  });

  it("lists newest first, by filter and in pages", async () => {
    const { world, admin } = await setUp();
    for (const id of ["a", "b", "c"]) {
      await die(world, id);
      await world.clock.advance(10);
    }
    expect((await admin.list()).map((row) => row.messageId)).toEqual(["c", "b", "a"]);
    const [newest] = await admin.list({ limit: 1 });
    expect((await admin.list({ limit: 1, after: newest?.id ?? "" })).map((row) => row.messageId)).toEqual(["b"]);
    expect(await admin.list({ branch: "benefits" })).toEqual([]);
    expect(await admin.list({ state: "replayed" })).toEqual([]);
  });
});

describe("when the store or the journal fails while a dead letter is written", () => {
  it("the message is not acknowledged: it comes again, and is one dead letter in the end", async () => {
    const { world, admin } = await setUp();
    await world.accept({ id: "a" });
    world.journal.failWith(new Error("disk full"));
    await world.clock.settle();
    expect(await admin.list()).toEqual([]);
    world.journal.failWith(undefined);
    await world.clock.advance(1000);
    expect(await admin.list()).toHaveLength(1);
    expect((await admin.show("a")).record).toMatchObject({ id: "a", step: "deadletter" });
  });

  it("an act whose row cannot be written is not done", async () => {
    const { world, admin, ill, got } = await setUp();
    await die(world, "a");
    ill.now = false;
    world.journal.failWith(new Error("disk full"));
    expect(await codeOf(admin, "a")).toBe("journal-failed");
    expect(got).toEqual([]);
    world.journal.failWith(undefined);
    expect((await admin.list()).map(({ state }) => state)).toEqual(["open"]);
  });
});

describe("groups", () => {
  it("put dead letters of one cause together, whatever ids and numbers their texts name", async () => {
    const { world, admin, ill } = await setUp();
    await die(world, "a");
    ill.text = "person `2999` is locked by session 4711";
    await world.clock.advance(5);
    await die(world, "b");
    ill.text = "the registry is closed";
    await die(world, "c");
    const groups = await admin.groups();
    expect(groups.map(({ count, text }) => `${count} ${text}`)).toEqual([
      "2 person … is locked by session # (attempt # of #: … is not retried)",
      "1 the registry is closed (attempt # of #: … is not retried)",
    ]);
    expect(groups[0]).toMatchObject({
      branch: "school",
      errorClass: "provider-fault",
      firstAt: world.clock.now() - 5,
      lastAt: world.clock.now(),
    });
    expect(await admin.groups({ route: "other" })).toEqual([]);
  });

  it("differ by route, branch, step and class", () => {
    const error = new BusError("endpoint-unreachable", "no answer");
    const prints = new Set([
      fingerprintOf("r1", "b", error),
      fingerprintOf("r2", "b", error),
      fingerprintOf("r1", "c", error),
      fingerprintOf("r1", "b", new BusError("attempt-timeout", "no answer")),
      fingerprintOf("r1", "b", new BusError("endpoint-unreachable", "no answer", { step: "enrich (r.yaml:7)" })),
    ]);
    expect(prints.size).toBe(5);
  });

  it.each([
    ["IDNP 2001234567890 not found", "IDNP # not found"],
    ["order 3fa85f64-5717-4562-b3fc-2c963f66afa6 is gone", "order … is gone"],
    ['field "name" of „Ion” and «x»', "field … of … and …"],
    ["digest deadbeef01 differs", "digest … differs"],
    ["  a\n\tb  ", "a b"],
  ])("%s → %s", (text, expected) => expect(normalised(text)).toBe(expected));

  it("cost the same for a text of any length", () => {
    expect(normalised("`".repeat(1_000_000)).length).toBeLessThanOrEqual(300);
  });
});

describe("replay of dead letters", () => {
  it("goes to the branch it died in and to no other, byte by byte, with its own id and a mark", async () => {
    const { world, admin, ill, got, other } = await setUp();
    await die(world, "a", "b");
    ill.now = false;
    const result = await admin.replay({ ids: ["a"] }, ...BY);
    expect(result).toEqual({ done: 1, failed: [], remaining: 0 });
    const original = envelopeOf({ id: "a", time: world.clock.now() }, { n: "a" });
    const [{ deadLetter }, message] = [await admin.show("a"), got[0]];
    expect(message?.envelope).toEqual({ ...original, headers: { "mbus-replay": `deadletter ${deadLetter.id}` } });
    expect(other).toEqual(["a", "b"]); // once each, from the flow
    expect((await admin.list()).map(({ messageId }) => messageId)).toEqual(["b"]);
  });

  it("is an act with operator and reason before it is a delivery", async () => {
    const { world, admin, ill } = await setUp();
    await die(world, "a");
    ill.now = false;
    await admin.replay({ ids: ["a"] }, ...BY);
    const acts = world.journal.records.slice(-2);
    expect(acts[0]).toMatchObject({ step: "act", id: "a", detail: "dead letter replayed by ana.rusu: the registry was repaired" });
    expect(acts[1]).toMatchObject({ step: "replayed", outcome: "ok", id: "a", branch: "school" });
    expect((await admin.list({ state: "replayed" }))[0]).toMatchObject({ operator: "ana.rusu", reason: "the registry was repaired" });
    await expect(admin.replay({ ids: ["a"] }, "ana.rusu", " ")).rejects.toMatchObject({ code: "configuration" });
    await expect(admin.replay({ ids: ["a"] }, "", "x")).rejects.toThrow("operator");
  });

  it("of a group takes all of it; one that fails again stays open with the newer error, and the rest goes on", async () => {
    const { world, admin, ill, got } = await setUp();
    await die(world, "a", "b", "c");
    const [group] = await admin.groups();
    ill.text = "still locked";
    const failed = await admin.replay({ group: group?.fingerprint ?? "" }, ...BY);
    expect(failed).toMatchObject({ done: 0, remaining: 0 });
    expect(failed.failed).toHaveLength(3);
    expect((await admin.list())[0]).toMatchObject({ text: "still locked", attempts: 2 });
    ill.now = false;
    expect(await admin.replay({ group: group?.fingerprint ?? "" }, ...BY)).toMatchObject({ done: 3 });
    expect(got).toHaveLength(3);
  });

  it("is refused for queries, and where the route says never, and says why", async () => {
    const query = await setUp({ route: routeOf({ pattern: "query" }) });
    await die(query.world, "a");
    const refusal = (await query.admin.replay({ ids: ["a"] }, ...BY)).failed[0];
    expect(refusal).toMatchObject({ code: "replay-refused", text: expect.stringContaining("its caller has gone") });
    const never = await setUp({ route: routeOf({ deadletter: { keep: 1e9, replay: "never" } }) });
    await die(never.world, "a");
    expect(await codeOf(never.admin, "a")).toBe("replay-refused");
    expect(never.world.journal.records.some(({ step }) => step === "act")).toBe(false);
  });

  it("is refused when the grant has ended, and when the branch does not run any more", async () => {
    const recheck = (): never => {
      throw new BusError("grant-expired", "the grant ended yesterday");
    };
    const ended = await setUp({ recheck });
    await die(ended.world, "a");
    ended.ill.now = false;
    expect(await codeOf(ended.admin, "a")).toBe("grant-expired");
    expect(ended.got).toEqual([]);
    expect(ended.world.journal.records.at(-1)).toMatchObject({ step: "replayed", outcome: "failed", errorCode: "grant-expired" });
    const gone = await setUp();
    await die(gone.world, "a");
    gone.branches.length = 0;
    expect(await codeOf(gone.admin, "a")).toBe("replay-refused");
  });

  it("of one that was replayed or discarded already is refused", async () => {
    const { world, admin, ill } = await setUp();
    await die(world, "a", "b");
    ill.now = false;
    await admin.replay({ ids: ["a"] }, ...BY);
    await admin.discard({ ids: ["b"] }, ...BY);
    expect(await codeOf(admin, "a")).toBe("store-conflict");
    expect(await codeOf(admin, "b")).toBe("store-conflict");
    expect(world.journal.records.find(({ detail }) => detail?.includes("discarded"))).toMatchObject({ step: "act", id: "b" });
  });

  it("of a command settles its caller's ticket", async () => {
    const route = routeOf({ pattern: "command" });
    const world = await createWorld({ route });
    const settled: unknown[] = [];
    const ill = { now: true };
    const answer: Answer = () => {
      if (ill.now) throw new BusError("provider-fault", "no");
      return { status: "done" };
    };
    const branch = await world.start(branchOf(), answer, {
      settled: async (_, { value, error }) => void settled.push(value ?? error?.code),
    });
    await die(world, "a");
    ill.now = false;
    await world.deadletters.admin({ find: () => ({ route, branches: [branch] }) }).replay({ ids: ["a"] }, ...BY);
    expect(settled).toEqual(["provider-fault", { status: "done" }]);
  });
});

describe("how many are open", () => {
  it("is counted past the length of a list and of a page, without those that were done with", async () => {
    const { world, admin } = await setUp();
    const error = new BusError("provider-fault", "locked");
    const route = routeOf();
    for (let n = 0; n < 620; n += 1) {
      const envelope = envelopeOf({ id: `m-${n}` });
      await world.deadletters.record({ route: route.id, branch: "school", envelope, error, attempts: 1, keep: 86_400_000 });
    }
    expect(await admin.open()).toBe(620);
    expect(await admin.list()).toHaveLength(100);
    const [first, second] = await admin.list();
    await admin.discard({ ids: [first?.id ?? "", second?.id ?? ""] }, ...BY);
    expect(await admin.open()).toBe(618);
  });

  it("is none in the beginning", async () => {
    const { admin } = await setUp();
    expect(await admin.open()).toBe(0);
  });
});
