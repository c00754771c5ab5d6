/**
 * Runs all tests and ends with `N passed, N failed`, counted from the runner's own report; before it stands which server each suite
 * of real servers ran against. A whole run first has every server once, so that test files side by side never install at the same time.
 */
import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

/** Who has a server when no suite does. */
const BEFORE = "before the tests";
const folder = mkdtempSync(join(tmpdir(), "mbus-test-"));
const report = join(folder, "report.json");
const vitest = fileURLToPath(new URL("../../node_modules/vitest/vitest.mjs", import.meta.url));
const servers = join(folder, "servers.txt");
const env = { ...process.env, MBUS_TEST_SERVERS: servers };
if (process.argv.slice(2).every((argument) => argument.startsWith("-")))
  spawnSync(process.execPath, [fileURLToPath(new URL("./prepare.ts", import.meta.url))], { stdio: ["ignore", "inherit", "inherit"], env });
const { status } = spawnSync(
  process.execPath,
  [vitest, "run", "--reporter=default", "--reporter=json", `--outputFile.json=${report}`, ...process.argv.slice(2)],
  {
    stdio: ["ignore", "inherit", "inherit"],
    env,
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
const used = serversUsed();
rmSync(folder, { recursive: true, force: true });
if (!counts || counts.numTotalTests === 0) {
  console.log("no test ran");
  process.exitCode = 1;
} else {
  // a file that does not even load fails no test of its own: it counts as one
  const failed = counts.numFailedTests > 0 ? counts.numFailedTests : status === 0 ? 0 : Math.max(1, counts.numFailedTestSuites);
  if (used.length > 0) console.log(["servers of the tests:", ...used.map((line) => `  ${line}`), ""].join("\n"));
  const skipped = counts.numPendingTests > 0 ? `, ${counts.numPendingTests} skipped` : "";
  console.log(`${counts.numPassedTests} passed, ${failed} failed${skipped}`);
  process.exitCode = status ?? 1;
}

/** One line for each suite and server; what was had only to prepare is left out where a suite had it too. */
function serversUsed(): readonly string[] {
  if (!existsSync(servers)) return [];
  const lines = readFileSync(servers, "utf8").split("\n").filter(Boolean);
  const told = lines.map((line) => line.split("\t")).map(([suite = "", text = ""]) => ({ suite, text }));
  const bySuites = new Set(told.flatMap(({ suite, text }) => (suite === BEFORE ? [] : [text])));
  return [
    ...new Set(told.filter(({ suite, text }) => suite !== BEFORE || !bySuites.has(text)).map(({ suite, text }) => `${suite}: ${text}`)),
  ].toSorted();
}

function readReport(): Counts | undefined {
  try {
    return JSON.parse(readFileSync(report, "utf8")) as Counts;
  } catch {
    return undefined;
  }
}
