/** A whole bus on ports in memory: one helper makes sources, grants and systems, another starts it, also again on the same disk. */
import { createBus, type Bus } from "#bus/bus.ts";
import type { AvroRecord, Message } from "#bus/envelope.ts";
import type { Inbound } from "#bus/ports.ts";
import type { Grant, Route, RouteSet, Source, System } from "#bus/route/runtime.ts";
import { createMemoryPorts, type MemoryDisk, type MemoryPorts } from "./memory.ts";
import type { VirtualClock } from "./virtual-clock.ts";

export const SOURCE: Source = {
  name: "in",
  system: undefined,
  binding: { kind: "http", options: {} },
  in: undefined,
  out: undefined,
  schedule: undefined,
};

export function grantOf(system: string, role: Grant["role"], contract: string, over: Partial<Grant> = {}): Grant {
  return {
    id: `${system} ${role}`,
    owner: "dpo",
    system,
    role,
    contract,
    legalBasis: { act: "Law", section: "1", purpose: "test" },
    allow: undefined,
    from: 0,
    until: Number.MAX_SAFE_INTEGER,
    quota: undefined,
    place: "grants.yaml:1",
    ...over,
  };
}

/** The set of these routes and grants; every system that a grant or a branch names is registered. */
export function setOf(routes: readonly Route[], grants: readonly Grant[]): RouteSet {
  const names = [...grants.map(({ system }) => system), ...routes.flatMap(({ branches }) => branches.map(({ system }) => system ?? ""))];
  const system = (id: string): System => ({
    id,
    title: id,
    institution: { idno: "1", name: id },
    addresses: [],
    contact: undefined,
    place: "systems.yaml:1",
  });
  return {
    routes: new Map(routes.map((route) => [route.id, route])),
    grants,
    systems: new Map(names.filter((id) => id !== "").map((id) => [id, system(id)])),
    contracts: new Map(routes.map((route) => [route.contract.id, route.contract])),
  };
}

export function inboundOf(route: string, system: string, value: AvroRecord, over: Partial<Inbound> = {}): Inbound {
  return {
    route,
    from: "in",
    system,
    call: {},
    headers: {},
    bytes: new TextEncoder().encode(JSON.stringify(value)),
    mediaType: "application/json",
    read: () => value,
    ...over,
  };
}

/** What a branch's receiver answers, or throws. */
export type Answer = (message: Message, branch: string) => AvroRecord | undefined | Promise<AvroRecord | undefined>;

export type BusInMemory = Readonly<{ bus: Bus; ports: MemoryPorts; sent: readonly Message[]; failures: readonly unknown[] }>;

export type InMemoryParts = Readonly<{
  clock: VirtualClock;
  set: RouteSet;
  disk?: MemoryDisk;
  answer?: Answer;
  /** Puts itself around the ports, for example to cut them off. */
  ports?: (plain: MemoryPorts) => MemoryPorts;
}>;

export async function startInMemory({
  clock,
  set,
  disk,
  answer = () => ({ ok: true }),
  ports = (plain) => plain,
}: InMemoryParts): Promise<BusInMemory> {
  const used = ports(createMemoryPorts(clock, disk));
  const sent: Message[] = [];
  const failures: unknown[] = [];
  const bus = await createBus({
    clock,
    journal: used.journal,
    transport: used.transport,
    store: used.store,
    inlet: () => undefined,
    outlets: (_route, branch) => [
      {
        endpoint: `http://${branch.name}`,
        async send(message) {
          sent.push(message);
          return answer(message, branch.name);
        },
        close: () => Promise.resolve(),
      },
    ],
    onError: (error) => void failures.push(error),
  });
  failures.push(...(await bus.apply(set)));
  return { bus, ports: used, sent, failures };
}
