/** Delivery that cannot work, or that could do its work twice. */
import { timetable } from "../../delivery/backoff.ts";
import { layersOf, resolveDeliver } from "../deliver.ts";
import type { BranchDoc, RouteDoc } from "../documents.ts";
import type { DeliverPolicy } from "../runtime.ts";
import { formatDuration, spokenDuration } from "../schema/units.ts";
import type { LintSet, Rule, Say, Where } from "./rule.ts";
import { pathOf, stepsOf } from "./visit.ts";

export const deadline: Rule = {
  name: "deadline-too-short",
  check(set, say) {
    for (const route of set.routes.values()) {
      // A command's caller gets a ticket when the deadline passes; its attempts go on.
      if (route.pattern === "command") continue;
      for (const branch of route.branches) {
        const policy = resolveDeliver(route, branch, set);
        const worst = lastStart(policy) + policy.attemptTimeout;
        if (policy.deadline !== undefined && worst > policy.deadline) say(deadlineAt(set, route, branch), deadlineText(policy, worst));
      }
    }
  },
};

/** When the last attempt starts at the latest, ms after the first. */
const lastStart = (policy: DeliverPolicy): number => timetable(policy).slots.at(-1)?.latest ?? 0;

/** `deadline 8s, but 3 attempts × 2500ms + backoff ≤ 600ms = 8.1s`. */
export function deadlineText(policy: DeliverPolicy, worst: number): string {
  const { attempts } = policy.retry;
  const waits = lastStart(policy) - (attempts - 1) * policy.attemptTimeout;
  const sum = `${attempts} attempt${attempts === 1 ? "" : "s"} × ${formatDuration(policy.attemptTimeout)} + backoff ≤ ${spokenDuration(waits)}`;
  return `deadline ${formatDuration(policy.deadline ?? 0)}, but ${sum} = ${spokenDuration(worst)}; raise deadline or lower attempt.timeout`;
}

/** Where the deadline was written, else where the numbers were that made the sum too large. */
function deadlineAt(set: LintSet, route: RouteDoc, branch: BranchDoc): Where {
  const layers = layersOf(route, branch, set).toReversed();
  const layer = layers.find(({ deliver }) => deliver.deadline !== undefined) ?? layers[0];
  if (!layer) return { document: route, path: [] };
  return { document: layer.document, path: pathOf(layer.path, layer.deliver.deadline === undefined ? "retry" : "deadline") };
}

export const idempotence: Rule = {
  name: "retry-without-dedupe",
  check(set, say) {
    for (const route of set.routes.values()) {
      const contract = set.contracts.get(route.contract);
      if (route.pattern !== "command" || !contract || contract.idempotent) continue;
      if (stepsOf(route).some((step) => step.kind === "dedupe")) continue;
      for (const branch of route.branches) repeated(set, say, route, branch);
    }
  },
};

function repeated(set: LintSet, say: Say, route: RouteDoc, branch: BranchDoc): void {
  const { attempts } = resolveDeliver(route, branch, set).retry;
  if (attempts <= 1) return;
  const layer = layersOf(route, branch, set).findLast(({ deliver }) => deliver.retry?.attempts !== undefined);
  const where = layer
    ? { document: layer.document, path: pathOf(layer.path, "retry", "attempts") }
    : { document: route, path: ["contract", "command"] };
  say(
    where,
    `a command may be sent ${attempts} times and nothing keeps it from being done twice; add the step \`- dedupe: { key: $id, window: 1d }\`, write \`idempotent: true\` in its contract, or \`retry: { attempts: 1 }\``,
  );
}

export const replay: Rule = {
  name: "replay-query",
  check(set, say) {
    for (const route of set.routes.values()) {
      if (route.pattern === "query" && route.deadletter.replay === "manual") {
        say({ document: route, path: ["deadletter", "replay"] }, "a query's caller is gone when it is sent again; write `replay: never`");
      }
    }
  },
};

export const failures: Rule = {
  name: "failure-rule",
  check(set, say) {
    for (const route of set.routes.values()) {
      const last = route.failures.findIndex((rule) => rule.on === undefined);
      route.failures.forEach((rule, index) => {
        const at = (key: string) => ({ document: route, path: pathOf(rule.path, key) });
        if (last >= 0 && index > last) say(at("on"), "nothing comes to a line after `on: default`; move it above");
        else if (rule.code !== undefined && !rule.on?.includes("provider-fault"))
          say(at("code"), "`code` goes only with `on: [provider-fault]`");
        else if (rule.with !== undefined && rule.do !== "reply") say(at("with"), "`with` goes only with `do: reply`");
        else if (rule.do === "reply" && route.pattern !== "query" && route.reply === undefined)
          say(
            at("do"),
            `a${route.pattern === "event" ? "n event" : " command without reply"} cannot be answered; write deadletter, drop, reject or stop`,
          );
      });
    }
  },
};

export const oneTarget: Rule = {
  name: "query-fan-out",
  check(set, say) {
    for (const route of set.routes.values()) {
      if (route.pattern === "query" && route.branches.some(({ path }) => path[0] === "fanOut")) {
        say({ document: route, path: ["fanOut"] }, "a query has one provider; write `to:` instead of `fanOut:`");
      }
    }
  },
};
