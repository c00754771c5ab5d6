/** Who may use which contract: grants by system, role and contract, and the denial that says what would allow it. */
import type { CallContext } from "../envelope.ts";
import { BusError } from "../errors.ts";
import { misfit, misfitError } from "./purpose.ts";
import type { Grant, Route, RouteSet } from "../route/runtime.ts";

type ByContract = ReadonlyMap<string, ReadonlyMap<string, readonly Grant[]>>;
/** Finds the grants of one system for one contract without building strings: by role, then contract, then system. */
export type GrantIndex = Readonly<Record<Grant["role"], ByContract>>;

export function indexGrants(grants: readonly Grant[]): GrantIndex {
  return { consumer: byContract(grants, "consumer"), producer: byContract(grants, "producer") };
}

function byContract(grants: readonly Grant[], role: Grant["role"]): ByContract {
  const index = new Map<string, Map<string, Grant[]>>();
  for (const grant of grants) {
    if (grant.role !== role) continue;
    const systems = index.get(grant.contract) ?? new Map<string, Grant[]>();
    systems.set(grant.system, [...(systems.get(grant.system) ?? []), grant]);
    index.set(grant.contract, systems);
  }
  return index;
}

/** `call`: what the asker says of its basis and reason; absent where that was judged before. */
export type Asker = Readonly<{ system: string | undefined; role: Grant["role"]; contract: string; call?: CallContext }>;

/**
 * The grant that lets `asker` use the contract now. Deny by default: throws system-missing, system-unknown, grant-missing,
 * grant-expired, legal-basis-mismatch or purpose-mismatch, each saying which rule refused and what would allow it.
 */
export function findGrant(index: GrantIndex, systems: RouteSet["systems"], asker: Asker, named: readonly string[], now: number): Grant {
  const { system, role, contract } = asker;
  if (system === undefined) {
    throw new BusError(
      "system-missing",
      "the caller did not say which system it is: use its system certificate (or X-System in samples mode)",
    );
  }
  if (!systems.has(system)) {
    throw new BusError(
      "system-unknown",
      `system \`${system}\` is not registered: a \`bus: system/v1\` document with this id would register it`,
    );
  }
  const all = index[role].get(contract)?.get(system) ?? [];
  const grants = named.length === 0 ? all : all.filter((grant) => named.includes(grant.id));
  if (grants.length === 0) {
    const of = named.length === 0 ? "" : ` among those that the route names (${named.join(", ")})`;
    throw new BusError(
      "grant-missing",
      `no grant${of} lets system \`${system}\` be a ${role} of contract \`${contract}\`: a \`bus: grant/v1\` document with \`${role}: ${system}\` and \`contract: ${contract}\` would allow it`,
    );
  }
  const { call } = asker;
  let valid: Grant | undefined;
  for (const grant of grants) {
    if (now < grant.from || now >= grant.until) continue;
    if (call === undefined || misfit(grant, call) === undefined) return grant;
    valid ??= grant;
  }
  if (valid) throw misfitError(valid, misfit(valid, call ?? {}) ?? "basis");
  const grant = grants[0] as Grant;
  const when = now < grant.from ? `begins on ${day(grant.from)}` : `ended on ${day(grant.until)}`;
  throw new BusError("grant-expired", `grant \`${grant.id}\` (${grant.place}) ${when}: its owner \`${grant.owner}\` can change \`valid\``);
}

const day = (time: number): string => new Date(time).toISOString().slice(0, 10);

/** What grants are looked up in. */
export type Grounds = Readonly<{ grants: GrantIndex; systems: RouteSet["systems"] }>;
/** Who sends into a route, and on which basis. */
export type Sender = Readonly<{ system: string | undefined; call?: CallContext }>;

/** The grant under which a system sends into a route. */
export function authorise(route: Route, { grants, systems }: Grounds, sender: Sender, now: number): Grant {
  const role = route.contract.pattern === "event" ? "producer" : "consumer";
  return findGrant(grants, systems, { ...sender, role, contract: route.contract.id }, route.access.grants, now);
}
