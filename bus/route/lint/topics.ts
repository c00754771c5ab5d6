/** The picture that the topics of all routes make together: rings, and topics that lead nowhere or come from nowhere. */
import type { AdapterDoc, Path, RouteDoc } from "../documents.ts";
import type { LintSet, Rule } from "./rule.ts";
import { pathOf } from "./visit.ts";

type End = Readonly<{ topic: string; route: RouteDoc; path: Path; outside: boolean }>;

/** Contract ids and topics of the bus differ only by `mbus.`. */
const plainName = (name: string): string => name.replace(/^mbus\./, "");

function endsOf(set: LintSet): Readonly<{ taken: readonly End[]; given: readonly End[] }> {
  const ends = (pick: (route: RouteDoc) => readonly Readonly<{ adapter: AdapterDoc; system?: string }>[]) =>
    [...set.routes.values()].flatMap((route) =>
      pick(route).flatMap(({ adapter, system }): End[] => {
        const name = adapter.options["name"];
        if (adapter.name !== "topic" || typeof name !== "string") return [];
        return [{ topic: plainName(name), route, path: pathOf(adapter.path, "name"), outside: system !== undefined }];
      }),
    );
  return { taken: ends((route) => route.from), given: ends((route) => route.branches) };
}

export const loops: Rule = {
  name: "topic-loop",
  check(set, say) {
    const { taken, given } = endsOf(set);
    const next = new Map<string, Set<string>>();
    for (const { topic, route } of taken) {
      const targets = given.filter((end) => end.route === route).map((end) => end.topic);
      next.set(topic, new Set([...(next.get(topic) ?? []), ...targets]));
    }
    const told = new Set<string>();
    for (const { topic, route, path } of given) {
      const ring = taken.some((end) => end.route === route) ? ringFrom(topic, next) : undefined;
      const name = ring?.toSorted().join(" ");
      if (!ring || name === undefined || told.has(name)) continue;
      told.add(name);
      say(
        { document: route, path },
        `messages go round for ever: ${[...ring, topic].join(" → ")}; send to another topic or take one of these routes away`,
      );
    }
  },
};

/** Topics from `start` back to it, or undefined. Breadth first, each topic once. */
function ringFrom(start: string, next: ReadonlyMap<string, ReadonlySet<string>>): readonly string[] | undefined {
  const queue: (readonly string[])[] = [[start]];
  const seen = new Set<string>();
  for (let way = queue.shift(); way; way = queue.shift()) {
    for (const topic of next.get(way.at(-1) ?? "") ?? []) {
      if (topic === start) return way;
      if (!seen.has(topic)) queue.push([...way, topic]);
      seen.add(topic);
    }
  }
  return undefined;
}

export const deadEnds: Rule = {
  name: "topic-unused",
  check(set, say) {
    if (set.hidden || set.names("route").size > set.routes.size) return;
    const { taken, given } = endsOf(set);
    const events = [...set.routes.values()].filter(
      (route) => route.pattern === "event" && route.from.some(({ adapter }) => adapter.name !== "topic"),
    );
    const produced = new Set([...given.map((end) => end.topic), ...events.map((route) => route.contract)]);
    const consumed = new Set(taken.map((end) => end.topic));
    for (const { topic, route, path, outside } of given) {
      if (!outside && !consumed.has(topic))
        say({ document: route, path }, `no route takes from topic \`${topic}\`; is the name right?`, { severity: "warn" });
    }
    for (const { topic, route, path, outside } of taken) {
      const external = outside || topic.startsWith("from.");
      if (!external && !produced.has(topic))
        say({ document: route, path }, `no route sends to topic \`${topic}\`; is the name right?`, {
          severity: "warn",
          rule: "topic-unfed",
        });
    }
  },
};
