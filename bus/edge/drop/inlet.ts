/**
 * Files in: each record of each finished file in a drop folder is a message. The file is moved only after the bus took, or
 * refused, its last record; a crash before the move reads it again, and the bus knows the records it already has by their ids.
 */
import { asBusError, BusError } from "../../errors.ts";
import type { Accept, Inlet } from "../../ports.ts";
import type { DropSettings } from "./settings.ts";
import type { Folder, Found } from "./folder.ts";
import { createWatch, globOf, inOrder, wantedBy, type Watch } from "./look.ts";
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

export type DropInlet = Inlet &
  Readonly<{
    /** Looks once, waits for files to be finished, takes them one after the other. A call during a run joins that run. */
    run(): Promise<FileReport>;
  }>;

export type DropOptions = Readonly<{
  /** Milliseconds that `close` waits for records still in the bus; default 10 s. */
  drain?: number;
  /** Told after each run that found something. */
  onReport?: (report: FileReport) => void;
}>;

/** Looks within one run while files still grow. */
const MAX_LOOKS = 60;

export function createDropInlet(folder: Folder, settings: DropSettings, options: DropOptions = {}): DropInlet {
  const closing = new AbortController();
  const abandoned = new AbortController();
  const watch = createWatch(settings.clock, settings.stableFor);
  let accept: Accept | undefined;
  let current: Promise<FileReport> | undefined;
  const run = (): Promise<FileReport> => {
    if (accept === undefined || closing.signal.aborted) return Promise.reject(new BusError("bus-stopping", "this drop folder is not open"));
    current ??= runOnce({ folder, settings, watch, accept, closing: closing.signal, abandoned: abandoned.signal })
      .then((report) => {
        if (report.files.length > 0) options.onReport?.(report);
        return report;
      })
      .finally(() => (current = undefined));
    return current;
  };
  return {
    run,
    async start(given) {
      await folder.prepare();
      accept = given;
      if (settings.every !== undefined) void rhythm(settings, settings.every, run, closing.signal);
    },
    async close() {
      closing.abort();
      if (current !== undefined) {
        const timer = setTimeout(() => abandoned.abort(), options.drain ?? 10_000);
        await current.catch(() => undefined);
        clearTimeout(timer);
      }
      await folder.rest();
    },
  };
}

async function rhythm(settings: DropSettings, every: number, run: () => Promise<FileReport>, closing: AbortSignal): Promise<void> {
  while (!closing.aborted) {
    await run().catch(() => undefined);
    await settings.clock.sleep(every, closing).catch(() => undefined);
  }
}

type Run = Readonly<{ folder: Folder; settings: DropSettings; watch: Watch; accept: Accept; closing: AbortSignal; abandoned: AbortSignal }>;

/** A folder that cannot be looked into is told like a file that is left. */
async function runOnce(run: Run): Promise<FileReport> {
  const { folder } = run;
  try {
    return await takeAll(run);
  } catch (error) {
    return { files: [{ name: folder.name, outcome: "left", ...NOTHING, text: asBusError(error).message }] };
  } finally {
    await folder.rest();
  }
}

async function takeAll(run: Run): Promise<FileReport> {
  const { folder, settings, watch, closing } = run;
  const wanted = wantedBy(globOf(settings.match));
  const results = new Map<string, FileResult>();
  for (let looks = 1; looks <= MAX_LOOKS && !closing.aborted; looks++) {
    const { files: found, refused } = await folder.look(wanted);
    const files = inOrder(found, settings.order);
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
    await run.folder.move(file, outcome);
    return { name: file.name, outcome, ...count };
  } catch (error) {
    return { name: file.name, outcome: "left", ...count, text: asBusError(error).message };
  }
}

async function readFile(run: Run, file: Found, count: Count): Promise<Ending> {
  const { folder, settings } = run;
  const opened = await folder.open(file);
  const log = folder.errors(file);
  try {
    const gzip = settings.unpack === undefined ? file.name.endsWith(".gz") : settings.unpack === "gzip";
    const chunks = opened.chunks();
    const ending = await handOver({ ...run, file, log, count }, gzip ? settings.gunzip(chunks) : chunks);
    // What was written while we read was maybe not read; the next run sees the whole of it.
    return (await opened.unchanged()) ? ending : "left";
  } finally {
    await log.close();
    await opened.close();
  }
}
