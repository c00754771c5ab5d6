/** The tests that the sample world's route files carry, run as an administrator would run them. */
import { expect, it } from "vitest";
import { file } from "#adapters/file/spec.ts";
import { http } from "#adapters/http/spec.ts";
import { soap } from "#adapters/soap/spec.ts";
import { compileRoutes } from "#bus/route/compile.ts";
import { lintFiles } from "#bus/route/lint/lint.ts";
import { runRouteTests } from "#bus/route/testing/run.ts";
import { loadFiles } from "#config/load.ts";

const NOW = Date.UTC(2026, 10, 23, 9);

it("passes every case of every sample route", async () => {
  const { files, environment } = await loadFiles({ roots: [process.cwd()], env: {} });
  const { documents } = lintFiles(files, [soap, http, file], environment, NOW);
  let id = 0;
  const { set, findings } = await compileRoutes(documents, { files, schemaIds: async () => ++id });
  expect(findings.filter((finding) => finding.severity === "error")).toEqual([]);
  const report = await runRouteTests(set, documents.tests, { files, at: NOW });
  expect(report.cases.filter((one) => !one.ok)).toEqual([]);
  expect(report.passed).toBeGreaterThanOrEqual(25);
});
