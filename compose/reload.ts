/**
 * Follows the administrator's files on disk: reads and lints them as a whole, then runs what is sound, route by route. A faulty
 * document leaves its route as it runs; the findings and the drift stay visible until the files are right.
 */
import { join } from "node:path";
import type { Revision } from "#bus/revision/archive.ts";
import type { Finding } from "#bus/route/findings.ts";
import { readFiles, type ReadFiles } from "./files.ts";
import type { FileRunner } from "./run-files.ts";
import type { Log } from "./log.ts";
import { stamp } from "./stamp.ts";

export type ReloaderParts = Readonly<{
  runner: FileRunner;
  log: Log;
  root: string;
  env: Readonly<Record<string, string | undefined>>;
  variables: Readonly<Record<string, string>>;
  /** Called with the files of each load without an error; gives the revision that they are. */
  sound: (read: ReadFiles) => Promise<Revision | undefined>;
}>;

export type Drift = Readonly<{
  /** The files on disk say something else than what runs. */
  drift: boolean;
  findings: readonly Finding[];
  /** What runs in this process; undefined = no revision of it is known. */
  revision: Revision | undefined;
}>;

export interface Reloader {
  /** Reads and runs the files once. */
  load(): Promise<void>;
  /** Looks every second for what changed. */
  watch(): void;
  drift(): Drift;
  /** All that the files say runs here. */
  complete(): boolean;
  close(): Promise<void>;
}

const LOOK_EVERY = 1000;

export const foldersOf = (root: string): readonly string[] => ["routes", "contracts", "config"].map((name) => join(root, name));

export function createReloader(parts: ReloaderParts): Reloader {
  const folders = foldersOf(parts.root);
  let findings: readonly Finding[] = [];
  let drift = false;
  let seen = "";
  let revision: Revision | undefined;

  const load = async (): Promise<void> => {
    seen = await stamp(folders);
    const read = await readFiles([parts.root], parts.env, parts.variables);
    findings = await parts.runner.run(read);
    drift = findings.some((finding) => finding.severity === "error");
    if (!drift) revision = (await parts.sound(read)) ?? revision;
  };

  const look = async (): Promise<void> => {
    if ((await stamp(folders)) === seen) return;
    await load().catch((error: unknown) => parts.log.error({ err: error }, "reload failed; what ran before goes on"));
  };

  const every = everySecond(look);
  return { load, watch: every.start, drift: () => ({ drift, findings, revision }), complete: () => !drift, close: every.close };
}

/** Calls `look` a second after it last ended, until it is closed. `look` must not fail. */
export function everySecond(look: () => Promise<void>): Readonly<{ start(): void; close(): Promise<void> }> {
  let timer: NodeJS.Timeout | undefined;
  let looking: Promise<void> = Promise.resolve();
  const next = (): void => {
    timer = setTimeout(() => {
      looking = look().finally(next);
    }, LOOK_EVERY);
    timer.unref();
  };
  return {
    start: next,
    async close() {
      clearTimeout(timer);
      await looking;
      clearTimeout(timer);
    },
  };
}
