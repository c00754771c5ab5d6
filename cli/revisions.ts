/** `mbus plan`, `apply`, `rollback`, `approve`, `reject`, `revisions`: change what runs, and see what ran. */
import type { Applied, Plan, Proposal, Proposed, Revision, Tree } from "#bus/admin.ts";
import { diffTrees, treeOf } from "#bus/admin.ts";
import { formatFinding } from "#bus/route/findings.ts";
import { loadFiles } from "#config/load.ts";
import { root } from "#main.ts";
import { admin } from "./client.ts";
import { CommandFailed, print, table, when, whole, type Output } from "./output.ts";
import { planText } from "./plan-text.ts";

type Planned = Readonly<{ state: "planned"; plan: Plan }>;
type Listed = Readonly<{ mode: string; items: readonly Revision[]; nextCursor: number | null }>;
type Shown = Readonly<{ revision: Revision; files: Tree; plan?: Plan }>;
type Act = Readonly<{ operator: string; because?: string; anyway?: boolean }>;
type Wanted = Readonly<{ base: number; put: Readonly<Record<string, string | null>>; remove: readonly string[] }>;

/** Exit 1 when the change would break something. */
export async function plan(output: Output, roots: readonly string[]): Promise<number> {
  const { plan: found } = await admin<Planned>("POST", "/revisions", { ...(await wantedOf(roots)), dryRun: true });
  print(output, found, planText(found));
  return exitOf(found);
}

export async function apply(output: Output, roots: readonly string[], act: Act): Promise<number> {
  const wanted = await wantedOf(roots);
  const { plan: found } = await admin<Planned>("POST", "/revisions", { ...wanted, dryRun: true });
  if (!output.json) output.out(planText(found));
  if (found.verdict === "same") return done(output, { state: "same", plan: found }, "");
  return told(output, await admin<Applied | Proposed>("POST", "/revisions", { ...wanted, ...acting(act, "applied by command") }));
}

export async function rollback(output: Output, to: string, act: Act): Promise<number> {
  const at = `/revisions/${whole(to, "the revision")}/rollbacks`;
  const { plan: found } = await admin<Planned>("POST", at, { dryRun: true });
  if (!output.json) output.out(planText(found));
  if (found.verdict === "same") return done(output, { state: "same", plan: found }, "");
  return told(output, await admin<Applied | Proposed>("POST", at, acting(act)));
}

export async function approve(output: Output, id: string, act: Act): Promise<number> {
  return told(output, await admin<Applied>("POST", `/revision-proposals/${encodeURIComponent(id)}/approvals`, acting(act, "approved")));
}

export async function reject(output: Output, id: string, act: Act): Promise<number> {
  const proposal = await admin<Proposal>("POST", `/revision-proposals/${encodeURIComponent(id)}/rejections`, acting(act));
  return done(output, proposal, `proposal ${proposal.id} of ${proposal.who} is rejected`);
}

export async function list(output: Output, limit: string | undefined): Promise<number> {
  const most = limit === undefined ? 50 : whole(limit, "--limit");
  const { items, mode } = await admin<Listed>("GET", `/revisions?limit=${most}`);
  const { items: proposals } = await admin<Readonly<{ items: readonly Proposal[] }>>("GET", "/revision-proposals");
  const open = proposals.filter(({ state }) => state === "open");
  const columns = [
    { title: "revision", value: (row: Revision) => row.number, right: true },
    { title: "when", value: (row: Revision) => when(row.time) },
    { title: "act", value: (row: Revision) => (row.restores === undefined ? row.act : `${row.act} to ${row.restores}`) },
    { title: "who", value: (row: Revision) => (row.approvedBy === undefined ? row.who : `${row.who}, ${row.approvedBy}`) },
    { title: "because", value: (row: Revision) => row.because },
    { title: "files", value: (row: Revision) => row.tree.slice(0, 12) },
  ];
  const waiting = open.map(({ id, who, because, base }) => `  ${id}  ${who} on revision ${base}: ${because}`);
  const lines = [table(items, columns, "no revision yet"), ...(waiting.length === 0 ? [] : ["", "waiting for approval:", ...waiting])];
  print(output, { mode, revisions: items, proposals: open }, lines.join("\n"));
  return 0;
}

export async function show(output: Output, revision: string): Promise<number> {
  const found = await shown(revision);
  const { number, id, act, who, because, time, parent } = found.revision;
  const lines = [
    `revision ${number}  ${id}`,
    `parent   ${parent === "" ? "none" : parent}`,
    `${act} by ${who} at ${when(time)}: ${because}`,
    ...(found.revision.approvedBy === undefined ? [] : [`approved by ${found.revision.approvedBy}`]),
    "",
    ...Object.entries(found.files).map(([path, digest]) => `${digest ?? "(no text)".padEnd(64)}  ${path}`),
    ...(found.plan ? ["", planText(found.plan)] : []),
  ];
  print(output, found, lines.join("\n"));
  return 0;
}

/** What `mbus plan` and `apply` send: the disk beside the newest revision. */
async function wantedOf(roots: readonly string[]): Promise<Wanted> {
  const { files, findings } = await loadFiles({ roots: roots.length === 0 ? [root] : roots, env: {} });
  if (findings.length > 0) throw new CommandFailed(findings.map(formatFinding).join("\n"));
  const head = (await admin<Listed>("GET", "/revisions?limit=1")).items[0];
  const before = head ? (await shown(String(head.number))).files : {};
  const { added, changed, removed } = diffTrees(before, treeOf(files));
  const put = Object.fromEntries([...added, ...changed].map((path) => [path, files.text(path) ?? null]));
  return { base: head?.number ?? 0, put, remove: removed };
}

export const shown = (revision: string): Promise<Shown> =>
  admin<Shown>("GET", `/revisions/${revision === "head" ? "head" : whole(revision, "the revision")}`);

function acting({ operator, because, anyway }: Act, otherwise?: string): Readonly<Record<string, unknown>> {
  const reason = because ?? otherwise;
  if (reason === undefined) throw new CommandFailed("say why with --because: it is kept with the revision", 2);
  return { operator, reason, ...(anyway === true ? { anyway: true } : undefined) };
}

const exitOf = ({ verdict }: Plan): 0 | 1 => (verdict === "faulty" || verdict === "strands" ? 1 : 0);

function told(output: Output, result: Applied | Proposed): number {
  return result.state === "applied"
    ? done(output, result, `revision ${result.revision.number} runs  ${result.revision.id}`)
    : done(output, result, `proposed as ${result.proposal.id}: another person must say \`mbus approve ${result.proposal.id}\``);
}

function done(output: Output, value: unknown, text: string): number {
  if (output.json || text !== "") print(output, value, text);
  return 0;
}
