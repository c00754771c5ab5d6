/** Documents after parsing: units as numbers, defaults from one table, references from the root, and every node at its place. */
import { describe, expect, it } from "vitest";
import { edited, GOOD, lintTexts } from "#test/harness/good-files.ts";
import { DEFAULTS } from "./defaults.ts";
import { resolvePath, type RouteDoc } from "./documents.ts";

const LOOKUP = "routes/person-lookup.yaml";
const CHANGED = "routes/person-changed.yaml";
const BENEFIT = "routes/benefit-register.yaml";
const DAY = 86_400_000;

function routeOf(id: string, texts = GOOD): RouteDoc {
  const { documents, findings } = lintTexts(texts);
  const route = documents.routes.get(id);
  if (!route) throw new Error(findings.map(({ text }) => text).join("\n"));
  return route;
}
/** The good command with these lines at its end. */
const withMore = (lines: string): RouteDoc => routeOf("benefit-register", edited(BENEFIT, "tests: ./tests", `${lines}\ntests: ./tests`));

describe("a route", () => {
  it("has safe defaults for all that it does not say", () => {
    const route = routeOf("benefit-register");
    expect(route).toMatchObject({
      state: "active",
      pattern: "command",
      access: { grants: [], require: [] },
      failures: [],
      deadletter: { keep: 30 * DAY, replay: "manual" },
      journal: { payload: "hash", keep: 7 * 365 * DAY, index: [] },
    });
    expect([route.order, route.deliver, route.stopAfter, route.notify, route.template, route.reply]).toEqual(Array(6).fill(undefined));
  });

  it("never replays a query by default", () => {
    const text = (GOOD[LOOKUP] ?? "").replace(/^deadletter:.*\n/m, "");
    expect(routeOf("person-lookup", { ...GOOD, [LOOKUP]: text }).deadletter.replay).toBe("never");
  });

  it("has durations in milliseconds, percentages as shares, rates per second and sizes in bytes", () => {
    const { deliver } = withMore(
      "deliver: { deadline: 1.5h, attempt: { timeout: 250ms }, retry: { on: [timeout, 'provider-fault:Busy'], backoff: { factor: 2.5 } }, breaker: { openAtFailureRate: 12.5% }, limits: { rate: 90/minute, queue: 0 } }",
    );
    expect(deliver).toEqual({
      deadline: 5_400_000,
      attempt: { timeout: 250 },
      retry: { on: [{ class: "timeout" }, { class: "provider-fault", code: "Busy" }], backoff: { factor: 2.5 } },
      breaker: { openAtFailureRate: 0.125 },
      limits: { rate: 1.5, queue: 0 },
    });
  });

  it("takes a block of settings for a breaker, or none of it", () => {
    expect(withMore("deliver: { breaker: none }").deliver).toEqual({ breaker: "none" });
    expect(withMore("deliver: { breaker: { whenOpen: wait } }").deliver).toEqual({ breaker: { whenOpen: "wait" } });
    expect(withMore("deliver: { breaker: { whenOpen: { fault: provider-unavailable, retryAfter: 9s } } }").deliver).toEqual({
      breaker: { whenOpen: "fault", retryAfter: 9_000 },
    });
  });

  it("keeps texts as written beside it, with variables filled in", () => {
    const { written } = routeOf("person-changed-fanout");
    const [, statistics] = written["fanOut"] as readonly Readonly<Record<string, unknown>>[];
    expect(statistics?.["http"]).toMatchObject({ url: "http://localhost:9300/events", auth: "${secret:statistics/token}" });
    expect(statistics?.["deliver"]).toEqual({ use: "async-standard", limits: { rate: "20/s" } });
  });

  it.each([
    ["one grant", "access: { grant: a }", ["a"]],
    ["several", "access: { grant: [a, b] }", ["a", "b"]],
  ])("takes %s", (_, line, grants) => {
    const texts = edited(BENEFIT, "tests: ./tests", `${line}\ntests: ./tests`);
    const named = ["a", "b"].map(
      (id) =>
        `---\nbus: grant/v1\nid: ${id}\nowner: o\nconsumer: taxoffice/erp\ncontract: benefit.register.v1\nlegalBasis: { act: A, section: "1", purpose: p }\nvalid: { from: 2026-01-01, until: 2026-12-31 }\n`,
    );
    expect(routeOf("benefit-register", { ...texts, [BENEFIT]: `${texts[BENEFIT] ?? ""}${named.join("")}` }).access.grants).toEqual(grants);
  });

  it("has one branch named `to`, or the branches of its fan-out in their order", () => {
    expect(routeOf("benefit-register").branches.map(({ name, path }) => [name, path])).toEqual([["to", ["to"]]]);
    expect(routeOf("person-changed-fanout").branches.map(({ name, path }) => [name, path])).toEqual([
      ["benefits", ["fanOut", 0]],
      ["statistics", ["fanOut", 1]],
    ]);
  });

  it("takes `map` of a branch for its way in, from the root of the files", () => {
    expect(routeOf("person-changed-fanout").branches[1]?.in).toEqual({ map: "routes/map/person-anonymous.map.yaml" });
  });
});

describe("steps", () => {
  const stepsOf = (steps: string): RouteDoc["steps"] =>
    routeOf("benefit-register", edited(BENEFIT, "  - filter: { when: { field: amount, notEquals: 0 } }\n", steps)).steps.slice(1);

  it.each([
    [
      "dedupe",
      "  - dedupe: { key: caseNumber, window: 2h }\n",
      { kind: "dedupe", window: 7_200_000, onDuplicate: "drop", key: { language: "path", field: "caseNumber" } },
    ],
    [
      "a key by expression",
      "  - dedupe: { key: { jsonata: caseNumber }, window: 1s }\n",
      { kind: "dedupe", key: { language: "jsonata", text: "caseNumber", namespaces: {} } },
    ],
    [
      "filter",
      "  - filter: { when: { jsonata: amount > 1 } }\n",
      { kind: "filter", onDrop: "journal", when: { language: "jsonata", text: "amount > 1" } },
    ],
    ["delay", "  - delay: { for: 90s }\n", { kind: "delay", for: 90_000 }],
    ["delay until", "  - delay: { until: { jsonata: day } }\n", { kind: "delay", until: { language: "jsonata", text: "day" } }],
    [
      "split",
      "  - split: { jsonata: items, maxRecord: 64KiB }\n",
      { kind: "split", stream: false, maxRecord: 65_536, by: { text: "items" } },
    ],
    ["tap", "  - tap: { topic: t.x.v1, fields: [amount] }\n", { kind: "tap", topic: "t.x.v1", fields: ["amount"] }],
    [
      "enrich",
      "  - enrich: { contract: person.request.v1, into: person, cache: 5m }\n",
      { kind: "enrich", cache: 300_000, into: "person" },
    ],
    ["reject", "  - reject: { code: bad-case, reason: No. }\n", { kind: "reject", code: "bad-case", reason: "No." }],
    ["xml-to-json", "  - xml-to-json: {}\n", { kind: "xml-to-json" }],
    ["map", "  - map: ./map/vehicle.map.yaml\n", { kind: "map", map: "routes/map/vehicle.map.yaml" }],
  ])("%s is told apart by its kind, with its values read", (_, text, expected) => {
    expect(stepsOf(text)[0]).toMatchObject({ ...expected, path: ["steps", 1, expected.kind] });
  });

  it("of a choose stand in its cases, and the place of each is known", () => {
    const [choose] = stepsOf(
      "  - choose:\n      - when: { field: amount, equals: 1 }\n        steps:\n          - reject: { code: one, reason: One. }\n      - otherwise: true\n        steps: []\n",
    );
    if (choose?.kind !== "choose") throw new Error("no choose");
    expect(choose.cases.map(({ steps }) => steps.map(({ kind, path }) => `${kind} ${path.join(".")}`))).toEqual([
      ["reject steps.1.choose.0.steps.0.reject"],
    ]);
    expect(choose.otherwise).toEqual([]);
  });

  it("literals stay literals: nothing is filled in and nothing is turned into another kind", () => {
    const [filter] = stepsOf("  - filter: { when: { field: caseNumber, in: ['${var:statistics.url}', '007', 'yes', '5m'] } }\n");
    expect(filter).toMatchObject({ when: { in: ["${var:statistics.url}", "007", "yes", "5m"] } });
  });
});

describe("other documents", () => {
  const { documents } = lintTexts(GOOD);

  it("a grant holds from its first moment to the end of its last day, whole", () => {
    const grant = documents.grants.get("taxoffice-person-2026");
    expect(grant?.valid).toEqual({ from: Date.UTC(2026, 0, 1), until: Date.UTC(2027, 0, 1) });
    expect(grant).toMatchObject({ role: "consumer", system: "taxoffice/erp", quota: { count: 5000, per: DAY } });
  });

  it("a grant that ends at a moment ends then", () => {
    const texts = edited(LOOKUP, "until: 2026-12-31 }\nquota", "until: 2026-12-31T12:00:00+02:00 }\nquota");
    expect(lintTexts(texts).documents.grants.get("taxoffice-person-2026")?.valid.until).toBe(Date.UTC(2026, 11, 31, 10));
  });

  it("a contract has the defaults of the table", () => {
    const { compatibility, state, idempotent, requires } = documents.contracts.get("benefit.register.v1") ?? {};
    expect({ compatibility, state, idempotent }).toEqual(DEFAULTS.contract);
    expect(requires).toEqual([]);
  });

  it.each(["1.10", "007", "1e3", "0x1F", "yes", "true", "null_", "12345678901234567890"])(
    "a variable %s is the text that is written",
    (written) => {
      const texts = edited("config/development.yaml", "vars:\n", `vars:\n  probe: ${written}\n`);
      expect(lintTexts(texts).documents.environments.get("development")?.vars["probe"]).toBe(written);
    },
  );

  it("a test has header names in small letters and the route's id with its own place", () => {
    const test = documents.tests.find(({ route }) => route === "person-lookup");
    expect(Object.keys(test?.cases[0]?.given.headers ?? {})).toEqual(["official-id", "case-number"]);
    expect(test?.id).toBe("person-lookup routes/tests/person-lookup.test.yaml:1");
  });

  it("every document knows where each of its nodes stands, or the nearest that is there", () => {
    const route = routeOf("person-changed-fanout");
    expect(route.source.place(["fanOut", 1, "http", "url"])).toEqual({ file: CHANGED, line: 20, column: 18 });
    expect(route.source.place(["fanOut", 1, "http", "nothing"])).toMatchObject({ line: 20 });
    expect(route.source.place(["fanOut", 9])).toMatchObject({ line: 12 });
  });
});

describe("a reference to a file", () => {
  it.each([
    ["routes/a/r.yaml", "./m.yaml", "routes/a/m.yaml"],
    ["routes/a/r.yaml", "../m.yaml", "routes/m.yaml"],
    ["routes/a/r.yaml", "../../contracts/./x.avsc", "contracts/x.avsc"],
    ["routes/a/r.yaml", "contracts/x.avsc", "contracts/x.avsc"],
    ["r.yaml", "./x//y.yaml", "x/y.yaml"],
    ["routes/r.yaml", "./a/../b.yaml", "routes/b.yaml"],
  ])("in %s, %s is %s", (file, reference, path) => expect(resolvePath(file, reference)).toBe(path));
});
