/** Replies of commands that are pushed, and callers that are held for them: only where there is a reply, and to whom it belongs. */
import type { RouteDoc } from "../documents.ts";
import type { LintSet, Rule, Say } from "./rule.ts";
import { pathOf } from "./visit.ts";

export const replies: Rule = {
  name: "replies",
  check(set, say) {
    for (const route of set.routes.values()) {
      const contract = set.contracts.get(route.contract);
      const replied = route.pattern === "command" && (contract === undefined || contract.reply !== undefined);
      if (route.replies.length > 0) pushed(set, say, route, replied);
      for (const { wait, path } of route.from)
        if (wait !== undefined && !replied)
          say({ document: route, path: pathOf(path, "wait") }, "only a command with a reply holds its caller; leave `wait` out");
    }
  },
};

function pushed(set: LintSet, say: Say, route: RouteDoc, replied: boolean): void {
  if (!replied)
    return say(
      { document: route, path: ["replies"] },
      "only a command with a reply has replies to push: a query is answered at once, an event not at all; leave `replies` out",
    );
  const names = new Set(route.branches.map(({ name }) => name));
  const systems = new Set<string>();
  const senders = new Set(route.from.map(({ system }) => system));
  for (const { name, system = "", path } of route.replies) {
    if (names.has(name))
      say({ document: route, path: pathOf(path, "name") }, `\`${name}\` is the name of another branch; give it another one`);
    if (systems.has(system))
      say({ document: route, path: pathOf(path, "system") }, `the replies of \`${system}\` have an address already; one is enough`);
    if (!set.hidden && !senders.has(undefined) && !senders.has(system))
      say({ document: route, path: pathOf(path, "system") }, `\`${system}\` sends no command here, so it gets no reply`, {
        severity: "warn",
      });
    names.add(name);
    systems.add(system);
  }
}
