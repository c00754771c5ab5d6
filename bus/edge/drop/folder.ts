/** Where files lie: a folder of this machine, or of another one. What an inlet of files needs of it, and no more. */
import type { BusError } from "../../errors.ts";

export type Found = Readonly<{ name: string; size: number; mtimeMs: number }>;
/** `refused`: entries that match but cannot be taken, and why. */
export type Look = Readonly<{ files: readonly Found[]; refused: readonly Readonly<{ name: string; why: string }>[] }>;

export type OpenFile = Readonly<{
  /** The bytes as they lie there, in pieces; read once. */
  chunks(): AsyncIterable<Uint8Array>;
  /** Is it still the file that was found, of that size and time? */
  unchanged(): Promise<boolean>;
  close(): Promise<void>;
}>;

/** Bad records of one file, one JSON object per line. No payload: where it is, which rule, what kind. */
export type ErrorLog = Readonly<{
  /** `index` and `line` of the record; without them the whole file is meant. */
  add(error: BusError, at?: Readonly<{ index: number; line: number }>): Promise<void>;
  close(): Promise<void>;
}>;

/** Failures are BusErrors; after one of them a later call may succeed. */
export interface Folder {
  /** How the folder is named in reports. */
  readonly name: string;
  /** Makes what is missing, where it may. Throws `configuration` where files could not be moved aside. */
  prepare(): Promise<void>;
  /** The entries that `wanted` lets through, in any order. */
  look(wanted: (name: string) => boolean): Promise<Look>;
  /** Throws not-found when it is gone or another file by now. */
  open(file: Found): Promise<OpenFile>;
  /** A taken name gets a number. Durable when it resolves. */
  move(file: Found, to: "done" | "failed"): Promise<void>;
  errors(file: Found): ErrorLog;
  /** Nothing is wanted for a while: a connection may end. */
  rest(): Promise<void>;
}

/** One line of an error log. */
export function errorLine(error: BusError, at: Readonly<{ index: number; line: number }> | undefined): string {
  const places = error.places.slice(0, 20).map(({ line, column, path, rule }) => ({ line, column, path, rule }));
  const entry = { ...at, code: error.code, class: error.class, text: error.message, ...(places.length > 0 && { places }) };
  return `${JSON.stringify(entry)}\n`;
}
