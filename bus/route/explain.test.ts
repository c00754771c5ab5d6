import { describe, expect, it } from "vitest";
import { adapters } from "#adapters/registry.ts";
import { filesFrom, textsOf } from "#test/files-of.ts";
import { policyOf } from "#test/harness/policy.ts";
import { timetable } from "../delivery/backoff.ts";
import { CLASSES } from "../errors.ts";
import type { ParsedSet } from "./documents.ts";
import { explainRoute, timetableLines } from "./explain.ts";
import { lintFiles } from "./lint/lint.ts";
import { spokenDuration } from "./schema/units.ts";

const good = textsOf("test/good");
const now = Date.parse("2026-06-01T00:00:00Z");
const setOf = (texts: Readonly<Record<string, string>>): ParsedSet => lintFiles(filesFrom(texts), adapters, undefined, now).documents;

/** The good files with one text of one of them replaced. */
function changed(path: string, from: string | RegExp, to: string): ParsedSet {
  const text = good[path] ?? "";
  const next = text.replace(from, to);
  expect(next).not.toBe(text);
  return setOf({ ...good, [path]: next });
}

const LOOKUP = "routes/person-lookup.yaml";
const BENEFIT = "routes/benefit-register.yaml";
const linesOf = (set: ParsedSet, id: string): string[] => (explainRoute(set, id) ?? "").split("\n");

/** The good lookup with other steps, as explain prints them. */
function stepsOf(steps: string, path = LOOKUP, id = "person-lookup"): string[] {
  const set = changed(path, /^steps:\n[\s\S]*?(?=^to:)/m, `steps:\n${steps}\n`);
  const lines = linesOf(set, id);
  return lines.slice(lines.indexOf("What happens") + 1, lines.indexOf("Where it goes") - 1).map((line) => line.slice(2));
}

describe("the head of an explanation", () => {
  it.each([
    ["person-lookup", "A query of contract person.request.v1, answered by person.response.v1. Owner: population-registry-team. It runs."],
    ["person-changed-fanout", "An event of contract person.changed.v1. Owner: population-registry-team. It runs."],
    ["benefit-register", "A command of contract benefit.register.v1. Owner: benefits-team. It runs."],
  ])("of %s says pattern, contract, reply, owner and state", (id, expected) => {
    expect(linesOf(setOf(good), id)[1]).toBe(expected);
  });

  it.each([
    ["paused", "It is paused: messages wait."],
    ["draft", "It is a draft: it is checked but never runs."],
  ])("says of a route in state %s what that means", (state, words) => {
    expect(linesOf(changed(LOOKUP, "state: active", `state: ${state}`), "person-lookup")[1]).toMatch(new RegExp(`${words}$`));
  });

  it("has its parts in one order, for every good route", () => {
    const set = setOf(good);
    for (const id of set.routes.keys()) {
      const heads = linesOf(set, id).filter((line) => /^(Who|What|Where) /.test(line));
      expect(heads, id).toEqual(["Who may send", "What happens", "Where it goes", "What is kept"]);
    }
  });
});

describe("who may send", () => {
  it("shows the schedule of a source that starts by the clock", () => {
    const line = linesOf(setOf(good), "vehicle-nightly-import").find((each) => each.includes("by the clock"));
    expect(line).toMatch(/through file \(.*\), by the clock `.+` \(Europe\/Chisinau\)\.$/);
  });

  it("names no grant of another contract, role or system", () => {
    const senders = linesOf(setOf(good), "person-lookup").filter((line) => line.includes("by grant"));
    expect(senders).toHaveLength(1);
  });

  it("says nobody when the only grant is not among those that the route names", () => {
    const set = setOf(good);
    const route = set.routes.get("person-lookup");
    if (!route) throw new Error("no route");
    const other = new Map(set.routes).set("person-lookup", { ...route, access: { ...route.access, grants: ["someone-else"] } });
    expect(explainRoute({ ...set, routes: other }, "person-lookup")).toContain("nobody: no grant covers it, so every message is refused.");
  });

  it("calls a topic of the bus what it is: its grants were checked before", () => {
    const lines = linesOf(setOf(good), "vehicles-to-benefits");
    expect(lines.find((line) => line.includes("the bus itself"))).toMatch(/topic \(vehicle\.registered\.v1\); grants were checked/);
  });
});

describe("what happens", () => {
  it.each([
    [
      "  - filter: { when: { field: idnp, exists: true } }",
      "1. Go on only when idnp is there; the rest is dropped, and the journal says so.",
    ],
    [
      "  - filter: { when: { field: idnp, exists: false } }",
      "1. Go on only when idnp is not there; the rest is dropped, and the journal says so.",
    ],
    ["  - filter: { when: { field: idnp, equals: '5' } }", "1. Go on only when idnp is 5; the rest is dropped, and the journal says so."],
    [
      "  - filter: { when: { field: idnp, notEquals: x } }",
      "1. Go on only when idnp is not x; the rest is dropped, and the journal says so.",
    ],
    [
      "  - filter: { when: { field: idnp, in: [a, b] } }",
      "1. Go on only when idnp is one of a, b; the rest is dropped, and the journal says so.",
    ],
    [
      "  - filter: { when: { field: idnp, matches: '[0-9]+' } }",
      "1. Go on only when idnp fits [0-9]+; the rest is dropped, and the journal says so.",
    ],
    [
      '  - filter: { when: { jsonata: "idnp = 1" } }',
      "1. Go on only when jsonata `idnp = 1` is true; the rest is dropped, and the journal says so.",
    ],
    ["  - map: ./map/erp-request.map.yaml", "1. Map by routes/map/erp-request.map.yaml."],
    ["  - validate: { contract: person.request.v1 }", "1. Check against person.request.v1."],
    ["  - enrich: { contract: person.request.v1, into: person }", "1. Ask person.request.v1 and put its reply into person."],
    [
      "  - enrich: { contract: person.request.v1, into: person, cache: 5m }",
      "1. Ask person.request.v1 and put its reply into person, kept for 5m.",
    ],
    [
      "  - tap: { topic: audit.x.v1, fields: [purposeCode, headers.a] }",
      "1. Copy purposeCode, headers.a to topic audit.x.v1; this never fails the message.",
    ],
    ["  - dedupe: { key: $id, window: 10m }", "1. Within 10m, a second message with the same $id is dropped (and journalled)."],
    ["  - dedupe: { key: $id, window: 90s, onDuplicate: fault }", "1. Within 90s, a second message with the same $id is refused."],
    [
      '  - dedupe: { key: { jsonata: "idnp" }, window: 1d }',
      "1. Within 1d, a second message with the same jsonata `idnp` is dropped (and journalled).",
    ],
    ['  - split: { jsonata: "items" }', "1. Split by jsonata `items`."],
    ["  - delay: { for: 5m }", "1. Wait 5m."],
    ['  - delay: { until: { jsonata: "at" } }', "1. Wait until `at`."],
    ["  - reject: { code: no, reason: Never }", "1. Refuse with no: Never."],
    ["  - xml-to-json: {}", "1. Turn the XML text in xml into plain values."],
    ["  - xml-to-json: { from: body }", "1. Turn the XML text in body into plain values."],
  ])("is said in words: %s", (step, words) => expect(stepsOf(step)).toEqual([words]));

  it.each([
    ["{ timeout: 5m }", "Gather messages of one amount, at most 5m."],
    ["{ count: 3, timeout: 5m }", "Gather messages of one amount until there are 3, at most 5m."],
    ["{ timeout: 5m, when: { jsonata: count > 2 } }", "Gather messages of one amount until jsonata `count > 2` is true, at most 5m."],
    [
      "{ count: 3, timeout: 5m, when: { field: key, equals: x } }",
      "Gather messages of one amount until there are 3 or key is x, at most 5m.",
    ],
  ])("is said in words: aggregate, complete: %s", (complete, words) => {
    const steps = `  - dedupe: { key: $id, window: 7d }\n  - aggregate: { correlate: amount, complete: ${complete} }`;
    expect(stepsOf(steps, BENEFIT, "benefit-register")[1]).toBe(`2. ${words}`);
  });

  it("is nothing where no step is written", () => {
    const set = changed(LOOKUP, /^steps:\n[\s\S]*?(?=^to:)/m, "");
    expect(linesOf(set, "person-lookup")).toContain("  The message goes on as it is.");
  });

  it("numbers the steps of a choice by their case, also in depth", () => {
    const lines = stepsOf(
      [
        "  - map: ./map/erp-request.map.yaml",
        "  - choose:",
        "      - when: { field: idnp, exists: true }",
        "        steps:",
        "          - delay: { for: 1s }",
        "          - choose: [{ otherwise: true, steps: [{ reject: { code: deep, reason: Deep } }] }]",
        "      - otherwise: true",
        "        steps: []",
      ].join("\n"),
    );
    expect(lines).toEqual([
      "1. Map by routes/map/erp-request.map.yaml.",
      "2. Choose the first that is true.",
      "   When idnp is there:",
      "     2.1.1. Wait 1s.",
      "     2.1.2. Choose the first that is true.",
      "        Otherwise:",
      "          2.1.2.1.1. Refuse with deep: Deep.",
      "   Otherwise:",
      "     nothing.",
    ]);
  });
});

describe("the timetable", () => {
  it("is the one that delivery follows, row by row", () => {
    const policy = policyOf({
      attemptTimeout: 2_500,
      deadline: 9_000,
      retry: { attempts: 3, backoff: { first: 200, factor: 2, max: 1_000, jitter: "none" } },
    });
    const rows = timetable(policy).slots.slice(1);
    expect(timetableLines(policy).slice(0, 4)).toEqual([
      "Up to 3 attempts of at most 2500ms, all within 9s:",
      "  attempt 1: at once",
      ...rows.map(
        ({ attempt, earliest, latest }) => `  attempt ${attempt}: ${spokenDuration(earliest)} to ${spokenDuration(latest)} after the first`,
      ),
    ]);
    expect(rows).toEqual([
      { attempt: 2, earliest: 200, latest: 2_700 },
      { attempt: 3, earliest: 600, latest: 5_600 },
    ]);
  });

  it("says when the time is over before the attempts are", () => {
    const policy = policyOf({ attemptTimeout: 2_500, deadline: 3_000, retry: { attempts: 4 } });
    expect(timetableLines(policy)).toContain("  When every attempt takes its whole time, there is none left for the last 2.");
    const giveUp = policyOf({ attemptTimeout: 2_500, deadline: undefined, retry: { attempts: 2, giveUpAfter: 2_500 } });
    expect(timetableLines(giveUp)).toContain("  When every attempt takes its whole time, there is none left for the last one.");
    expect(timetableLines(giveUp)[0]).toBe("Up to 2 attempts of at most 2500ms, none after 2500ms:");
  });

  it("shows twelve rows and the last one", () => {
    const rows = timetableLines(policyOf({ deadline: undefined, retry: { attempts: 40 } })).filter((line) => line.startsWith("  attempt "));
    expect(rows).toHaveLength(13);
    expect(rows.at(-1)).toMatch(/^ {2}attempt 40: /);
  });

  it("says what the breaker does, or that there is none", () => {
    const breaker = { window: 30_000, minimumCalls: 20, openAtFailureRate: 0.5, openFor: 15_000, probes: 3 } as const;
    const last = (whenOpen: "wait" | "fault") => timetableLines(policyOf({ breaker: { ...breaker, whenOpen } })).at(-1);
    expect(last("wait")).toBe("When 50% of at least 20 calls within 30s fail, calls stop for 15s; meanwhile messages wait.");
    expect(last("fault")).toMatch(/meanwhile messages are refused\.$/);
    expect(timetableLines(policyOf({ breaker: undefined })).at(-1)).toBe("No circuit breaker.");
    expect(timetableLines(policyOf({ retry: { attempts: 1 } }))[0]).toMatch(/^One attempt of at most /);
  });
});

describe("what follows a failure", () => {
  it("is said of every class of error, each once", () => {
    const set = setOf(good);
    for (const id of set.routes.keys()) {
      const branches = set.routes.get(id)?.branches.length ?? 0;
      for (const name of Object.keys(CLASSES)) {
        const said = linesOf(set, id).filter((line) => line.trimStart().startsWith(`${name} (`));
        expect(said, `${id} ${name}`).toHaveLength(branches);
      }
    }
  });

  it.each([
    ["reject", "the sender is told"],
    ["deadletter", "it becomes a dead letter"],
    ["drop", "it is dropped, and the journal says so"],
    ["stop", "the route stops"],
  ])("is what `do: %s` means", (act, words) => {
    const failures = `failures: [{ on: [expired], do: ${act} }, { on: default, do: deadletter }]\ntests:`;
    const set = changed(BENEFIT, /^tests:/m, failures);
    expect(linesOf(set, "benefit-register").find((line) => line.includes("expired ("))).toMatch(new RegExp(`: ${words}\\.$`));
  });
});

describe("what is kept", () => {
  const kept = (journal: string): string | undefined =>
    linesOf(changed(LOOKUP, /^journal: .*$/m, `journal: ${journal}`), "person-lookup").find((line) => line.startsWith("  Journal:"));

  it.each([
    ["{ payload: full, keep: 1y }", "  Journal: each message with its content, for 1y."],
    ["{ payload: none }", "  Journal: each message without its content, for 7y."],
    ["{ payload: hash, index: [headers.a] }", "  Journal: each message with a hash of its content, for 7y. Search by headers.a."],
  ])("by `journal: %s`", (journal, expected) => expect(kept(journal)).toBe(expected));

  it("says of dead letters for how long, and whether they may go again", () => {
    expect(linesOf(setOf(good), "person-lookup")).toContain("  Dead letters: for 30d; they are never sent again.");
    expect(linesOf(setOf(good), "benefit-register").find((line) => line.startsWith("  Dead letters:"))).toMatch(
      /an operator may send them again\.$/,
    );
    expect(linesOf(setOf(good), "vehicle-nightly-import").find((line) => line.includes("failed records"))).toMatch(
      /^ {2}The route stops after \d+ failed records\.$/,
    );
  });
});
