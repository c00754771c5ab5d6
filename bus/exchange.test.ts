/** Queries: both records are durable before the answer leaves, whatever the provider, the journal or the clock does. */
import { afterEach, describe, expect, it } from "vitest";
import { branchOf, contractOf } from "#test/harness/route.ts";
import { GRANTS, grantOf, inboundOf, lookup, openBusWorld, setOf, type BusWorld, type BusWorldOptions } from "#test/harness/bus-world.ts";
import { compileType } from "./contract/avro.ts";
import type { Message } from "./envelope.ts";
import { asBusError, BusError } from "./errors.ts";
import { digestOf } from "./ids.ts";
import type { Inbound } from "./ports.ts";
import type { Route } from "./route/runtime.ts";

const open: BusWorld[] = [];
afterEach(async () => {
  await Promise.all(open.splice(0).map(({ bus }) => bus.close()));
});

async function setup(options: BusWorldOptions = {}, route: Partial<Route> = {}) {
  const world = await openBusWorld({ set: setOf([lookup(route)], GRANTS), ...options });
  open.push(world);
  const ask = (over: Partial<Inbound> = {}, value: Record<string, unknown> = { n: 1 }) =>
    world.bus.accept(inboundOf("lookup", "asker/one", value, { id: "q-1", ...over }));
  const refused = (over: Partial<Inbound> = {}) =>
    ask(over).then(
      () => "it was answered",
      (thrown: unknown) => asBusError(thrown),
    );
  return { ...world, ask, refused };
}

/** A promise and the hand that settles it. */
function gate<T>(): { promise: Promise<T>; open: (value: T) => void } {
  const { promise, resolve } = Promise.withResolvers<T>();
  return { promise, open: resolve };
}

describe("the answer of a query", () => {
  it("names message, exchange and the position of its own record", async () => {
    const { ask, journal } = await setup();
    const outcome = await ask({ correlationId: "case-9" });
    expect(outcome).toEqual({ kind: "reply", id: "q-1", correlationId: "case-9", value: { ok: true }, position: 2 });
    expect(journal.records[1]).toMatchObject({ position: 2, step: "replied", id: "q-1", correlationId: "case-9" });
  });

  it("waits for the request's record, though the provider was faster", async () => {
    const { ask, journal } = await setup();
    const gated = gate<void>();
    const append = journal.append.bind(journal);
    let calls = 0;
    Object.assign(journal, {
      append: async (records: Parameters<typeof append>[0]) => {
        if (++calls === 1) await gated.promise;
        return append(records);
      },
    });
    let answered = false;
    const asked = ask().finally(() => (answered = true));
    await new Promise((resolve) => setImmediate(() => setImmediate(resolve)));
    expect([calls, answered]).toEqual([2, false]);
    gated.open();
    await asked;
    expect(journal.records.map(({ step }) => step).toSorted()).toEqual(["accepted", "replied"]);
  });

  it("waits for its own record", async () => {
    const { ask, journal } = await setup();
    const gated = gate<void>();
    const append = journal.append.bind(journal);
    Object.assign(journal, {
      append: async (records: Parameters<typeof append>[0]) => {
        if (records[0]?.step === "replied") await gated.promise;
        return append(records);
      },
    });
    let answered = false;
    const asked = ask().finally(() => (answered = true));
    await new Promise((resolve) => setImmediate(() => setImmediate(resolve)));
    expect(answered).toBe(false);
    gated.open();
    expect((await asked).position).toBe(2);
  });

  it.each(["accepted", "replied"])("never leaves when the record `%s` cannot be written", async (step) => {
    const { refused, journal } = await setup();
    const append = journal.append.bind(journal);
    Object.assign(journal, {
      append: (records: Parameters<typeof append>[0]) =>
        records[0]?.step === step ? Promise.reject(new BusError("journal-failed", "disk full")) : append(records),
    });
    expect(await refused()).toMatchObject({ code: "journal-failed" });
  });

  it("is cut to what the grant lets its holder see, in the answer and in the journal alike", async () => {
    const text = JSON.stringify({
      type: "record",
      name: "Reply",
      fields: [
        { name: "surname", type: ["null", "string"], default: null },
        { name: "health", type: ["null", "string"], default: null },
      ],
    });
    const reply = compileType({ id: "person.response.v1", schemaText: text, schemaId: 9 });
    const contract = { ...contractOf("query", "person.request.v1"), reply };
    const grants = [
      grantOf("asker/one", "consumer", "person.request.v1", { allow: ["surname"] }),
      grantOf("asker/two", "consumer", "person.request.v1"),
    ];
    const { ask, journal } = await setup({
      set: setOf([lookup({ contract, reply })], grants),
      send: () => ({ surname: "Rusu", health: "secret" }),
    });
    expect(await ask()).toMatchObject({ value: { surname: "Rusu", health: null } });
    const kept = journal.records.find(({ step }) => step === "replied")?.envelope?.body ?? new Uint8Array(0);
    expect(reply.decode(kept)).toEqual({ surname: "Rusu", health: null });
    expect(Buffer.from(kept).toString("latin1")).not.toContain("secret");
    expect(await ask({ system: "asker/two", id: "q-2" })).toMatchObject({ value: { surname: "Rusu", health: "secret" } });
  });

  it("that does not fit its contract is the provider's fault and is not passed on", async () => {
    const text = JSON.stringify({ type: "record", name: "Reply", fields: [{ name: "age", type: "int" }] });
    const reply = compileType({ id: "person.response.v1", schemaText: text, schemaId: 9 });
    const { refused, rows } = await setup({}, { contract: { ...contractOf("query", "person.request.v1"), reply }, reply });
    expect(await refused()).toMatchObject({ code: "avro-violation" });
    expect(rows()).toEqual(["accepted ok", "refused failed avro-violation"]);
  });

  it("that is missing is said to be", async () => {
    const { refused, rows } = await setup({ send: () => undefined });
    expect(await refused()).toMatchObject({
      code: "provider-reply-invalid",
      message: "the provider of `lookup` answered without a reply",
    });
    expect(rows()).toEqual(["accepted ok", "refused failed provider-reply-invalid"]);
  });

  it("in the contract's shape passes the source's maps by", async () => {
    const map = () => ({ mapped: true });
    const { ask, sent } = await setup(
      {},
      {
        sources: [{ name: "in", system: undefined, binding: { kind: "http", options: {} }, in: map, out: map, schedule: undefined }],
      },
    );
    expect(await ask({ shape: "contract" }, { n: 7 })).toMatchObject({ value: { ok: true } });
    expect(sent[0]?.message.value).toEqual({ n: 7 });
    expect(await ask({ id: "q-2" })).toMatchObject({ value: { mapped: true } });
  });
});

describe("the records of a query", () => {
  it("hold digests of what was asked and answered, and who did", async () => {
    const { ask, journal } = await setup({ send: () => ({ name: "Rusu" }) });
    await ask();
    const [accepted, replied] = journal.records;
    const digest = (value: unknown): string => digestOf(new TextEncoder().encode(JSON.stringify(value)));
    expect(accepted).toMatchObject({ system: "asker/one", grant: "asker/one consumer person.request.v1", digest: digest({ n: 1 }) });
    expect(replied).toMatchObject({ target: "provider/one", attempt: 1, elapsed: 0, digest: digest({ name: "Rusu" }) });
    expect(replied?.envelope).toMatchObject({ causationId: "q-1", source: "provider/one", contract: "person.request-reply.v1" });
  });

  it.each(["hash", "none"] as const)("keep no payload where the route says `%s`", async (payload) => {
    const { ask, journal } = await setup({}, { journal: { payload, keep: 1, index: () => ({}) } });
    await ask();
    expect(journal.records.map(({ envelope, digest }) => [envelope, typeof digest])).toEqual([
      [undefined, "string"],
      [undefined, "string"],
    ]);
  });

  it("hold one row for each attempt that failed, with its reason", async () => {
    let calls = 0;
    const { ask, rows, clock } = await setup({
      send: () => {
        if (++calls < 3) throw new BusError("endpoint-unreachable", "nobody is there");
        return { ok: true };
      },
    });
    expect(await clock.until(ask())).toMatchObject({ kind: "reply" });
    expect(rows()).toEqual([
      "accepted ok",
      "attempt failed to endpoint-unreachable",
      "attempt failed to endpoint-unreachable",
      "replied ok",
    ]);
  });
});

describe("a query that fails", () => {
  it("leaves one refusal, after the record that it was accepted", async () => {
    const { refused, rows, journal } = await setup({
      send: () => {
        throw new BusError("provider-fault", "no such person", { providerCode: "NoPerson" });
      },
    });
    expect(await refused()).toMatchObject({ code: "provider-fault", providerCode: "NoPerson" });
    expect(rows()).toEqual(["accepted ok", "attempt failed to provider-fault", "refused failed provider-fault"]);
    expect(journal.records.at(-1)).toMatchObject({ id: "q-1", detail: "no such person", errorClass: "provider-fault" });
  });

  it.each([
    ["a system that nobody registered", { system: "no/body" }, "refused denied system-unknown"],
    ["a caller without a name", { system: undefined }, "refused denied system-missing"],
    ["a system without a grant", { system: "taker/a" }, "refused denied grant-missing"],
    ["a door that is none", { from: "window" }, "refused failed contract-unknown"],
    ["a route that is none", { route: "nowhere" }, "refused failed contract-unknown"],
    ["a call context of a wrong form", { call: { user: "12" } }, "refused failed call-context-invalid"],
  ] as const)("because of %s leaves its row and reaches no provider", async (_, over, row) => {
    const { refused, rows, sent } = await setup();
    expect(await refused(over)).toBeInstanceOf(BusError);
    expect(rows()).toEqual([row]);
    expect(sent).toEqual([]);
  });

  it("keeps the bytes of a message that breaks its contract, and of no other refusal", async () => {
    const { refused, journal } = await setup();
    const bytes = new TextEncoder().encode("<broken>");
    const read = () => {
      throw new BusError("xml-malformed", "line 1");
    };
    await refused({ bytes, read });
    await refused({ bytes, system: "taker/a" });
    await refused({ bytes: new Uint8Array(64 * 1024 + 1), read });
    expect(journal.records.map(({ original, digest }) => [original?.length, typeof digest])).toEqual([
      [8, "string"],
      [undefined, "string"],
      [undefined, "string"],
    ]);
  });

  it("is not told to the sender before its row is durable", async () => {
    const { refused, journal } = await setup();
    journal.failWith(new Error("disk full"));
    expect(await refused({ system: "taker/a" })).toMatchObject({ code: "journal-failed" });
  });

  it("is answered with its rule's reply, and the journal says that the caller got one", async () => {
    const branch = branchOf({
      system: "provider/one",
      failures: [
        { on: ["provider-fault"], code: "NoPerson", do: "reply", with: { found: false } },
        { on: undefined, do: "reject" },
      ],
    });
    let code = "NoPerson";
    const { ask, refused, rows } = await setup(
      {
        send: () => {
          throw new BusError("provider-fault", "no", { providerCode: code });
        },
      },
      { branches: [branch] },
    );
    expect(await ask()).toMatchObject({ kind: "reply", value: { found: false } });
    code = "Other";
    expect(await refused({ id: "q-2" })).toMatchObject({ providerCode: "Other" });
    expect(rows().filter((row) => row.startsWith("replied"))).toHaveLength(1);
  });

  it("because its steps dropped it says that no provider was asked", async () => {
    const step = { name: "filter", place: "r.yaml:1", run: () => ({ kind: "drop", reason: "no" }) as const };
    const { refused, sent } = await setup({}, { steps: [step] });
    expect(await refused()).toMatchObject({ code: "rejected-by-step", message: "route `lookup` ended without asking a provider" });
    expect(sent).toEqual([]);
  });

  it("keeps to its deadline, and the sender's shorter one", async () => {
    const never = () => new Promise<undefined>(() => undefined);
    const { bus, clock } = await setup({ send: never });
    const asked = bus.accept(inboundOf("lookup", "asker/one", { n: 1 }, { waits: 3000 })).catch((thrown: unknown) => asBusError(thrown));
    const began = clock.now();
    expect(await clock.until(asked)).toMatchObject({ class: expect.stringMatching(/timeout|expired/u) });
    expect(clock.now() - began).toBeLessThanOrEqual(3000);
  });
});

describe("what reaches the provider", () => {
  it("is what the steps made, sealed, with a trace of its own", async () => {
    const step = {
      name: "map",
      place: "r.yaml:1",
      run: ({ envelope }: Message) => ({ kind: "next", message: { envelope, value: { made: true } } }) as const,
    };
    const { ask, sent } = await setup({}, { steps: [step] });
    await ask({ traceparent: `00-${"a".repeat(32)}-${"b".repeat(16)}-01` });
    const message = sent[0]?.message;
    expect(message?.value).toEqual({ made: true });
    expect(new TextDecoder().decode(message?.envelope.body)).toBe('{"made":true}');
    expect(message?.envelope.traceparent).toMatch(new RegExp(`^00-${"a".repeat(32)}-[0-9a-f]{16}-01$`, "u"));
    expect(message?.envelope.traceparent).not.toContain("b".repeat(16));
  });

  it("is not sent when a step answers", async () => {
    const step = { name: "dedupe", place: "r.yaml:1", run: () => ({ kind: "answer", value: { first: true } }) as const };
    const { ask, sent, journal } = await setup({}, { steps: [step] });
    expect(await ask()).toMatchObject({ kind: "reply", value: { first: true } });
    expect(sent).toEqual([]);
    expect(journal.records.map(({ step: name, target }) => [name, target])).toEqual([
      ["accepted", undefined],
      ["replied", undefined],
    ]);
  });
});
