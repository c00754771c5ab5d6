/** Rules over many routes cost a few looks at each: what they look at is counted, nothing is timed. */
import { describe, expect, it } from "vitest";
import { GOOD, lintTexts, NOW } from "#test/harness/good-files.ts";
import { filesFrom } from "#test/files-of.ts";
import type { GrantDoc, RouteDoc } from "../documents.ts";
import { missingFile } from "../schema/walk.ts";
import { grants } from "./access.ts";
import type { LintSet, Rule } from "./rule.ts";
import { onePath, sameName } from "./sources.ts";
import { deadEnds, loops } from "./topics.ts";

const { documents } = lintTexts(GOOD);
const route = documents.routes.get("benefit-register");
const grant = documents.grants.get("registry-publishes-person-2026");

/** So many routes with a contract and a grant each, whose every member that a rule reads is counted. */
function world(count: number) {
  if (!route || !grant) throw new Error("the good files changed");
  const reads = { count: 0 };
  const counted = <T extends object>(value: T): T =>
    new Proxy(value, {
      get(target, key, receiver) {
        reads.count += 1;
        return Reflect.get(target, key, receiver) as unknown;
      },
    });
  const contract = documents.contracts.get("benefit.register.v1");
  if (!contract) throw new Error("the good files changed");
  const ids = Array.from({ length: count }, (_, n) => n);
  const [source] = route.from;
  const from = (n: number): RouteDoc["from"] =>
    source ? [{ ...source, system: "taxoffice/erp", adapter: { ...source.adapter, options: { path: `/p${n}` } } }] : [];
  const routes = ids.map((n): RouteDoc => counted({ ...route, id: `r${n}`, contract: `c${n}.v1`, from: from(n) }));
  const held = ids.map((n): GrantDoc =>
    counted({ ...grant, id: `g${n}`, system: "taxoffice/erp", role: "consumer", contract: `c${n}.v1` }),
  );
  const set: LintSet = {
    ...documents,
    routes: new Map(routes.map((one, n) => [`r${n}`, one])),
    grants: new Map(held.map((one, n) => [`g${n}`, one])),
    contracts: new Map(ids.map((n) => [`c${n}.v1`, { ...contract, id: `c${n}.v1` }])),
    files: filesFrom({}),
    now: NOW,
    names: (kind) =>
      new Set(kind === "system" ? documents.systems.keys() : kind === "grant" ? ids.map((n) => `g${n}`) : ids.map((n) => `r${n}`)),
    hidden: false,
    fields: () => undefined,
    node: (document) => ({ kind: "list", items: [], spot: document.source }),
  };
  return { set, reads };
}

function cost(rule: Rule, count: number): Readonly<{ reads: number; said: number }> {
  const { set, reads } = world(count);
  let said = 0;
  rule.check(set, () => void (said += 1));
  return { reads: reads.count, said };
}

describe("a rule over ten times the routes", () => {
  it.each([
    ["grants", grants],
    ["one address for one route", onePath],
    ["names of branches", sameName],
    ["rings of topics", loops],
    ["dead ends of topics", deadEnds],
  ])("%s: costs ten times the looks, and finds nothing wrong", (_, rule) => {
    const [few, many] = [cost(rule, 100), cost(rule, 1_000)];
    expect([few.said, many.said]).toEqual([0, 0]);
    expect(few.reads).toBeGreaterThan(100);
    expect(many.reads).toBeLessThanOrEqual(10 * few.reads + 10);
  });
});

describe("a file that is missing", () => {
  /** Paths that count how often they are gone through. */
  function pathsOf(count: number) {
    const paths = new Set(Array.from({ length: count }, (_, n) => `routes/map/m${n}.map.yaml`));
    const walks = { count: 0 };
    const counted: ReadonlySet<string> = new Proxy(paths, {
      get(target, key) {
        if (key === Symbol.iterator) walks.count += 1;
        const value: unknown = Reflect.get(target, key, target);
        return typeof value === "function" ? (value as (...args: unknown[]) => unknown).bind(target) : value;
      },
    });
    return { counted, walks };
  }

  it("is guessed by its name in another folder, or by a near name in its own", () => {
    const { counted } = pathsOf(50);
    expect(missingFile("map", "routes/maps/m7.map.yaml", counted)).toBe(
      "`map`: there is no file routes/maps/m7.map.yaml; did you mean routes/map/m7.map.yaml?",
    );
    expect(missingFile("map", "routes/map/m7.map.yml", counted)).toContain("did you mean routes/map/m");
    expect(missingFile("map", "elsewhere/x.xsd", counted)).toBe(
      "`map`: there is no file elsewhere/x.xsd; write its path relative to this file",
    );
  });

  it("costs one walk through all paths, however many are missing", () => {
    const { counted, walks } = pathsOf(2_000);
    for (let n = 0; n < 500; n += 1) missingFile("map", `routes/gone/x${n}.map.yaml`, counted);
    expect(walks.count).toBe(1);
  });
});
