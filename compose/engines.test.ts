import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { Hazard } from "#bus/broker.ts";
import { BusError } from "#bus/errors.ts";
import { readSettings } from "#config/settings.ts";
import { createMemoryBroker } from "#test/harness/memory-broker.ts";
import { createMemoryPorts } from "#test/harness/memory.ts";
import { systemClock } from "./clock.ts";
import { openEngines, type EngineParts, type Openers } from "./engines.ts";

const hazard: Hazard = { setting: "nats.sync", found: "f.", danger: "d.", change: "c." };
let dataDir = "";
beforeEach(() => void (dataDir = mkdtempSync(join(tmpdir(), "mbus-engines-"))));
afterEach(() => rmSync(dataDir, { recursive: true, force: true }));

const partsOf = (env: Record<string, string> = {}, accept: EngineParts["accept"] = () => Promise.resolve()): EngineParts => ({
  settings: readSettings({ MBUS_NODE: "a", ...env }),
  dataDir,
  clock: systemClock,
  accept,
  onError: (error) => {
    throw error;
  },
  onGivenUp: () => undefined,
});

/** Engines in memory that write down when they are opened and closed. */
function memory(over: Partial<{ broker: "none" | "fails"; writers: "one" | "many" }> = {}): Readonly<{ openers: Openers; said: string[] }> {
  const said: string[] = [];
  const told = <T extends { close(): Promise<void> }>(name: string, engine: T): T => {
    said.push(`${name} opens`);
    return {
      ...engine,
      async close() {
        if (!said.includes(`${name} closes`)) said.push(`${name} closes`);
        await engine.close();
      },
    };
  };
  const openers: Openers = {
    async base() {
      const { journal, store } = createMemoryPorts(systemClock);
      const close = () => Promise.resolve();
      const retain = () => Promise.resolve({ records: 0, blobs: 0 });
      return told("base", {
        journal: { ...journal, writers: over.writers ?? "one" },
        store,
        retain,
        hazards: () => Promise.resolve([]),
        close,
      });
    },
    async broker() {
      if (over.broker === "none") return undefined;
      if (over.broker === "fails") throw new BusError("transport-unavailable", "the broker does not answer");
      return told("broker", { ...createMemoryBroker(), hazards: () => Promise.resolve([hazard]) });
    },
  };
  return { openers, said };
}

describe("engines", () => {
  it("are embedded where nothing else is said: one log for journal and transport, no leases, nothing to judge", async () => {
    const judged: (readonly Hazard[])[] = [];
    const engines = await openEngines(partsOf({}, async (hazards) => void judged.push(hazards)));
    expect(judged).toEqual([[]]);
    expect(engines.leases).toBeUndefined();
    expect(engines.journal.writers).toBe("one");
    expect(await engines.served?.subjects()).toEqual([]);
    await engines.close();
    await expect(engines.journal.read(0, 1)).rejects.toThrow(BusError);
  });

  it("judge the dangers of all engines before anything is sent or taken, and close what was opened when they are refused", async () => {
    const { openers, said } = memory();
    const accept = async (hazards: readonly Hazard[]): Promise<void> => {
      said.push(`judged ${hazards.map(({ setting }) => setting).join()}`);
      throw new BusError("configuration", "refused");
    };
    await expect(openEngines(partsOf({}, accept), openers)).rejects.toThrow("refused");
    expect(said).toEqual(["base opens", "broker opens", "judged nats.sync", "broker closes", "base closes"]);
  });

  it("close the base when the broker does not answer", async () => {
    const { openers, said } = memory({ broker: "fails" });
    await expect(openEngines(partsOf(), openers)).rejects.toMatchObject({ code: "transport-unavailable" });
    expect(said).toEqual(["base opens", "base closes"]);
  });

  it("close the transport before the base that it reads", async () => {
    const { openers, said } = memory();
    const engines = await openEngines(partsOf(), openers);
    await engines.close();
    expect(said).toEqual(["base opens", "broker opens", "broker closes", "base closes"]);
  });

  it("have leases exactly where other processes write too", async () => {
    for (const writers of ["one", "many"] as const) {
      const engines = await openEngines(partsOf(), memory({ writers }).openers);
      expect(engines.leases === undefined).toBe(writers === "one");
      const { node, partitions } = partsOf().settings;
      const all = Array.from({ length: partitions }, (_, partition) => partition);
      expect(engines.cluster?.()).toEqual(writers === "one" ? undefined : { node, partitions: all, of: partitions });
      await engines.close();
    }
  });

  it("refuse a store whose journal no transport delivers", async () => {
    const { openers, said } = memory({ broker: "none" });
    await expect(openEngines(partsOf(), openers)).rejects.toThrow("needs MBUS_TRANSPORT=nats or MBUS_TRANSPORT=amqp");
    expect(said.at(-1)).toBe("base closes");
  });
});
