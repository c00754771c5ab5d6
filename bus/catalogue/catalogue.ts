/** The catalogue of a running bus and the descriptions made from it; made anew only when another set of files runs. */
import { BusError } from "../errors.ts";
import { asyncapiOf } from "./asyncapi.ts";
import type { Servers } from "./asyncapi.ts";
import { dcatOf } from "./dcat.ts";
import type { Described } from "./described.ts";
import { catalogueOf } from "./entries.ts";
import type { CatalogueEntry } from "./entries.ts";
import { openapiOf } from "./openapi.ts";
import { searchCatalogue } from "./search.ts";
import type { CataloguePage, CatalogueQuery } from "./search.ts";

export interface Catalogue {
  search(query: CatalogueQuery): CataloguePage;
  /** Throws not-found. */
  entry(kind: string, id: string): CatalogueEntry;
  /** `system`: what this one may use; undefined = everything. Throws not-found for one that is not registered. */
  openapi(system?: string, origin?: string): unknown;
  asyncapi(system?: string, origin?: string): unknown;
  /** JSON-LD. */
  dcat(origin?: string): unknown;
}

export type CatalogueParts = Readonly<{
  /** What runs; the same object as long as nothing changes. */
  described: () => Described;
  servers: Servers;
}>;

export function createCatalogue({ described, servers }: CatalogueParts): Catalogue {
  let known: Readonly<{ of: Described; entries: readonly CatalogueEntry[] }> | undefined;
  const entries = (): readonly CatalogueEntry[] => {
    const of = described();
    if (known?.of !== of) known = { of, entries: catalogueOf(of) };
    return known.entries;
  };
  const registered = (system: string | undefined): void => {
    if (system !== undefined && !described().systems.has(system))
      throw new BusError("not-found", `no system \`${system}\` is registered; the catalogue lists those that are`);
  };
  return {
    search: (query) => searchCatalogue(entries(), query),
    entry(kind, id) {
      const found = entries().find((entry) => entry.kind === kind && entry.id === id);
      if (found === undefined) throw new BusError("not-found", `the catalogue has no ${kind} \`${id}\``);
      return found;
    },
    openapi(system, origin = servers.origin) {
      registered(system);
      return openapiOf(described(), origin, system);
    },
    asyncapi(system, origin = servers.origin) {
      registered(system);
      return asyncapiOf(described(), { ...servers, origin }, system);
    },
    dcat: (origin = servers.origin) => dcatOf(entries(), origin),
  };
}
