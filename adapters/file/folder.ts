/** A folder of this machine as a place of files. */
import { lstat, mkdir, readdir } from "node:fs/promises";
import { join, resolve } from "node:path";
import type { Folder, Found } from "#bus/edge/drop/folder.ts";
import { faultOfName } from "#bus/edge/drop/look.ts";
import { BusError } from "#bus/errors.ts";
import { chunksOf, openFound, unchanged, type LocalFile } from "./content.ts";
import { createErrorLog, moveTo } from "./finish.ts";

export type LocalPlaces = Readonly<{ directory: string; done: string; failed: string }>;

export function localFolder(places: LocalPlaces): Folder {
  const { directory } = places;
  const aside = { done: resolve(directory, places.done), failed: resolve(directory, places.failed) };
  const local = (file: Found): LocalFile => ({ ...file, path: join(directory, file.name) });
  return {
    name: directory,
    async prepare() {
      const own = resolve(directory);
      if (aside.done === own || aside.failed === own)
        throw new BusError("configuration", `files of ${directory} must be moved to another folder, or they would be read for ever`);
      for (const path of [own, aside.done, aside.failed]) await mkdir(path, { recursive: true });
    },
    look: (wanted) => look(directory, wanted),
    async open(file) {
      const handle = await openFound(local(file));
      return { chunks: () => chunksOf(handle), unchanged: () => unchanged(handle, file), close: () => handle.close() };
    },
    move: async (file, to) => void (await moveTo(local(file), aside[to])),
    errors: (file) => createErrorLog(aside.failed, file.name),
    rest: () => Promise.resolve(),
  };
}

async function look(directory: string, wanted: (name: string) => boolean): ReturnType<Folder["look"]> {
  const files: Found[] = [];
  const refused: { name: string; why: string }[] = [];
  for (const entry of await readdir(directory, { withFileTypes: true })) {
    const { name } = entry;
    if (!wanted(name)) continue;
    if (!entry.isFile()) {
      if (!entry.isDirectory()) refused.push({ name, why: "is no regular file" });
      continue;
    }
    const fault = faultOfName(name);
    if (fault !== undefined) {
      refused.push({ name, why: fault });
      continue;
    }
    const facts = await lstat(join(directory, name)).catch(() => undefined);
    // Bytes of a name that are no UTF-8 are shown as U+FFFD, and no file is called that.
    if (facts === undefined && name.includes("\ufffd")) refused.push({ name, why: "has a name that is not UTF-8; rename it" });
    if (facts?.isFile() === true) files.push({ name, size: facts.size, mtimeMs: facts.mtimeMs });
  }
  return { files, refused };
}
