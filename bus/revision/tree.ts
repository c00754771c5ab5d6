/**
 * Content of a set of files, addressed by what it says: the digest of each text, and one digest over all of them. Two sets with one
 * digest are the same set, byte for byte.
 */
import { createHash } from "node:crypto";
import { BusError } from "../errors.ts";
import type { Files } from "../route/findings.ts";

/** SHA-256 of each file's UTF-8 text in lower-case hex by path; null = the file is no text and only its path counts. */
export type Tree = Readonly<Record<string, string | null>>;

/** What one change puts and takes away; `null` puts a file that is no text. */
export type Edit = Readonly<{ put: Readonly<Record<string, string | null>>; remove: readonly string[] }>;

export const LIMITS = { files: 50_000, totalBytes: 128 * 1024 * 1024, pathLength: 500 } as const;

export const digestOf = (text: string): string => createHash("sha256").update(text).digest("hex");

export function treeOf(files: Files): Tree {
  return Object.fromEntries(
    files.paths.map((path) => {
      const text = files.text(path);
      return [path, text === undefined ? null : digestOf(text)];
    }),
  );
}

/** One text for one tree, whatever the order its paths came in. */
export function canonical(tree: Tree): string {
  return JSON.stringify(Object.entries(tree).toSorted(([a], [b]) => (a < b ? -1 : 1)));
}

export const treeDigest = (tree: Tree): string => digestOf(canonical(tree));

/** Reads what `canonical` wrote. */
export function readTree(text: string): Tree {
  return Object.fromEntries(JSON.parse(text) as [string, string | null][]);
}

export type TreeDiff = Readonly<{ added: readonly string[]; changed: readonly string[]; removed: readonly string[] }>;

/** Paths by what became of them, each list sorted. */
export function diffTrees(before: Tree, after: Tree): TreeDiff {
  const has = (tree: Tree, path: string): boolean => Object.hasOwn(tree, path);
  const paths = Object.keys(after).toSorted();
  return {
    added: paths.filter((path) => !has(before, path)),
    changed: paths.filter((path) => has(before, path) && before[path] !== after[path]),
    removed: Object.keys(before)
      .filter((path) => !has(after, path))
      .toSorted(),
  };
}

/** The files after an edit. Throws `json-violation` for a path that no set of files has, `message-too-large` above the limits. */
export function editFiles(before: Files, edit: Edit): Files {
  const texts = new Map(before.paths.map((path) => [path, before.text(path)] as const));
  for (const path of edit.remove) texts.delete(path);
  for (const [path, text] of Object.entries(edit.put)) {
    if (!sound(path))
      throw new BusError(
        "json-violation",
        `\`${path.slice(0, 100)}\` is no file of an administrator: it lies below routes/, contracts/ or config/*.yaml`,
      );
    if (text?.isWellFormed() === false)
      throw new BusError("json-violation", `the text of \`${path}\` is no well-formed Unicode; save the file as UTF-8`);
    texts.set(path, text ?? undefined);
  }
  let bytes = 0;
  for (const text of texts.values()) bytes += text === undefined ? 0 : Buffer.byteLength(text);
  if (texts.size > LIMITS.files || bytes > LIMITS.totalBytes)
    throw new BusError("message-too-large", `a set of files has at most ${LIMITS.files} files and ${LIMITS.totalBytes / 1024 / 1024} MiB`);
  return filesFrom(texts);
}

export function filesFrom(texts: ReadonlyMap<string, string | undefined>): Files {
  return { paths: [...texts.keys()].toSorted(), text: (path) => texts.get(path) };
}

/** The same paths that are read from a disk: no hidden parts, none that leads out. */
function sound(path: string): boolean {
  if (path.length > LIMITS.pathLength || !path.isWellFormed() || /[\u0000-\u001f\\]/u.test(path)) return false;
  const parts = path.split("/");
  if (parts.length < 2 || parts.some((part) => part === "" || part.startsWith(".") || part === "node_modules")) return false;
  if (parts[0] === "config") return parts.length === 2 && /\.ya?ml$/u.test(path);
  return parts[0] === "routes" || parts[0] === "contracts";
}
