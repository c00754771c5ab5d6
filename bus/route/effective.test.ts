import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { edited, GOOD as good, lintTexts } from "#test/harness/good-files.ts";
import type { ParsedSet, RouteDoc } from "./documents.ts";
import { effectiveRoute, resolveDeliver } from "./effective.ts";
import { explainRoute } from "./explain.ts";

const LOOKUP = "routes/person-lookup.yaml";
const set = lintTexts(good).documents;
const yamlOf = (id: string): string => effectiveRoute(set, id)?.yaml ?? "";
const policyOf = (id: string, branch = 0) => {
  const route = set.routes.get(id);
  if (!route) throw new Error(`no route ${id}`);
  return resolveDeliver(route, route.branches[branch], set);
};

describe("resolveDeliver", () => {
  it("takes what the route says", () => {
    expect(policyOf("person-lookup")).toEqual({
      deadline: 9000,
      attemptTimeout: 2500,
      retry: {
        on: [{ class: "timeout" }, { class: "unreachable" }, { class: "provider-unavailable" }, { class: "provider-fault", code: "Busy" }],
        attempts: 3,
        backoff: { first: 200, factor: 2, max: 1000, jitter: "full" },
        giveUpAfter: undefined,
      },
      breaker: {
        window: 30_000,
        minimumCalls: 20,
        openAtFailureRate: 0.5,
        openFor: 15_000,
        probes: 3,
        whenOpen: "fault",
        retryAfter: 15_000,
      },
      limits: { concurrency: 16, queue: 200, ratePerSecond: 50 },
    });
  });

  it("puts the branch above its policy, and the policy above the built-in defaults", () => {
    const statistics = policyOf("person-changed-fanout", 1);
    expect(statistics.limits).toEqual({ concurrency: 16, queue: 200, ratePerSecond: 20 });
    expect(statistics.breaker?.openAtFailureRate).toBe(0.6);
    expect(statistics.retry.giveUpAfter).toBe(86_400_000);
    expect(policyOf("person-changed-fanout", 0).limits.ratePerSecond).toBeUndefined();
    expect(policyOf("vehicles-to-benefits").retry.attempts).toBe(6);
  });

  it("has safe defaults for what nobody says", () => {
    const command = policyOf("benefit-register");
    expect(command.deadline).toBeUndefined();
    expect(command.retry.attempts).toBe(12);
    expect(command.breaker?.whenOpen).toBe("wait");
  });
});

describe("effective view", () => {
  it("says of each value where it comes from", () => {
    const text = yamlOf("person-changed-fanout");
    expect(text).toContain("rate: 20/s # routes/person-changed.yaml:21");
    expect(text).toContain("openAtFailureRate: 60% # policy async-standard (config/policies.yaml:10)");
    expect(text).toContain("concurrency: 16 # built-in");
    expect(text).toContain("state: active # built-in");
    expect(text).toContain("# benefits: deliver.deadline: none (built-in)");
  });

  it("names the template's lines for what the template says", () => {
    expect(yamlOf("vehicles-to-benefits")).toContain("owner: transport-integration # routes/vehicle-import.yaml:49");
    expect(yamlOf("vehicles-to-benefits")).toContain("path: /incoming/vehicles # routes/vehicle-import.yaml:56");
  });

  it("never shows a secret, and shows variables filled in", () => {
    expect(yamlOf("person-changed-fanout")).toContain('auth: "***"');
    expect(yamlOf("person-changed-fanout")).not.toContain("secret:");
    expect(yamlOf("person-changed-fanout")).toContain("url: http://localhost:9300/events");
  });

  it.each([...set.routes.keys()])("of %s is a route again, with the same delivery", (id) => {
    const route = set.routes.get(id);
    const path = route?.source.file ?? "";
    const alone = (good[path] ?? "").split(/^---$/m).filter((text) => !new RegExp(`^id: ${id}$`, "m").test(text));
    const written = lintTexts({ ...good, [path]: [yamlOf(id), ...alone].join("\n---\n") });
    expect(written.findings.filter(({ severity }) => severity === "error")).toEqual([]);
    const twin = written.documents.routes.get(id);
    expect(twin?.branches.map((branch) => branch.name)).toEqual(route?.branches.map((branch) => branch.name));
    twin?.branches.forEach((branch, index) => {
      expect(resolveDeliver(twin, branch, written.documents)).toEqual(policyOf(id, index));
      expect(branch.order?.by).toEqual(route?.branches[index]?.order?.by);
    });
  });

  it("gives nothing for a route that is not there", () => {
    expect(effectiveRoute(set, "nobody")).toBeUndefined();
    expect(explainRoute(set, "nobody")).toBeUndefined();
  });
});

/** The effective form of an edited good route, and the route that it makes in its place. */
function again(path: string, id: string, from: string, to: string) {
  const texts = edited(path, from, to);
  const { documents, findings } = lintTexts(texts);
  expect(findings.filter(({ severity }) => severity === "error")).toEqual([]);
  const yaml = effectiveRoute(documents, id)?.yaml ?? "";
  const others = (texts[path] ?? "").split(/^---$/m).filter((text) => !new RegExp(`^id: ${id}$`, "m").test(text));
  const twin = lintTexts({ ...texts, [path]: [yaml, ...others].join("\n---\n") });
  expect(twin.findings.filter(({ severity }) => severity === "error")).toEqual([]);
  return { yaml, before: documents.routes.get(id), after: twin.documents.routes.get(id), documents, twin: twin.documents };
}

describe("the effective form keeps", () => {
  const PATH = "routes/person-changed.yaml";
  const ID = "person-changed-fanout";

  it("an order that stands inside `deliver`, of the route and of a branch, and names its line", () => {
    const inRoute = again(PATH, ID, "order: { by: personKey }\nfanOut:", "deliver: { order: { by: personKey } }\nfanOut:");
    expect(inRoute.after?.order?.by).toMatchObject({ field: "personKey" });
    expect(inRoute.yaml).toContain("order:\n  by: personKey # routes/person-changed.yaml:10\n");
    const inBranch = again(
      PATH,
      ID,
      "deliver: { use: async-standard }\n  - name: statistics",
      "deliver: { use: async-standard, order: { by: { jsonata: personKey } } }\n  - name: statistics",
    );
    expect(inBranch.after?.branches[0]?.order?.by).toMatchObject({ language: "jsonata", text: "personKey" });
    expect(inBranch.yaml).toContain("    order:\n      by:\n        jsonata: personKey # routes/person-changed.yaml:16\n");
  });

  it("what a refused caller is told to wait", () => {
    const { yaml, after, twin } = again(LOOKUP, "person-lookup", "openAtFailureRate: 50%", "openAtFailureRate: 25%");
    expect(yaml).toMatch(/whenOpen:\n +fault: provider-unavailable # (routes\/person-lookup\.yaml:\d+)\n +retryAfter: 15s # \1\n/);
    expect(after && resolveDeliver(after, after.branches[0], twin).breaker).toMatchObject({ retryAfter: 15_000, openAtFailureRate: 0.25 });
  });

  it.each(["1/day", "5/day", "7/hour", "1/minute", "600/minute", "20/s", "90/hour", "100000/day"])(
    "a rate of %s, as it was written or as much",
    (rate) => {
      const { before, after, documents, twin } = again(PATH, ID, "rate: 20/s", `rate: ${rate}`);
      const of = (route: RouteDoc | undefined, set: ParsedSet) =>
        route && resolveDeliver(route, route.branches[1], set).limits.ratePerSecond;
      expect(of(after, twin)).toBeCloseTo(of(before, documents) ?? 0, 12);
      expect(of(after, twin)).toBeGreaterThan(0);
    },
  );

  it("any rate and any time that can be written", () => {
    const rate = fc
      .tuple(fc.integer({ min: 1, max: 100_000 }), fc.constantFrom("s", "minute", "hour", "day"))
      .map(([count, per]) => `${count}/${per}`);
    const time = fc.tuple(fc.integer({ min: 1, max: 10_000 }), fc.constantFrom("ms", "s", "m")).map(([count, unit]) => `${count}${unit}`);
    fc.assert(
      fc.property(rate, time, (limit, wait) => {
        const { before, after, documents, twin } = again(
          PATH,
          ID,
          "limits: { rate: 20/s }",
          `limits: { rate: ${limit} }, retry: { backoff: { first: ${wait} } }`,
        );
        const left = before && resolveDeliver(before, before.branches[1], documents);
        const right = after && resolveDeliver(after, after.branches[1], twin);
        expect(right?.retry).toEqual(left?.retry);
        expect(right?.limits.ratePerSecond).toBeCloseTo(left?.limits.ratePerSecond ?? 0, 10);
      }),
      { numRuns: 20 },
    );
  }, 60_000);

  it("`breaker: none`", () => {
    const { yaml, after, twin } = again(PATH, ID, "limits: { rate: 20/s }", "breaker: none");
    expect(yaml).toContain("breaker: none # routes/person-changed.yaml:21");
    expect(after && resolveDeliver(after, after.branches[1], twin).breaker).toBeUndefined();
  });
});

describe("explain", () => {
  const text = explainRoute(set, "person-lookup") ?? "";

  it("says who may send, under which law and how often", () => {
    expect(text).toContain("erp: taxoffice/erp through soap (/soap/taxoffice/person, PersonQuery).");
    expect(text).toContain(
      "taxoffice/erp by grant taxoffice-person-2026: Taxation Act § 27(1)2, for tax-assessment, 2026-01-01 to 2026-12-31, at most 5000 per d.",
    );
    expect(text).toContain("Each message must bring headers.official-id, headers.case-number.");
  });

  it("says what happens, step by step", () => {
    expect(text).toContain("1. Within 10m, a second message with the same headers.message-id gets the first one's reply.");
    expect(text).toContain("2.1.1. Refuse with bad-idnp: An IDNP has 13 digits.");
  });

  it("says when each attempt is made, at the earliest and the latest", () => {
    expect(text).toContain("Up to 3 attempts of at most 2500ms, all within 9s:");
    expect(text).toContain("attempt 2: 0s to 2.7s after the first");
    expect(text).toContain("attempt 3: 0s to 5.6s after the first");
  });

  it("says what follows each class of failure", () => {
    expect(text).toMatch(/timeout \(.*\): tried again, then it becomes a dead letter\./);
    expect(text).toMatch(/access-denied \(.*\): the sender is told\./);
    expect(text).toMatch(/provider-fault .*PersonNotFound: the sender gets the reply given in the file; tried again \(only Busy\)/);
  });

  it("does not call a source open that no grant covers", () => {
    expect(explainRoute(set, "benefit-register")).toContain("nobody: no grant covers it, so every message is refused.");
  });
});
