/** The systems of the sample world: what to spawn, and which route variable takes what each one says of itself. */

export type SampleSystem = Readonly<{
  system: string;
  /** Program, from the folder of this file. Needs MBUS_URL and SAMPLE_DIR (a folder of its own) in its environment. */
  program: string;
  /** Route variable, and the member of the program's first line on stdout that is its value. */
  variable: string;
  member: "listening" | "drop";
}>;

export const WORLD: readonly SampleSystem[] = [
  { system: "rsp/population", program: "population-register/main.ts", variable: "rsp.url", member: "listening" },
  { system: "cnas/pensions", program: "pensions/main.ts", variable: "cnas.url", member: "listening" },
  { system: "primaria/registry", program: "town-hall/main.ts", variable: "primaria.url", member: "listening" },
  { system: "bns/lake", program: "statistics/main.ts", variable: "bns.url", member: "listening" },
  { system: "asp/vehicles", program: "vehicles/main.ts", variable: "vehicles.drop", member: "drop" },
];
