/** Grants: each system that sends, asks or receives needs one that holds now. A route without it may stand, its messages are refused. */
import type { GrantDoc, Path, RouteDoc } from "../documents.ts";
import type { LintSet, Rule, Say } from "./rule.ts";
import { pathOf } from "./visit.ts";

const KEEP = { keep: true } as const;
const day = (time: number): string => new Date(time).toISOString().slice(0, 10);

export const grants: Rule = {
  name: "grant-missing",
  check(set, say) {
    const byContract = Map.groupBy(set.grants.values(), (grant) => grant.contract);
    for (const route of set.routes.values()) {
      const among = byContract.get(route.contract) ?? [];
      if (set.contracts.get(route.contract)?.pattern !== route.pattern) continue;
      for (const from of route.from)
        if (from.system !== undefined) sender(set, say, route, { system: from.system, path: pathOf(from.path, "system"), among });
      if (route.pattern !== "event") continue;
      for (const { system, path } of route.branches) {
        if (system !== undefined) demand(set, say, route, { system, role: "consumer", path: pathOf(path, "system"), among });
      }
    }
    for (const grant of set.grants.values()) {
      if (wrongRole(set, grant)) {
        say(
          { document: grant, path: ["producer"] },
          `a ${set.contracts.get(grant.contract)?.pattern ?? "query"} has consumers only; write \`consumer: ${grant.system}\``,
          {
            rule: "grant-role",
          },
        );
      }
      if (grant.valid.until <= grant.valid.from)
        say({ document: grant, path: ["valid"] }, "`until` is not after `from`", { rule: "grant-period" });
    }
  },
};

/** Only events are published; queries and commands are asked for. */
function wrongRole(set: LintSet, grant: GrantDoc): boolean {
  const contract = set.contracts.get(grant.contract);
  return contract !== undefined && contract.pattern !== "event" && grant.role === "producer";
}

/** `among`: the grants of the route's contract. */
function sender(set: LintSet, say: Say, route: RouteDoc, { system, path, among }: Omit<Demand, "role">): void {
  const role = route.pattern === "event" ? "producer" : "consumer";
  const { grants } = route.access;
  if (grants.length === 0) return demand(set, say, route, { system, role, path, among });
  const named = grants.flatMap((id) => set.grants.get(id) ?? []);
  if (named.length < grants.length) return;
  const other = named.find((grant) => grant.contract !== route.contract || grant.role !== role || grant.system !== system);
  if (named.length > 1 || !other) return demand(set, say, route, { system, role, path, among: named });
  // what is wrong in the grant itself has its own message
  if (!set.names("system").has(other.system) || !set.names("contract").has(other.contract) || wrongRole(set, other)) return;
  const reason =
    other.contract !== route.contract
      ? `is for contract \`${other.contract}\`, the route carries \`${route.contract}\``
      : other.role === role
        ? `is for \`${other.system}\`, here sends \`${system}\``
        : `is for a ${other.role}, \`${system}\` is a ${role} here`;
  say(
    { document: route, path: ["access", "grant"] },
    `grant \`${other.id}\` ${reason}; name the grant of \`${system}\` for \`${route.contract}\``,
    { ...KEEP, rule: "grant-other" },
  );
}

type Demand = Readonly<{ system: string; role: GrantDoc["role"]; path: Path; among: readonly GrantDoc[] }>;

function demand(set: LintSet, say: Say, route: RouteDoc, { system, role, path, among }: Demand): void {
  if (set.hidden || !set.names("system").has(system)) return;
  const found = among.filter((grant) => grant.system === system && grant.role === role && grant.contract === route.contract);
  if (found.some((grant) => grant.valid.from <= set.now && set.now < grant.valid.until)) return;
  const [old] = found;
  if (old && old.valid.until <= old.valid.from) return; // that has its own message
  const where = { document: route, path };
  if (old) {
    const when = set.now < old.valid.from ? `begins only on ${day(old.valid.from)}` : `ended on ${day(old.valid.until - 1)}`;
    return say(
      { document: old, path: ["valid", set.now < old.valid.from ? "from" : "until"] },
      `grant \`${old.id}\` ${when}, and route \`${route.id}\` needs it for \`${system}\`; its owner \`${old.owner}\` can change \`valid\``,
      { ...KEEP, rule: "grant-expired" },
    );
  }
  if (brokenGrant(set)) return;
  const verb = role === "producer" ? "publish" : route.pattern === "event" ? "receive" : "use";
  say(
    where,
    `no grant lets \`${system}\` ${verb} \`${route.contract}\`; write a \`bus: grant/v1\` document with \`${role}: ${system}\` and \`contract: ${route.contract}\``,
    KEEP,
  );
}

/** A faulty grant may be the one that is missed: it has its own message. */
function brokenGrant(set: LintSet): boolean {
  return set.names("grant").size > set.grants.size;
}
