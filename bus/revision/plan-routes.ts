/** What a change does to routes, and to the places that their branches have in the stream of messages. */
import type { BranchDoc, RouteDoc } from "../route/documents.ts";
import type { Route } from "../route/runtime.ts";
import { replyTopic } from "../replies.ts";
import { topicRead } from "../running.ts";
import type { Side } from "./plan.ts";

/** A branch of what runs, and how many messages it has not finished. */
export type Waiting = Readonly<{ route: string; branch: string; count: number }>;

export type RouteChange = Readonly<{
  route: string;
  change: "starts" | "changes" | "stops";
  /** Which parts of its document differ; empty where only what it refers to does (a map, a WSDL, a policy, a schema). */
  parts: readonly string[];
  /** Branches whose place in the stream ends, with what waits there now. */
  gone: readonly Readonly<{ name: string; waiting: number }>[];
  /** Branches that begin with the next message. */
  begin: readonly string[];
  /** The same target under another name: what was its cursor ends, a new one begins. `to` may be a branch of another route. */
  renamed: readonly Readonly<{ from: string; to: string }>[];
}>;

/** Where a branch stands in the stream: topic and group of its cursor. */
type Place = Readonly<{ route: string; name: string; key: string; target: string }>;

/** Routes that stay as they are give no entry. Sorted by id. */
export function routeChanges(before: Side, after: Side, waiting: readonly Waiting[]): readonly RouteChange[] {
  const old = placesOf(before);
  const next = placesOf(after);
  const keys = { old: new Set(old.map(({ key }) => key)), next: new Set(next.map(({ key }) => key)) };
  const gone = old.filter(({ key }) => !keys.next.has(key));
  const begin = next.filter(({ key }) => !keys.old.has(key));
  const ids = [...new Set([...runs(before).keys(), ...runs(after).keys()])].toSorted();
  return ids.flatMap((id) => {
    const [was, will] = [runs(before).get(id), runs(after).get(id)];
    if (was?.revision === will?.revision) return [];
    const lost = gone.filter(({ route }) => route === id);
    return [
      {
        route: id,
        change: was === undefined ? "starts" : will === undefined ? "stops" : "changes",
        parts: was && will ? partsOf(before.documents.routes.get(id), after.documents.routes.get(id)) : [],
        gone: lost.map(({ name }) => ({ name, waiting: countOf(waiting, id, name) })),
        begin: begin.filter(({ route }) => route === id).map(({ name }) => name),
        renamed: lost.flatMap((from) => renamedTo(from, begin)),
      } as const,
    ];
  });
}

/** Drafts do not run. */
const runs = ({ set }: Side): ReadonlyMap<string, Route> => new Map([...set.routes].filter(([, route]) => route.state !== "draft"));

function placesOf(side: Side): readonly Place[] {
  return [...runs(side).values()]
    .filter(({ contract }) => contract.pattern !== "query")
    .flatMap((route) => {
      const document = side.documents.routes.get(route.id);
      const documents = new Map([...(document?.branches ?? []), ...(document?.replies ?? [])].map((branch) => [branch.name, branch]));
      const read = route.branches.map(({ name }) => ({ name, topic: topicRead(route) }));
      const pushed = (route.replies ?? []).map((branch) => ({ name: branch.name, topic: replyTopic(route, branch) }));
      return [...read, ...pushed].map(({ name, topic }) => ({
        route: route.id,
        name,
        key: JSON.stringify([topic, route.id, name]),
        target: targetOf(route, documents.get(name)),
      }));
    });
}

/** Who gets what, and by which way: two branches alike in this are one branch under two names. */
function targetOf(route: Route, branch: BranchDoc | undefined): string {
  const when = branch?.when && { ...branch.when, path: [] };
  return JSON.stringify([
    topicRead(route),
    branch?.path[0] === "replies",
    branch?.system,
    branch?.adapter.name,
    branch?.adapter.options,
    when,
  ]);
}

function renamedTo(from: Place, begin: readonly Place[]): readonly Readonly<{ from: string; to: string }>[] {
  const to = begin.find(({ target }) => target === from.target);
  return to ? [{ from: `${from.route}/${from.name}`, to: `${to.route}/${to.name}` }] : [];
}

function countOf(waiting: readonly Waiting[], route: string, branch: string): number {
  return waiting.find((each) => each.route === route && each.branch === branch)?.count ?? 0;
}

function partsOf(before: RouteDoc | undefined, after: RouteDoc | undefined): readonly string[] {
  const [was, will] = [before?.written ?? {}, after?.written ?? {}];
  const names = [...new Set([...Object.keys(was), ...Object.keys(will)])];
  return names.filter((name) => JSON.stringify(was[name]) !== JSON.stringify(will[name])).toSorted();
}
