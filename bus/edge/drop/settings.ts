/** What inlets of files are given. */
import type { Clock } from "../../ports.ts";
import type { EdgeLimits, SourceBinding, Splitter } from "../../wire.ts";

/** Files of a folder, wherever it is. */
export type DropSettings = Readonly<{
  /** Glob on the file name: `*` and `?` only. */
  match: string;
  /** Milliseconds that size and mtime must stay unchanged. */
  stableFor: number;
  order: "name" | "mtime";
  /** Milliseconds between looks; undefined = only when `run` is called (a schedule). */
  every: number | undefined;
  splitter: Splitter;
  /** Default: gzip where the name ends in .gz. */
  unpack?: "gzip" | "none";
  /** Throws media-type (not gzip, cut off) and message-too-large (ratio). */
  gunzip(chunks: AsyncIterable<Uint8Array>): AsyncIterable<Uint8Array>;
  binding: SourceBinding;
  stopAfter: number | undefined;
  limits: EdgeLimits;
  clock: Clock;
}>;

/** `directory`, `done` and `failed` are folders of this machine. */
export type FileInletSettings = Omit<DropSettings, "gunzip"> & Readonly<{ directory: string; done: string; failed: string }>;
