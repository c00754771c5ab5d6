/** The import table of the architecture, as data, and the shape of the house. The authority; the linter's rules are its echo. */
import { readdirSync, readFileSync, statSync } from "node:fs";
import { dirname, join, relative, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";

const root = fileURLToPath(new URL("..", import.meta.url));

/** What the sources of a folder may import besides their own folder. A trailing `/` means everything below. */
const MAY_IMPORT: Readonly<Record<string, readonly string[]>> = {
  bus: [
    "#bus/",
    "node:buffer",
    "node:crypto",
    "node:events",
    "node:timers",
    "avsc",
    "yaml",
    "jsonata",
    "p-retry",
    "croner",
    "fastest-levenshtein",
  ],
  adapters: [
    "#bus/ports.ts",
    "#bus/broker.ts",
    "#bus/wire.ts",
    "#bus/envelope.ts",
    "#bus/errors.ts",
    "#bus/journal/",
    "#bus/edge/",
    "node:",
    "LIBRARY",
  ],
  config: ["#bus/errors.ts", "#bus/near.ts", "#bus/route/findings.ts", "#bus/route/schema/", "node:", "yaml"],
  services: ["#bus/service.ts", "#bus/errors.ts"],
  console: ["#bus/admin.ts", "#bus/errors.ts", "#bus/wire.ts", "node:crypto"],
  cli: [
    "#bus/admin.ts",
    "#bus/route/",
    "#bus/contract/verdict.ts",
    "#adapters/registry.ts",
    "#adapters/keys/ca.ts",
    "#verifier/",
    "#config/",
    "#main.ts",
    "#compose/",
    "node:",
    "commander",
  ],
  compose: ["#bus/", "#adapters/", "#config/", "#console/", "#services/", "#samples/world.ts", "node:", "LIBRARY"],
  samples: ["node:", "LIBRARY"],
  // who checks evidence must not have to trust the bus that made it
  verifier: ["node:crypto", "node:fs", "node:process", "node:zlib"],
};

/** The composition may name every folder; within adapters only the table may. */
const EXEMPT = ["adapters/registry.ts"];

type Edge = Readonly<{ file: string; target: string }>;

function files(folder: string): string[] {
  return readdirSync(join(root, folder), { withFileTypes: true }).flatMap((entry) => {
    if (entry.name === "node_modules" || entry.name.startsWith(".")) return [];
    const path = folder === "" ? entry.name : `${folder}/${entry.name}`;
    if (entry.isDirectory()) return files(path);
    return /\.tsx?$/u.test(entry.name) ? [path] : [];
  });
}

const isTest = (file: string): boolean => /\.test\.tsx?$/u.test(file);

/** Statements at the start of a line, also over several lines, and dynamic imports; text in strings and comments is none. */
const IMPORTS =
  /^(?:import|export)\s(?:[^;"'`]*?\sfrom\s*)?["']([^"']+)["']|^(?!\s*(?:\/\/|\/?\*)).*?(?<!["'`\w.])import\(\s*["']([^"']+)["']\s*\)/gmu;

function edges(file: string, text: string = readFileSync(join(root, file), "utf8")): Edge[] {
  return [...text.matchAll(IMPORTS)].map((match) => ({ file, target: match[1] ?? match[2] ?? "" }));
}

/** A breach in words, or undefined. */
function breach({ file, target }: Edge): string | undefined {
  const folder = file.split("/")[0] ?? "";
  const allowed = MAY_IMPORT[folder];
  if (!allowed || EXEMPT.includes(file)) return undefined;
  if (target.startsWith(".")) return relativeBreach(file, target, folder);
  const library = !target.startsWith("#") && !target.startsWith("node:");
  const fits = allowed.some((entry) => {
    if (entry === "LIBRARY") return library;
    return entry.endsWith("/") || entry === "node:" ? target.startsWith(entry) : target === entry || target.startsWith(`${entry}/`);
  });
  return fits ? undefined : `${file} imports ${target}`;
}

/** `./` stays in the folder; among adapters, services and samples also in the sibling's own folder. */
function relativeBreach(file: string, target: string, folder: string): string | undefined {
  const aimed = relative(root, resolve(root, dirname(file), target));
  const rooms = ["adapters", "services"].includes(folder) ? 2 : 1;
  const home = file.split("/").slice(0, rooms).join("/");
  return aimed === home || aimed.startsWith(`${home}/`) ? undefined : `${file} leaves ${home} for ${aimed}`;
}

const sources = Object.keys(MAY_IMPORT)
  .filter((folder) => statSync(join(root, folder), { throwIfNoEntry: false })?.isDirectory())
  .flatMap(files);
const code = sources.filter((file) => !isTest(file));

describe("architecture", () => {
  it("finds the sources it judges", () => {
    expect(code.length).toBeGreaterThan(60);
  });

  it("keeps every import inside the table", () => {
    expect(
      code
        .flatMap((file) => edges(file))
        .map(breach)
        .filter(Boolean),
    ).toEqual([]);
  });

  it.each([
    ["on one line", 'import { a } from "x";'],
    ["over several lines", 'import {\n  a,\n  type B,\n} from "x";'],
    ["of types", 'import type { A } from "x";'],
    ["of everything", 'import * as a from "x";'],
    ["for its effects", 'import "x";'],
    ["passed on", 'export { a } from "x";'],
    ["passed on over several lines", 'export type {\n  A,\n} from "x";'],
    ["when it is called", 'const a = async () => (await import("x")).a;'],
    ["of a type, in place", 'type A = import("x").A;'],
  ])("sees an import %s", (_, text) => {
    expect(edges("bus/x.ts", `const before = 1;\n${text}\nconst after = "y";\n`)).toEqual([{ file: "bus/x.ts", target: "x" }]);
  });

  it.each([
    ["a string", 'const a = "export is not from " + "x";'],
    ["a line of a message", 'const a = [\n  "import it from", "x",\n];'],
    ["a declaration before one", 'export const from = "x";'],
    ["a function that names it", 'export function from(a: string) {\n  return a + " from ";\n}\nconst b = "x";'],
    ["a comment", '// import { a } from "x";\n * import("x")'],
  ])("takes no text for an import: %s", (_, text) => {
    expect(edges("bus/x.ts", text)).toEqual([]);
  });

  it("sees a breach of each kind", () => {
    const breaches: Edge[] = [
      { file: "bus/pipeline.ts", target: "node:fs" },
      { file: "bus/pipeline.ts", target: "#adapters/soap/inlet.ts" },
      { file: "bus/pipeline.ts", target: "undici" },
      { file: "adapters/soap/inlet.ts", target: "#bus/pipeline.ts" },
      { file: "adapters/soap/inlet.ts", target: "../http/inlet.ts" },
      { file: "config/load.ts", target: "#bus/bus.ts" },
      { file: "console/api.ts", target: "#bus/bus.ts" },
      { file: "samples/tour.ts", target: "../bus/ids.ts" },
      { file: "samples/tour.ts", target: "#bus/ids.ts" },
    ];
    expect(breaches.map(breach).filter(Boolean)).toHaveLength(breaches.length);
  });

  it("keeps a file a room: at most 300 lines", () => {
    const long = code.filter((file) => readFileSync(join(root, file), "utf8").split("\n").length > 301);
    expect(long).toEqual([]);
  });

  it("has no default exports, enums or barrels", () => {
    const bad = code.filter((file) =>
      /^export default |^(export )?(const )?enum |^export \* from/mu.test(readFileSync(join(root, file), "utf8")),
    );
    expect(bad).toEqual([]);
  });

  it("names each adapter's files alike", () => {
    const known = ["inlet.ts", "outlet.ts", "transport.ts", "journal.ts", "store.ts", "spec.ts"];
    for (const adapter of ["soap", "http", "file", "embedded"]) {
      const names = readdirSync(join(root, "adapters", adapter));
      expect(
        names.filter((name) => known.includes(name)),
        adapter,
      ).toContain("spec.ts");
    }
  });
});
