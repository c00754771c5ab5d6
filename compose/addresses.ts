/** Where faces are served: the default paths of sources, the same for serving, `contract list` and docs. */
import { isAbsolute, resolve } from "node:path";
import type { Route, Source } from "#bus/route/runtime.ts";

/** Path below the systems' face; undefined for sources that are not asked over HTTP. */
export function pathOf(route: Route, source: Source): string | undefined {
  const { kind, options } = source.binding;
  const given = options["path"];
  if (typeof given === "string") return given;
  if (kind === "http") return `/mconnect/rest/${route.contract.id}`;
  if (kind !== "soap") return undefined;
  const service = typeof options["service"] === "string" ? options["service"] : route.contract.soap.service;
  // a query or command is served in its provider's name, an event in its publisher's
  const system = route.contract.pattern === "event" ? source.system : route.branches[0]?.system;
  return `/mconnect/soap/${system ?? "bus"}/${service}`;
}

/** A folder of this machine, as a route names it. */
export function below(dataDir: string, path: string): string {
  return isAbsolute(path) ? path : resolve(dataDir, path);
}
