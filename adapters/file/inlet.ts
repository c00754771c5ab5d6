/**
 * Files in: each record of each finished file in a drop folder is a message. The file is moved only after the bus took, or
 * refused, its last record; a crash before the move reads it again, and the bus knows the records it already has by their ids.
 */
import { mkdir } from "node:fs/promises";
import { resolve } from "node:path";
import { asBusError, BusError } from "#bus/errors.ts";
import type { Accept, Inlet } from "#bus/ports.ts";
import type { FileInletSettings } from "#bus/wire.ts";
import { contentOf, openFound, unchanged } from "./content.ts";
import { createErrorLog, moveTo } from "./finish.ts";
import { createWatch, globOf, look, type Found, type Watch } from "./look.ts";
import { handOver, type Count, type Ending } from "./records.ts";

/** `refused`: no regular file, or a name that cannot be. `left`: stays for a later run. `known`: records the bus had from an earlier run. */
export type FileResult = Readonly<{
  name: string;
  outcome: "done" | "failed" | "left" | "refused";
  taken: number;
  known: number;
  failed: number;
  text?: string;
}>;
export type FileReport = Readonly<{ files: readonly FileResult[] }>;

export type FileInlet = Inlet &
  Readonly<{
    /** Looks once, waits for files to be finished, takes them one after the other. A call during a run joins that run. */
    run(): Promise<FileReport>;
  }>;

export type FileInletOptions = Readonly<{
  /** Milliseconds that `close` waits for records still in the bus; default 10 s. */
  drain?: number;
  /** Told after each look of the folder's own rhythm (`every`). */
  onReport?: (report: FileReport) => void;
}>;

/** Looks within one run while files still grow. */
const MAX_LOOKS = 60;

export function createFileInlet(settings: FileInletSettings, options: FileInletOptions = {}): FileInlet {
  const closing = new AbortController();
  const abandoned = new AbortController();
  const watch = createWatch(settings.clock, settings.stableFor);
  let accept: Accept | undefined;
  let current: Promise<FileReport> | undefined;
  const run = (): Promise<FileReport> => {
    if (accept === undefined || closing.signal.aborted) return Promise.reject(new BusError("bus-stopping", "this drop folder is not open"));
    current ??= runOnce({ settings, watch, accept, closing: closing.signal, abandoned: abandoned.signal }).finally(
      () => (current = undefined),
    );
    return current;
  };
  return {
    run,
    async start(given) {
      await prepare(settings);
      accept = given;
      if (settings.every !== undefined) void rhythm(settings, settings.every, run, closing.signal, options);
    },
    async close() {
      closing.abort();
      if (current === undefined) return;
      const timer = setTimeout(() => abandoned.abort(), options.drain ?? 10_000);
      await current.catch(() => undefined);
      clearTimeout(timer);
    },
  };
}

async function prepare(settings: FileInletSettings): Promise<void> {
  const [directory, done, failed] = [resolve(settings.directory), doneOf(settings), failedOf(settings)];
  if (done === directory || failed === directory)
    throw new BusError("configuration", `files of ${settings.directory} must be moved to another folder, or they would be read for ever`);
  for (const path of [directory, done, failed]) await mkdir(path, { recursive: true });
}

const doneOf = (settings: FileInletSettings): string => resolve(settings.directory, settings.done);
const failedOf = (settings: FileInletSettings): string => resolve(settings.directory, settings.failed);

async function rhythm(
  settings: FileInletSettings,
  every: number,
  run: () => Promise<FileReport>,
  closing: AbortSignal,
  options: FileInletOptions,
): Promise<void> {
  while (!closing.aborted) {
    const report = await run().catch((error: unknown): FileReport => ({
      files: [{ name: settings.directory, outcome: "left", ...NOTHING, text: asBusError(error).message }],
    }));
    if (report.files.length > 0) options.onReport?.(report);
    await settings.clock.sleep(every, closing).catch(() => undefined);
  }
}

type Run = Readonly<{ settings: FileInletSettings; watch: Watch; accept: Accept; closing: AbortSignal; abandoned: AbortSignal }>;

async function runOnce(run: Run): Promise<FileReport> {
  const { settings, watch, closing } = run;
  const glob = globOf(settings.match);
  const results = new Map<string, FileResult>();
  for (let looks = 1; looks <= MAX_LOOKS && !closing.aborted; looks++) {
    const { files, refused } = await look(settings.directory, glob, settings.order);
    watch.keep(files);
    for (const { name, why } of refused) results.set(name, { name, outcome: "refused", ...NOTHING, text: why });
    const open = files.filter((file) => results.get(file.name) === undefined);
    const waits = open.map((file) => watch.remaining(file));
    // In order: a finished file waits for one before it that still grows, but not for one behind it.
    for (const [i, file] of open.entries()) {
      if (waits[i] !== 0 || closing.aborted) break;
      results.set(file.name, await takeFile(run, file));
    }
    const wait = waits.find((ms) => ms > 0);
    if (wait === undefined) break;
    await settings.clock.sleep(wait, closing).catch(() => undefined);
  }
  return { files: [...results.values()] };
}

const NOTHING = { taken: 0, known: 0, failed: 0 };

async function takeFile(run: Run, file: Found): Promise<FileResult> {
  const count: Count = { ...NOTHING };
  try {
    const ending = await readFile(run, file, count);
    if (ending === "left") return { name: file.name, outcome: "left", ...count };
    const outcome = ending === "read" ? "done" : "failed";
    await moveTo(file, outcome === "done" ? doneOf(run.settings) : failedOf(run.settings));
    return { name: file.name, outcome, ...count };
  } catch (error) {
    return { name: file.name, outcome: "left", ...count, text: asBusError(error).message };
  }
}

async function readFile(run: Run, file: Found, count: Count): Promise<Ending> {
  const { settings } = run;
  const handle = await openFound(file);
  const log = createErrorLog(failedOf(settings), file.name);
  try {
    const gzip = settings.unpack === undefined ? file.name.endsWith(".gz") : settings.unpack === "gzip";
    const ending = await handOver({ ...run, file, log, count }, contentOf(handle, gzip));
    // What was written while we read was maybe not read; the next run sees the whole of it.
    return (await unchanged(handle, file)) ? ending : "left";
  } finally {
    await log.close();
    await handle.close();
  }
}
