/** Which files of a drop folder are finished: a match by name, a sound name, unchanged for a while. */
import type { Clock } from "../../ports.ts";
import type { Found } from "./folder.ts";

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

/** Hidden names are never taken: programs use them for files in the making. */
export const wantedBy =
  (glob: Glob) =>
  (name: string): boolean =>
    !name.startsWith(".") && glob.test(name);

/** Why a file of this name cannot be taken; undefined where it can. */
export function faultOfName(name: string): string | undefined {
  return Buffer.byteLength(name) > LONGEST_NAME ? `has a name of more than ${LONGEST_NAME} bytes; give it a shorter one` : undefined;
}

export function inOrder(files: readonly Found[], order: "name" | "mtime"): readonly Found[] {
  const byName = (a: Found, b: Found): number => (a.name < b.name ? -1 : 1);
  return files.toSorted(order === "name" ? byName : (a, b) => a.mtimeMs - b.mtimeMs || byName(a, b));
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
