/**
 * What a change will do, before it does it: the running files beside the wanted ones, route by route, grant by grant, contract by
 * contract. Nothing is started, registered or written for it.
 */
import type { Files, Finding } from "../route/findings.ts";
import type { ParsedSet } from "../route/documents.ts";
import type { RouteSet } from "../route/runtime.ts";
import { contractChanges, type ContractChange } from "./plan-contracts.ts";
import { grantChanges, type GrantChange } from "./plan-grants.ts";
import { routeChanges, type RouteChange, type Waiting } from "./plan-routes.ts";
import { systemChanges, type SystemChange } from "./plan-systems.ts";
import { diffTrees, treeDigest, treeOf, type TreeDiff } from "./tree.ts";

/** One set of files, linted and compiled without registering a schema. */
export type Side = Readonly<{ files: Files; documents: ParsedSet; set: RouteSet; findings: readonly Finding[] }>;

/**
 * `same`: nothing would change. `sound`: it can be applied. `strands`: messages would be left that nobody takes or reads; it is applied
 * only where somebody says so. `faulty`: the files have errors or a schema breaks its contract; it is not applied.
 */
export type Verdict = "same" | "sound" | "strands" | "faulty";

export type Plan = Readonly<{
  verdict: Verdict;
  /** Why it is no plain `sound`, one sentence each. */
  because: readonly string[];
  /** Digests of the files before and after. */
  before: string;
  after: string;
  files: TreeDiff;
  routes: readonly RouteChange[];
  grants: readonly GrantChange[];
  contracts: readonly ContractChange[];
  systems: readonly SystemChange[];
  /** All errors of the wanted files, and the warnings that the running ones do not have. */
  findings: readonly Finding[];
  /** Errors of the wanted files in all. */
  errors: number;
}>;

export type PlanParts = Readonly<{
  before: Side;
  after: Side;
  /** Messages that the running branches have not finished. */
  waiting: () => Promise<readonly Waiting[]>;
  /** What the registry says against a schema under a subject, by the versions it has; empty = nothing. */
  registered?: ((subject: string, schema: string) => Promise<readonly string[]>) | undefined;
  /** Back to files that ran before: their schemas were good once, but messages may have been written under newer ones. */
  back?: boolean;
}>;

export async function planChange({ before, after, waiting, registered, back = false }: PlanParts): Promise<Plan> {
  const trees = { before: treeOf(before.files), after: treeOf(after.files) };
  const faulty = faultyOf(after);
  const routes = routeChanges(before, after, await waiting()).filter(({ route }) => !faulty.has(`route ${route}`));
  const types = await contractChanges(before, after, back ? undefined : registered);
  const contracts = types.filter(({ contract }) => !faulty.has(`contract ${contract}`));
  const errors = after.findings.filter(({ severity }) => severity === "error");
  const broken = contracts.filter(({ compatible }) => !compatible);
  const breaks = broken.map(({ type, rules }) => `\`${type}\` breaks its contract: ${rules.join("; ")}`);
  const unread = broken.map(({ type, rules }) => `messages of \`${type}\` that came since may not be readable: ${rules.join("; ")}`);
  const faults = [
    ...(errors.length > 0 ? [`the files have ${errors.length} error${errors.length > 1 ? "s" : ""}`] : []),
    ...(back ? [] : breaks),
  ];
  const strands = [
    ...routes.flatMap(({ route, gone }) =>
      gone.filter((branch) => branch.waiting > 0).map(({ name, waiting: count }) => strandOf(route, name, count)),
    ),
    ...(back ? unread : []),
  ];
  const files = diffTrees(trees.before, trees.after);
  const same = files.added.length + files.changed.length + files.removed.length === 0;
  return {
    verdict: faults.length > 0 ? "faulty" : strands.length > 0 ? "strands" : same ? "same" : "sound",
    because: [...faults, ...strands],
    before: treeDigest(trees.before),
    after: treeDigest(trees.after),
    files,
    routes,
    grants: grantChanges(before, after).filter(({ grant }) => !faulty.has(`grant ${grant}`)),
    contracts,
    systems: systemChanges(before.documents, after.documents).filter(({ system }) => !faulty.has(`system ${system}`)),
    findings: newFindings(before.findings, after.findings),
    errors: errors.length,
  };
}

/** Documents that are there and cannot run: that they go is no change that anybody asked for. Their findings tell of them. */
function faultyOf({ documents, set }: Side): ReadonlySet<string> {
  const kinds = ["route", "grant", "contract", "system"] as const;
  const left = documents.leftOut.flatMap(({ kind, id }) => (kind === "unknown" ? kinds : [kind]).map((each) => `${each} ${id}`));
  const uncompiled = [
    ...[...documents.routes.keys()].filter((id) => !set.routes.has(id)).map((id) => `route ${id}`),
    ...[...documents.contracts.keys()].filter((id) => !set.contracts.has(id)).map((id) => `contract ${id}`),
  ];
  return new Set([...left, ...uncompiled]);
}

const strandOf = (route: string, branch: string, count: number): string =>
  `${count} message${count > 1 ? "s wait" : " waits"} in branch \`${branch}\` of route \`${route}\`, which goes: nobody would take ${count > 1 ? "them" : "it"}`;

/** A warning that only moved to another line is not new. */
function newFindings(before: readonly Finding[], after: readonly Finding[]): readonly Finding[] {
  const key = ({ file, severity, rule, text }: Finding): string => JSON.stringify([file, severity, rule, text]);
  const known = new Set(before.map(key));
  return after.filter((finding) => finding.severity === "error" || !known.has(key(finding)));
}
