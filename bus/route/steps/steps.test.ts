import { describe, expect, it } from "vitest";
import { compileType } from "../../contract/avro.ts";
import type { AvroRecord, Message } from "../../envelope.ts";
import { BusError } from "../../errors.ts";
import { Redeliver } from "../../ports.ts";
import type { PredicateDoc } from "../documents.ts";
import type { StepDoc } from "../documents-steps.ts";
import { parseMap } from "../map-read.ts";
import { compileMap } from "../map.ts";
import type { FirstReply, StepContext } from "../runtime.ts";
import { createVirtualClock, type VirtualClock } from "../testing/virtual-clock.ts";
import { runSteps, type StepsOutcome } from "./run.ts";
import { compileSteps, STEPS, type StepTools } from "./table.ts";

const path = ["steps", 0];
const when = (text: string): PredicateDoc => ({ language: "jsonata", text, namespaces: {}, path });
const field = (name: string) => ({ language: "path", field: name, path }) as const;

function message(value: AvroRecord = {}, id = "m-1"): Message {
  return {
    envelope: {
      id,
      source: "taxoffice/erp",
      type: "mbus.a.b.v1",
      time: 1_000,
      correlationId: "c-1",
      contract: "a.b.v1",
      call: { user: "2000000000001" },
      headers: { "case-number": "T-1" },
      body: new Uint8Array([1]),
    },
    value,
  };
}

type Tapped = { topic: string; fields: readonly string[] };
type World = StepContext & {
  clock: VirtualClock;
  taps: Tapped[];
  asked: AvroRecord[];
  replies: Map<string, FirstReply>;
  groups: Map<string, Message[]>;
};

function world(): World {
  const clock = createVirtualClock(1_000);
  const remembered = new Map<string, { value: string; until: number }>();
  const taps: Tapped[] = [];
  const asked: AvroRecord[] = [];
  const replies = new Map<string, FirstReply>();
  const groups = new Map<string, Message[]>();
  return {
    clock,
    taps,
    asked,
    replies,
    groups,
    signal: new AbortController().signal,
    route: "r",
    tap: (topic, _, fields) => taps.push({ topic, fields }),
    async ask(_, value) {
      asked.push(value);
      return { echoed: value, at: clock.now() };
    },
    async remember(key, window, value, instead) {
      const known = remembered.get(key);
      if (known !== undefined && known.until > clock.now() && known.value !== instead) return known.value;
      remembered.set(key, { value, until: clock.now() + window });
      return undefined;
    },
    firstReply: async ({ source, id }) => replies.get(`${source} ${id}`) ?? { kind: "running" },
    async gather(group, given, complete) {
      const all = [...(groups.get(group) ?? []), given];
      const full = all.length === complete.count || ((await complete.when?.(all)) ?? false);
      groups.set(group, full ? [] : all);
      return full ? all : undefined;
    },
  };
}

const type = compileType({
  id: "a.b.v1",
  schemaId: 1,
  schemaText: JSON.stringify({ type: "record", name: "B", fields: [{ name: "a", type: "string" }] }),
});

const tools: StepTools = {
  pattern: "command",
  place: (at) => `routes/r.yaml:${at.length}`,
  map(file) {
    const { map } = parseMap(file, file === "slow.yaml" ? 'map: { b: { jsonata: "$sum(a)" } }' : "map: { b: a }");
    if (map === undefined) throw new Error("no map");
    return compileMap(map);
  },
  type(id) {
    if (id === type.id) return type;
    throw new BusError("contract-unknown", id);
  },
  xmlToJson: (text) => ({ parsed: text }),
};

const run = async (
  docs: readonly StepDoc[],
  given: Message,
  context: StepContext = world(),
  pattern = tools.pattern,
): Promise<StepsOutcome> => runSteps(compileSteps(docs, { ...tools, pattern }), given, context);

async function valueAfter(docs: readonly StepDoc[], value: AvroRecord, context: StepContext = world()): Promise<AvroRecord | undefined> {
  const outcome = await run(docs, message(value), context);
  return outcome.kind === "next" ? outcome.messages[0]?.value : undefined;
}

async function failure(work: Promise<unknown>): Promise<BusError> {
  const error: unknown = await work.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  if (error instanceof BusError) return error;
  throw new Error(`no BusError: ${String(error)}`);
}

const reject = (code: string): StepDoc => ({ kind: "reject", path, code, reason: `no: ${code}` });
const mapStep: StepDoc = { kind: "map", path, map: "fast.yaml" };
const filter = (text: string): StepDoc => ({ kind: "filter", path, when: when(text), onDrop: "journal" });

describe("running steps", () => {
  it("is synchronous while its steps are", () => {
    const outcome = runSteps(compileSteps([filter("a = 1"), mapStep], tools), message({ a: 1 }), world());
    expect(outcome).not.toBeInstanceOf(Promise);
    expect(outcome).toMatchObject({ kind: "next", messages: [{ value: { b: 1 } }] });
  });

  it("goes on after a step that took its time", async () => {
    expect(
      await valueAfter([{ ...mapStep, map: "slow.yaml" }, filter("b = 3"), { kind: "map", path, map: "fast.yaml" }], { a: [1, 2] }),
    ).toEqual({});
  });

  it("passes the very same message on when no step changes it", async () => {
    const given = message({ a: 1 });
    const outcome = await run([filter("true"), { kind: "tap", path, topic: "t", fields: [] }], given);
    expect(outcome.kind === "next" && outcome.messages[0]).toBe(given);
  });

  it("names the step and its place in a failure, and keeps code and reasons", async () => {
    const error = await failure(run([filter("true"), reject("bad-code")], message()));
    expect([error.code, error.message, error.step, error.providerCode]).toEqual([
      "rejected-by-step",
      "no: bad-code",
      "reject (routes/r.yaml:2)",
      "bad-code",
    ]);
  });

  it("turns a thrown thing that is no BusError into one", async () => {
    const broken = {
      name: "broken",
      place: "x:1",
      run: () => {
        throw new TypeError("oops");
      },
    };
    expect((await failure((async () => runSteps([broken], message(), world()))())).code).toBe("unexpected");
  });
});

describe("choose", () => {
  const choose = (text: string): StepDoc => ({
    kind: "choose",
    path,
    cases: [
      { when: when(text), steps: [mapStep], path },
      { when: when("a = 'bad'"), steps: [reject("bad")], path },
    ],
    otherwise: [filter("false")],
  });

  it.each(["a = 'x'", "$sum([1]) = 1 and a = 'x'"])("takes the first case that is true (%s)", async (text) => {
    expect(await valueAfter([choose(text)], { a: "x" })).toEqual({ b: "x" });
    expect((await failure(run([choose(text)], message({ a: "bad" })))).providerCode).toBe("bad");
    expect((await run([choose(text)], message({ a: "y" }))).kind).toBe("drop");
  });

  it("passes on what a split inside it gave", async () => {
    const split: StepDoc = { kind: "split", path, by: { language: "jsonata", text: "items", namespaces: {}, path }, stream: false };
    const doc: StepDoc = { kind: "choose", path, cases: [{ when: when("true"), steps: [split], path }], otherwise: [] };
    const outcome = await run([doc, mapStep], message({ items: [{ a: 1 }, { a: 2 }] }));
    expect(outcome.kind === "next" && outcome.messages.map((one) => one.value)).toEqual([{ b: 1 }, { b: 2 }]);
  });
});

describe("filter", () => {
  it("drops with the place as the reason", async () => {
    expect(await run([filter("a > 1")], message({ a: 1 }))).toEqual({
      kind: "drop",
      reason: "the filter at routes/r.yaml:2 let it not through",
    });
    expect((await run([filter("$sum([a]) > 1")], message({ a: 2 }))).kind).toBe("next");
  });

  it.each([
    [{ equals: "x" }, "x", "y"],
    [{ equals: 5 }, 5n, 6n],
    [{ notEquals: "x" }, "y", "x"],
    [{ in: ["x", 1] }, 1, 2],
    [{ exists: true }, "x", null],
    [{ exists: false }, null, "x"],
    [{ matches: "[0-9]{3}" }, "123", "1234"],
    [{ matches: "a|b" }, "a", "ab"],
    [{ equals: true }, true, "true"],
  ])("tests a field: %j", async (test, yes, no) => {
    const doc: StepDoc = { kind: "filter", path, when: { language: "field", field: "a.b", path, ...test }, onDrop: "journal" };
    expect((await run([doc], message({ a: { b: yes } }))).kind).toBe("next");
    expect((await run([doc], message({ a: { b: no } }))).kind).toBe("drop");
  });

  it("tests headers, call context and facts of the message", async () => {
    const test = (name: string, value: string): StepDoc => ({
      kind: "filter",
      path,
      when: { language: "field", field: name, path, equals: value },
      onDrop: "journal",
    });
    const all = [
      test("headers.Case-Number", "T-1"),
      test("call.user", "2000000000001"),
      test("$id", "m-1"),
      test("$source", "taxoffice/erp"),
    ];
    expect((await run(all, message())).kind).toBe("next");
  });

  it("refuses xpath, a broken pattern and a fact that is none", () => {
    const build = (doc: PredicateDoc) => () => compileSteps([{ kind: "filter", path, when: doc, onDrop: "journal" }], tools);
    expect(build({ language: "xpath", text: "/a", namespaces: {}, path })).toThrow(/not the XML/);
    expect(build({ language: "field", field: "a", matches: "(", path })).toThrow(/no regular expression/);
    expect(build({ language: "field", field: "$nope", exists: true, path })).toThrow(/a message has \$id/);
  });
});

describe("map and validate", () => {
  it("checks the value against a contract's type", async () => {
    const validate: StepDoc = { kind: "validate", path, contract: "a.b.v1" };
    expect((await run([validate], message({ a: "x" }))).kind).toBe("next");
    const error = await failure(run([validate], message({ a: 5 })));
    expect([error.code, error.places[0]?.path]).toEqual(["avro-violation", "a"]);
  });

  it("leaves an XSD to the source", () => {
    expect(() => compileSteps([{ kind: "validate", path, xsd: "x.xsd" }], tools)).toThrow(/where XML comes in/);
  });
});

describe("tap", () => {
  it("hands the allowed fields to the side and changes nothing", async () => {
    const context = world();
    expect(await valueAfter([{ kind: "tap", path, topic: "audit.v1", fields: ["a"] }], { a: 1, b: 2 }, context)).toEqual({ a: 1, b: 2 });
    expect(context.taps).toEqual([{ topic: "audit.v1", fields: ["a"] }]);
  });
});

describe("dedupe", () => {
  const dedupe = (onDuplicate: "drop" | "fault" | "return-first-reply"): StepDoc => ({
    kind: "dedupe",
    path,
    key: field("headers.case-number"),
    window: 100,
    onDuplicate,
  });

  it("lets the first through, drops the second within the window, and forgets after it", async () => {
    const context = world();
    expect((await run([dedupe("drop")], message({}, "m-1"), context)).kind).toBe("next");
    const second = await run([dedupe("drop")], message({}, "m-2"), context);
    expect(second.kind === "drop" && second.reason).toContain("first: m-1");
    await context.clock.advance(101);
    expect((await run([dedupe("drop")], message({}, "m-3"), context)).kind).toBe("next");
  });

  it("knows a redelivery of the same message", async () => {
    const context = world();
    await run([dedupe("fault")], message({}, "m-1"), context);
    expect((await run([dedupe("fault")], message({}, "m-1"), context)).kind).toBe("next");
  });

  it("takes the message's own id as the key", async () => {
    const doc: StepDoc = { kind: "dedupe", path, key: field("$id"), window: 100, onDuplicate: "fault" };
    const context = world();
    const keys: string[] = [];
    const spied = {
      ...context,
      remember: (key: string, window: number, value: string) => (keys.push(key), context.remember(key, window, value)),
    };
    await run([doc], message({ $id: "a field is no fact" }, "m-1"), spied);
    expect(keys).toEqual(["dedupe taxoffice/erp m-1"]);
  });

  it("refuses without a time to come again", async () => {
    const context = world();
    await run([dedupe("fault")], message({}, "m-1"), context);
    const refused = await failure(run([dedupe("fault")], message({}, "m-2"), context));
    expect([refused.code, refused.retryAfter]).toEqual(["duplicate-message", undefined]);
  });

  describe("return-first-reply", () => {
    const again = dedupe("return-first-reply");
    const first = "taxoffice/erp m-1";

    it("gives the first reply, tells to come again while there is none, and says why there never will be one", async () => {
      const context = world();
      expect((await run([again], message({}, "m-1"), context)).kind).toBe("next");
      const early = await failure(run([again], message({}, "m-2"), context));
      expect([early.code, early.retryAfter, early.message.endsWith("not there yet, ask again")]).toEqual([
        "duplicate-message",
        1_000,
        true,
      ]);
      context.replies.set(first, { kind: "replied", value: { status: "found" } });
      expect(await run([again], message({}, "m-2"), context)).toEqual({ kind: "answer", value: { status: "found" } });
      context.replies.set(first, { kind: "refused", reason: "it failed: no such person" });
      const never = await failure(run([again], message({}, "m-2"), context));
      expect([never.code, never.retryAfter]).toEqual(["duplicate-message", undefined]);
      expect(never.message).toContain("its reply cannot be given: it failed: no such person");
    });

    it("lets one of those that come after a first without effect take its place", async () => {
      const context = world();
      await run([again], message({}, "m-1"), context);
      context.replies.set(first, { kind: "free" });
      expect((await run([again], message({}, "m-2"), context)).kind).toBe("next");
      expect((await failure(run([again], message({}, "m-3"), context))).message).toContain("first: m-2");
    });

    it("never gives one sender the reply of another that used the same key", async () => {
      const context = world();
      await run([again], message({}, "m-1"), context);
      context.replies.set(first, { kind: "replied", value: { status: "found" } });
      const other = message({}, "m-1");
      const stranger = { ...other, envelope: { ...other.envelope, source: "benefits/core" } };
      expect((await run([again], stranger, context)).kind).toBe("next");
    });

    it("answers a query that its client repeats under the same id; a command goes on until it has its reply", async () => {
      const context = world();
      await run([again], message({}, "m-1"), context, "query");
      expect((await failure(run([again], message({}, "m-1"), context, "query"))).retryAfter).toBe(1_000);
      expect((await run([again], message({}, "m-1"), context, "command")).kind).toBe("next");
      context.replies.set(first, { kind: "replied", value: { status: "found" } });
      for (const pattern of ["query", "command"] as const)
        expect(await run([again], message({}, "m-1"), context, pattern)).toEqual({ kind: "answer", value: { status: "found" } });
    });

    it("does not answer a message that an operator sends again", async () => {
      const context = world();
      await run([again], message({}, "m-1"), context);
      context.replies.set(first, { kind: "replied", value: { status: "found" } });
      const plain = message({}, "m-1");
      const sent = { ...plain, envelope: { ...plain.envelope, headers: { ...plain.envelope.headers, "mbus-replay": "job-1" } } };
      expect((await run([again], sent, context)).kind).toBe("next");
    });
  });

  it("meets a query that its client repeats under the same id, unless the first one failed", async () => {
    for (const mode of ["fault", "drop"] as const) {
      const context = world();
      expect((await run([dedupe(mode)], message({}, "m-1"), context, "query")).kind).toBe("next");
      const second = await run([dedupe(mode)], message({}, "m-1"), context, "query").catch((error: unknown) => error);
      expect(second).toMatchObject(mode === "fault" ? { code: "duplicate-message" } : { kind: "drop" });
      context.replies.set("taxoffice/erp m-1", { kind: "free" });
      expect((await run([dedupe(mode)], message({}, "m-1"), context, "query")).kind).toBe("next");
    }
  });

  it("takes a key by expression, and lets a message without the key through", async () => {
    const doc: StepDoc = {
      kind: "dedupe",
      path,
      key: { language: "jsonata", text: "a ? a & ':' & b : null", namespaces: {}, path },
      window: 100,
      onDuplicate: "fault",
    };
    const context = world();
    await run([doc], message({ a: 1, b: 2 }, "m-1"), context);
    expect((await failure(run([doc], message({ a: 1, b: 2 }, "m-2"), context))).code).toBe("duplicate-message");
    expect((await run([doc], message({ a: 1, b: 3 }, "m-3"), context)).kind).toBe("next");
    expect((await run([doc], message({}, "m-4"), context)).kind).toBe("next");
    expect((await run([doc], message({}, "m-5"), context)).kind).toBe("next");
  });
});

describe("split", () => {
  const split = (text: string): StepDoc => ({
    kind: "split",
    path,
    by: { language: "jsonata", text, namespaces: {}, path },
    stream: false,
  });

  it("makes a message of each part, with child ids and the whole as cause", async () => {
    const outcome = await run([split("items"), filter("a != 2")], message({ items: [{ a: 1 }, { a: 2 }, { a: 3 }] }));
    expect(outcome.kind === "next" && outcome.messages.map(({ envelope, value }) => [envelope.id, envelope.causationId, value])).toEqual([
      ["m-1/1", "m-1", { a: 1 }],
      ["m-1/3", "m-1", { a: 3 }],
    ]);
  });

  it("takes one part as one, and nothing as a drop", async () => {
    const one = await run([split("items[a = 1]")], message({ items: [{ a: 1 }, { a: 2 }] }));
    expect(one.kind === "next" && one.messages.length).toBe(1);
    expect((await run([split("items")], message())).kind).toBe("drop");
  });

  it("refuses parts that are no records, and too many", async () => {
    expect((await failure(run([split("items")], message({ items: [1] })))).message).toContain("part 1 is no record");
    expect((await failure(run([split("items")], message({ items: Array.from({ length: 10_001 }, () => ({})) })))).code).toBe(
      "message-too-large",
    );
  });
});

describe("aggregate", () => {
  const aggregate = (complete: Extract<StepDoc, { kind: "aggregate" }>["complete"]): StepDoc => ({
    kind: "aggregate",
    path,
    correlate: field("group"),
    complete,
  });

  it("waits for the rest, then goes on as one", async () => {
    const context = world();
    const docs = [aggregate({ count: 2, timeout: 1_000 })];
    expect(await run(docs, message({ group: "g", n: 1 }, "m-1"), context)).toEqual({
      kind: "drop",
      reason: "it waits for the rest of group g",
    });
    const outcome = await run(docs, message({ group: "g", n: 2 }, "m-2"), context);
    expect(outcome.kind === "next" && outcome.messages[0]).toMatchObject({
      envelope: { id: "m-2/all", causationId: "m-2" },
      value: {
        key: "g",
        count: 2,
        items: [
          { group: "g", n: 1 },
          { group: "g", n: 2 },
        ],
      },
    });
  });

  it("is complete by condition over the whole", async () => {
    const context = world();
    const docs = [aggregate({ timeout: 1_000, when: when("$count(items[last = true]) > 0") })];
    expect((await run(docs, message({ group: "g", last: false }), context)).kind).toBe("drop");
    expect((await run(docs, message({ group: "g", last: true }), context)).kind).toBe("next");
  });

  it("needs a value to correlate by", async () => {
    expect((await failure(run([aggregate({ count: 2, timeout: 1 })], message()))).message).toContain("no value to correlate by");
  });
});

describe("delay", () => {
  it("asks for redelivery until its time has come, counted from acceptance", async () => {
    const context = world();
    await context.clock.advance(400);
    const work = run([{ kind: "delay", path, for: 1_000 }], message(), context);
    await expect(work).rejects.toMatchObject({ name: "Redeliver", after: 600, sameAttempt: true });
    await expect(work).rejects.toBeInstanceOf(Redeliver);
    await context.clock.advance(600);
    expect((await run([{ kind: "delay", path, for: 1_000 }], message(), context)).kind).toBe("next");
  });

  it("waits until a moment of the message", async () => {
    const until: StepDoc = { kind: "delay", path, until: { language: "jsonata", text: "at", namespaces: {}, path } };
    await expect(run([until], message({ at: "1970-01-01T00:00:03.000Z" }))).rejects.toMatchObject({ after: 2_000 });
    expect((await run([until], message())).kind).toBe("next");
    expect((await failure(run([until], message({ at: "soon" })))).code).toBe("expression-failed");
  });
});

describe("enrich", () => {
  const enrich = (extra: object): StepDoc => ({ kind: "enrich", path, contract: "x.y.v1", into: "extra.person", ...extra });

  it("asks with the mapped question and puts the answer at its path, leaving the message as it was", async () => {
    const context = world();
    const given = message({ a: 1, extra: { kept: true } });
    const outcome = await run([enrich({ input: { map: "fast.yaml" } })], given, context);
    expect(outcome.kind === "next" && outcome.messages[0]?.value).toEqual({
      a: 1,
      extra: { kept: true, person: { echoed: { b: 1 }, at: 1_000 } },
    });
    expect(given.value).toEqual({ a: 1, extra: { kept: true } });
  });

  it("serves an answer again while it is fresh, but never to another sender", async () => {
    const context = world();
    const [step] = compileSteps([enrich({ cache: 500 })], tools);
    if (step === undefined) throw new Error("no step");
    const ask = async (source: string): Promise<number> => {
      await step.run({ ...message({ a: 1 }), envelope: { ...message().envelope, source } }, context);
      return context.asked.length;
    };
    expect(await ask("a/x")).toBe(1);
    expect(await ask("a/x")).toBe(1);
    expect(await ask("b/y")).toBe(2);
    await context.clock.advance(501);
    expect(await ask("a/x")).toBe(3);
  });

  it("keeps a bounded number of answers", async () => {
    const context = world();
    const [step] = compileSteps([enrich({ cache: 1_000_000 })], tools);
    for (let n = 0; n <= 1_000; n++) await step?.run(message({ n }), context);
    await step?.run(message({ n: 1_000 }), context);
    expect(context.asked.length).toBe(1_001);
    await step?.run(message({ n: 0 }), context);
    expect(context.asked.length).toBe(1_002);
  });
});

describe("xml-to-json", () => {
  it("replaces the text, or puts the result elsewhere", async () => {
    expect(await valueAfter([{ kind: "xml-to-json", path }], { xml: "<a/>" })).toEqual({ xml: { parsed: "<a/>" } });
    expect(await valueAfter([{ kind: "xml-to-json", path, from: "t", into: "r.x" }], { t: "<a/>" })).toEqual({
      t: "<a/>",
      r: { x: { parsed: "<a/>" } },
    });
    expect((await failure(run([{ kind: "xml-to-json", path }], message()))).code).toBe("map-failed");
  });

  it.each([
    ["<a>", "xml-malformed"],
    ["<!DOCTYPE a [<!ENTITY b 'c'>]><a>&b;</a>", "xml-forbidden"],
    ["<?run it?><a/>", "xml-forbidden"],
    [`${"<a>".repeat(5_000)}${"</a>".repeat(5_000)}`, "xml-limit"],
    ["<a/><b/>", "xml-malformed"],
  ])("lets nothing but well-formed, bounded XML through to the converter: %.30s", async (xml, code) => {
    expect((await failure(run([{ kind: "xml-to-json", path }], message({ xml })))).code).toBe(code);
  });

  it("is not offered where nothing converts", () => {
    expect(() => compileSteps([{ kind: "xml-to-json", path }], { ...tools, xmlToJson: undefined })).toThrow(/not offered/);
  });
});

it("says of a list of steps whether a message must be durable before it", () => {
  const delay: StepDoc = { kind: "delay", path, for: 1 };
  const choose = (steps: readonly StepDoc[]): StepDoc => ({
    kind: "choose",
    path,
    cases: [{ when: when("true"), steps, path }],
    otherwise: [],
  });
  const aggregate: StepDoc = { kind: "aggregate", path, correlate: field("a"), complete: { timeout: 1 } };
  expect(
    compileSteps([delay, aggregate, choose([choose([delay])]), choose([mapStep]), mapStep], tools).map((step) => step.waits ?? false),
  ).toEqual([true, true, true, false, false]);
});

it("has a builder for every kind of step, and this file tests each", () => {
  expect(Object.keys(STEPS).sort()).toEqual([
    "aggregate",
    "choose",
    "dedupe",
    "delay",
    "enrich",
    "filter",
    "map",
    "reject",
    "split",
    "tap",
    "validate",
    "xml-to-json",
  ]);
});
