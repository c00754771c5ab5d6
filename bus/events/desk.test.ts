/** The desk of MConnect Events over a whole bus in memory: what is taken, who gets it, what is written down, and what outlives a restart. */
import { describe, expect, it } from "vitest";
import { createLeases } from "#bus/cluster/lease.ts";
import { compileType } from "#bus/contract/avro.ts";
import type { Contract } from "#bus/contract/contract.ts";
import type { EventType } from "#bus/contract/event-type.ts";
import { asBusError } from "#bus/errors.ts";
import type { Grant, RouteSet } from "#bus/route/runtime.ts";
import { auditsOf } from "#test/harness/audit.ts";
import { grantOf, openBusWorld, setOf, START, type BusWorld } from "#test/harness/bus-world.ts";
import { createMemoryDisk, type MemoryDisk } from "#test/harness/memory.ts";
import { branchOf, contractOf, routeOf } from "#test/harness/route.ts";
import { createVirtualClock, type VirtualClock } from "#test/harness/virtual-clock.ts";
import type { EventDesk, EventIn, EventOut, EventSession, Wish } from "../edge/events.ts";
import { openDesk } from "./desk.ts";
import { noticeAppends } from "./notice.ts";

const DAY = 86_400_000;
const TYPE = "Test.Unit.Person.Changed";
const schemaText = JSON.stringify({
  type: "record",
  name: "Changed",
  namespace: "md.test",
  fields: [
    { name: "idnp", type: "string", key: true, personal: true },
    { name: "why", type: ["null", "string"], default: null },
    { name: "text", type: ["null", "string"], default: null },
  ],
});
const request = compileType({ id: "person.changed.v1", schemaText, schemaId: 1, lookup: undefined });
const EVENTS: EventType = {
  type: TYPE,
  schemaText: undefined,
  sources: new Map([["maker/one", ["/maker", "/maker/two"]]]),
  retention: 5 * DAY,
  partitionKey: undefined,
  personal: undefined,
};
const contractWith = (events: Partial<EventType> = {}): Contract => ({
  ...contractOf("event", "person.changed.v1"),
  request,
  subject: "idnp",
  events: { ...EVENTS, ...events },
});
const GRANTS: readonly Grant[] = [
  grantOf("maker/one", "producer", "person.changed.v1"),
  grantOf("taker/a", "consumer", "person.changed.v1", { legalBasis: { act: "Law 1", section: "art. 2", purpose: "pensions" } }),
  grantOf("taker/b", "consumer", "person.changed.v1", { allow: ["why"] }),
];
const setWith = (contract: Contract, grants: readonly Grant[] = GRANTS, over: Partial<RouteSet> = {}): RouteSet => ({
  ...setOf([], grants),
  contracts: new Map([[contract.id, contract]]),
  ...over,
});

type World = Readonly<{ world: BusWorld; desk: EventDesk; clock: VirtualClock; disk: MemoryDisk; close(): Promise<void> }>;
type Options = Readonly<{ disk?: MemoryDisk; clock?: VirtualClock; set?: RouteSet; node?: string }>;

async function open({
  disk = createMemoryDisk(),
  clock = createVirtualClock(START),
  set = setWith(contractWith()),
  node,
}: Options = {}): Promise<World> {
  let listen: (published: () => void) => void = () => undefined;
  const world = await openBusWorld({
    disk,
    clock,
    set,
    ports(plain) {
      const noticed = noticeAppends(plain.journal);
      listen = (published) => noticed.listen(published);
      return { ...plain, journal: { ...plain.journal, append: (records) => noticed.journal.append(records) } };
    },
  });
  const leases = node === undefined ? undefined : await createLeases({ store: world.store, clock, node, sole: false });
  const desk = await openDesk({
    ...world.bus.pipeline,
    leases,
    listen,
    jsonSchema: () => () => [],
    onError: (error) => void thrown.push(error),
  });
  const close = async (): Promise<void> => {
    await desk.close();
    await world.bus.close();
  };
  return { world, desk, clock, disk, close };
}
const thrown: unknown[] = [];

const eventOf = (id: string, data: object = { idnp: "2000000000018" }, over: Partial<EventIn> = {}): EventIn => ({
  id,
  source: "/maker",
  type: TYPE,
  more: {},
  data: Buffer.from(JSON.stringify(data)),
  ...over,
});
const wish = (over: Partial<Wish> = {}): Wish => ({ group: "g", events: true, test: false, dead: false, ...over });
const never = new AbortController().signal;
/** So many events, however many turns they come in. */
async function take(session: EventSession, count: number): Promise<readonly EventOut[]> {
  const got: EventOut[] = [];
  while (got.length < count) got.push(...(await session.take(count - got.length, 1_000_000, never)));
  return got;
}
const ids = (events: readonly EventOut[]): readonly string[] => events.map(({ attributes }) => attributes["id"] ?? "");
const codeOf = async (work: Promise<unknown>): Promise<string> =>
  work.then(
    () => "taken",
    (error: unknown) => asBusError(error).code,
  );

describe("what a producer sends", () => {
  it("becomes durable in one append, and is handed out as it was sent", async () => {
    const { world, desk, close } = await open();
    const more = { sequence: "7", traceparent: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", correlationid: "case-1" };
    await desk.produce("maker/one", [
      eventOf("a", undefined, { time: "2026-01-02T03:04:05Z", subject: "s", partitionKey: "k", more }),
      eventOf("b"),
    ]);
    const rows = world.journal.records.filter(({ step }) => step === "accepted");
    expect(rows.map(({ id, topic, system }) => [id, topic, system])).toEqual([
      ["a", "mbus.person.changed.v1", "maker/one"],
      ["b", "mbus.person.changed.v1", "maker/one"],
    ]);
    expect(rows[0]?.envelope?.key).toBe("k");
    expect(rows[1]?.envelope?.key).toBe("2000000000018");
    const session = await desk.consume("taker/a", wish());
    const [first, second] = await take(session, 2);
    expect(first?.attributes).toMatchObject({
      id: "a",
      source: "/maker",
      type: TYPE,
      time: "2026-01-02T03:04:05Z",
      subject: "s",
      partitionkey: "k",
      sequence: "7",
      correlationid: "case-1",
    });
    expect(first?.attributes["traceparent"]).toContain("00-0af7651916cd43dd8448eb211c80319c-");
    expect(second?.attributes).toMatchObject({ id: "b", time: "2026-05-04T09:00:00.000Z", datacontenttype: "application/json" });
    expect(JSON.parse(second?.data ?? "")).toEqual({ idnp: "2000000000018", why: null, text: null });
    await close();
  });

  it("is refused whole for one bad event, which is named, and the refusal stands in the journal", async () => {
    const { world, desk, close } = await open();
    const bad = desk.produce("maker/one", [eventOf("a"), eventOf("b", { idnp: 5 }), eventOf("c")]);
    await expect(bad).rejects.toThrow(/^event 1 \(from 0; id b\): .*idnp.* Nothing of this request was taken\.$/u);
    expect(world.journal.records.map(({ step, outcome, id }) => `${step} ${outcome} ${id}`)).toEqual(["refused failed b"]);
    await close();
  });

  it("is denied without a grant, under a foreign source and by a stranger, and each denial is told to the audit", async () => {
    const { world, desk, close } = await open();
    expect(await codeOf(desk.produce("taker/a", [eventOf("a")]))).toBe("grant-missing");
    expect(await codeOf(desk.produce("maker/one", [eventOf("b", undefined, { source: "/taker" })]))).toBe("grant-missing");
    expect(await codeOf(desk.produce("nobody/at-all", [eventOf("c")]))).toBe("system-unknown");
    expect(await codeOf(desk.produce(undefined, [eventOf("d")]))).toBe("system-missing");
    expect(world.journal.records.map(({ outcome }) => outcome)).toEqual(["denied", "denied", "denied", "denied"]);
    expect(auditsOf(world.journal.records).map(({ event }) => [event["message_id"], event["outcome"]])).toEqual([
      ["a", "denied"],
      ["b", "denied"],
      ["c", "denied"],
      ["d", "denied"],
    ]);
    await close();
  });

  it("is one when it is sent again, and two when its content is another", async () => {
    const { desk, close } = await open();
    for (let again = 0; again < 3; again++) await desk.produce("maker/one", [eventOf("a"), eventOf("b")]);
    await desk.produce("maker/one", [eventOf("a", { idnp: "2000000000019" })]);
    const session = await desk.consume("taker/a", wish());
    expect(ids(await take(session, 3))).toEqual(["a", "b", "a"]);
    await close();
  });

  it("is measured with all fields of its contract written out", async () => {
    const { desk, close } = await open();
    const text = "x".repeat(65_536 - 40);
    expect(await codeOf(desk.produce("maker/one", [eventOf("a", { idnp: "1", text })]))).toBe("message-too-large");
    await close();
  });

  it("is not taken while the bus stops", async () => {
    const { desk, world } = await open();
    await world.bus.close();
    expect(await codeOf(desk.produce("maker/one", [eventOf("a")]))).toBe("bus-stopping");
    expect(await codeOf(desk.consume("taker/a", wish()))).toBe("bus-stopping");
  });
});

describe("what a consumer confirms", () => {
  it("is an audit event: who has it, about whom, on which basis and for what", async () => {
    const { world, desk, close } = await open();
    await desk.produce("maker/one", [eventOf("a")]);
    const session = await desk.consume("taker/a", wish());
    await take(session, 1);
    expect(auditsOf(world.journal.records)).toEqual([]);
    await session.confirm(1);
    const [told] = auditsOf(world.journal.records);
    expect(told?.row).toMatchObject({ step: "delivered", id: "a", target: "taker/a", branch: "events g" });
    expect(told?.event).toMatchObject({
      event_type: "MConnect.PersonalData.Transfer",
      subject: "2000000000018",
      legal_basis: "Law 1, art. 2",
      legal_reason: "pensions",
      system: "maker/one",
      target: "taker/a",
      legal_entity: "1004600030235",
    });
    await close();
  });

  it("says basis and reason as the type or the event does, where they do", async () => {
    const personal = { subject: "idnp", basis: "Law 9, art. 9", basisField: undefined, reason: "unsaid", reasonField: "why" };
    const { world, desk, close } = await open({ set: setWith(contractWith({ personal })) });
    await desk.produce("maker/one", [eventOf("a", { idnp: "2000000000018", why: "a case" }), eventOf("b")]);
    const session = await desk.consume("taker/a", wish());
    await take(session, 2);
    await session.confirm(2);
    expect(auditsOf(world.journal.records).map(({ event }) => [event["legal_basis"], event["legal_reason"]])).toEqual([
      ["Law 9, art. 9", "a case"],
      ["Law 9, art. 9", "unsaid"],
    ]);
    await close();
  });

  it("does not come again after a restart; the rest does, also what lies below it", async () => {
    const first = await open();
    await first.desk.produce(
      "maker/one",
      ["a", "b", "c", "d"].map((id, at) => eventOf(id, { idnp: `200000000000${at}` })),
    );
    const sessions = [await first.desk.consume("taker/a", wish()), await first.desk.consume("taker/a", wish())];
    const got = await Promise.all(sessions.map((session) => session.take(100, 1_000_000, AbortSignal.timeout(500))));
    // the second confirms, the first does not
    const [kept = [], done = []] = got;
    expect(kept.length + done.length).toBe(4);
    expect(done.length).toBeGreaterThan(0);
    await sessions[1]?.confirm(done.at(-1)?.offset ?? 0);
    const second = await open({ disk: structuredClone(first.disk) });
    const session = await second.desk.consume("taker/a", wish());
    expect(ids(await take(session, kept.length))).toEqual(ids(kept));
    await first.close();
    await second.close();
  });

  it("comes again when it could not be written down, and the session ends", async () => {
    const { world, desk, close } = await open();
    await desk.produce("maker/one", [eventOf("a")]);
    const session = await desk.consume("taker/a", wish());
    await take(session, 1);
    world.journal.failWith(new Error("disk"));
    expect(await codeOf(session.confirm(1))).toBe("journal-failed");
    expect(session.ended.aborted).toBe(true);
    world.journal.failWith(undefined);
    await session.leave();
    const next = await desk.consume("taker/a", wish());
    expect(ids(await take(next, 1))).toEqual(["a"]);
    await close();
  });

  it("makes room: a thousand are out at a time", async () => {
    const { desk, close } = await open();
    const all = Array.from({ length: 1_010 }, (_, at) => eventOf(`e${at}`));
    await desk.produce("maker/one", all);
    const session = await desk.consume("taker/a", wish());
    await take(session, 1_000);
    const more = take(session, 1);
    await session.confirm(1);
    expect(ids(await more)).toEqual(["e1000"]);
    await close();
  });
});

describe("who gets what", () => {
  it("is said by the grant: fields, time and end", async () => {
    const clock = createVirtualClock(START);
    const until = START + 60_000;
    const grants = [...GRANTS, grantOf("taker/c", "consumer", "person.changed.v1", { from: START + 1000, until })];
    const { desk, close } = await open({ clock, set: setWith(contractWith(), grants) });
    await desk.produce("maker/one", [eventOf("before", { idnp: "2000000000018", why: "w" })]);
    const cut = await take(await desk.consume("taker/b", wish()), 1);
    expect(JSON.parse(cut[0]?.data ?? "")).toEqual({ idnp: "", why: "w", text: null });
    await clock.advance(2000);
    const session = await desk.consume("taker/c", wish());
    await desk.produce("maker/one", [eventOf("within")]);
    expect(ids(await take(session, 1))).toEqual(["within"]);
    await clock.advance(60_000);
    expect(await codeOf(desk.consume("taker/c", wish()))).toBe("grant-missing");
    await desk.produce("maker/one", [eventOf("after")]);
    expect(ids(await session.take(10, 1000, AbortSignal.timeout(100)))).toEqual([]);
    await close();
  });

  it("goes back as far as the type is kept, for a group that is new", async () => {
    const clock = createVirtualClock(START);
    const { desk, close } = await open({ clock, set: setWith(contractWith({ retention: 2_000 })) });
    await desk.produce("maker/one", [eventOf("old")]);
    await clock.advance(10_000);
    await desk.produce("maker/one", [eventOf("young")]);
    expect(ids(await take(await desk.consume("taker/a", wish()), 1))).toEqual(["young"]);
    await close();
  });

  it("passes over what nobody could be handed, and says so in the journal", async () => {
    const { world, desk, close } = await open();
    await desk.produce("maker/one", [eventOf("good-1")]);
    const [model] = world.journal.records;
    const envelope = model?.envelope;
    if (!envelope) throw new Error("no event was written");
    const rowOf = (id: string, over: object) => ({ ...model, id, envelope: { ...envelope, id, ...over }, dedupe: { key: id, window: 1 } });
    await world.journal.append([
      rowOf("huge", { body: request.encode({ idnp: "1", why: null, text: "x".repeat(70_000) }) }),
      rowOf("torn", { body: envelope.body.subarray(0, 7) }),
      rowOf("aside", { body: new Uint8Array(0), dataref: "blob:00" }),
    ]);
    await desk.produce("maker/one", [eventOf("good-2")]);
    const session = await desk.consume("taker/a", wish());
    expect(ids(await take(session, 2))).toEqual(["good-1", "good-2"]);
    const dropped = world.journal.records.filter(({ step }) => step === "dropped");
    expect(dropped.map(({ id, errorCode, target }) => [id, errorCode, target])).toEqual([
      ["huge", "message-too-large", "taker/a"],
      ["torn", "avro-malformed", "taker/a"],
      ["aside", "message-too-large", "taker/a"],
    ]);
    await close();
  });

  it("keeps the order that a route of the contract declares", async () => {
    const contract = contractWith();
    const order = (): string => "the route's key";
    const route = routeOf({ id: "r", contract, branches: [branchOf({ order })] });
    const { world, desk, close } = await open({ set: { ...setOf([route], GRANTS), contracts: new Map([[contract.id, contract]]) } });
    await desk.produce("maker/one", [eventOf("a", undefined, { partitionKey: "mine" })]);
    expect(world.journal.records.find(({ id, step }) => id === "a" && step === "accepted")?.envelope?.key).toBe("the route's key");
    expect((await take(await desk.consume("taker/a", wish()), 1))[0]?.attributes["partitionkey"]).toBe("mine");
    await close();
  });
});

describe("dead letters and tests", () => {
  it("may be put aside before and after they were confirmed, by the group that had them", async () => {
    const { desk, close } = await open();
    await desk.produce("maker/one", [eventOf("a"), eventOf("b")]);
    const session = await desk.consume("taker/a", wish());
    await take(session, 2);
    await session.dead(eventOf("a"));
    await session.confirm(2);
    await session.dead(eventOf("b"));
    const other = await desk.consume("taker/a", wish({ group: "other" }));
    expect(await codeOf(other.dead(eventOf("b")))).toBe("not-found");
    expect(await codeOf(session.dead(eventOf("c")))).toBe("not-found");
    expect(await codeOf(session.dead(eventOf("b", undefined, { source: "/maker/two" })))).toBe("not-found");
    const dead = await desk.consume("taker/a", wish({ events: false, dead: true }));
    expect(ids(await take(dead, 2))).toEqual(["a", "b"]);
    const theirs = await desk.consume("taker/b", wish({ events: false, dead: true }));
    expect(await theirs.take(10, 1000, AbortSignal.timeout(100))).toEqual([]);
    await close();
  });

  it("come to the system's own consumers only, from the moment on in which they asked", async () => {
    const { desk, close } = await open();
    await desk.test("taker/a", eventOf("early"));
    const mine = await desk.consume("taker/a", wish({ test: true }));
    const theirs = await desk.consume("taker/b", wish({ test: true }));
    await desk.test("taker/a", eventOf("late"));
    expect(ids(await take(mine, 1))).toEqual(["late"]);
    expect(await theirs.take(10, 1000, AbortSignal.timeout(100))).toEqual([]);
    expect(await codeOf(desk.test("taker/a", eventOf("x", undefined, { type: "Test.Unit.Person.Gone" })))).toBe("contract-unknown");
    expect(await codeOf(desk.test("maker/one", eventOf("x")))).toBe("grant-missing");
    await close();
  });
});

describe("a group on several processes", () => {
  it("is served by one; the other turns consumers away until the first has left", async () => {
    const clock = createVirtualClock(START);
    const disk = createMemoryDisk();
    const [a, b] = [await open({ clock, disk, node: "a" }), await open({ clock, disk, node: "b" })];
    await a.desk.produce("maker/one", [eventOf("x"), eventOf("y", { idnp: "2000000000019" })]);
    const first = await a.desk.consume("taker/a", wish());
    const [one] = await take(first, 1);
    await first.confirm(one?.offset ?? 0);
    expect(await codeOf(b.desk.consume("taker/a", wish()))).toBe("bus-stopping");
    await first.leave();
    const second = await b.desk.consume("taker/a", wish());
    expect(ids(await take(second, 1))).toEqual(["y"]);
    await Promise.all([a.close(), b.close()]);
  });

  it("ends its sessions when the lease is lost, and when the bus stops", async () => {
    const clock = createVirtualClock(START);
    const { desk, world, close } = await open({ clock, node: "a" });
    const session = await desk.consume("taker/a", wish());
    const leases = await world.store.collection<{ owner: string; until: number }>("leases");
    const [held] = (await leases.find({ limit: 10 })).filter(({ id }) => id.startsWith("events/taker/a"));
    if (!held) throw new Error("there is no lease");
    await leases.update(held.id, held.version, { owner: "b", until: START + 10 * DAY });
    await clock.advance(20_000);
    expect(await codeOf(session.take(1, 1, never))).toBe("bus-stopping");
    const other = await desk.consume("taker/a", wish({ group: "other" }));
    const waiting = codeOf(other.take(1, 1, never));
    await close();
    expect(await waiting).toBe("bus-stopping");
  });
});
