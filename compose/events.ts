/** MConnect Events: the desk of the bus behind its face. */
import { mountEvents } from "#adapters/mconnect-events/face.ts";
import { compileJsonSchema } from "#adapters/mconnect-events/schema.ts";
import type { Bus } from "#bus/bus.ts";
import type { Leases } from "#bus/cluster/lease.ts";
import { openDesk } from "#bus/events/desk.ts";
import type { Noticed } from "#bus/events/notice.ts";
import type { SocketHost, WebHost } from "#bus/wire.ts";

export type EventsParts = Readonly<{
  host: WebHost & SocketHost;
  bus: Pick<Bus, "pipeline">;
  noticed: Noticed;
  leases: Leases | undefined;
  onError: (error: unknown, where: string) => void;
}>;

/** Gives what ends it. */
export async function openEvents({ bus, noticed, host, leases, onError }: EventsParts): Promise<() => Promise<void>> {
  const { pipeline } = bus;
  const listen = (published: () => void): void => noticed.listen(published);
  const desk = await openDesk({ ...pipeline, leases, listen, jsonSchema: compileJsonSchema, onError });
  return mountEvents({ host, desk, clock: pipeline.clock, onError });
}
