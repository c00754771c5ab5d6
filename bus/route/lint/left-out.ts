/** Which documents may not run, and why: their own faults, or a contract, policy or system that is left out itself. */
import type { LeftOut, RouteDoc } from "../documents.ts";
import type { Draft } from "./draft.ts";
import type { LintSet } from "./rule.ts";

/** Marks routes and policies that lean on a faulty document, and lists all that are out. */
export function leftOut(drafts: readonly Draft[], set: LintSet): readonly LeftOut[] {
  const names = { contract: set.names("contract"), policy: set.names("policy"), system: set.names("system") };
  const reasons = new Map<Draft, string>();
  const broken = new Set<string>();
  for (const draft of drafts) {
    if (!draft.broken) continue;
    reasons.set(draft, "it has faults");
    broken.add(`${draft.kind} ${draft.id}`);
  }
  for (const draft of drafts) {
    const { document } = draft;
    if (draft.broken || document?.kind !== "route") continue;
    const missing = leansOn(document).find(([kind, id]) => broken.has(`${kind} ${id}`) || broken.has(`unknown ${id}`));
    const absent = set.hidden ? leansOn(document).find(([kind, id]) => !names[kind].has(id)) : undefined;
    const cause = missing ?? absent;
    if (!cause) continue;
    draft.broken = true;
    reasons.set(draft, `${cause[0]} \`${cause[1]}\` is left out`);
  }
  return [...reasons].map(([draft, because]) => ({ kind: draft.kind, id: draft.id, at: draft.at, because }));
}

function leansOn(route: RouteDoc): readonly (readonly ["contract" | "policy" | "system", string])[] {
  const delivers = [route.deliver, ...[...route.branches, ...route.replies].map((branch) => branch.deliver)];
  const systems = [...route.from, ...route.branches, ...route.replies].flatMap(({ system }) =>
    system === undefined ? [] : [["system", system] as const],
  );
  const policies = delivers.flatMap((deliver) => (deliver?.use === undefined ? [] : [["policy", deliver.use] as const]));
  return [["contract", route.contract], ...policies, ...systems];
}
