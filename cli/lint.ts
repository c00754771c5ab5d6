/** `mbus lint [paths]`: every fault of the administrators' files, each at file:line:column with what to write. */
import { formatFinding } from "#bus/route/findings.ts";
import { readFiles } from "#compose/files.ts";
import { root } from "#main.ts";
import { print, type Output } from "./output.ts";

export async function lint(output: Output, paths: readonly string[]): Promise<number> {
  const started = performance.now();
  const { findings, documents } = await readFiles(paths.length > 0 ? paths : [root], process.env);
  const routes = documents.routes.size;
  const errors = findings.filter((finding) => finding.severity === "error").length;
  const warnings = findings.length - errors;
  const summary = `${count(errors, "error")}, ${count(warnings, "warning")} in ${count(routes, "route")} (${((performance.now() - started) / 1000).toFixed(1)} s)`;
  print(output, { errors, warnings, routes, findings }, [...findings.map(formatFinding), summary].join("\n"));
  return errors > 0 ? 1 : 0;
}

export const count = (number: number, word: string): string => `${number} ${word}${number === 1 ? "" : "s"}`;
