/** The administrators' face over a running bus. */
import { explainAccess } from "./access/explain.ts";
import { expiring, grantStates } from "./access/expiry.ts";
import type { Admin, ContractInfo, EvidenceAdmin, RouteStatus, Status } from "./admin.ts";
import type { Bus } from "./bus.ts";
import type { Catalogue } from "./catalogue/catalogue.ts";
import { BusError } from "./errors.ts";
import { newId } from "./ids.ts";
import type { StoredRecord } from "./journal/record.ts";
import type { Clock, Journal } from "./ports.ts";
import type { ChangeAdmin } from "./revision/changes.ts";
import type { Route } from "./route/runtime.ts";
import type { RunningRoute } from "./running.ts";

export type AdminParts = Readonly<{
  bus: Bus;
  journal: Journal;
  evidence: EvidenceAdmin;
  clock: Clock;
  version: string;
  pid: number;
  startedAt: number;
  memory: () => Status["memory"];
  /** What disk and running set disagree about. */
  drift: () => Pick<Status, "drift" | "findings" | "revision">;
  changes: ChangeAdmin;
  catalogue: Catalogue;
  /** Consumer groups that no process has. */
  unclaimed: () => Promise<Status["unclaimed"]>;
  /** Undefined = this process is the only one. */
  cluster?: (() => Status["cluster"]) | undefined;
  /** Paths of a route's faces. */
  faces: (route: Route) => Readonly<{ wsdl: string | undefined; rest: string | undefined }>;
}>;

export function createAdmin(parts: AdminParts): Admin {
  const { bus, journal } = parts;
  const routes = (): readonly RunningRoute[] => [...bus.view().routes.values()];
  const trace = async (id: string): Promise<readonly StoredRecord[]> => {
    const byId = await journal.find({ id, limit: 1000 });
    const correlation = byId.records[0]?.correlationId ?? id;
    const { records } = await journal.find({ correlationId: correlation, limit: 1000, ascending: true });
    return records.length > 0 ? records : byId.records.toReversed();
  };
  return {
    catalogue: parts.catalogue,
    deadletters: bus.deadletters,
    replay: bus.replays,
    changes: parts.changes,
    trace,
    async evidence(id) {
      // a message of its own; a file's records or a person's other requests share its exchange and are not everybody's business
      const { records } = await journal.find({ id, limit: 1000, ascending: true });
      return parts.evidence.export(id, records.length > 0 ? records : await trace(id));
    },
    log: parts.evidence,
    async status() {
      return {
        version: parts.version,
        pid: parts.pid,
        startedAt: parts.startedAt,
        ...parts.drift(),
        changes: parts.changes.mode,
        routes: await Promise.all(routes().map(routeStatus)),
        unclaimed: await parts.unclaimed(),
        cluster: parts.cluster?.(),
        expiring: expiring(bus.view().grants, parts.clock.now()),
        deadletters: await bus.deadletters.open(),
        openBreakers: bus.endpoints.list().filter((endpoint) => endpoint.breaker?.position === "open").length,
        memory: parts.memory(),
      };
    },
    contracts: () => [...bus.view().contracts.values()].map((contract) => contractInfo(parts, contract, routes())),
    systems: () => [...bus.view().systems.values()].map(({ id, title, institution, addresses }) => ({ id, title, institution, addresses })),
    grants: () => grantStates(bus.view().grants, parts.clock.now()),
    access: (question) => explainAccess(bus.view(), { at: parts.clock.now(), ...question }),
    endpoints: () => bus.endpoints.list(),
    async pause(id, paused, operator, reason) {
      const running = bus.view().routes.get(id);
      if (!running) throw new BusError("not-found", `no route \`${id}\` runs`);
      if (operator === "" || reason === "") throw new BusError("json-violation", "an act needs `operator` and `reason`");
      const time = parts.clock.now();
      const actId = newId(time);
      const detail = `${paused ? "pause" : "resume"} by ${operator}: ${reason}`;
      await journal.append([{ step: "act", outcome: "ok", time, id: actId, correlationId: actId, route: id, detail }]);
      await bus.pause(running.route, paused);
    },
    journal: (query) => journal.find(query),
  };
}

async function routeStatus(running: RunningRoute): Promise<RouteStatus> {
  const { route } = running;
  const branches = await Promise.all([...running.branches, ...running.replies].map((branch) => branch.state()));
  return {
    id: route.id,
    title: route.title,
    owner: route.owner,
    pattern: route.contract.pattern,
    contract: route.contract.id,
    state: running.paused() || branches.some((branch) => branch.paused) ? "paused" : route.state,
    revision: route.revision,
    place: route.place,
    branches,
  };
}

function contractInfo(parts: AdminParts, contract: Route["contract"], running: readonly RunningRoute[]): ContractInfo {
  const faces = running.filter(({ route }) => route.contract.id === contract.id).map(({ route }) => parts.faces(route));
  return {
    id: contract.id,
    name: contract.id.replace(/\.v\d+$/u, ""), // with its domain: `request` alone would name many
    version: contract.version,
    pattern: contract.pattern,
    owner: contract.owner,
    title: contract.title,
    wsdl: faces.find((face) => face.wsdl !== undefined)?.wsdl,
    rest: faces.find((face) => face.rest !== undefined)?.rest,
  };
}
