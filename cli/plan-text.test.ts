/** A plan as a person reads it: each thing that happens is one line in plain words, and the verdict comes last. */
import { describe, expect, it } from "vitest";
import type { Plan } from "#bus/admin.ts";
import { planText } from "./plan-text.ts";

const NOTHING: Plan = {
  verdict: "sound",
  because: [],
  before: "a",
  after: "b",
  files: { added: [], changed: ["routes/x.yaml"], removed: [] },
  routes: [],
  grants: [],
  contracts: [],
  systems: [],
  findings: [],
  errors: 0,
};
const linesOf = (plan: Partial<Plan>): readonly string[] => planText({ ...NOTHING, ...plan }).split("\n");
const ROUTE = { route: "news", parts: [], gone: [], begin: [], renamed: [] } as const;
const GRANT = { grant: "g-1", system: "a/b", role: "consumer", contract: "c.v1", gains: [], loses: [], terms: [] } as const;
const CONTRACT = { type: "c.v1", contract: "c.v1", level: "BACKWARD", compatible: true, rules: [], parts: [] } as const;

describe("a plan in words", () => {
  it("of nothing but files is its verdict alone", () => {
    expect(linesOf({})).toEqual(["this change is sound; files: 1 changed, 0 new, 0 gone"]);
    expect(linesOf({ verdict: "same" })).toEqual(["nothing would change: these files run already"]);
  });

  it("says of routes what starts, what changes by which part, what stops", () => {
    const routes = [
      { ...ROUTE, change: "starts" },
      { ...ROUTE, change: "changes", parts: ["deliver", "to"] },
      { ...ROUTE, change: "changes" },
      { ...ROUTE, change: "stops" },
    ] as const;
    expect(linesOf({ routes }).slice(1, 5)).toEqual([
      "  + news starts",
      "  ~ news changes: deliver, to",
      "  ~ news changes: what it refers to (a map, a policy, a schema)",
      "  - news stops",
    ]);
  });

  it("says what becomes of cursors and of what waits at them", () => {
    const gone = [
      { name: "old", waiting: 2 },
      { name: "idle", waiting: 0 },
    ];
    const routes = [{ ...ROUTE, change: "changes", gone, begin: ["new"], renamed: [{ from: "news/old", to: "news/new" }] }] as const;
    expect(linesOf({ routes }).slice(2, 6)).toEqual([
      "      news/old is called news/new: its cursor ends, the new one begins with the next message",
      "      branch old goes, 2 messages wait in it",
      "      branch idle goes, nothing waits in it",
      "      branch new begins with the next message",
    ]);
  });

  it("says who gains and loses which fields", () => {
    const grants = [
      { ...GRANT, change: "changes", gains: ["name"], loses: ["born", "sex"], terms: ["quota: none -> 5 in 60 s"] },
      { ...GRANT, change: "ends", role: "producer" },
    ] as const;
    expect(linesOf({ grants }).slice(0, 6)).toEqual([
      "grants",
      "  ~ g-1: a/b may use c.v1",
      "      gains name",
      "      loses born, sex",
      "      quota: none -> 5 in 60 s",
      "  - g-1: a/b may no longer publish c.v1",
    ]);
  });

  it("shouts where a contract breaks, with the rule, and gives the reasons of the verdict", () => {
    const contracts = [
      { ...CONTRACT, change: "changes", compatible: false, rules: ["field `age` has no default"] },
      { ...CONTRACT, change: "begins" },
    ] as const;
    expect(linesOf({ contracts, verdict: "faulty", because: ["`c.v1` breaks its contract"] })).toEqual([
      "contracts",
      "  ~ c.v1, NOT COMPATIBLE (backward)",
      "      field `age` has no default",
      "  + c.v1",
      "",
      "this change is not applied; files: 1 changed, 0 new, 0 gone",
      "  `c.v1` breaks its contract",
    ]);
  });

  it("lets no file steer the terminal", () => {
    const systems = [{ system: "a\u001b[2J/b", change: "changes", parts: ["title"] }] as const;
    expect(planText({ ...NOTHING, systems })).not.toContain("\u001b");
  });
});
