/** Evidence for a bus in memory: the log of its journal, sealed with keys of a development authority made once for the test run. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openKeys, type Keys } from "#adapters/keys/ca.ts";
import type { Clock, Journal, Store } from "#bus/ports.ts";
import { openEvidence, type Evidence } from "#compose/evidence.ts";

let made: Promise<Keys> | undefined;

async function make(): Promise<Keys> {
  const folder = mkdtempSync(join(tmpdir(), "evidence-keys-"));
  try {
    return await openKeys(folder);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** Keys that live as long as the test file's process. */
export const testKeys = (): Promise<Keys> => (made ??= make());

/** Schemas are not known to it: messages go into evidence without theirs only where their bodies have no framing. */
export async function evidenceFor(parts: Readonly<{ journal: Journal; store: Store; clock: Clock }>): Promise<Evidence> {
  return openEvidence({
    ...parts,
    keys: await testKeys(),
    settings: { tsaEvery: 60_000, tsaLongest: 3_600_000 },
    authority: undefined,
    leases: undefined,
    registry: {
      register: () => Promise.resolve(1),
      schema: (id) => Promise.resolve(`{"type":"string","doc":"schema ${id}"}`),
      compatibility: () => Promise.resolve([]),
      close: () => Promise.resolve(),
    },
    onError: (error) => {
      throw error;
    },
  });
}
