/** Embedded engines over throw-away folders, for the suites and the engine's own tests. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openEmbedded, type Embedded, type EmbeddedOptions } from "#adapters/embedded/engine.ts";
import type { World } from "./cases.ts";

export async function embeddedWorld<T>(pick: (engine: Embedded) => T, options: Omit<EmbeddedOptions, "dataDir"> = {}): Promise<World<T>> {
  const dataDir = await mkdtemp(join(tmpdir(), "mbus-engine-"));
  let engine = await openEmbedded({ dataDir, ...options });
  return {
    port: pick(engine),
    async restart() {
      await engine.close();
      engine = await openEmbedded({ dataDir, ...options });
      return pick(engine);
    },
    async close() {
      await engine.close();
      await rm(dataDir, { recursive: true, force: true });
    },
  };
}
