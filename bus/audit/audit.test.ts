/** What an audit event says of whom: the call where somebody called, the grant where nobody did; denials and acts too. */
import { describe, expect, it } from "vitest";
import { AUDIT, auditsOf } from "#test/harness/audit.ts";
import { changed, grantOf, GRANTS, inboundOf, lookup, openBusWorld, register, setOf, type BusWorld } from "#test/harness/bus-world.ts";
import { createMemoryJournal } from "#test/harness/memory.ts";
import { branchOf, contractOf } from "#test/harness/route.ts";
import type { Contract } from "../contract/contract.ts";
import type { AvroRecord } from "../envelope.ts";
import type { Grant, Route } from "../route/runtime.ts";
import { auditActs } from "./acts.ts";

const CALL = { user: "2004100010095", entity: "1004600030235", basis: "Law 156/1998 art. 33", reason: "pension file 2026-118" };
const PERSON = "2000000000018";
const OWN_INSTITUTION = "1004600030235";
const personal = (contract: Contract, over: Partial<Contract> = {}): Contract => ({ ...contract, subject: "idnp", ...over });
const query = (over: Partial<Contract> = {}, route: Partial<Route> = {}): Route =>
  lookup({ contract: personal(contractOf("query", "person.request.v1"), over), ...route });

async function audited(
  routes: readonly Route[],
  run: (world: BusWorld) => Promise<unknown>,
  grants: readonly Grant[] = GRANTS,
): Promise<readonly AvroRecord[]> {
  const world = await openBusWorld({ set: setOf(routes, grants) });
  await run(world).catch(() => undefined);
  await world.clock.advance(60_000);
  const events = auditsOf(world.journal.records).map(({ event }) => event);
  await world.bus.close();
  return events;
}
const ask = (world: BusWorld, over: Parameters<typeof inboundOf>[3] = {}, value: AvroRecord = { idnp: PERSON }) =>
  world.bus.accept(inboundOf("lookup", "asker/one", value, { id: "m-1", correlationId: "c-1", call: CALL, ...over }));

describe("the event of a query", () => {
  it("says who asked for whom, on which basis, why, about whom, where, and under which grant", async () => {
    expect(await audited([query()], (world) => ask(world))).toEqual([
      {
        event_time: "2026-05-04T09:00:00.000Z",
        event_type: "MConnect.PersonalData.Access",
        event_id: expect.stringMatching(/^[0-9a-f-]{36}$/u) as string,
        event_correlation: "c-1",
        event_level: "info",
        event_source: "lookup",
        legal_entity: CALL.entity,
        legal_basis: CALL.basis,
        legal_reason: CALL.reason,
        user: CALL.user,
        subject: PERSON,
        subject_type: "idnp",
        object: "person.request.v1",
        object_type: "contract",
        outcome: "ok",
        message_id: "m-1",
        system: "asker/one",
        target: "provider/one",
        grant: "asker/one consumer person.request.v1",
      },
    ]);
  });

  it("has the institution of the system, and the basis and purpose of the grant, where the call does not say them", async () => {
    const [event] = await audited([query()], (world) => ask(world, { call: {} }));
    expect(event).toMatchObject({ legal_entity: OWN_INSTITUTION, legal_basis: "Law, 1", legal_reason: "test" });
    expect(event).not.toHaveProperty("user");
  });

  it.each(["access", "validate", "search", "transfer", "export"] as const)("is of the kind that its contract names: %s", async (kind) => {
    const [event] = await audited([query({ audit: kind })], (world) => ask(world));
    expect(String(event?.["event_type"]).toLowerCase()).toBe(`mconnect.personaldata.${kind}`);
  });

  it("is there also where only a field of the reply is marked personal, then without a subject", async () => {
    const plain = contractOf("query", "person.request.v1");
    const reply = plain.reply && { ...plain.reply, marks: new Map([["name", { personal: true, key: false }]]) };
    const [event] = await audited([lookup({ contract: { ...plain, reply } })], (world) => ask(world));
    expect(event).toMatchObject({ event_type: "MConnect.PersonalData.Access" });
    expect(event).not.toHaveProperty("subject");
  });

  it("is none where nothing personal is exchanged", async () => {
    expect(await audited([lookup()], (world) => ask(world))).toEqual([]);
  });

  it("reads the subject inside records, and takes no number for one", async () => {
    const inside = (value: AvroRecord) => audited([query({ subject: "person.idnp" })], (world) => ask(world, {}, value));
    expect((await inside({ person: { idnp: PERSON } }))[0]).toMatchObject({ subject: PERSON });
    for (const value of [{ person: null }, { person: [{ idnp: PERSON }] }, { person: { idnp: 12 } }, {}])
      expect((await inside(value))[0]).not.toHaveProperty("subject");
  });

  it("stands beside the row where the row keeps the message, and in it where it keeps none", async () => {
    const rows = async (payload: "full" | "hash") => {
      const journal = { payload, keep: 1, index: () => ({}) } as const;
      const world = await openBusWorld({ set: setOf([query({}, { journal })], GRANTS) });
      await ask(world);
      const found = auditsOf(world.journal.records).map(({ row }) => `${row.step} ${row.id} ${row.correlationId}`);
      await world.bus.close();
      return found;
    };
    expect(await rows("hash")).toEqual(["accepted m-1 c-1"]);
    expect(await rows("full")).toEqual(["audited m-1 c-1"]);
  });
});

describe("the event of a delivery", () => {
  const event = changed({ contract: personal(contractOf("event", "person.changed.v1")) });
  const tell = (world: BusWorld) => world.bus.accept(inboundOf("changed", "maker/one", { idnp: PERSON }, { id: "m-1" }));

  it("names each receiver's institution, with the basis and purpose of the receiver's own grant", async () => {
    const legalBasis = { act: "Law 93/2017", section: "art. 19", purpose: "statistics" };
    const grants = [
      ...GRANTS.filter(({ system }) => system !== "taker/b"),
      grantOf("taker/b", "consumer", "person.changed.v1", { legalBasis }),
    ];
    const events = await audited([event], tell, grants);
    expect(events.map((each) => [each["target"], each["legal_basis"], each["legal_reason"], each["system"]])).toEqual([
      ["taker/a", "Law, 1", "test", "maker/one"],
      ["taker/b", "Law 93/2017, art. 19", "statistics", "maker/one"],
    ]);
    for (const each of events)
      expect(each).toMatchObject({ event_type: "MConnect.PersonalData.Transfer", legal_entity: OWN_INSTITUTION, subject: PERSON });
  });

  it("is none for a branch whose `when` says no, and none for a topic of the bus, which nobody reads yet", async () => {
    const branches = [branchOf({ name: "a", system: "taker/a", when: () => false }), branchOf({ name: "b", system: undefined })];
    expect(await audited([{ ...event, branches }], tell)).toEqual([]);
  });

  it("of a command is its caller's, told when the provider has it", async () => {
    const command = register({ contract: personal(contractOf("command", "benefit.register.v1")) });
    const [told, ...more] = await audited([command], (world) =>
      world.bus.accept(inboundOf("register", "asker/one", { idnp: PERSON }, { call: CALL })),
    );
    expect(more).toEqual([]);
    expect(told).toMatchObject({ user: CALL.user, legal_basis: CALL.basis, target: "provider/one", system: "asker/one", subject: PERSON });
  });
});

describe("the event of a denial", () => {
  it.each([
    ["no grant", "maker/one", CALL, "grant-missing"],
    ["a call in a foreign name", "asker/one", { ...CALL, entity: "1007601008122" }, "call-context-invalid"],
  ] as const)("names rule and sender: %s", async (_, system, call, code) => {
    const events = await audited([query()], (world) =>
      world.bus.accept(inboundOf("lookup", system, { idnp: PERSON }, { id: "m-1", call })),
    );
    expect(events).toMatchObject([
      { outcome: "denied", event_level: "warning", error: code, system, user: CALL.user, legal_reason: CALL.reason, message_id: "m-1" },
    ]);
    expect(events[0]).not.toHaveProperty("subject");
  });

  it("is none where nobody was denied anything: a message that breaks its contract, a contract without people, an unknown route", async () => {
    const broken = () => {
      throw new TypeError("broken");
    };
    expect(await audited([query()], (world) => ask(world, { read: broken }))).toEqual([]);
    expect(await audited([lookup()], (world) => world.bus.accept(inboundOf("lookup", "maker/one", {})))).toEqual([]);
    expect(await audited([query()], (world) => world.bus.accept(inboundOf("nowhere", "maker/one", {})))).toEqual([]);
  });

  it("keeps of values that nobody checked no more than a good one may have", async () => {
    const call = { user: "x".repeat(5000), reason: "y".repeat(5000) };
    const [event] = await audited([query()], (world) => world.bus.accept(inboundOf("lookup", "maker/one", {}, { call })));
    expect([String(event?.["user"]).length, String(event?.["legal_reason"]).length]).toEqual([512, 512]);
  });
});

describe("an act", () => {
  const act = async (detail: string, over: object = {}) => {
    const plain = createMemoryJournal();
    const journal = auditActs(plain, AUDIT);
    await journal.append([
      { step: "attempt", outcome: "failed", time: 5, id: "x", correlationId: "x", detail },
      { step: "act", outcome: "ok", time: 5, id: "a-1", correlationId: "a-1", route: "r", detail, ...over },
    ]);
    return auditsOf(plain.records);
  };

  it.each([
    ["pause by ana: planned work", "Pause", "ana"],
    ["dead letter replayed by ana.rusu: the registry was repaired", "DeadLetterReplayed", "ana.rusu"],
    ["replay started by ion: 3 messages; {}", "ReplayStarted", "ion"],
    ["revision 7 applied by maria, approved by ana: new grant", "RevisionApplied", "maria, approved by ana"],
    ["journal: 5 records older than 31 days deleted", "Act", undefined],
    [": by : by", "Act", undefined],
  ])("reads `%s` as %s of %s", async (detail, what, who) => {
    const events = await act(detail);
    expect(events.map(({ row }) => row.step)).toEqual(["act"]);
    expect(events[0]?.event).toMatchObject({
      event_type: `MConnect.Administration.${what}`,
      event_message: detail,
      message_id: "a-1",
      object: "r",
      object_type: "route",
    });
    expect(events[0]?.event["operator"]).toBe(who);
  });

  it("that is a message already is left as it is", async () => {
    expect(await act("pause by ana: x", { topic: "t" })).toEqual([]);
  });

  it("changes nothing of what append, read and find promise", async () => {
    const plain = createMemoryJournal();
    const journal = auditActs(plain, AUDIT);
    const dedupe = { key: "k", window: 1000 };
    const row = { step: "act", outcome: "ok", time: 5, id: "a", correlationId: "a", dedupe } as const;
    expect(await journal.append([row])).toEqual([{ position: 1 }]);
    expect(await journal.append([row])).toEqual([{ position: 1, duplicateOf: 1 }]);
    expect((await journal.find({ id: "a" })).records).toEqual(await journal.read(1, 10));
    expect(journal.writers).toBe("one");
  });
});
