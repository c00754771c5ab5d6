/** Files that documents lean on: WSDL and XSD of adapters, maps nobody uses, routes without tests. */
import { resolvePath, type Path } from "../documents.ts";
import { missingFile } from "../schema/walk.ts";
import type { Rule } from "./rule.ts";
import { pathOf, stepsOf } from "./visit.ts";

/** Options of adapters that name a file of the administrator. */
const FILE_OPTIONS = new Set(["wsdl", "xsd"]);

type FileOption = Readonly<{ path: Path; reference: string; name: string }>;

function fileOptions(value: unknown, path: Path): readonly FileOption[] {
  if (typeof value !== "object" || value === null) return [];
  return Object.entries(value).flatMap(([name, inner]: [string, unknown]) =>
    FILE_OPTIONS.has(name) && typeof inner === "string"
      ? [{ path: pathOf(path, name), reference: inner, name }]
      : fileOptions(inner, pathOf(path, name)),
  );
}

export const adapterFiles: Rule = {
  name: "file-missing",
  check(set, say) {
    const paths = new Set(set.files.paths);
    for (const route of set.routes.values()) {
      for (const { adapter } of [...route.from, ...route.branches, ...route.replies]) {
        for (const { path, reference, name } of fileOptions(adapter.options, adapter.path)) {
          const file = resolvePath(route.source.place(path).file, reference);
          if (!paths.has(file)) say({ document: route, path }, missingFile(name, file, paths));
        }
      }
    }
  },
};

export const unusedMaps: Rule = {
  name: "map-unused",
  check(set, say) {
    if (set.hidden || set.names("route").size > set.routes.size) return;
    const used = new Set<string>();
    for (const route of set.routes.values()) {
      for (const edge of [...route.from, ...route.branches, ...route.replies])
        for (const map of [edge.in, edge.out]) if (map) used.add(map.map);
      for (const step of stepsOf(route)) {
        if (step.kind === "map") used.add(step.map);
        if (step.kind === "enrich" && step.input) used.add(step.input.map);
      }
    }
    for (const path of set.files.paths) {
      if (!/\.map\.ya?ml$/.test(path) || used.has(path)) continue;
      say({ file: path }, "no route uses this map; remove it, or name it where it belongs", { severity: "warn" });
    }
  },
};

export const untested: Rule = {
  name: "no-tests",
  check(set, say) {
    const tested = new Set(set.tests.map((test) => test.route));
    const broken = set.names("test").size > 0 && set.hidden;
    for (const route of set.routes.values()) {
      if (route.tests.length > 0 || tested.has(route.id) || route.template || broken) continue;
      say(
        { document: route, path: ["id"] },
        `route \`${route.id}\` has no tests; write \`tests: ./tests/${route.id}.test.yaml\` and a case for each branch`,
        { severity: "warn" },
      );
    }
  },
};
