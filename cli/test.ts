/** `mbus test [paths] [--coverage]`: the tests that route files carry, without a broker, on a virtual clock. */
import { compileRoutes } from "#bus/route/compile.ts";
import { formatFinding } from "#bus/route/findings.ts";
import { runRouteTests, type CaseResult, type TestReport } from "#bus/route/testing/run.ts";
import { readFiles } from "#compose/files.ts";
import { xmlToJson } from "#compose/xml-to-json.ts";
import { root } from "#main.ts";
import { count } from "./lint.ts";
import { print, type Output } from "./output.ts";

export async function test(output: Output, paths: readonly string[], coverage: boolean): Promise<number> {
  const { documents, files, findings } = await readFiles(paths.length > 0 ? paths : [root], process.env);
  let id = 0;
  // schemas need ids to frame bodies; without a registry any will do, as nothing leaves this process
  const compiled = await compileRoutes(documents, { files, schemaIds: () => Promise.resolve((id += 1)), xmlToJson });
  const errors = [...findings, ...compiled.findings].filter((finding) => finding.severity === "error");
  const report = await runRouteTests(compiled.set, documents.tests, { files, at: Date.now() });
  print(output, { ...report, findings: errors }, [...errors.map(formatFinding), ...text(report, coverage)].join("\n"));
  return report.failed > 0 || errors.length > 0 ? 1 : 0;
}

function text(report: TestReport, coverage: boolean): readonly string[] {
  const uncovered = coverage ? report.uncovered.map(({ route, what }) => `untested  ${route}: ${what}`) : [];
  return [...report.cases.flatMap(caseText), ...uncovered, `${count(report.passed, "case")} passed, ${report.failed} failed`];
}

function caseText(result: CaseResult): readonly string[] {
  const head = `${result.ok ? "ok  " : "FAIL"}  ${result.route}: ${result.name}  (${result.file}:${result.line})`;
  return [head, ...result.problems.map(({ what, expected, actual }) => `      ${what}: expected ${expected}, got ${actual}`)];
}
