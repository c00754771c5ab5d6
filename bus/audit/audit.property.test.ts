/**
 * Nobody gets a person's data without its audit event, and no event is told twice: whatever is asked, sent, refused, replayed and
 * killed in between.
 */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { auditsOf } from "#test/harness/audit.ts";
import { changed, GRANTS, inboundOf, lookup, openBusWorld, register, setOf, START, type BusWorld } from "#test/harness/bus-world.ts";
import { createMemoryDisk, type MemoryDisk, type MemoryPorts } from "#test/harness/memory.ts";
import { contractOf } from "#test/harness/route.ts";
import { createVirtualClock, type VirtualClock } from "#test/harness/virtual-clock.ts";

const MINUTE = 60_000;
const personal = (pattern: "query" | "command" | "event", id: string) => ({ contract: { ...contractOf(pattern, id), subject: "idnp" } });
const hash = { payload: "hash", keep: 1, index: () => ({}) } as const;
const SETS = (payload: "hash" | "full") =>
  setOf(
    [
      lookup({ ...personal("query", "person.request.v1"), journal: { ...hash, payload } }),
      changed(personal("event", "person.changed.v1")),
      register(personal("command", "benefit.register.v1")),
    ],
    GRANTS,
  );

type Deed = Readonly<{ route: "lookup" | "changed" | "register"; system: string; person: number }>;
const deed: fc.Arbitrary<Deed> = fc.record({
  route: fc.constantFrom("lookup", "changed", "register"),
  system: fc.constantFrom("asker/one", "maker/one", "provider/one"),
  person: fc.nat(5),
});
const allowed = ({ route, system }: Deed): boolean => system === (route === "changed" ? "maker/one" : "asker/one");
const idnp = (person: number): string => `200000000000${person}`;

/** Cuts the ports at the n-th append of the journal, before it is written or after; the disk of that moment is what the next life finds. */
function cutAt(disk: MemoryDisk, at: number, after: boolean) {
  const { promise, resolve } = Promise.withResolvers<MemoryDisk>();
  let writes = 0;
  const never = <T>(): Promise<T> => new Promise<T>(() => undefined);
  const ports = (plain: MemoryPorts): MemoryPorts => ({
    ...plain,
    journal: {
      ...plain.journal,
      async append(records) {
        writes += 1;
        if (writes < at) return plain.journal.append(records);
        if (writes === at) {
          if (after) await plain.journal.append(records);
          resolve(structuredClone(disk));
        }
        return never();
      },
    },
  });
  return { ports, dead: promise };
}

const isDead = Symbol("dead");
let lives = 0;

/** Does what is left to do; gives the index of the first deed that nobody answered, or all of them when there was no kill. */
async function live(world: BusWorld, clock: VirtualClock, deeds: readonly Deed[], dead: Promise<unknown>, answered: Map<number, string>) {
  const over = dead.then(() => isDead);
  lives += 1;
  for (const [at, { route, system, person }] of deeds.entries()) {
    if (answered.has(at)) continue;
    // who asks again asks anew; who sends again sends the same
    const id = route === "lookup" ? `m-${at}-${lives}` : `m-${at}`;
    const call = { user: "2004100010095", basis: "Law", reason: `reason ${at}` };
    const going = world.bus.accept(inboundOf(route, system, { idnp: idnp(person) }, { id, call })).then(
      () => id,
      () => "refused",
    );
    const outcome = await Promise.race([going, over]);
    if (typeof outcome !== "string") return;
    answered.set(at, outcome);
    if ((await Promise.race([clock.advance(MINUTE).then(() => "on"), over])) === isDead) return;
  }
  for (let minute = 0; minute < 5; minute += 1) if ((await Promise.race([clock.advance(MINUTE), over])) === isDead) return;
}

const count = <T>(list: readonly T[], fits: (one: T) => boolean): number => list.filter(fits).length;

describe("audit", () => {
  it.each(["hash", "full"] as const)("has one event for whatever somebody got, also through a kill (payload: %s)", async (payload) => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(deed, { minLength: 1, maxLength: 8 }),
        fc.integer({ min: 1, max: 20 }),
        fc.boolean(),
        async (deeds, at, after) => {
          const clock = createVirtualClock(START);
          const disk = createMemoryDisk();
          const answered = new Map<number, string>();
          const { ports, dead } = cutAt(disk, at, after);
          const first = await openBusWorld({ set: SETS(payload), disk, clock, ports });
          const killed = await Promise.race([live(first, clock, deeds, dead, answered).then(() => undefined), dead]);
          const second = killed === undefined ? first : await openBusWorld({ set: SETS(payload), disk: killed, clock });
          await live(second, clock, deeds, new Promise(() => undefined), answered);

          const { records } = second.journal;
          const events = auditsOf(records);
          for (const [index, each] of deeds.entries()) {
            const id = answered.get(index);
            if (id === "refused") continue;
            expect(allowed(each)).toBe(true);
            const own = events.filter(({ event }) => event["message_id"] === id);
            const targets = each.route === "changed" ? ["taker/a", "taker/b"] : ["provider/one"];
            // what was delivered a second time, for the engine forgot the first, is told a second time
            expect(new Set(own.map(({ event }) => event["target"]))).toEqual(new Set(targets));
            const rows = records.filter((row) => row.id === id && row.step === (each.route === "lookup" ? "accepted" : "delivered"));
            expect(own).toHaveLength(rows.length);
            for (const { event, row } of own) {
              expect(event).toMatchObject({
                subject: idnp(each.person),
                outcome: "ok",
                event_type: each.route === "lookup" ? "MConnect.PersonalData.Access" : "MConnect.PersonalData.Transfer",
              });
              expect(row.id).toBe(id);
            }
          }
          // nothing is told that did not happen, and nothing that happened twice over
          const got =
            count(records, (row) => row.step === "accepted" && row.route === "lookup") + count(records, (row) => row.step === "delivered");
          expect(count(events, ({ event }) => event["outcome"] === "ok")).toBe(got);
          expect(count(events, ({ event }) => event["outcome"] === "denied")).toBe(count(records, (row) => row.outcome === "denied"));
          expect(new Set(events.map(({ event }) => event["event_id"])).size).toBe(events.length);
          await second.bus.close();
        },
      ),
      { numRuns: 60 },
    );
  });

  it("has one event more for each message that a replay sent again, and one for the act", async () => {
    const world = await openBusWorld({ set: SETS("hash") });
    for (let n = 0; n < 3; n += 1) await world.bus.accept(inboundOf("changed", "maker/one", { idnp: idnp(n) }, { id: `m-${n}` }));
    await world.clock.advance(MINUTE);
    const before = auditsOf(world.journal.records).length;
    const job = await world.bus.replays.run({
      route: "changed",
      from: 0,
      to: world.clock.now(),
      branch: "a",
      operator: "ana",
      reason: "lost",
    });
    for (let minute = 0; minute < 5; minute += 1) await world.clock.advance(MINUTE);
    const more = auditsOf(world.journal.records).slice(before);
    const again = more.filter(({ row }) => row.step === "replayed");
    expect(again.map(({ event }) => [event["message_id"], event["target"], event["subject"]])).toEqual(
      [0, 1, 2].map((n) => [`m-${n}`, "taker/a", idnp(n)]),
    );
    for (const { event } of again) expect(event["event_message"]).toBe(`replay ${job.id}: delivered`);
    await world.bus.close();
  });
});
