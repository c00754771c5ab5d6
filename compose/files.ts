/** The administrator's files, read and linted: what `mbus lint` prints, what the reloader compiles and what a change is planned on. */
import { adapters } from "#adapters/registry.ts";
import { lintFiles, type Linted } from "#bus/route/lint/lint.ts";
import type { Files, Finding } from "#bus/route/findings.ts";
import { readVars } from "#config/environment.ts";
import { loadFiles } from "#config/load.ts";

export type ReadFiles = Linted & Readonly<{ files: Files }>;

/** `variables` go before the stage's and the environment's. */
export async function readFiles(
  roots: readonly string[],
  env: Readonly<Record<string, string | undefined>>,
  variables: Readonly<Record<string, string>> = {},
): Promise<ReadFiles> {
  const { files, environment, findings } = await loadFiles({ roots, env });
  const linted = lintFiles(files, adapters, { ...environment, ...variables });
  const all: readonly Finding[] = [...findings, ...linted.findings];
  return { files, documents: linted.documents, findings: all };
}

/** The same of files that are no longer, or not yet, on disk. */
export function readKept(
  files: Files,
  env: Readonly<Record<string, string | undefined>>,
  variables: Readonly<Record<string, string>> = {},
): ReadFiles {
  const { vars, findings } = readVars(files, env);
  const linted = lintFiles(files, adapters, { ...vars, ...variables });
  return { files, documents: linted.documents, findings: [...findings, ...linted.findings] };
}
