/**
 * The engines that the settings name: journal and store here or in MongoDB, the transport on the log of the embedded journal or on a
 * broker, the schema registry of our own or an outside one. Libraries of engines that are not named are not loaded.
 */
import { openEmbedded } from "#adapters/embedded/engine.ts";
import { createEmbeddedRegistry } from "#adapters/schema-registry/registry.ts";
import type { Hazard } from "#bus/broker.ts";
import { checkCompatibility } from "#bus/contract/compatibility.ts";
import { BusError } from "#bus/errors.ts";
import type { Clock, Journal, Store, Transport } from "#bus/ports.ts";
import type { Settings } from "#config/settings.ts";

export type EngineParts = Readonly<{
  settings: Settings;
  dataDir: string;
  clock: Clock;
  /** Throws where a danger of the engines is not taken. Called before anything is sent or taken. */
  accept: (hazards: readonly Hazard[]) => Promise<void>;
  onError: (error: unknown, where: string) => void;
}>;

export type Engines = Readonly<{
  journal: Journal;
  store: Store;
  transport: Transport;
  registry: Awaited<ReturnType<typeof createEmbeddedRegistry>>;
  close(): Promise<void>;
}>;

export async function openEngines(parts: EngineParts): Promise<Engines> {
  const { settings, dataDir, clock } = parts;
  if (settings.transport !== "embedded" || settings.store !== "embedded")
    throw new BusError("configuration", "outside engines are not in this version; leave MBUS_TRANSPORT and MBUS_STORE out");
  const engine = await openEmbedded({ dataDir, clock });
  return { ...engine, registry: await createEmbeddedRegistry(engine.store, checkCompatibility) };
}
