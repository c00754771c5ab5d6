import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openEmbedded } from "#adapters/embedded/engine.ts";
import { checkCompatibility } from "#bus/contract/compatibility.ts";
import { registryAdminConformance, registryConformance } from "#test/conformance/registry.ts";
import type { RegistryOptions } from "#test/conformance/registry.ts";
import { createMemoryDisk, createMemoryStore } from "#test/harness/memory.ts";
import type { SchemaRegistry } from "./model.ts";
import { createEmbeddedRegistry } from "./registry.ts";

const memory: RegistryOptions<SchemaRegistry> = {
  name: "the registry on a store in memory",
  async open() {
    const disk = createMemoryDisk();
    const start = () => createEmbeddedRegistry(createMemoryStore(disk), checkCompatibility);
    return { registry: await start(), reopen: start, close: async () => undefined };
  },
};

const embedded: RegistryOptions<SchemaRegistry> = {
  name: "the registry on the embedded store",
  async open() {
    const dataDir = await mkdtemp(join(tmpdir(), "mbus-registry-"));
    let engine = await openEmbedded({ dataDir });
    return {
      registry: await createEmbeddedRegistry(engine.store, checkCompatibility),
      async reopen() {
        await engine.close();
        engine = await openEmbedded({ dataDir });
        return createEmbeddedRegistry(engine.store, checkCompatibility);
      },
      async close() {
        await engine.close();
        await rm(dataDir, { recursive: true, force: true });
      },
    };
  },
};

for (const options of [memory, embedded]) {
  registryConformance(options);
  registryAdminConformance(options);
}
