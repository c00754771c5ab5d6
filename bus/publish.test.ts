/** Events and commands: accepted when durable, published in the same write, once per sender and id, in the order of the key. */
import fc from "fast-check";
import { afterEach, describe, expect, it } from "vitest";
import { createMemoryDisk } from "#test/harness/memory.ts";
import { branchOf } from "#test/harness/route.ts";
import {
  changed,
  GRANTS,
  grantOf,
  inboundOf,
  openBusWorld,
  register,
  setOf,
  type BusWorld,
  type BusWorldOptions,
} from "#test/harness/bus-world.ts";
import type { AvroRecord, Message } from "./envelope.ts";
import { asBusError, BusError } from "./errors.ts";
import { digestOf } from "./ids.ts";
import type { Inbound } from "./ports.ts";
import type { Route, Step } from "./route/runtime.ts";

const open: BusWorld[] = [];
afterEach(async () => {
  await Promise.all(open.splice(0).map(({ bus }) => bus.close()));
});

const DAY = 86_400_000;
const ONE = [branchOf({ name: "a", system: "taker/a" })];

async function setup(options: BusWorldOptions = {}, route: Partial<Route> = {}) {
  const world = await openBusWorld({ set: setOf([changed(route), register()], GRANTS), ...options });
  open.push(world);
  const tell = (over: Partial<Inbound> = {}, value: AvroRecord = { n: 1 }) =>
    world.bus.accept(inboundOf("changed", "maker/one", value, { id: "e-1", ...over }));
  const refused = (over: Partial<Inbound> = {}, value?: AvroRecord) =>
    tell(over, value).then(
      () => "it was accepted",
      (thrown: unknown) => asBusError(thrown),
    );
  return { ...world, tell, refused };
}

const step = (run: Step["run"]): Step => ({ name: "step", place: "r.yaml:1", run });

describe("acceptance", () => {
  it("is one durable record that is also the publication", async () => {
    const { tell, journal } = await setup();
    expect(await tell({ correlationId: "case-9" })).toEqual({
      kind: "accepted",
      id: "e-1",
      correlationId: "case-9",
      position: 1,
      duplicate: false,
    });
    expect(journal.records[0]).toMatchObject({
      step: "accepted",
      outcome: "ok",
      id: "e-1",
      correlationId: "case-9",
      system: "maker/one",
      grant: "maker/one producer person.changed.v1",
      topic: "mbus.person.changed.v1",
      digest: digestOf(new TextEncoder().encode('{"n":1}')),
      dedupe: { key: "maker/one e-1", window: 30 * DAY },
    });
  });

  it("is not said before the record is durable", async () => {
    const { tell, journal } = await setup();
    const { promise, resolve } = Promise.withResolvers<void>();
    const append = journal.append.bind(journal);
    Object.assign(journal, { append: (records: Parameters<typeof append>[0]) => promise.then(() => append(records)) });
    let accepted = false;
    const told = tell().finally(() => (accepted = true));
    await new Promise((done) => setImmediate(() => setImmediate(done)));
    expect([accepted, journal.records.length]).toEqual([false, 0]);
    resolve();
    expect((await told).position).toBe(1);
  });

  it("fails with the journal, and nobody gets the message", async () => {
    const { refused, journal, sent, clock } = await setup();
    journal.failWith(new Error("disk full"));
    expect(await refused()).toMatchObject({ code: "journal-failed" });
    journal.failWith(undefined);
    await clock.advance(60_000);
    expect([sent.length, journal.records.length]).toEqual([0, 0]);
  });

  it("does not wait for any subscriber", async () => {
    const { promise, resolve } = Promise.withResolvers<undefined>();
    const { tell, clock, rows } = await setup({ send: () => promise });
    expect(await tell()).toMatchObject({ kind: "accepted" });
    await clock.settle();
    expect(rows()).toEqual(["accepted ok"]);
    resolve(undefined);
    await clock.settle();
    expect(rows()).toHaveLength(3);
  });

  it("finds its record durable before any subscriber is asked", async () => {
    const { tell, sent, clock } = await setup();
    await tell();
    await clock.advance(100);
    expect(sent).toHaveLength(2);
    for (const { rows } of sent) expect(rows).toBeGreaterThanOrEqual(1);
  });

  it("survives the process: a bus on the same disk delivers what the last one only accepted", async () => {
    const disk = createMemoryDisk();
    const first = await openBusWorld({ disk, send: () => new Promise<undefined>(() => undefined) });
    await first.bus.accept(inboundOf("changed", "maker/one", { n: 1 }, { id: "e-1" }));
    const second = await setup({ disk, clock: first.clock });
    await second.clock.advance(2000);
    expect(second.sent.map(({ branch, message }) => `${branch} ${message.envelope.id}`).toSorted()).toEqual(["a e-1", "b e-1"]);
  });
});

describe("the same id from the same sender", () => {
  it("gets the first answer again and reaches nobody twice", async () => {
    const { tell, sent, clock, journal } = await setup();
    const first = await tell({ correlationId: "case-9" });
    await clock.advance(1000);
    for (let i = 0; i < 3; i++) expect(await tell({ correlationId: "another" })).toEqual({ ...first, duplicate: true });
    await clock.advance(1000);
    expect(sent).toHaveLength(2);
    expect(journal.records.filter(({ step: name }) => name === "accepted")).toHaveLength(1);
  });

  it("with another content is refused, with a row, and the first stays what it was", async () => {
    const { tell, refused, rows, sent, clock } = await setup();
    await tell();
    expect(await refused({}, { n: 2 })).toMatchObject({
      code: "id-reused",
      class: "duplicate",
      message: "message id `e-1` was used before with another content: send a changed message under a new id",
    });
    await clock.advance(1000);
    expect(sent.map(({ message }) => message.value)).toEqual([{ n: 1 }, { n: 1 }]);
    expect(rows()).toContain("refused duplicate id-reused");
  });

  it("at the same moment counts once, whichever comes first", async () => {
    const { tell, sent, clock } = await setup();
    const answers = await Promise.all(Array.from({ length: 20 }, () => tell()));
    expect(answers.filter((answer) => answer.kind === "accepted" && !answer.duplicate)).toHaveLength(1);
    expect(new Set(answers.map(({ position }) => position)).size).toBe(1);
    await clock.advance(1000);
    expect(sent).toHaveLength(2);
  });

  it("from another sender is another message", async () => {
    const grants = [...GRANTS, grantOf("asker/two", "producer", "person.changed.v1")];
    const { tell, journal } = await setup({ set: setOf([changed()], grants) });
    await tell();
    expect(await tell({ system: "asker/two" })).toMatchObject({ duplicate: false });
    expect(journal.records.filter(({ step: name }) => name === "accepted")).toHaveLength(2);
  });

  it("that the bus made itself is never a repetition", async () => {
    const { bus, journal } = await setup();
    for (let i = 0; i < 5; i++) await bus.accept(inboundOf("changed", "maker/one", { n: 1 }));
    const accepted = journal.records.filter(({ step: name }) => name === "accepted");
    expect(accepted).toHaveLength(5);
    expect(accepted.every(({ dedupe }) => dedupe === undefined)).toBe(true);
  });

  it("of a refused message is free again: a refusal is no acceptance", async () => {
    const { tell, refused } = await setup();
    const read = () => {
      throw new BusError("json-malformed", "broken");
    };
    await refused({ read });
    expect(await tell()).toMatchObject({ kind: "accepted", duplicate: false });
  });
});

describe("steps", () => {
  it("that drop leave a row with the reason and publish nothing", async () => {
    const { tell, rows, journal, sent, clock } = await setup({}, { steps: [step(() => ({ kind: "drop", reason: "not for us" }))] });
    expect(await tell()).toMatchObject({ kind: "accepted", position: 1 });
    await clock.advance(1000);
    expect([rows(), journal.records[0]?.detail, sent]).toEqual([["dropped dropped"], "not for us", []]);
  });

  it("that answer say that the message was handled before", async () => {
    const { refused } = await setup({}, { steps: [step(() => ({ kind: "answer", value: {} }))] });
    expect(await refused()).toMatchObject({ code: "duplicate-message", message: "message `e-1` was handled before" });
  });

  it("that split accept all parts in one durable write or none", async () => {
    const parts = step((message: Message) => ({
      kind: "many",
      messages: [1, 2, 3].map((n) => ({ envelope: { ...message.envelope, id: `${message.envelope.id}/${n}` }, value: { n } })),
    }));
    const { tell, refused, journal, sent, clock } = await setup({}, { steps: [parts], branches: ONE });
    journal.failWith(new Error("disk full"));
    await refused();
    expect(journal.records).toEqual([]);
    journal.failWith(undefined);
    let appends = 0;
    const append = journal.append.bind(journal);
    Object.assign(journal, { append: (records: Parameters<typeof append>[0]) => (appends++, append(records)) });
    await tell();
    expect([appends, journal.records.filter(({ step: name }) => name === "accepted").length]).toEqual([1, 3]);
    await clock.advance(1000);
    expect(sent.map(({ message }) => message.envelope.id)).toEqual(["e-1/1", "e-1/2", "e-1/3"]);
  });

  it("that split make a repetition of the whole a repetition of each part", async () => {
    const parts = step((message: Message) => ({
      kind: "many",
      messages: [1, 2].map((n) => ({ envelope: { ...message.envelope, id: `${message.envelope.id}/${n}` }, value: { n } })),
    }));
    const { tell, sent, clock } = await setup({}, { steps: [parts], branches: ONE });
    await tell();
    expect(await tell()).toMatchObject({ duplicate: true });
    await clock.advance(1000);
    expect(sent).toHaveLength(2);
  });

  it("that throw refuse the message with their name", async () => {
    const { refused, rows } = await setup(
      {},
      {
        steps: [
          step(() => {
            throw new BusError("map-failed", "no such field", { step: "map" });
          }),
        ],
      },
    );
    expect(await refused()).toMatchObject({ code: "map-failed" });
    expect(rows()).toEqual(["refused failed map-failed"]);
  });
});

describe("the key", () => {
  it("is the contract's, unless the route orders by another", async () => {
    const { tell, journal } = await setup();
    await tell({}, { key: "k-1", n: 1 });
    expect(journal.records[0]?.envelope?.key).toBe("k-1");
    const order = ({ value }: Message) => String(value["n"]);
    const ordered = await setup({}, { branches: [branchOf({ name: "a", system: "taker/a", order })] });
    await ordered.tell({}, { key: "k-1", n: 7 });
    expect(ordered.journal.records[0]?.envelope?.key).toBe("7");
  });

  it("keeps the order of its messages at the subscriber, while a retry holds only its own key", async () => {
    const order = ({ value }: Message) => String(value["key"]);
    let failures = 2;
    const { tell, sent, clock } = await setup(
      {
        send: ({ value }) => {
          if (value["key"] === "k-1" && failures-- > 0) throw new BusError("endpoint-unreachable", "nobody is there");
          return undefined;
        },
      },
      { branches: [branchOf({ name: "a", system: "taker/a", order })] },
    );
    for (const [id, key] of [
      ["1", "k-1"],
      ["2", "k-2"],
      ["3", "k-1"],
      ["4", "k-2"],
    ] as const)
      await tell({ id }, { key });
    await clock.advance(100);
    expect(sent.map(({ message }) => message.envelope.id)).toEqual(["1", "2", "4"]);
    await clock.advance(60_000);
    expect(sent.map(({ message }) => message.envelope.id)).toEqual(["1", "2", "4", "1", "1", "3"]);
  });

  it("keeps the order of any messages of any keys, whichever attempts fail", async () => {
    const order = ({ value }: Message) => String(value["key"]);
    const message = fc.record({ key: fc.constantFrom("a", "b", "c"), failures: fc.nat(2) });
    await fc.assert(
      fc.asyncProperty(fc.array(message, { minLength: 1, maxLength: 8 }), async (messages) => {
        const left = messages.map(({ failures }) => failures);
        const done: number[] = [];
        const world = await setup(
          {
            send: ({ value }) => {
              const n = Number(value["n"]);
              if ((left[n] ?? 0) > 0) {
                left[n] = (left[n] ?? 0) - 1;
                throw new BusError("endpoint-unreachable", "nobody is there");
              }
              done.push(n);
              return undefined;
            },
          },
          { branches: [branchOf({ name: "a", system: "taker/a", order })] },
        );
        for (const [n, { key }] of messages.entries()) await world.tell({ id: `e-${n}` }, { key, n });
        await world.clock.advance(60_000);
        expect(done.toSorted((a, b) => a - b)).toEqual(messages.map((_, n) => n));
        for (const key of ["a", "b", "c"]) {
          const own = done.filter((n) => messages[n]?.key === key);
          expect(own).toEqual(own.toSorted((a, b) => a - b));
        }
      }),
      { numRuns: 20 },
    );
  });
});

describe("what a subscriber gets", () => {
  it("is the envelope that was accepted, for every branch the same", async () => {
    const { tell, sent, clock, journal } = await setup();
    await tell({ subject: "person", headers: { "x-case": "1" }, call: { reason: "file" } });
    await clock.advance(1000);
    const accepted = journal.records[0]?.envelope;
    for (const { message } of sent) {
      const { key: _, ...rest } = message.envelope;
      expect(rest).toMatchObject({ ...accepted, subject: "person", headers: { "x-case": "1" }, call: { reason: "file" } });
    }
  });

  it("stops with its grant, visibly, and begins again with a new one", async () => {
    const { bus, tell, rows, sent, clock } = await setup({}, { branches: ONE });
    const route = changed({ branches: ONE });
    await bus.apply(
      setOf(
        [route],
        GRANTS.filter(({ system }) => system !== "taker/a"),
      ),
    );
    await tell();
    await clock.advance(1000);
    expect(rows().at(-1)).toBe("deadletter dead a grant-missing");
    await bus.apply(setOf([route], GRANTS));
    await tell({ id: "e-2" });
    await clock.advance(1000);
    expect(sent.map(({ message }) => message.envelope.id)).toEqual(["e-2"]);
  });
});
