/** Runs all tests and ends with `N passed, N failed`, counted from the runner's own report. */
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const folder = mkdtempSync(join(tmpdir(), "mbus-test-"));
const report = join(folder, "report.json");
const vitest = fileURLToPath(new URL("../../node_modules/vitest/vitest.mjs", import.meta.url));
const { status } = spawnSync(
  process.execPath,
  [vitest, "run", "--reporter=default", "--reporter=json", `--outputFile.json=${report}`, ...process.argv.slice(2)],
  {
    stdio: ["ignore", "inherit", "inherit"],
  },
);

type Counts = {
  numPassedTests: number;
  numFailedTests: number;
  numPendingTests: number;
  numFailedTestSuites: number;
  numTotalTests: number;
};
const counts = readReport();
rmSync(folder, { recursive: true, force: true });
if (!counts || counts.numTotalTests === 0) {
  console.log("no test ran");
  process.exitCode = 1;
} else {
  // a file that does not even load fails no test of its own: it counts as one
  const failed = counts.numFailedTests > 0 ? counts.numFailedTests : status === 0 ? 0 : Math.max(1, counts.numFailedTestSuites);
  const skipped = counts.numPendingTests > 0 ? `, ${counts.numPendingTests} skipped` : "";
  console.log(`${counts.numPassedTests} passed, ${failed} failed${skipped}`);
  process.exitCode = status ?? 1;
}

function readReport(): Counts | undefined {
  try {
    return JSON.parse(readFileSync(report, "utf8")) as Counts;
  } catch {
    return undefined;
  }
}
