/**
 * Makes a set of files what runs: compiled as a whole, applied route by route. A faulty document leaves its route as it runs; what is
 * wrong is told and logged.
 */
import { compileJsonSchema } from "#adapters/mconnect-events/schema.ts";
import type { Bus } from "#bus/bus.ts";
import { asBusError } from "#bus/errors.ts";
import { compileRoutes } from "#bus/route/compile.ts";
import { formatFinding, type Finding } from "#bus/route/findings.ts";
import type { Route, RouteSet } from "#bus/route/runtime.ts";
import type { ReadFiles } from "./files.ts";
import type { Log } from "./log.ts";
import type { Schemas } from "./schemas.ts";
import { xmlToJson } from "./xml-to-json.ts";

export type RunParts = Readonly<{ bus: Bus; schemas: Schemas; log: Log }>;

export interface FileRunner {
  /** Gives what is wrong; no error = all that the files say runs. */
  run(read: ReadFiles): Promise<readonly Finding[]>;
}

export function createFileRunner(parts: RunParts): FileRunner {
  let running: RouteSet | undefined;
  return {
    async run(read) {
      const compiled = await compileRoutes(read.documents, {
        files: read.files,
        schemaIds: parts.schemas.idOf,
        lookup: parts.schemas.lookup,
        xmlToJson,
        jsonSchema: compileJsonSchema,
      });
      await parts.schemas.settled();
      const kept = keepRunning(
        running,
        compiled.set,
        read.documents.leftOut.map((each) => each.id).concat(faulty(read.documents, compiled.set), unreadable(running, read.findings)),
      );
      const failed = await parts.bus.apply(kept);
      running = kept;
      const findings = [
        ...read.findings,
        ...compiled.findings,
        ...failed.map(({ route, error }) => findingOf(kept.routes.get(route), error)),
      ];
      const errors = findings.filter((finding) => finding.severity === "error");
      for (const finding of errors)
        parts.log.error({ finding: formatFinding(finding) }, "a file of the administrator is wrong; what ran before goes on");
      parts.log.info({ routes: kept.routes.size, errors: errors.length }, "files applied");
      return findings;
    },
  };
}

/** Routes and contracts whose document was sound but did not compile. */
function faulty({ routes, contracts }: Readonly<Record<"routes" | "contracts", ReadonlyMap<string, unknown>>>, set: RouteSet): string[] {
  return [...routes.keys()].filter((id) => !set.routes.has(id)).concat([...contracts.keys()].filter((id) => !set.contracts.has(id)));
}

/** Routes that run from a file with errors: one that is no YAML any more does not even say which routes it holds. */
function unreadable(running: RouteSet | undefined, findings: readonly Finding[]): string[] {
  const files = new Set(findings.filter(({ severity }) => severity === "error").map(({ file }) => file));
  return [...(running?.routes.values() ?? [])].filter(({ place }) => files.has(place.replace(/(:\d+)+$/u, ""))).map(({ id }) => id);
}

/** A route whose file is broken now stays as it runs; one whose document is gone goes. */
function keepRunning(running: RouteSet | undefined, next: RouteSet, broken: readonly string[]): RouteSet {
  if (!running) return next;
  const routes = new Map<string, Route>(next.routes);
  const contracts = new Map(next.contracts);
  for (const id of broken) {
    const event = running.contracts.get(id);
    if (event?.events && !contracts.has(id)) contracts.set(id, event); // a type of events runs without a route
    const old = running.routes.get(id);
    if (!old || routes.has(id)) continue;
    routes.set(id, old);
    if (!contracts.has(old.contract.id)) contracts.set(old.contract.id, old.contract);
  }
  return { ...next, routes, contracts };
}

function findingOf(route: Route | undefined, error: unknown): Finding {
  const [file = "", line = "1"] = (route?.place ?? "").split(":");
  return {
    file,
    line: Number(line),
    column: 1,
    severity: "error",
    rule: "start",
    text: `route \`${route?.id ?? ""}\` could not start: ${asBusError(error).message}`,
  };
}
