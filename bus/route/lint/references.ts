/** Names that must stand for something: contracts, systems, grants, policies, routes. */
import type { Document, Path, RouteDoc, TestDoc } from "../documents.ts";
import type { KindName } from "../schema/kinds.ts";
import { hint } from "../../near.ts";
import type { LintSet, Rule, Say } from "./rule.ts";
import { pathOf, stepsOf } from "./visit.ts";

type Asked = Readonly<{ kind: KindName; id: string | undefined; path: Path; advice?: string }>;

export const unknownNames: Rule = {
  name: "unknown-name",
  check(set, say) {
    for (const route of set.routes.values()) ask(set, say, route, routeNames(route));
    for (const grant of set.grants.values()) {
      const system = { kind: "system", id: grant.system, path: [grant.role] } as const;
      ask(set, say, grant, [system, { kind: "contract", id: grant.contract, path: ["contract"] }]);
    }
    for (const policy of set.policies.values())
      ask(set, say, policy, [{ kind: "policy", id: policy.deliver.use, path: ["deliver", "use"] }]);
    for (const test of set.tests) {
      ask(set, say, test, [{ kind: "route", id: test.route, path: ["route"] }]);
      const route = set.routes.get(test.route);
      if (route) testNames(route, test, say);
    }
  },
};

/** A name that a faulty document carries is known; when a file hides its ids, a missing name says nothing. */
function ask(set: LintSet, say: Say, document: Document, names: readonly Asked[]): void {
  for (const { kind, id, path } of names) {
    const known = set.names(kind);
    if (id === undefined || set.hidden || known.has(id)) continue;
    say({ document, path }, `there is no ${kind} \`${id}\`${hint(id, known, `; write a \`bus: ${kind}/v1\` document with this id`)}`, {
      rule: `unknown-${kind}`,
    });
  }
}

function routeNames(route: RouteDoc): readonly Asked[] {
  const key = { query: "request", command: "command", event: "event" }[route.pattern];
  const grants = route.access.grants.map((id, index): Asked => ({
    kind: "grant",
    id,
    path: ["access", "grant", index],
  }));
  const edges = [...route.from, ...route.branches, ...route.replies].map(({ system, path }): Asked => ({
    kind: "system",
    id: system,
    path: pathOf(path, "system"),
  }));
  const policies = [{ deliver: route.deliver, path: [] as Path }, ...route.branches, ...route.replies];
  return [
    { kind: "contract", id: route.contract, path: ["contract", key] },
    ...grants,
    ...edges,
    ...policies.map(({ deliver, path }): Asked => ({ kind: "policy", id: deliver?.use, path: pathOf(path, "deliver", "use") })),
    ...stepsOf(route).flatMap((step): Asked[] =>
      step.kind === "enrich" ? [{ kind: "contract", id: step.contract, path: pathOf(step.path, "contract") }] : [],
    ),
  ];
}

/** A test may only name sources, branches and enriched contracts that its route has. */
function testNames(route: RouteDoc, test: TestDoc, say: Say): void {
  const sources = route.from.map(({ name }) => name);
  const branches = route.branches.map(({ name }) => name);
  const asked = stepsOf(route).flatMap((step) => (step.kind === "enrich" ? [step.contract] : []));
  for (const one of test.cases) {
    const { from } = one.given;
    if (from !== undefined && !sources.includes(from)) {
      say(
        { document: test, path: pathOf(one.path, "given", "from") },
        `route \`${route.id}\` has no source \`${from}\`${hint(from, sources)}`,
        { rule: "unknown-source" },
      );
    }
    const names = [
      ...Object.keys(one.mocks).map((name) => ({ name, path: pathOf(one.path, "mocks", name), known: [...branches, ...asked] })),
      ...Object.keys(one.expect.sent ?? {}).map((name) => ({ name, path: pathOf(one.path, "expect", "sent", name), known: branches })),
    ];
    for (const { name, path, known } of names) {
      if (!known.includes(name))
        say({ document: test, path }, `route \`${route.id}\` sends nothing to \`${name}\`${hint(name, known)}`, { rule: "unknown-branch" });
    }
  }
}

export const contractFits: Rule = {
  name: "contract-mismatch",
  check(set, say) {
    for (const contract of set.contracts.values()) {
      const { pattern, reply } = contract;
      if (pattern === "query" && !reply) say({ document: contract, path: [] }, "a query has a reply; write `reply: { id: …, schema: … }`");
      if (pattern === "event" && reply)
        say({ document: contract, path: ["reply"] }, "an event has no reply; remove `reply`, or write `pattern: query`");
      if (set.fields(contract.id) === undefined) {
        say(
          { document: contract, path: ["schema"] },
          `${contract.schema} is no Avro record in JSON; check it with \`mbus contract check\``,
          { rule: "bad-schema" },
        );
      }
    }
    for (const route of set.routes.values()) routeContract(set, say, route);
  },
};

const KEYS = { query: "request", command: "command", event: "event" } as const;

function routeContract(set: LintSet, say: Say, route: RouteDoc): void {
  const contract = set.contracts.get(route.contract);
  if (!contract) return;
  const path = ["contract", KEYS[route.pattern]];
  if (contract.pattern !== route.pattern) {
    say(
      { document: route, path },
      `\`${contract.id}\` is ${contract.pattern === "event" ? "an" : "a"} ${contract.pattern}; write \`contract: { ${KEYS[contract.pattern]}: ${contract.id} }\``,
    );
  } else if (route.reply !== undefined && route.reply !== contract.reply?.id && (contract.reply || contract.pattern !== "query")) {
    const right = contract.reply
      ? `the reply of \`${contract.id}\` is \`${contract.reply.id}\``
      : `\`${contract.id}\` has no reply; remove \`reply\``;
    say({ document: route, path: ["contract", "reply"] }, right);
  }
  if (contract.state === "retired") {
    const name = contract.id.replace(/\d+$/, "");
    const next = [...set.contracts.values()].find((other) => other.state !== "retired" && other.id.startsWith(name));
    say({ document: route, path }, `contract \`${contract.id}\` is retired${next ? `; use \`${next.id}\`` : ""}`, {
      rule: "contract-retired",
    });
  }
}
