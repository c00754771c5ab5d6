/**
 * Change control: plan, apply, approve, roll back. Which files run is what the newest revision in the archive says; to apply is to write
 * that revision, and every process of the cluster takes it. It is written only on the revision that the plan was made on.
 */
import { BusError } from "../errors.ts";
import { newId } from "../ids.ts";
import type { Clock, Journal } from "../ports.ts";
import type { Files } from "../route/findings.ts";
import { moved, type Archive, type Revision } from "./archive.ts";
import { planChange, type Plan, type PlanParts, type Side } from "./plan.ts";
import type { Proposal, Proposals } from "./proposals.ts";
import { editFiles, treeDigest, treeOf, type Edit, type Tree } from "./tree.ts";

/** `watched`: the files on disk are live. `applied`: only what was applied runs. `reviewed`: and somebody else approved it. */
export type Mode = "watched" | "applied" | "reviewed";

/** `anyway`: also where messages are left that nobody takes. */
export type Doing = Readonly<{ who: string; because: string; anyway: boolean }>;
export type Wanted = Edit & Readonly<{ base: number }>;

export type Applied = Readonly<{ state: "applied"; revision: Revision; plan: Plan }>;
export type Proposed = Readonly<{ state: "proposed"; proposal: Proposal; plan: Plan }>;

export interface ChangeAdmin {
  readonly mode: Mode;
  /** The revision that runs, or ran last by the files on disk; undefined = none yet. */
  head(): Promise<Revision | undefined>;
  plan(wanted: Wanted): Promise<Plan>;
  apply(wanted: Wanted, doing: Doing): Promise<Applied | Proposed>;
  planRollback(to: number): Promise<Plan>;
  rollback(to: number, doing: Doing): Promise<Applied | Proposed>;
  approve(proposal: string, who: string, because: string): Promise<Applied>;
  reject(proposal: string, who: string, because: string): Promise<Proposal>;
  proposals(limit: number): Promise<readonly Proposal[]>;
  list(limit: number, before?: number): Promise<readonly Revision[]>;
  /** One revision with the digests of its files and the plan that was shown for it. */
  show(number: number): Promise<Readonly<{ revision: Revision; files: Tree; plan: Plan | undefined }>>;
  text(digest: string): Promise<string>;
}

export type ChangeParts = Readonly<{
  archive: Archive;
  proposals: Proposals;
  journal: Journal;
  clock: Clock;
  mode: Mode;
  /** Lints and compiles without registering anything. */
  judge: (files: Files) => Promise<Side>;
  /** Makes this process run the newest revision. */
  take: () => Promise<void>;
}> &
  Pick<PlanParts, "waiting" | "registered">;

type Ready = Readonly<{ base: number; files: Files; plan: Plan; act: "apply" | "rollback"; restores?: number }>;

const NOTHING: Files = { paths: [], text: () => undefined };

export function createChanges(parts: ChangeParts): ChangeAdmin {
  const { archive, proposals, journal, clock, mode } = parts;
  let known: Readonly<{ digest: string; side: Side }> | undefined;

  /** What runs is planned against again and again. */
  const running = async (files: Files): Promise<Side> => {
    const digest = treeDigest(treeOf(files));
    if (known?.digest !== digest) known = { digest, side: await parts.judge(files) };
    return known.side;
  };

  const filesOf = async (revision: Revision | undefined): Promise<Files> => (revision ? archive.files(revision) : NOTHING);

  const planned = async (before: Files, after: Files, back: boolean): Promise<Plan> => {
    const [was, will] = [await running(before), await parts.judge(after)];
    return planChange({ before: was, after: will, waiting: parts.waiting, registered: parts.registered, back });
  };

  const wantedOf = async (wanted: Wanted): Promise<Ready> => {
    const head = await archive.head();
    if (head && head.number !== wanted.base) throw moved(wanted.base, head);
    if ((head?.number ?? 0) !== wanted.base) throw new BusError("not-found", `there is no revision ${wanted.base}`);
    const before = await filesOf(head);
    const files = editFiles(before, wanted);
    return { base: wanted.base, files, plan: await planned(before, files, false), act: "apply" };
  };

  const backTo = async (to: number): Promise<Ready> => {
    const [head, old] = [await archive.head(), await archive.get(to)];
    const files = await archive.files(old);
    return { base: head?.number ?? 0, files, plan: await planned(await filesOf(head), files, true), act: "rollback", restores: to };
  };

  const act = async (text: string): Promise<void> => {
    const time = clock.now();
    const id = newId(time);
    await journal.append([{ step: "act", outcome: "ok", time, id, correlationId: id, detail: text.slice(0, 1000) }]);
  };

  const write = async (ready: Omit<Ready, "plan">, doing: Doing, plan: string, approvedBy?: string): Promise<Revision> => {
    const { base, files, act: how, restores } = ready;
    const revision = await archive.append(base, files, {
      act: how,
      who: doing.who,
      because: doing.because,
      time: clock.now(),
      plan,
      ...(approvedBy === undefined ? undefined : { approvedBy }),
      ...(restores === undefined ? undefined : { restores }),
    });
    const what = restores === undefined ? "applied" : `rolled back to ${restores}`;
    const eyes = approvedBy === undefined ? "" : `, approved by ${approvedBy}`;
    await act(`revision ${revision.number} ${what} by ${doing.who}${eyes}: ${doing.because} (${revision.id})`);
    await parts.take();
    return revision;
  };

  const carryOut = async (ready: Ready, doing: Doing): Promise<Applied | Proposed> => {
    allow(mode, ready.plan, doing.anyway);
    const plan = await archive.keep(JSON.stringify(ready.plan));
    if (mode !== "reviewed") return { state: "applied", revision: await write(ready, doing, plan), plan: ready.plan };
    const { base, files, act: how, restores } = ready;
    const proposal = await proposals.add({
      base,
      tree: await archive.keepTree(files),
      act: how,
      ...(restores === undefined ? undefined : { restores }),
      ...doing,
      time: clock.now(),
      plan,
    });
    return { state: "proposed", proposal, plan: ready.plan };
  };

  return {
    mode,
    head: () => archive.head(),
    plan: async (wanted) => (await wantedOf(wanted)).plan,
    apply: async (wanted, doing) => {
      writable(mode);
      return carryOut(await wantedOf(wanted), doing);
    },
    planRollback: async (to) => (await backTo(to)).plan,
    async rollback(to, doing) {
      writable(mode);
      return carryOut(await backTo(to), doing);
    },
    async approve(id, who, because) {
      writable(mode);
      const proposal = await proposals.get(id);
      if (who === proposal.who) throw new BusError("change-refused", `${who} proposed this change: another person approves it`);
      const head = await archive.head();
      if ((head?.number ?? 0) !== proposal.base) throw moved(proposal.base, head ?? (await archive.get(proposal.base)));
      const files = await archive.filesOf(proposal.tree);
      // what waits may have changed since it was proposed
      const plan = await planned(await filesOf(head), files, proposal.act === "rollback");
      allow(mode, plan, proposal.anyway);
      await proposals.decide(id, { state: "approved", who, because, time: clock.now() });
      const kept = await archive.keep(JSON.stringify(plan));
      return { state: "applied", revision: await write({ ...proposal, files }, proposal, kept, who), plan };
    },
    async reject(id, who, because) {
      const proposal = await proposals.decide(id, { state: "rejected", who, because, time: clock.now() });
      await act(`proposal ${id} of ${proposal.who} rejected by ${who}: ${because}`);
      return proposal;
    },
    proposals: (limit) => proposals.list(limit),
    list: (limit, before) => archive.list(limit, before),
    async show(number) {
      const revision = await archive.get(number);
      const plan = revision.plan === undefined ? undefined : (JSON.parse(await archive.text(revision.plan)) as Plan);
      return { revision, files: await archive.tree(revision), plan };
    },
    text: (digest) => archive.text(digest),
  };
}

function writable(mode: Mode): void {
  if (mode === "watched")
    throw new BusError("change-refused", "the files on disk are live here: edit them, or start the bus with MBUS_CHANGES=applied");
}

function allow(mode: Mode, plan: Plan, anyway: boolean): void {
  writable(mode);
  const refuse = (text: string): never => {
    const errors = plan.findings.filter(({ severity }) => severity === "error");
    const places = errors
      .slice(0, 20)
      .map(({ file, line, column, rule, text: what }) => ({ path: `${file}:${line}:${column}`, line, column, rule, text: what }));
    throw new BusError("change-refused", text, { places });
  };
  if (plan.verdict === "same") refuse("nothing would change: these files run already");
  if (plan.verdict === "faulty") refuse(`this change is not applied: ${plan.because.join("; ")}`);
  if (plan.verdict === "strands" && !anyway)
    refuse(`${plan.because.join("; ")}; wait until it is empty (\`mbus status\`), or say \`--anyway\` where they may be lost`);
}
