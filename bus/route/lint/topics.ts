/** The picture that the topics of all routes make together: rings, and topics that lead nowhere or come from nowhere. */
import type { AdapterDoc, Path, RouteDoc } from "../documents.ts";
import type { LintSet, Rule } from "./rule.ts";
import { ringsOf, shortest } from "./rings.ts";
import { pathOf, stepsOf } from "./visit.ts";

type End = Readonly<{ topic: string; route: RouteDoc; path: Path; outside: boolean }>;

/** Contract ids and topics of the bus differ only by `mbus.`. */
const plainName = (name: string): string => name.replace(/^mbus\./, "");

/** `outside`: somebody beyond our files may be at its other end, as of a system's topic or of a copy that a tap makes. */
function endsOf(set: LintSet): Readonly<{ taken: readonly End[]; given: readonly End[] }> {
  const ends = (pick: (route: RouteDoc) => readonly Readonly<{ adapter: AdapterDoc; system?: string }>[]) =>
    [...set.routes.values()].flatMap((route) =>
      pick(route).flatMap(({ adapter, system }): End[] => {
        const name = adapter.options["name"];
        if (adapter.name !== "topic" || typeof name !== "string") return [];
        return [{ topic: plainName(name), route, path: pathOf(adapter.path, "name"), outside: system !== undefined }];
      }),
    );
  const tapped = [...set.routes.values()].flatMap((route) =>
    stepsOf(route).flatMap((step): End[] =>
      step.kind === "tap" ? [{ topic: plainName(step.topic), route, path: pathOf(step.path, "topic"), outside: true }] : [],
    ),
  );
  return { taken: ends((route) => route.from), given: [...ends((route) => route.branches), ...tapped] };
}

export const loops: Rule = {
  name: "topic-loop",
  check(set, say) {
    const { taken, given } = endsOf(set);
    const from = Map.groupBy(taken, ({ route }) => route);
    const next = new Map<string, Set<string>>();
    for (const { topic, route } of given) {
      for (const end of from.get(route) ?? []) next.set(end.topic, (next.get(end.topic) ?? new Set<string>()).add(topic));
    }
    const rings = ringsOf(next);
    const told = new Set<string>();
    const looked = new Map<ReadonlySet<string>, number>();
    for (const { topic, route, path } of given) {
      const ring = rings.get(topic);
      const times = ring === undefined ? MOST : (looked.get(ring) ?? 0);
      if (!ring || times >= MOST || !from.get(route)?.some((end) => ring.has(end.topic))) continue;
      looked.set(ring, times + 1);
      const way = shortest(topic, next, ring);
      const name = way.toSorted().join(" ");
      if (told.has(name)) continue;
      told.add(name);
      say(
        { document: route, path },
        `messages go round for ever: ${[...way, topic].join(" → ")}; send to another topic or take one of these routes away`,
      );
    }
  },
};

/** Ways that are shown of topics that all reach each other; who mends one looks again. */
const MOST = 10;

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
