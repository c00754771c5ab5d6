/** A file's bytes as they come, unpacked where it is gzip. */
import { constants } from "node:fs";
import { open, type FileHandle } from "node:fs/promises";
import { Readable } from "node:stream";
import { createGunzip } from "node:zlib";
import { BusError } from "#bus/errors.ts";
import type { Found } from "#bus/edge/drop/folder.ts";

/** Unpacked bytes per packed byte; real XML and CSV stay below 30, bombs reach 1,000. */
const MAX_RATIO = 100;
const HEAD_START = 1 << 20;

export type LocalFile = Found & Readonly<{ path: string }>;

/** Opens without following a link that was put in the file's place. Throws not-found when it is gone or another file. */
export async function openFound(file: LocalFile): Promise<FileHandle> {
  let handle: FileHandle;
  try {
    handle = await open(file.path, constants.O_RDONLY | constants.O_NOFOLLOW);
  } catch (error) {
    throw new BusError("not-found", `${file.name} cannot be opened`, { cause: error });
  }
  if (await unchanged(handle, file)) return handle;
  await handle.close();
  throw new BusError("not-found", `${file.name} changed before it was read`);
}

export async function unchanged(handle: FileHandle, file: Found): Promise<boolean> {
  const facts = await handle.stat();
  return facts.isFile() && facts.size === file.size && facts.mtimeMs === file.mtimeMs;
}

const CHUNK = 256 * 1024;

/** A read stream would close the handle when its reader stops early; the handle is still needed then. */
export async function* chunksOf(handle: FileHandle): AsyncGenerator<Uint8Array> {
  for (let position = 0; ;) {
    const { bytesRead, buffer } = await handle.read(Buffer.allocUnsafe(CHUNK), 0, CHUNK, position);
    if (bytesRead === 0) return;
    position += bytesRead;
    yield buffer.subarray(0, bytesRead);
  }
}

/** Throws media-type (not gzip, cut off) and message-too-large (ratio). */
export async function* gunzip(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  const raw = Readable.from(chunks);
  const unpacked = createGunzip();
  raw.on("error", (error) => unpacked.destroy(error));
  let size = 0;
  try {
    for await (const chunk of raw.pipe(unpacked) as AsyncIterable<Uint8Array>) {
      size += chunk.byteLength;
      if (size > unpacked.bytesWritten * MAX_RATIO + HEAD_START)
        throw new BusError("message-too-large", `the file unpacks to more than ${MAX_RATIO} times its size`);
      yield chunk;
    }
  } catch (error) {
    if (error instanceof BusError || !isZlib(error)) throw error;
    throw new BusError("media-type", `the file is not whole gzip (${error.code})`, { cause: error });
  } finally {
    raw.destroy();
    unpacked.destroy();
  }
}

function isZlib(error: unknown): error is Error & { code: string } {
  return error instanceof Error && "code" in error && typeof error.code === "string" && error.code.startsWith("Z_");
}
