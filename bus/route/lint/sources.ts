/** Where messages come in: one address for one route, and schedules that really start. */
import { Cron } from "croner";
import { isTopicEdge } from "../compile-topics.ts";
import type { FromDoc, Path, RouteDoc } from "../documents.ts";
import type { LintSet, Rule, Say } from "./rule.ts";
import { pathOf } from "./visit.ts";

export const onePath: Rule = {
  name: "same-path",
  check(set, say) {
    const taken = new Map<string, RouteDoc>();
    for (const route of set.routes.values()) {
      if (route.state === "draft") continue;
      for (const from of route.from) {
        const address = addressOf(set, route, from);
        const first = address === undefined ? undefined : taken.get(address);
        if (address !== undefined && !first) taken.set(address, route);
        if (!first || address === undefined) continue;
        const key = from.adapter.options["path"] === undefined ? [] : ["path"];
        const { file, line } = first.source;
        say(
          { document: route, path: pathOf(from.adapter.path, ...key) },
          `route \`${first.id}\` (${file}:${line}) already takes ${address}; ${isTopicEdge(from.adapter.name) ? "add branches to that route instead" : "give this one another path"}`,
        );
      }
    }
  },
};

/** The name of a branch is its cursor: two of one name would share the messages instead of getting each. */
export const sameName: Rule = {
  name: "duplicate-name",
  check(set, say) {
    for (const route of set.routes.values()) {
      const twice = (edges: readonly Readonly<{ name: string; path: Path }>[], text: (name: string) => string): void => {
        const seen = new Set<string>();
        for (const { name, path } of edges) {
          if (seen.has(name)) say({ document: route, path: pathOf(path, "name") }, text(name));
          seen.add(name);
        }
      };
      twice(route.from, (name) => `a source of this route is called \`${name}\` already; give this one another name`);
      twice(
        route.branches,
        (name) =>
          `a branch of this route is called \`${name}\` already, and each message would reach only one of them; give this one another name`,
      );
    }
  },
};

/** What makes two sources of one adapter the same; undefined when they cannot clash. */
function addressOf(set: LintSet, route: RouteDoc, { adapter, system }: FromDoc): string | undefined {
  const { options, name } = adapter;
  const text = (key: string): string | undefined => (typeof options[key] === "string" ? options[key] : undefined);
  const soap = set.contracts.get(route.contract)?.soap;
  if (name === "soap")
    return `the SOAP operation ${text("operation") ?? soap?.operation ?? route.contract} at ${text("path") ?? `its default path (${soap?.service ?? route.contract})`}`;
  if (name === "http") return `${text("method") ?? "POST"} ${text("path") ?? `/mconnect/rest/${route.contract}`}`;
  if (isTopicEdge(name) && system !== undefined)
    return `what system \`${system}\` ${route.pattern === "query" ? "asks" : "publishes"} over ${name} under contract \`${route.contract}\``;
  if (name === "sftp") return `the files ${text("match") ?? "*"} in ${text("directory") ?? "."} on ${text("server") ?? ""}`;
  if (name === "file") return `the files ${text("match") ?? "*"} in ${text("directory") ?? "."}`;
  return undefined;
}

export const schedule: Rule = {
  name: "bad-schedule",
  check(set, say) {
    for (const route of set.routes.values()) {
      for (const from of route.from) if (from.schedule) checkCron(set, say, route, from, from.schedule);
    }
  },
};

function checkCron(set: LintSet, say: Say, route: RouteDoc, from: FromDoc, { cron, timezone }: NonNullable<FromDoc["schedule"]>): void {
  const at = (key: string) => ({ document: route, path: pathOf(from.path, "schedule", key) });
  try {
    new Date(set.now).toLocaleString("en", { timeZone: timezone ?? "UTC" });
  } catch {
    return say(at("timezone"), `\`${timezone ?? ""}\` is no time zone; write for example Europe/Chisinau`);
  }
  try {
    const next = new Cron(cron, { paused: true, timezone: timezone ?? "UTC" }).nextRun(new Date(set.now));
    if (!next) say(at("cron"), `\`${cron}\` never comes; check day and month`);
  } catch (error) {
    const words = error instanceof Error ? error.message.replace(/^Cron\w*: /, "") : String(error);
    say(at("cron"), `\`${cron}\` is no cron line (${words}); write minute hour day month weekday, for example \`30 2 * * 1-6\``);
  }
}
