/** Who gives access is not who wants it: a grant that the route's own team gives is nobody's check. */
import type { Rule } from "./rule.ts";

export const owners: Rule = {
  name: "grant-owner",
  check(set, say) {
    const byContract = Map.groupBy(set.routes.values(), (route) => route.contract);
    for (const grant of set.grants.values()) {
      const own = byContract.get(grant.contract)?.find((route) => same(route.owner, grant.owner));
      if (!own) continue;
      say(
        { document: grant, path: ["owner"] },
        `grant \`${grant.id}\` has the owner of route \`${own.id}\`, \`${grant.owner}\`: nobody else looks at who may use \`${grant.contract}\`; let another role own it, for example data-protection-officer`,
        { severity: "warn", keep: true },
      );
    }
  },
};

const same = (one: string, other: string): boolean => one.trim().toLowerCase() === other.trim().toLowerCase();
