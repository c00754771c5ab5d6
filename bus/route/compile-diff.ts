/** What a reload changes: routes by their revision, so that a route that stayed the same keeps running untouched. */
import type { RouteSet } from "./runtime.ts";

export type RouteDiff = Readonly<{
  added: readonly string[];
  removed: readonly string[];
  changed: readonly string[];
  same: readonly string[];
}>;

/** Ids of routes, each list sorted. Grants, systems and contracts are replaced as a whole and need no diff. */
export function diffRoutes(old: RouteSet, next: RouteSet): RouteDiff {
  const ids = [...next.routes.keys()].sort();
  const before = (id: string): string | undefined => old.routes.get(id)?.revision;
  const after = (id: string): string | undefined => next.routes.get(id)?.revision;
  return {
    added: ids.filter((id) => before(id) === undefined),
    removed: [...old.routes.keys()].filter((id) => after(id) === undefined).sort(),
    changed: ids.filter((id) => before(id) !== undefined && before(id) !== after(id)),
    same: ids.filter((id) => before(id) === after(id)),
  };
}
