/**
 * Runs what was applied, and only that: the newest revision in the store, which every process of a cluster takes. The files on disk are
 * compared with it, so that a difference is seen, and never run. Where nothing was ever applied, sound files on disk are the first revision.
 */
import { userInfo } from "node:os";
import { asBusError } from "#bus/errors.ts";
import type { Clock } from "#bus/ports.ts";
import type { Archive, Revision } from "#bus/revision/archive.ts";
import { diffTrees, treeOf, type Tree, type TreeDiff } from "#bus/revision/tree.ts";
import type { Finding } from "#bus/route/findings.ts";
import { readFiles, readKept } from "./files.ts";
import { everySecond, foldersOf, type Reloader, type ReloaderParts } from "./reload.ts";
import { stamp } from "./stamp.ts";

export type FollowerParts = Omit<ReloaderParts, "sound"> & Readonly<{ archive: Archive; clock: Clock }>;

export function createFollower(parts: FollowerParts): Reloader {
  const { archive, log } = parts;
  const folders = foldersOf(parts.root);
  let running: Readonly<{ revision: Revision; tree: Tree }> | undefined;
  let seen = "";
  let wrong: readonly Finding[] = [];
  let disk: Readonly<{ tree: Tree; findings: readonly Finding[] }> = { tree: {}, findings: [] };
  let taking: Promise<void> = Promise.resolve();
  let again = 0;

  const compare = async (): Promise<void> => {
    const now = await stamp(folders);
    if (now === seen) return;
    const read = await readFiles([parts.root], parts.env, parts.variables);
    disk = { tree: treeOf(read.files), findings: read.findings };
    seen = now;
  };

  const first = async (): Promise<Revision | undefined> => {
    const read = await readFiles([parts.root], parts.env, parts.variables);
    if (read.findings.some(({ severity }) => severity === "error")) return undefined;
    const facts = {
      act: "start",
      who: userInfo().username,
      because: "the files found at the first start",
      time: parts.clock.now(),
    } as const;
    return archive.append(0, read.files, facts).catch((thrown: unknown) => {
      if (asBusError(thrown).code !== "store-conflict") throw thrown;
      return archive.get(1);
    });
  };

  const takeNewest = async (): Promise<void> => {
    const head = (await archive.head()) ?? (await first());
    if (!head) return log.error({}, "nothing was ever applied and the files on disk have errors: no route runs until `mbus apply`");
    const faulty = wrong.some(({ severity }) => severity === "error");
    if (head.id === running?.revision.id && !(faulty && parts.clock.now() >= again)) return;
    again = parts.clock.now() + AGAIN;
    const files = await archive.files(head);
    wrong = await parts.runner.run(readKept(files, parts.env, parts.variables));
    running = { revision: head, tree: treeOf(files) };
    log.info({ revision: head.number, who: head.who, because: head.because }, "revision runs");
  };

  const load = async (): Promise<void> => {
    taking = taking.then(takeNewest, takeNewest);
    await taking;
    await compare();
  };

  const diff = (): TreeDiff => diffTrees(running?.tree ?? {}, disk.tree);
  const differs = ({ added, changed, removed }: TreeDiff): boolean => added.length + changed.length + removed.length > 0;
  const every = everySecond(() => load().catch((error: unknown) => log.error({ err: error }, "change control; what ran before goes on")));
  return {
    load,
    watch: every.start,
    drift() {
      const found = diff();
      const findings = [...wrong, ...differing(found, running?.revision), ...(running ? [] : disk.findings)];
      return { drift: differs(found), findings, revision: running?.revision };
    },
    complete: () => running !== undefined && !wrong.some(({ severity }) => severity === "error"),
    close: every.close,
  };
}

/** Differences that are told one by one. */
const MOST = 100;
/** Milliseconds after which a revision that did not start whole is tried again: a registry may be back. */
const AGAIN = 10_000;

function differing({ added, changed, removed }: TreeDiff, revision: Revision | undefined): readonly Finding[] {
  const than = revision ? `revision ${revision.number}, which runs` : "what runs";
  const say = (text: string) => (file: string) => ({ file, line: 1, column: 1, severity: "warn", rule: "not-applied", text }) as const;
  return [
    ...changed.map(say(`the file says something else than ${than}; \`mbus plan\` shows what it would do`)),
    ...added.map(say(`the file is not in ${than}; \`mbus plan\` shows what it would do`)),
    ...removed.map(say(`the file is gone from disk and still in ${than}; \`mbus plan\` shows what that would do`)),
  ].slice(0, MOST);
}
