/** The systems of the sample world: what to spawn, and which route variable takes the address each one says it listens on. */

export type SampleSystem = Readonly<{
  system: string;
  /** Program, from the root of the project. Needs MBUS_URL and SAMPLE_DIR (a folder of its own) in its environment. */
  program: string;
  variable: string;
}>;

/** The mainframe's drop folder is `out` in its own folder; the route variable `vehicles.drop` names it. */
export const WORLD: readonly SampleSystem[] = [
  { system: "rsp/population", program: "samples/population-register/main.ts", variable: "rsp.url" },
  { system: "cnas/pensions", program: "samples/pensions/main.ts", variable: "cnas.url" },
  { system: "primaria/registry", program: "samples/town-hall/main.ts", variable: "primaria.url" },
  { system: "bns/lake", program: "samples/statistics/main.ts", variable: "bns.url" },
  { system: "asp/vehicles", program: "samples/vehicles/main.ts", variable: "vehicles.url" },
];
