/** The catalogue of the sample world, made once for a test file, and the same world as a bus shows what it runs. */
import { indexGrants } from "#bus/access/grants.ts";
import { createCatalogue, type Catalogue } from "#bus/catalogue/catalogue.ts";
import type { Described } from "#bus/catalogue/described.ts";
import type { View } from "#bus/passage.ts";
import type { RunningRoute } from "#bus/running.ts";
import { describedWorld } from "./described.ts";

let made: Promise<Described> | undefined;

export async function sampleCatalogue(): Promise<Catalogue> {
  made ??= describedWorld();
  const described = await made;
  return createCatalogue({ described: () => described, servers: { origin: "https://bus.example:8443" } });
}

/** Of a running route only what it runs is there: descriptions ask for no more. */
export async function sampleView(): Promise<View> {
  made ??= describedWorld();
  const { routes, grants, systems, contracts } = await made;
  const running = routes.map((route) => [route.id, { route } as RunningRoute] as const);
  return { routes: new Map(running), grants: indexGrants(grants), systems, contracts };
}
