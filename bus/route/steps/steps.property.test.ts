/** What every step promises of any message: nothing is lost or made up, a failure stops it, and nothing is changed in place. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { messageOf } from "#test/harness/message.ts";
import { stepParts } from "#test/harness/step-parts.ts";
import type { AvroRecord, Message } from "../../envelope.ts";
import { BusError } from "../../errors.ts";
import { Redeliver } from "../../ports.ts";
import type { PredicateDoc } from "../documents.ts";
import type { StepDoc } from "../documents-steps.ts";
import type { Step, StepContext, StepResult } from "../runtime.ts";
import { createVirtualClock } from "../testing/virtual-clock.ts";
import { whole } from "./aggregate.ts";
import { put } from "./enrich.ts";
import { runSteps, type StepsOutcome } from "./run.ts";
import { compileSteps } from "./table.ts";

const path = ["steps", 0];
const when = (text: string): PredicateDoc => ({ language: "jsonata", text, namespaces: {}, path });
const steps = (...docs: readonly StepDoc[]): readonly Step[] => compileSteps(docs, stepParts("event"));
const split: StepDoc = { kind: "split", path, by: { language: "jsonata", text: "items", namespaces: {}, path }, stream: false };

type Noted = { taps: unknown[]; kept: Map<string, { value: string; until: number }> };

function contextOf(clock = createVirtualClock(0), noted: Noted = { taps: [], kept: new Map() }): StepContext {
  return {
    clock,
    signal: new AbortController().signal,
    route: "r",
    tap: (topic, message, fields) => void noted.taps.push([topic, message, fields]),
    ask: () => Promise.reject(new BusError("contract-unknown", "nobody is asked here")),
    firstReply: async () => ({ kind: "running" }),
    gather: () => Promise.reject(new BusError("unexpected", "nothing is gathered here")),
    async remember(key, window, value) {
      const known = noted.kept.get(key);
      if (known && known.until > clock.now()) return known.value;
      noted.kept.set(key, { value, until: clock.now() + window });
      return undefined;
    },
  };
}

async function outcomeOf(list: readonly Step[], message: Message, context = contextOf()): Promise<StepsOutcome | Error> {
  try {
    return await runSteps(list, message, context);
  } catch (thrown) {
    return thrown as Error;
  }
}
const messagesOf = (outcome: StepsOutcome | Error): readonly Message[] =>
  "kind" in outcome && outcome.kind === "next" ? outcome.messages : [];

const record = fc.record({ n: fc.integer({ min: -5, max: 5 }), text: fc.string({ maxLength: 5 }) });

describe("a split", () => {
  it("gives every item once, in order, under ids of its own, each caused by the whole", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(record, { minLength: 1, maxLength: 20 }), async (items) => {
        const message = messageOf({ items });
        const made = messagesOf(await outcomeOf(steps(split), message));
        expect(made.map(({ value }) => value)).toEqual(items);
        expect(new Set(made.map(({ envelope }) => envelope.id)).size).toBe(items.length);
        for (const { envelope } of made) expect([envelope.causationId, envelope.source]).toEqual(["m-1", message.envelope.source]);
        expect(message.value).toEqual({ items });
      }),
    );
  });

  it("and a filter after it lets exactly those through that fit", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(record, { maxLength: 20 }), fc.integer({ min: -5, max: 5 }), async (items, least) => {
        const filter: StepDoc = { kind: "filter", path, onDrop: "journal", when: when(`n >= ${least}`) };
        const outcome = await outcomeOf(steps(split, filter), messageOf({ items }));
        const wanted = items.filter(({ n }) => n >= least);
        expect(messagesOf(outcome).map(({ value }) => value)).toEqual(wanted);
        if (wanted.length === 0) expect(outcome).toMatchObject({ kind: "drop" });
      }),
    );
  });

  it("put together again holds the same items, in the same order", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(record, { minLength: 1, maxLength: 20 }), async (items) => {
        const made = messagesOf(await outcomeOf(steps(split), messageOf({ items })));
        const last = made.at(-1);
        if (last === undefined) throw new Error("nothing was made");
        expect(whole("g", made, last).value).toEqual({ key: "g", count: items.length, items });
      }),
    );
  });
});

describe("a choose", () => {
  const way = (name: string): StepDoc => ({ kind: "tap", path, topic: name, fields: ["n"] });

  it("takes exactly one way: the first whose condition holds, else the last", async () => {
    const bound = fc.integer({ min: -5, max: 5 });
    await fc.assert(
      fc.asyncProperty(fc.array(bound, { maxLength: 4 }), record, async (bounds, value) => {
        const noted: Noted = { taps: [], kept: new Map() };
        const cases = bounds.map((bound_, index) => ({ when: when(`n = ${bound_}`), steps: [way(`case ${index}`)], path }));
        const choose: StepDoc = { kind: "choose", path, cases, otherwise: [way("otherwise")] };
        const message = messageOf(value);
        const outcome = await outcomeOf(steps(choose), message, contextOf(undefined, noted));
        const first = bounds.indexOf(value.n);
        expect(noted.taps).toEqual([[first < 0 ? "otherwise" : `case ${first}`, message, ["n"]]]);
        expect(messagesOf(outcome)).toEqual([message]);
      }),
    );
  });

  it("takes the same way whether its conditions are answered at once or later", async () => {
    await fc.assert(
      fc.asyncProperty(record, async (value) => {
        const ways = async (condition: string) => {
          const noted: Noted = { taps: [], kept: new Map() };
          const cases = [{ when: when(condition), steps: [way("yes")], path }];
          await outcomeOf(steps({ kind: "choose", path, cases, otherwise: [way("no")] }), messageOf(value), contextOf(undefined, noted));
          return noted.taps.map((tapped) => (tapped as readonly unknown[])[0]);
        };
        // $sum is not of the fast kind, so the same question goes through JSONata itself
        expect(await ways("$sum([n]) > 0")).toEqual(await ways("n > 0"));
      }),
      { numRuns: 30 },
    );
  });
});

describe("a dedupe", () => {
  it("lets a key through once in its window, whatever came in between, and again after it", async () => {
    const seen = fc.record({ key: fc.constantFrom("a", "b", "c"), after: fc.integer({ min: 0, max: 700 }) });
    await fc.assert(
      fc.asyncProperty(fc.array(seen, { maxLength: 15 }), async (list) => {
        const clock = createVirtualClock(0);
        const context = contextOf(clock);
        const key = { language: "path", field: "key", path } as const;
        const dedupe = steps({ kind: "dedupe", path, key, window: 1_000, onDuplicate: "drop" });
        const until = new Map<string, number>();
        for (const [index, one] of list.entries()) {
          await clock.advance(one.after);
          const outcome = await outcomeOf(dedupe, messageOf({ key: one.key }, { id: `m-${index}` }), context);
          const free = (until.get(one.key) ?? 0) <= clock.now();
          expect("kind" in outcome && outcome.kind).toBe(free ? "next" : "drop");
          if (free) until.set(one.key, clock.now() + 1_000);
        }
      }),
      { numRuns: 40 },
    );
  });
});

describe("a delay", () => {
  const delayed = (text: string): readonly Step[] =>
    steps({ kind: "delay", path, until: { language: "jsonata", text, namespaces: {}, path } });

  it("never lets a message on before its time, and never holds it after it", async () => {
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 0, max: 10_000 }), fc.integer({ min: 0, max: 10_000 }), async (due, now) => {
        const outcome = await outcomeOf(
          delayed("due"),
          messageOf({ due: new Date(due).toISOString() }),
          contextOf(createVirtualClock(now)),
        );
        if (due > now) expect(outcome).toMatchObject({ name: "Redeliver", after: due - now, sameAttempt: true });
        else expect(outcome).toMatchObject({ kind: "next" });
      }),
    );
  });

  it.each([
    ["a day", "1970-01-02"],
    ["a moment of Greenwich", "1970-01-02T00:00:00Z"],
    ["a moment of another zone", "1970-01-02T02:00:00+02:00"],
    ["milliseconds", 86_400_000],
  ])("waits until %s", async (_, due) => {
    expect(await outcomeOf(delayed("due"), messageOf({ due }))).toMatchObject({ after: 86_400_000 });
  });

  it.each(["5", "tomorrow", "1970-01-02T00:00:00", "02.01.1970", "1970-13-01", "", true, {}])(
    "refuses %j: it would be another moment on each machine, or none",
    async (due) => {
      expect(await outcomeOf(delayed("due"), messageOf({ due }))).toMatchObject({ code: "expression-failed", step: "delay (r.yaml:9)" });
    },
  );

  it("waits at most a year at a time, however far the moment is", async () => {
    expect(await outcomeOf(delayed("due"), messageOf({ due: "9999-12-31T00:00:00Z" }))).toMatchObject({ after: 366 * 86_400_000 });
    expect(await outcomeOf(delayed("due"), messageOf({}))).toMatchObject({ kind: "next" });
  });
});

describe("an answer put into a record", () => {
  const names = fc.array(fc.constantFrom("a", "b", "c"), { minLength: 1, maxLength: 3 });
  const { tree } = fc.letrec<{ tree: AvroRecord }>((tie) => ({
    tree: fc.dictionary(fc.constantFrom("a", "b", "c", "d"), fc.oneof({ maxDepth: 3 }, fc.integer(), fc.constant(null), tie("tree")), {
      maxKeys: 3,
    }),
  }));

  it("stands at its path, leaves all else as it was, and changes nothing in place", () => {
    fc.assert(
      fc.property(tree, names, fc.integer(), (before, at, answer) => {
        const copy = structuredClone(before);
        const after = put(before, at, answer);
        expect(before).toEqual(copy);
        expect(at.reduce<unknown>((value, name) => (value as AvroRecord)[name], after)).toBe(answer);
        const [first = ""] = at;
        for (const name of Object.keys(before)) if (name !== first) expect(after[name]).toBe(before[name]);
      }),
    );
  });
});

describe("a list of steps", () => {
  type Kind = "next" | "later" | "drop" | "answer" | "many" | "fail" | "throw" | "wait";
  const ENDS: ReadonlySet<Kind> = new Set(["drop", "answer", "fail", "throw", "wait"]);

  function stepOf(kind: Kind, index: number, ran: number[]): Step {
    const result = (message: Message): StepResult => {
      if (kind === "drop") return { kind: "drop", reason: `step ${index}` };
      if (kind === "answer") return { kind: "answer", value: { by: index } };
      if (kind === "wait") return { kind: "delay", ms: 5, message };
      if (kind === "fail") throw new BusError("map-failed", `step ${index}`, { providerCode: "P" });
      if (kind === "throw") throw new TypeError(`step ${index}`);
      if (kind === "many")
        return {
          kind: "many",
          messages: [1, 2].map((n) => ({ ...message, envelope: { ...message.envelope, id: `${message.envelope.id}/${n}` } })),
        };
      return { kind: "next", message };
    };
    return {
      name: kind,
      place: `r.yaml:${index}`,
      run(message) {
        ran.push(index);
        return kind === "later" ? Promise.resolve().then(() => result(message)) : result(message);
      },
    };
  }

  it("ends with the first step that ends it; those after it never run, and a failure names its step", async () => {
    const kinds = fc.array(fc.constantFrom<Kind>("next", "later", "drop", "answer", "fail", "throw", "wait"), { maxLength: 6 });
    await fc.assert(
      fc.asyncProperty(kinds, async (list) => {
        const ran: number[] = [];
        const outcome = await outcomeOf(
          list.map((kind, index) => stepOf(kind, index, ran)),
          messageOf({}),
        );
        const end = list.findIndex((kind) => ENDS.has(kind));
        expect(ran).toEqual(list.slice(0, end < 0 ? list.length : end + 1).map((_, index) => index));
        const kind = list[end];
        if (kind === undefined) expect(outcome).toMatchObject({ kind: "next", messages: [{ envelope: { id: "m-1" } }] });
        else if (kind === "drop") expect(outcome).toEqual({ kind: "drop", reason: `step ${end}` });
        else if (kind === "answer") expect(outcome).toEqual({ kind: "answer", value: { by: end } });
        else if (kind === "wait") expect(outcome).toBeInstanceOf(Redeliver);
        else expect(outcome).toMatchObject({ step: `${kind} (r.yaml:${end})`, code: kind === "fail" ? "map-failed" : "unexpected" });
      }),
      { numRuns: 200 },
    );
  });

  it("passes each part of a split through all that follows, and keeps their order", async () => {
    const kinds = fc.array(fc.constantFrom<Kind>("next", "later", "many"), { maxLength: 5 });
    await fc.assert(
      fc.asyncProperty(kinds, async (list) => {
        const outcome = await outcomeOf(
          list.map((kind, index) => stepOf(kind, index, [])),
          messageOf({}),
        );
        const ids = messagesOf(outcome).map(({ envelope }) => envelope.id);
        expect(ids).toHaveLength(2 ** list.filter((kind) => kind === "many").length);
        expect(ids).toEqual([...ids].toSorted());
      }),
    );
  });

  it("stops the whole message when one part of it fails", async () => {
    const picky: Step = {
      name: "picky",
      place: "r.yaml:7",
      run(message) {
        if (message.value["n"] === 3) throw new BusError("avro-violation", "three");
        return { kind: "next", message };
      },
    };
    const outcome = await outcomeOf([...steps(split), picky], messageOf({ items: [{ n: 1 }, { n: 3 }, { n: 5 }] }));
    expect(outcome).toMatchObject({ code: "avro-violation", step: "picky (r.yaml:7)" });
  });
});
