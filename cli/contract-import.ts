/** `mbus contract import-wsdl FILE|URL`: an institution's WSDL as contracts, routes, grants and tests. */
import { formatFinding } from "#bus/route/findings.ts";
import { importInto, type ImportedFiles } from "#compose/import-wsdl.ts";
import { CommandFailed, print, type Output } from "./output.ts";

export type ImportArguments = Readonly<{
  owner: string;
  system: string;
  out: string;
  operation?: string[];
  service?: string;
  consumer?: string;
  idno?: string;
  institution?: string;
  from?: string;
  force?: boolean;
}>;

export async function importWsdl(output: Output, wsdl: string, options: ImportArguments): Promise<number> {
  const from = options.from ?? new Date().toISOString().slice(0, 10);
  if (!/^\d{4}-\d{2}-\d{2}$/u.test(from) || Number.isNaN(Date.parse(from)))
    throw new CommandFailed(`--from is a day such as 2026-01-31, not ${from}`, 2);
  const { operation, out, force, ...rest } = options;
  const done = await importInto({ ...rest, from, wsdl, root: out, force: force === true, ...(operation && { operations: operation }) });
  print(output, done, summary(done));
  const left = done.notes.some((note) => note.kind === "left-out");
  return left || done.findings.some((finding) => finding.severity === "error") ? 1 : 0;
}

function summary({ operations, notes, files, findings }: ImportedFiles): string {
  return [
    ...operations.map(({ operation, contract, route, pattern }) => `${operation}  ${pattern} ${contract}, route ${route}`),
    ...notes.map(({ kind, operation, place, text }) => `${kind.replace("-", " ")}: ${operation} ${place} ${text}`),
    ...findings.map(formatFinding),
    `${files.length} files; check the fields that are personal, the grants and the tests, then: mbus lint, mbus test`,
  ].join("\n");
}
