/** Which files of a drop folder are finished: a match by name, a regular file, unchanged for a while. */
import { lstat, readdir } from "node:fs/promises";
import { join } from "node:path";
import type { Clock } from "#bus/ports.ts";

export type Found = Readonly<{ name: string; path: string; size: number; mtimeMs: number }>;
/** `refused`: entries that match but cannot be taken, and why. */
export type Look = Readonly<{ files: readonly Found[]; refused: readonly Readonly<{ name: string; why: string }>[] }>;

/** A name grows when the file is moved aside or its bad records are listed; most disks end at 255 bytes. */
const LONGEST_NAME = 200;

export type Glob = Readonly<{ test(name: string): boolean }>;

/** `*` stands for any characters and `?` for one. A star is tried again only where the last one failed, so no name takes long. */
export function globOf(match: string): Glob {
  const pattern = Array.from(match);
  return {
    test(name) {
      const chars = Array.from(name);
      let [at, want, star, mark] = [0, 0, -1, 0];
      while (at < chars.length) {
        if (pattern[want] === "*") [star, mark] = [want++, at];
        else if (pattern[want] === "?" || (want < pattern.length && pattern[want] === chars[at])) [at, want] = [at + 1, want + 1];
        else if (star === -1) return false;
        else [want, at] = [star + 1, ++mark];
      }
      while (pattern[want] === "*") want++;
      return want === pattern.length;
    },
  };
}

/** Looks at a folder once. Hidden names are never taken: programs use them for files in the making. */
export async function look(directory: string, glob: Glob, order: "name" | "mtime"): Promise<Look> {
  const files: Found[] = [];
  const refused: { name: string; why: string }[] = [];
  for (const entry of await readdir(directory, { withFileTypes: true })) {
    if (entry.name.startsWith(".") || !glob.test(entry.name)) continue;
    const path = join(directory, entry.name);
    if (!entry.isFile()) {
      if (!entry.isDirectory()) refused.push({ name: entry.name, why: "is no regular file" });
      continue;
    }
    if (Buffer.byteLength(entry.name) > LONGEST_NAME) {
      refused.push({ name: entry.name, why: `has a name of more than ${LONGEST_NAME} bytes; give it a shorter one` });
      continue;
    }
    const facts = await lstat(path).catch(() => undefined);
    // Bytes of a name that are no UTF-8 are shown as U+FFFD, and no file is called that.
    if (facts === undefined && entry.name.includes("\ufffd"))
      refused.push({ name: entry.name, why: "has a name that is not UTF-8; rename it" });
    if (facts?.isFile() === true) files.push({ name: entry.name, path, size: facts.size, mtimeMs: facts.mtimeMs });
  }
  const byName = (a: Found, b: Found): number => (a.name < b.name ? -1 : 1);
  files.sort(order === "name" ? byName : (a, b) => a.mtimeMs - b.mtimeMs || byName(a, b));
  return { files, refused };
}

export type Watch = Readonly<{
  /** Milliseconds until this file counts as finished; 0 = now. A changed file starts anew. */
  remaining(file: Found): number;
  /** Forgets files that are gone. */
  keep(files: readonly Found[]): void;
}>;

export function createWatch(clock: Clock, stableFor: number): Watch {
  const seen = new Map<string, Readonly<{ size: number; mtimeMs: number; since: number }>>();
  return {
    remaining(file) {
      const before = seen.get(file.name);
      if (before !== undefined && before.size === file.size && before.mtimeMs === file.mtimeMs)
        return Math.max(0, before.since + stableFor - clock.now());
      seen.set(file.name, { size: file.size, mtimeMs: file.mtimeMs, since: clock.now() });
      return stableFor;
    },
    keep(files) {
      const names = new Set(files.map((file) => file.name));
      for (const name of seen.keys()) if (!names.has(name)) seen.delete(name);
    },
  };
}
