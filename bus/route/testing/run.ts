/** Runs the tests of routes: no broker, no network, no waiting; a day of retries takes milliseconds. */
import { asBusError, BusError } from "../../errors.ts";
import { resolvePath, type TestDoc } from "../documents.ts";
import type { CaseDoc } from "../documents-test.ts";
import type { Files } from "../findings.ts";
import type { RouteSet } from "../runtime.ts";
import { watch, type Coverage, type Uncovered } from "./coverage.ts";
import { compare, type Problem } from "./expect.ts";
import { runFlow } from "./flow.ts";
import { createVirtualClock } from "./virtual-clock.ts";

export type CaseResult = Readonly<{
  route: string;
  name: string;
  file: string;
  line: number;
  ok: boolean;
  problems: readonly Problem[];
  /** Virtual milliseconds. */
  elapsed: number;
}>;

export type TestReport = Readonly<{
  cases: readonly CaseResult[];
  passed: number;
  failed: number;
  /** Of every route of the set, tested or not. */
  uncovered: readonly Uncovered[];
}>;

export type TestParts = Readonly<{
  /** Files that cases name, by path from the root. */
  files: Files;
  /** Virtual time of cases without `at`, milliseconds since the epoch. */
  at: number;
}>;

/** Never throws: what breaks a case is a problem of that case. Cases share nothing and run in order. */
export async function runRouteTests(set: RouteSet, tests: readonly TestDoc[], parts: TestParts): Promise<TestReport> {
  const coverage = new Map([...set.routes.values()].map((route) => [route.id, watch(route)]));
  const cases: CaseResult[] = [];
  for (const test of tests) {
    for (const one of test.cases) cases.push(await runCase({ set, test, one, coverage: coverage.get(test.route), parts }));
  }
  const passed = cases.filter(({ ok }) => ok).length;
  return { cases, passed, failed: cases.length - passed, uncovered: [...coverage.values()].flatMap((one) => one.uncovered()) };
}

type Running = Readonly<{ set: RouteSet; test: TestDoc; one: CaseDoc; coverage: Coverage | undefined; parts: TestParts }>;

/** Longest virtual time of one case. */
const LONGEST = 366 * 24 * 3_600_000;

async function runCase({ set, test, one, coverage, parts }: Running): Promise<CaseResult> {
  const { file, line } = test.source.place(one.path);
  const result = (problems: readonly Problem[], elapsed: number): CaseResult => ({
    route: test.route,
    name: one.name,
    file,
    line,
    ok: problems.length === 0,
    problems,
    elapsed,
  });
  if (coverage === undefined)
    return result([{ what: "route", expected: `route \`${test.route}\``, actual: "it is unknown, or left out for its faults" }], 0);
  const clock = createVirtualClock(one.at ?? parts.at);
  const bytes = (name: string): Uint8Array => bytesOf(parts.files, resolvePath(test.source.file, name));
  try {
    const seen = await clock.until(
      runFlow({ set, route: coverage.route, clock, one, bytes, ruleUsed: (index) => coverage.ruleUsed(index) }),
      LONGEST,
    );
    for (const branch of seen.sent.keys()) coverage.sent(branch);
    return result(compare(one.expect, seen), seen.elapsed);
  } catch (thrown) {
    const error = asBusError(thrown);
    return result([{ what: "case", expected: "that it can run", actual: error.message }], 0);
  }
}

function bytesOf(files: Files, name: string): Uint8Array {
  const text = files.text(name);
  if (text === undefined) throw new BusError("configuration", `there is no file \`${name}\``);
  return new TextEncoder().encode(text);
}
