/** What a change does to registered systems. */
import type { ParsedSet, SystemDoc } from "../route/documents.ts";

export type SystemChange = Readonly<{ system: string; change: "begins" | "changes" | "ends"; parts: readonly string[] }>;

/** Names that say where a document stands, not what it says. */
const PLACES = ["kind", "id", "source"];

export function systemChanges(before: ParsedSet, after: ParsedSet): readonly SystemChange[] {
  const ids = [...new Set([...before.systems.keys(), ...after.systems.keys()])].toSorted();
  return ids.flatMap<SystemChange>((system) => {
    const [was, will] = [before.systems.get(system), after.systems.get(system)];
    if (!was || !will) return [{ system, change: was ? "ends" : "begins", parts: [] }];
    const parts = partsOf(was, will);
    return parts.length === 0 ? [] : [{ system, change: "changes", parts }];
  });
}

function partsOf(was: SystemDoc, will: SystemDoc): readonly string[] {
  const [a, b] = [new Map(Object.entries(was)), new Map(Object.entries(will))] as const;
  const names = [...new Set([...a.keys(), ...b.keys()])].filter((name) => !PLACES.includes(name));
  return names.filter((name) => JSON.stringify(a.get(name)) !== JSON.stringify(b.get(name))).toSorted();
}
