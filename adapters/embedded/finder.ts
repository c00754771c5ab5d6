/**
 * The search index: runs on disk plus a tail in memory of what no run covers yet. The tail is rebuilt from the log at
 * start, so the index needs no write of its own at each append. Runs in the worker.
 */
import type { DatabaseSync } from "node:sqlite";
import { dedupeKey, eachKey } from "#bus/journal/search.ts";
import { readRecord } from "#bus/journal/codec.ts";
import { mayHold } from "./bloom.ts";
import { readForward, type Blocks } from "./blocks.ts";
import { startMerge, stepMerge, type Merge } from "./merge.ts";
import { FRAME } from "./protocol.ts";
import {
  dropSlice,
  finishRun,
  loadRuns,
  lookUp,
  openRunTable,
  putKey,
  RUN,
  startRun,
  type Run,
  type RunTable,
  type RunWriter,
} from "./runs.ts";
import { addKey, addPosition, newTail, positionsOf, sortedKeys, type Tail } from "./tail.ts";

/** Runs of one level merged into one of the next; while batches come one after the other, only from so many on. */
const FAN = 8;
const FAN_BUSY = 32;
const TOP_LEVEL = 2;

/** A full tail on its way to disk: searched like a tail until its run is whole. */
type Build = { readonly tail: Tail; readonly keys: Float64Array; readonly run: RunStart; writer: RunWriter | undefined; at: number };
type RunStart = Parameters<typeof startRun>[1];

export type Finder = {
  readonly db: DatabaseSync;
  readonly table: RunTable;
  readonly runRecords: number;
  runs: Run[];
  tail: Tail;
  build: Build | undefined;
  nextRun: number;
  merge: Merge | undefined;
  /** Runs whose rows still have to be deleted. */
  retired: number[];
};

export function openFinder(db: DatabaseSync, blocks: Blocks, runRecords: number): Finder {
  // A run that a crash left unfinished is made again from its sources; its rows go with the retired ones.
  const retired = db
    .prepare(`SELECT id FROM run WHERE state <> ${RUN.live}`)
    .all()
    .map((row) => Number(row["id"]));
  const runs = loadRuns(db);
  const newest = Number(db.prepare("SELECT max(id) AS id FROM run").get()?.["id"] ?? 0);
  const finder: Finder = {
    db,
    table: openRunTable(db),
    runRecords,
    runs,
    tail: newTail((runs.at(-1)?.last ?? 0) + 1),
    build: undefined,
    nextRun: newest + 1,
    merge: undefined,
    retired,
  };
  rebuildTail(finder, blocks);
  return finder;
}

function rebuildTail(finder: Finder, blocks: Blocks): void {
  for (let from = finder.tail.first; from <= blocks.last;) {
    const { positions, data } = readForward(blocks, from, 4_096, 4_194_304);
    if (positions.length === 0) return;
    const bytes = Buffer.from(data.buffer, data.byteOffset, data.length);
    let at = 0;
    for (const position of positions) {
      const end = at + FRAME + bytes.readUInt32LE(at);
      const record = readRecord(bytes, at + FRAME, end);
      addPosition(finder.tail, position, bytes.readDoubleLE(at + 4));
      eachKey(record, (key) => addKey(finder.tail, key, position));
      if (record.dedupe !== undefined) addKey(finder.tail, dedupeKey(record.dedupe.key), position);
      at = end;
      from = position + 1;
    }
  }
}

export function tailIsFull(finder: Finder): boolean {
  return finder.tail.last - finder.tail.first + 1 >= finder.runRecords;
}

/** What an earlier tail still lacks on disk; at most one is under way. Inside a transaction. */
export function finishBuild(finder: Finder): void {
  if (finder.build !== undefined) stepBuild(finder, finder.build, Infinity);
}

/** Sets a full tail aside to become a run, of which `upkeep` then writes a few milliseconds at a time. Memory only, so outside of transactions. */
export function closeTail(finder: Finder): void {
  const { tail } = finder;
  const run = { id: finder.nextRun++, level: 0, first: tail.first, last: tail.last, time: tail.time };
  finder.build = { tail, keys: sortedKeys(tail), run, writer: undefined, at: 0 };
  finder.tail = newTail(tail.last + 1);
}

function stepBuild(finder: Finder, build: Build, until: number): void {
  const { keys, tail } = build;
  const writer = (build.writer ??= startRun(finder.table, build.run, tail.dedupes));
  while (build.at < keys.length) {
    const key = keys[build.at++] ?? 0;
    putKey(writer, key, positionsOf(tail, key));
    if (build.at % 128 === 0 && performance.now() > until) return;
  }
  finder.runs.push(finishRun(writer));
  finder.build = undefined;
}

/** Is there index work to do between batches? What can wait for a rest is none while `busy`. */
export function hasUpkeep(finder: Finder, busy: boolean): boolean {
  if (finder.build !== undefined || finder.merge !== undefined) return true;
  return mergeable(finder, busy) !== undefined || (!busy && finder.retired.length > 0);
}

/** A few milliseconds of merging or deleting; inside a transaction. */
export function upkeep(finder: Finder, milliseconds: number, busy: boolean): void {
  const until = performance.now() + milliseconds;
  if (finder.build !== undefined) {
    stepBuild(finder, finder.build, until);
    return;
  }
  finder.merge ??= beginMerge(finder, busy);
  if (finder.merge !== undefined) {
    const merged = stepMerge(finder.merge, until);
    if (merged !== undefined) replaceRuns(finder, finder.merge.sources, merged);
    return;
  }
  do {
    if (finder.retired[0] !== undefined && dropSlice(finder.table, finder.retired[0], 32)) finder.retired.shift();
  } while (finder.retired.length > 0 && performance.now() < until);
}

function beginMerge(finder: Finder, busy: boolean): Merge | undefined {
  const sources = mergeable(finder, busy);
  return sources === undefined ? undefined : startMerge(finder.table, finder.nextRun++, sources);
}

/** The oldest eight neighbours of one level; lowest level first, for there searches look at most runs. */
function mergeable(finder: Finder, busy: boolean): Run[] | undefined {
  for (let level = 0; level < TOP_LEVEL; level++) {
    const first = finder.runs.findIndex((run) => run.level === level);
    if (first < 0) continue;
    const sources = finder.runs.slice(first, first + (busy ? FAN_BUSY : FAN));
    if (sources.length === (busy ? FAN_BUSY : FAN) && sources.every((run) => run.level === level)) return sources.slice(0, FAN);
  }
  return undefined;
}

function replaceRuns(finder: Finder, sources: readonly Run[], merged: Run): void {
  finder.merge = undefined;
  const gone = new Set(sources.map((run) => run.id));
  for (const id of gone) finder.table.retire.run(id);
  finder.retired.push(...gone);
  finder.runs = [...finder.runs.filter((run) => !gone.has(run.id)), merged].sort((a, b) => a.first - b.first);
}

/** Forgets runs that cover nothing at or above `first`. */
export function dropRunsBelow(finder: Finder, first: number): void {
  const gone = finder.runs.filter((run) => run.last < first);
  if (gone.length === 0) return;
  if (finder.merge !== undefined && finder.merge.sources.some((run) => run.last < first)) {
    finder.table.retire.run(finder.merge.writer.id);
    finder.retired.push(finder.merge.writer.id);
    finder.merge = undefined;
  }
  for (const run of gone) finder.table.retire.run(run.id);
  finder.retired.push(...gone.map((run) => run.id));
  finder.runs = finder.runs.filter((run) => run.last >= first);
}

/** Newest positions first of a de-duplication key, in records whose log time is at or above `since`. */
export function* dedupePositions(finder: Finder, key: number, since: number): Generator<number> {
  yield* positionsOf(finder.tail, key).toReversed();
  if (finder.build !== undefined) yield* positionsOf(finder.build.tail, key).toReversed();
  for (let i = finder.runs.length - 1; i >= 0; i--) {
    const run = finder.runs[i];
    if (run === undefined || run.time < since) return;
    if (mayHold(run.bloom, key)) yield* lookUp(finder.table, run, key).toReversed();
  }
}
