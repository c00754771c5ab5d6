/** The administrator's files, read and linted: what `mbus lint` prints and what the reloader compiles. */
import { adapters } from "#adapters/registry.ts";
import { lintFiles, type Linted } from "#bus/route/lint/lint.ts";
import type { Files, Finding } from "#bus/route/findings.ts";
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
