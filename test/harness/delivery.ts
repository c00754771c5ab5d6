/** A branch or several on ports in memory and a virtual clock, with outlets whose answers a test writes down. */
import { createDeadLetters, type DeadLetters } from "#bus/delivery/deadletters.ts";
import { createEndpoints, type Endpoints } from "#bus/delivery/endpoints.ts";
import { startBranch, type BranchParts, type RunningBranch } from "#bus/delivery/branch.ts";
import type { AvroRecord, Envelope, Message } from "#bus/envelope.ts";
import type { Outlet } from "#bus/ports.ts";
import type { Branch, Route, StepContext } from "#bus/route/runtime.ts";
import { createMemoryDisk, createMemoryPorts, type MemoryDisk, type MemoryPorts } from "./memory.ts";
import { envelopeOf, routeOf } from "./route.ts";
import { createVirtualClock, type VirtualClock } from "./virtual-clock.ts";

/** How a target answers one message: throws, or gives the reply. */
export type Answer = (message: Message, signal: AbortSignal) => Promise<AvroRecord | undefined> | AvroRecord | undefined;

export type World = MemoryPorts &
  Readonly<{
    clock: VirtualClock;
    endpoints: Endpoints;
    deadletters: DeadLetters;
    /** Starts one branch of `route` whose target answers like this. */
    start(branch: Branch, answer: Answer, more?: Partial<BranchParts>): Promise<RunningBranch>;
    /** Accepts a message, as the pipeline does: one durable row that is also the publication. */
    accept(parts?: Partial<Envelope>, value?: AvroRecord): Promise<Envelope>;
    /** Steps and details of the journal, without `accepted`, in order. */
    rows(): readonly string[];
    /** A new process on the same disk; nothing of the old one is closed in good order. */
    restart(): Promise<World>;
  }>;

export type WorldParts = Readonly<{ clock?: VirtualClock; disk?: MemoryDisk; route?: Route; random?: () => number }>;

export async function createWorld(parts: WorldParts = {}): Promise<World> {
  const clock = parts.clock ?? createVirtualClock();
  const route = parts.route ?? routeOf();
  const ports = createMemoryPorts(clock, parts.disk ?? createMemoryDisk());
  const { journal, store, transport } = ports;
  const endpoints = createEndpoints({ clock, random: parts.random ?? (() => 0.5) });
  const deadletters = await createDeadLetters({ store, journal, clock });
  return {
    ...ports,
    clock,
    endpoints,
    deadletters,
    start: (branch, answer, more = {}) =>
      startBranch({
        route,
        branch,
        topic: `mbus.${route.contract.id}`,
        transport,
        journal,
        deadletters,
        outlets: outletsOf(branch, answer),
        endpoints,
        clock,
        context: (signal) => ({ clock, signal, route: route.id }) as unknown as StepContext,
        ...more,
      }),
    async accept(given = {}, value) {
      const envelope = envelopeOf({ time: clock.now(), contract: route.contract.id, ...given }, value);
      const { id, correlationId, contract, source: system } = envelope;
      const facts = { id, correlationId, contract, system, route: route.id };
      await journal.append([
        { ...facts, step: "accepted", outcome: "ok", time: clock.now(), envelope, topic: `mbus.${route.contract.id}` },
      ]);
      return envelope;
    },
    rows: () =>
      journal.records.filter(({ step }) => step !== "accepted").map((row) => `${row.id} ${row.branch ?? "-"} ${row.step} ${row.outcome}`),
    restart: () => createWorld({ ...parts, clock, route, disk: ports.disk }),
  };
}

function outletsOf(branch: Branch, answer: Answer): readonly Outlet[] {
  return branch.addresses.map((endpoint) => ({
    endpoint,
    send: async (message, signal) => answer(message, signal),
    close: async () => undefined,
  }));
}
