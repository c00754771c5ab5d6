/** Key pairs on disk: `<name>.cert.pem` and `<name>.key.pem`, mode 0600, written whole or not at all. */
import { open, readFile, rename } from "node:fs/promises";
import { join } from "node:path";
import type { KeyPair } from "./issue.ts";

export async function readPair(directory: string, name: string): Promise<KeyPair | undefined> {
  try {
    const [cert, key] = await Promise.all([
      readFile(join(directory, `${name}.cert.pem`), "utf8"),
      readFile(join(directory, `${name}.key.pem`), "utf8"),
    ]);
    return { cert, key };
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
}

/** The key goes first: a crash in between leaves no certificate without its key. */
export async function writePair(directory: string, name: string, pair: KeyPair): Promise<void> {
  await writeWhole(join(directory, `${name}.key.pem`), pair.key);
  await writeWhole(join(directory, `${name}.cert.pem`), pair.cert);
}

/** Mode 0600; after a crash the old file or the new one is there. */
export async function writeWhole(path: string, text: string): Promise<void> {
  const handle = await open(`${path}.new`, "w", 0o600);
  try {
    await handle.writeFile(text);
    await handle.sync();
  } finally {
    await handle.close();
  }
  await rename(`${path}.new`, path);
}
