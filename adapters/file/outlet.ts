/** Files out: one file per message, named by the message's id, whole or not there at all. */
import { mkdir, open, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { fileName } from "#bus/edge/drop/name.ts";
import { BusError } from "#bus/errors.ts";
import type { Outlet } from "#bus/ports.ts";
import type { Codec } from "#bus/wire.ts";
import { syncDirectory } from "./finish.ts";

export type FileOutletSettings = Readonly<{
  directory: string;
  /** End of each file's name, for example `.json`. */
  suffix: string;
  codec: Codec;
}>;

/** A repeated delivery writes the same file again. Throws attempt-timeout and endpoint-unavailable. */
export function createFileOutlet(settings: FileOutletSettings): Outlet {
  const { directory, suffix, codec } = settings;
  return {
    endpoint: `file:${directory}`,
    async send(message, signal) {
      const bytes = codec.write(message.value);
      const name = fileName(message.envelope.id);
      const hidden = join(directory, `.${name}.new`);
      try {
        signal.throwIfAborted();
        await mkdir(directory, { recursive: true });
        await writeWhole(hidden, bytes, signal);
        signal.throwIfAborted();
        await rename(hidden, join(directory, name + suffix));
        await syncDirectory(directory);
        return undefined;
      } catch (error) {
        await rm(hidden, { force: true }).catch(() => undefined);
        throw failureOf(error, signal);
      }
    },
    close: () => Promise.resolve(),
  };
}

async function writeWhole(path: string, bytes: Uint8Array, signal: AbortSignal): Promise<void> {
  const handle = await open(path, "w", 0o640);
  try {
    await handle.writeFile(bytes, { signal });
    await handle.sync();
  } finally {
    await handle.close();
  }
}

function failureOf(error: unknown, signal: AbortSignal): BusError {
  if (signal.aborted) {
    if (signal.reason instanceof BusError) return signal.reason;
    return new BusError("attempt-timeout", "the file was not written in time", { cause: error });
  }
  const code = error instanceof Error && "code" in error ? String(error.code) : "unknown";
  return new BusError("endpoint-unavailable", `the folder cannot be written to (${code})`, { providerCode: code, cause: error });
}
