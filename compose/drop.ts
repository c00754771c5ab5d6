/** Inlets of files: on this machine and on SFTP servers, looking in their own rhythm or at the times of a schedule. */
import { Cron } from "croner";
import { gunzip } from "#adapters/file/content.ts";
import { createFileInlet } from "#adapters/file/inlet.ts";
import { createSftpInlet } from "#adapters/sftp/inlet.ts";
import type { FileReport } from "#bus/edge/drop/inlet.ts";
import { BusError } from "#bus/errors.ts";
import type { Clock, Inlet } from "#bus/ports.ts";
import type { Route, Source } from "#bus/route/runtime.ts";
import type { DropSettings } from "#bus/edge/drop/settings.ts";
import type { EdgeLimits, SourceBinding, Splitter } from "#bus/wire.ts";
import { below } from "./addresses.ts";
import { sftpServerOf } from "./sftp.ts";

export type DropParts = Readonly<{
  dataDir: string;
  clock: Clock;
  secret: (name: string) => string;
  onError: (error: unknown, where: string) => void;
}>;

/** An inlet that can be told to look now. */
type Runs = Inlet & Readonly<{ run(): Promise<unknown> }>;

export function dropInlet(parts: DropParts, route: Route, source: Source, binding: SourceBinding, limits: EdgeLimits): Inlet {
  const { options, splitter, kind } = source.binding;
  const { schedule } = source;
  const where = `source \`${source.name}\` of route \`${route.id}\``;
  if (splitter === undefined) throw new BusError("configuration", `${where} has no splitter`);
  const settings = settingsOf(parts, route, source, binding, limits, splitter);
  const told = { onReport: teller(parts, where) };
  const moved = (name: string, fallback: string): string => (options[name] as { move?: string } | undefined)?.move ?? fallback;
  const given = String(options["directory"]);
  const places = { done: moved("then", "done"), failed: moved("onFailure", "failed") };
  if (kind === "sftp") {
    const server = sftpServerOf(options, parts.secret);
    return timed(parts, route, schedule, createSftpInlet({ ...settings, server, places: { directory: given, ...places } }, told));
  }
  const directory = below(parts.dataDir, given);
  const aside = (name: string, fallback: string): string =>
    options[name] === undefined ? `${directory}/${fallback}` : below(parts.dataDir, moved(name, fallback));
  return timed(
    parts,
    route,
    schedule,
    createFileInlet({ ...settings, directory, done: aside("then", "done"), failed: aside("onFailure", "failed") }, told),
  );
}

function settingsOf(
  { clock }: DropParts,
  route: Route,
  { binding: { options }, schedule }: Source,
  binding: SourceBinding,
  limits: EdgeLimits,
  splitter: Splitter,
): DropSettings {
  const { unpack } = options;
  return {
    match: String(options["match"]),
    stableFor: durationOf(options["stableFor"]) ?? 5000,
    order: options["order"] === "mtime" ? "mtime" : "name",
    every: durationOf(options["every"]) ?? (schedule ? undefined : 5000),
    splitter,
    ...((unpack === "gzip" || unpack === "none") && { unpack }),
    gunzip,
    binding,
    stopAfter: route.stopAfter?.failedRecords ?? (typeof options["stopAfter"] === "number" ? options["stopAfter"] : 100),
    limits,
    clock,
  };
}

/** Milliseconds after which what is still wrong is told again, and files whose trouble is remembered. */
const AGAIN = 3_600_000;
const REMEMBERED = 1_000;

/** What stays wrong from look to look is told once an hour. */
function teller({ clock, onError }: DropParts, where: string): (report: FileReport) => void {
  const told = new Map<string, Readonly<{ text: string; at: number }>>();
  return ({ files }) => {
    for (const { name, text } of files) {
      if (text === undefined) continue;
      const before = told.get(name);
      if (before?.text === text && clock.now() < before.at + AGAIN) continue;
      if (told.size >= REMEMBERED) told.clear();
      told.set(name, { text, at: clock.now() });
      onError(new BusError("endpoint-unavailable", `${name}: ${text}`), where);
    }
  };
}

/** Runs an inlet at its times; a run that is still going when the next is due is let finish first. */
export function timed(parts: DropParts, route: Route, schedule: Source["schedule"], inlet: Runs): Inlet {
  if (!schedule) return inlet;
  let cron: Cron | undefined;
  return {
    async start(accept) {
      await inlet.start(accept);
      const options = {
        protect: schedule.overlap === "skip",
        catch: (error: unknown) => parts.onError(error, `schedule of route ${route.id}`),
      };
      cron = new Cron(
        schedule.cron,
        { ...options, ...(schedule.timezone === undefined ? undefined : { timezone: schedule.timezone }) },
        async () => {
          await inlet.run();
        },
      );
      // what is looked at keeps what a missed run would have taken: looking once at the start is that run
      if (schedule.missed === "run-once") inlet.run().catch((error: unknown) => parts.onError(error, `missed run of route ${route.id}`));
    },
    async close() {
      cron?.stop();
      await inlet.close();
    },
  };
}

const UNITS: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/** Milliseconds of `30s`; undefined where nothing is written. */
export function durationOf(value: unknown): number | undefined {
  const match = typeof value === "string" ? /^(\d+)(ms|s|m|h|d)$/u.exec(value) : undefined;
  return match ? Number(match[1]) * (UNITS[match[2] ?? ""] ?? 1) : undefined;
}
