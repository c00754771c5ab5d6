/** A whole bus on ports in memory and a virtual clock, with outlets whose answers a test writes down; also again on the same disk. */
import { createBus, type Bus } from "#bus/bus.ts";
import { createLeases } from "#bus/cluster/lease.ts";
import type { AvroRecord, Message } from "#bus/envelope.ts";
import { guidOf } from "#bus/identity/guid.ts";
import type { Inbound, Inlet } from "#bus/ports.ts";
import type { Branch, Grant, Route, RouteSet, Source, System } from "#bus/route/runtime.ts";
import { AUDIT } from "./audit.ts";
import { createMemoryPorts, type MemoryDisk, type MemoryPorts } from "./memory.ts";
import { branchOf, contractOf, routeOf } from "./route.ts";
import { createVirtualClock, type VirtualClock } from "./virtual-clock.ts";

export const START = Date.UTC(2026, 4, 4, 9);

export function sourceOf(over: Partial<Source> = {}): Source {
  return {
    name: "in",
    system: undefined,
    binding: { kind: "http", options: {} },
    in: undefined,
    out: undefined,
    schedule: undefined,
    ...over,
  };
}

export function grantOf(system: string, role: Grant["role"], contract: string, over: Partial<Grant> = {}): Grant {
  return {
    id: `${system} ${role} ${contract}`,
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

const systemOf = (id: string): System => ({
  id,
  title: `System ${id}`,
  institution: { idno: "1004600030235", name: id.split("/")[0] ?? id },
  addresses: [`http://${id.replace("/", "-")}.example`],
  contact: undefined,
  guid: guidOf(id),
  certificates: [],
  settings: {},
  actsFor: [],
  signatures: { required: false, rsaSha1: false, covers: "message" },
  place: "systems.yaml:1",
});

export const SYSTEMS: ReadonlyMap<string, System> = new Map(
  ["asker/one", "asker/two", "maker/one", "taker/a", "taker/b", "provider/one"].map((id) => [id, systemOf(id)]),
);

/** The set of these routes and grants; every system that a grant or a branch names is registered, beside SYSTEMS. */
export function setOf(routes: readonly Route[], grants: readonly Grant[]): RouteSet {
  const named = [
    ...grants.map(({ system }) => system),
    ...routes.flatMap(({ branches }) => branches.flatMap(({ system }) => system ?? [])),
  ];
  return {
    routes: new Map(routes.map((route) => [route.id, route])),
    grants,
    systems: new Map([...SYSTEMS, ...named.filter((id) => !SYSTEMS.has(id)).map((id) => [id, systemOf(id)] as const)]),
    contracts: new Map(routes.map((route) => [route.contract.id, route.contract])),
  };
}

export const lookup = (over: Partial<Route> = {}): Route =>
  routeOf({
    id: "lookup",
    contract: contractOf("query", "person.request.v1"),
    sources: [sourceOf()],
    branches: [branchOf({ system: "provider/one" })],
    ...over,
  });

export const changed = (over: Partial<Route> = {}): Route =>
  routeOf({
    id: "changed",
    contract: contractOf("event", "person.changed.v1"),
    sources: [sourceOf()],
    branches: [branchOf({ name: "a", system: "taker/a" }), branchOf({ name: "b", system: "taker/b" })],
    ...over,
  });

export const register = (over: Partial<Route> = {}): Route =>
  routeOf({
    id: "register",
    contract: contractOf("command", "benefit.register.v1"),
    sources: [sourceOf()],
    branches: [branchOf({ system: "provider/one" })],
    ...over,
  });

/** Grants of everybody for the three routes above. */
export const GRANTS: readonly Grant[] = [
  grantOf("asker/one", "consumer", "person.request.v1"),
  grantOf("asker/two", "consumer", "person.request.v1"),
  grantOf("asker/one", "consumer", "benefit.register.v1"),
  grantOf("asker/two", "consumer", "benefit.register.v1"),
  grantOf("maker/one", "producer", "person.changed.v1"),
  grantOf("taker/a", "consumer", "person.changed.v1"),
  grantOf("taker/b", "consumer", "person.changed.v1"),
];

export type Send = (message: Message, branch: string) => Promise<AvroRecord | undefined> | AvroRecord | undefined;

export type BusWorld = MemoryPorts &
  Readonly<{
    bus: Bus;
    clock: VirtualClock;
    /** What reached the outlets, in order. */
    sent: readonly Readonly<{ branch: string; message: Message; rows: number }>[];
    /** `step outcome branch code` of every journal row, in order. */
    rows(): readonly string[];
    /** What `onError` was told, and routes that could not start. */
    errors: readonly string[];
  }>;

export type BusWorldOptions = Readonly<{
  set?: RouteSet;
  send?: Send;
  disk?: MemoryDisk;
  clock?: VirtualClock;
  inlet?: (route: Route) => Inlet | undefined;
  /** Puts itself around the ports, for example to cut them off. */
  ports?: (plain: MemoryPorts) => MemoryPorts;
  /** Name of this process in a cluster; undefined = it is alone. */
  node?: string;
}>;

/** The caller closes `bus`. */
export async function openBusWorld(options: BusWorldOptions = {}): Promise<BusWorld> {
  const clock = options.clock ?? createVirtualClock(START);
  const plain = createMemoryPorts(clock, options.disk);
  const ports = options.ports?.(plain) ?? plain;
  const send = options.send ?? (() => ({ ok: true }));
  const sent: { branch: string; message: Message; rows: number }[] = [];
  const errors: string[] = [];
  const bus = await createBus({
    clock,
    ...ports,
    audit: AUDIT,
    inlet: options.inlet ?? (() => undefined),
    leases: options.node === undefined ? undefined : await createLeases({ store: ports.store, clock, node: options.node, sole: false }),
    outlets: (_route: Route, branch: Branch) => [
      {
        endpoint: `http://${branch.name}`,
        send: async (message) => {
          sent.push({ branch: branch.name, message, rows: ports.journal.records.length });
          return send(message, branch.name);
        },
        close: () => Promise.resolve(),
      },
    ],
    onError: (error, where) => void errors.push(`${where}: ${String(error)}`),
  });
  const failed = await bus.apply(options.set ?? setOf([lookup(), changed(), register()], GRANTS));
  errors.push(...failed.map(({ route, error }) => `route ${route}: ${String(error)}`));
  const rows = (): readonly string[] =>
    ports.journal.records.map((row) => [row.step, row.outcome, row.branch, row.errorCode].filter(Boolean).join(" "));
  return { ...ports, bus, clock, sent, errors, rows };
}

export function inboundOf(route: string | undefined, system: string | undefined, value: AvroRecord, over: Partial<Inbound> = {}): Inbound {
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
