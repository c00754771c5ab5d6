/** What is left of a file: its place among the done or the failed, and the list of its bad records. */
import { lstat, open, rename, type FileHandle } from "node:fs/promises";
import { dirname, join } from "node:path";
import { errorLine, type ErrorLog } from "#bus/edge/drop/folder.ts";
import { BusError } from "#bus/errors.ts";
import type { LocalFile } from "./content.ts";

/** Moves a file by rename; a taken name gets a number. The move is durable when this resolves. Gives the new path. */
export async function moveTo(file: LocalFile, directory: string): Promise<string> {
  const target = await freeName(directory, file.name);
  try {
    await rename(file.path, target);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EXDEV") throw error;
    throw new BusError("configuration", `${directory} is on another disk than the drop folder, so files cannot be moved there whole`, {
      cause: error,
    });
  }
  await syncDirectory(directory);
  await syncDirectory(dirname(file.path));
  return target;
}

async function freeName(directory: string, name: string): Promise<string> {
  for (let number = 0; ; number++) {
    const path = join(directory, number === 0 ? name : `${name}.${number}`);
    if ((await lstat(path).catch(() => undefined)) === undefined) return path;
  }
}

export async function syncDirectory(directory: string): Promise<void> {
  const handle = await open(directory, "r");
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** The file is made with the first error, so that a good file leaves none; a repeated run begins it anew. */
export function createErrorLog(directory: string, name: string): ErrorLog {
  let handle: Promise<FileHandle> | undefined;
  return {
    async add(error, at) {
      handle ??= open(join(directory, `${name}.errors.jsonl`), "w", 0o640);
      await (await handle).appendFile(errorLine(error, at));
    },
    async close() {
      if (handle === undefined) return;
      const opened = await handle;
      await opened.sync();
      await opened.close();
      await syncDirectory(directory);
    },
  };
}
