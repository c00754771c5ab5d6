/** What a plan says before anything is done: routes and their cursors, fields of grants, contracts, systems, findings. */
import { describe, expect, it } from "vitest";
import { sideOf } from "#test/harness/changes.ts";
import { BASE, CHANGED, filesOf, LOOKUP, MAPS, ORDER } from "#test/harness/route-world.ts";
import { planChange, type Plan, type PlanParts } from "./plan.ts";
import type { Waiting } from "./plan-routes.ts";

type Texts = Readonly<Record<string, string>>;
const FILES: Texts = { ...BASE, ...MAPS, "routes/lookup.yaml": LOOKUP, "routes/changed.yaml": CHANGED, "routes/order.yaml": ORDER };

const before = sideOf(filesOf(FILES));

async function planOf(edit: (texts: Record<string, string>) => void, more: Partial<PlanParts> = {}): Promise<Plan> {
  const texts = { ...FILES };
  edit(texts);
  return planChange({ before: await before, after: await sideOf(filesOf(texts)), waiting: () => Promise.resolve([]), ...more });
}
const swap = (path: string, from: string, to: string) => (texts: Record<string, string>) => {
  const text = texts[path] ?? "";
  if (!text.includes(from)) throw new Error(`${path} has no ${from}`);
  texts[path] = text.replace(from, () => to);
};
const waits = (...waiting: readonly Waiting[]): Partial<PlanParts> => ({ waiting: () => Promise.resolve(waiting) });

describe("a plan", () => {
  it("of no change says so, and of a comment alone changes no route", async () => {
    expect(await planOf(() => undefined)).toMatchObject({ verdict: "same", routes: [], grants: [], contracts: [], systems: [] });
    const commented = await planOf((texts) => void (texts["routes/lookup.yaml"] += "\n# a word\n"));
    expect(commented).toMatchObject({ verdict: "sound", routes: [], files: { changed: ["routes/lookup.yaml"] } });
  });

  it("names the parts of a route that change, and a map that it refers to by no part", async () => {
    const { routes } = await planOf(swap("routes/lookup.yaml", "deadline: 9s", "deadline: 8s"));
    expect(routes).toEqual([{ route: "person-lookup", change: "changes", parts: ["deliver"], gone: [], begin: [], renamed: [] }]);
    const map = await planOf(swap("routes/map/reply.map.yaml", "found", "known"));
    expect(map.routes).toMatchObject([{ route: "person-lookup", change: "changes", parts: [] }]);
  });

  it("tells of routes that start and stop, and drafts as if they were not there", async () => {
    const gone = await planOf((texts) => void delete texts["routes/order.yaml"]);
    expect(gone.routes).toMatchObject([{ route: "person-order", change: "stops", gone: [{ name: "to", waiting: 0 }] }]);
    const draft = await planOf(swap("routes/order.yaml", "title: Orders", "title: Orders\nstate: draft"));
    expect(draft.routes).toMatchObject([{ route: "person-order", change: "stops" }]);
  });

  it("counts what waits in a branch that goes, names its new name, and leaves messages only when somebody says so", async () => {
    const plan = await planOf(
      swap("routes/changed.yaml", "name: erp", "name: ledger"),
      waits({ route: "person-changed", branch: "erp", count: 3 }, { route: "person-changed", branch: "moves", count: 9 }),
    );
    expect(plan.verdict).toBe("strands");
    expect(plan.because).toEqual(["3 messages wait in branch `erp` of route `person-changed`, which goes: nobody would take them"]);
    expect(plan.routes).toEqual([
      {
        route: "person-changed",
        change: "changes",
        parts: ["fanOut"],
        gone: [{ name: "erp", waiting: 3 }],
        begin: ["ledger"],
        renamed: [{ from: "person-changed/erp", to: "person-changed/ledger" }],
      },
    ]);
  });

  it("sees that a route of another id goes on to the same targets", async () => {
    const { routes } = await planOf(swap("routes/order.yaml", "id: person-order", "id: orders"));
    expect(routes.map(({ route, change }) => `${route} ${change}`)).toEqual(["orders starts", "person-order stops"]);
    expect(routes[1]?.renamed).toEqual([{ from: "person-order/to", to: "orders/to" }]);
  });

  it("counts replies that wait to be pushed where their address goes", async () => {
    const replies = "replies: [{ name: back, system: office/erp, http: { path: /replies } }]\n";
    const texts = { ...FILES, "routes/order.yaml": `${ORDER}${replies}` };
    const plan = await planChange({
      before: await sideOf(filesOf(texts)),
      after: await before,
      waiting: () => Promise.resolve([{ route: "person-order", branch: "back", count: 2 }]),
    });
    expect([plan.verdict, plan.routes]).toMatchObject([
      "strands",
      [{ route: "person-order", parts: ["replies"], gone: [{ name: "back", waiting: 2 }], begin: [], renamed: [] }],
    ]);
  });

  it("shows the fields that a grant gains and loses, down to the leaf", async () => {
    const { grants, verdict } = await planOf(swap("routes/grants.yaml", "[status, name]", "[status, born]"));
    expect([verdict, grants]).toEqual([
      "sound",
      [
        {
          grant: "erp-person",
          change: "changes",
          system: "office/erp",
          role: "consumer",
          contract: "person.request.v1",
          gains: ["born"],
          loses: ["name"],
          terms: [],
        },
      ],
    ]);
    const whole = await planOf(swap("routes/grants.yaml", "reply: { allow: [code, kind, changes] }\n", ""));
    expect(whole.grants).toMatchObject([{ grant: "erp-changed", gains: ["secret"], loses: [] }]);
  });

  it("shows what a field of the contract gives to a grant that withholds nothing, though the grant's file stays", async () => {
    const open = swap("routes/grants.yaml", "reply: { allow: [code, kind, changes] }\n", "");
    const texts = { ...FILES };
    open(texts);
    const wide = swap(
      "contracts/changed.avsc",
      '{"name":"secret"',
      '{"name":"salary","type":["null","string"],"default":null},{"name":"secret"',
    );
    const after = { ...texts };
    wide(after);
    const plan = await planChange({
      before: await sideOf(filesOf(texts)),
      after: await sideOf(filesOf(after)),
      waiting: () => Promise.resolve([]),
    });
    expect(plan.grants).toMatchObject([{ grant: "erp-changed", change: "changes", gains: ["salary"], loses: [] }]);
  });

  it("tells of times, quotas and legal bases of grants, and of another holder as an end and a beginning", async () => {
    const terms = await planOf(swap("routes/grants.yaml", "until: 2026-12-31 }", "until: 2027-12-31 }\nquota: 10/hour"));
    expect(terms.grants[0]?.terms).toEqual(["until: 2027-01-01T00:00:00.000Z -> 2028-01-01T00:00:00.000Z", "quota: none -> 10 in 3600 s"]);
    const other = await planOf(swap("routes/grants.yaml", "consumer: office/erp", "consumer: register/main"));
    expect(other.grants.map(({ change, system, loses, gains }) => [change, system, loses, gains])).toEqual([
      ["ends", "office/erp", ["name", "status"], []],
      ["begins", "register/main", [], ["name", "status"]],
    ]);
  });

  it("refuses a schema that breaks its contract and names the field", async () => {
    const plan = await planOf(
      swap("contracts/reply.avsc", '{"name":"status","type":"string"}', '{"name":"status","type":"string"},{"name":"age","type":"int"}'),
    );
    expect(plan.verdict).toBe("faulty");
    expect(plan.contracts).toMatchObject([
      { type: "person.reply.v1", contract: "person.request.v1", level: "BACKWARD", compatible: false },
    ]);
    expect(plan.contracts[0]?.rules.join()).toContain("age");
    expect(plan.because.join()).toContain("age");
  });

  it("asks the registry about versions that the running files do not know, and not on the way back", async () => {
    const registered = (): Promise<readonly string[]> => Promise.resolve(["field `x` was taken by version 3"]);
    const edit = swap("contracts/order.avsc", '"key":true}', '"key":true},{"name":"x","type":["null","string"],"default":null}');
    expect(await planOf(edit, { registered })).toMatchObject({
      verdict: "faulty",
      contracts: [{ rules: ["field `x` was taken by version 3"] }],
    });
    expect(await planOf(edit, { registered, back: true })).toMatchObject({ verdict: "sound" });
  });

  it("back to a schema that cannot read what came since is possible, but never by accident", async () => {
    const plan = await planOf(swap("contracts/reply.avsc", '{"name":"status","type":"string"}', '{"name":"status","type":"int"}'), {
      back: true,
    });
    expect(plan.because.join()).toContain("messages of `person.reply.v1` that came since may not be readable");
    expect(plan.contracts[0]?.compatible).toBe(false);
  });

  it("tells which parts of a system change", async () => {
    const { systems } = await planOf(swap("routes/systems.yaml", "http://erp.test", "http://erp2.test"));
    expect(systems).toEqual([{ system: "office/erp", change: "changes", parts: ["addresses"] }]);
  });

  it("gives the errors of the wanted files, and calls nothing stopped that only cannot run", async () => {
    const plan = await planOf(swap("routes/lookup.yaml", "title: Lookup", "titel: Lookup"));
    expect(plan.verdict).toBe("faulty");
    expect(plan.errors).toBeGreaterThan(0);
    expect(plan.findings.some(({ file, text }) => file === "routes/lookup.yaml" && text.includes("titel"))).toBe(true);
    expect(plan.routes).toEqual([]);
    const broken = await planOf(swap("contracts/order.avsc", '"type":"record"', '"type":"recrod"'));
    expect([broken.verdict, broken.routes, broken.contracts.filter(({ change }) => change === "ends")]).toEqual(["faulty", [], []]);
  });
});
