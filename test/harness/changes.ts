/** Change control over memory: real lint and compiler, a store that outlives restarts, and a note of what was taken. */
import { adapters } from "#adapters/registry.ts";
import type { Clock, Journal, Store } from "#bus/ports.ts";
import { openArchive, type Archive } from "#bus/revision/archive.ts";
import { createChanges, type ChangeAdmin, type Mode } from "#bus/revision/changes.ts";
import type { Side } from "#bus/revision/plan.ts";
import type { Waiting } from "#bus/revision/plan-routes.ts";
import { openProposals } from "#bus/revision/proposals.ts";
import { compileRoutes } from "#bus/route/compile.ts";
import type { Files } from "#bus/route/findings.ts";
import { lintFiles } from "#bus/route/lint/lint.ts";
import { AT } from "./route-world.ts";

export async function sideOf(files: Files): Promise<Side> {
  const { documents, findings } = lintFiles(files, adapters, {}, AT);
  const compiled = await compileRoutes(documents, { files, schemaIds: () => Promise.resolve(0) });
  return { files, documents, set: compiled.set, findings: [...findings, ...compiled.findings] };
}

export type TestChanges = Readonly<{ archive: Archive; changes: ChangeAdmin; taken: () => number }>;

export async function openTestChanges(
  parts: Readonly<{
    store: Store;
    journal: Journal;
    clock: Clock;
    mode?: Mode;
    waiting?: () => readonly Waiting[];
    judge?: (files: Files) => Promise<Side>;
  }>,
): Promise<TestChanges> {
  let taken = 0;
  const archive = await openArchive(parts.store);
  const changes = createChanges({
    archive,
    proposals: await openProposals(parts.store),
    journal: parts.journal,
    clock: parts.clock,
    mode: parts.mode ?? "applied",
    judge: parts.judge ?? sideOf,
    take: async () => void taken++,
    waiting: async () => parts.waiting?.() ?? [],
  });
  return { archive, changes, taken: () => taken };
}
