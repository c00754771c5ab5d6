/** MConnect Events: the desk of the bus behind its face. */
import { mountEvents } from "#adapters/mconnect-events/face.ts";
import { compileJsonSchema } from "#adapters/mconnect-events/schema.ts";
import type { Bus } from "#bus/bus.ts";
import type { Leases } from "#bus/cluster/lease.ts";
import { openDesk } from "#bus/events/desk.ts";
import type { Noticed } from "#bus/events/notice.ts";
import type { Clock, Store } from "#bus/ports.ts";
import type { SocketHost, WebHost } from "#bus/wire.ts";

export type EventsParts = Readonly<{
  host: WebHost & SocketHost;
  bus: Bus;
  noticed: Noticed;
  store: Store;
  clock: Clock;
  leases: Leases | undefined;
  onError: (error: unknown, where: string) => void;
}>;

/** Gives what ends it. */
export async function openEvents(parts: EventsParts): Promise<() => Promise<void>> {
  const { bus, noticed, host, clock, onError } = parts;
  const { journal } = noticed;
  const desk = await openDesk({
    ...parts,
    journal,
    listen: (published) => noticed.listen(published),
    quotas: bus.quotas,
    view: () => bus.view(),
    stopping: () => bus.stopping(),
    jsonSchema: compileJsonSchema,
  });
  return mountEvents({ host, desk, clock, onError });
}
