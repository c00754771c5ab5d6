/** Values of `${var:…}`: from `config/<stage>.yaml`, overridden by the environment variables MBUS_VAR_<NAME>. */
import type { Files, Finding } from "#bus/route/findings.ts";
import { plain, readTrees, textAt } from "#bus/route/schema/tree.ts";

type Env = Readonly<Record<string, string | undefined>>;
const PREFIX = "MBUS_VAR_";

/** The stage is MBUS_ENV (default `development`); a stage that was named must have its file. Faults within it are lint's. */
export function readVars(files: Files, env: Env): Readonly<{ vars: Readonly<Record<string, string>>; findings: readonly Finding[] }> {
  const stage = env["MBUS_ENV"]?.trim() === "" ? undefined : env["MBUS_ENV"]?.trim();
  const path = [`config/${stage ?? "development"}.yaml`, `config/${stage ?? "development"}.yml`].find((name) => files.paths.includes(name));
  const vars = path === undefined ? {} : varsOf(path, files.text(path) ?? "");
  const findings: Finding[] = [];
  if (path === undefined && stage !== undefined) {
    const text = `there is no such file, but MBUS_ENV=${stage} asks for it; write \`bus: environment/v1\`, \`id: ${stage}\` and \`vars:\` into it`;
    findings.push({ file: `config/${stage}.yaml`, line: 1, column: 1, severity: "error", rule: "environment-missing", text });
  }
  return { vars: { ...vars, ...overrides(Object.keys(vars), env) }, findings };
}

function varsOf(path: string, text: string): Record<string, string> {
  const vars: Record<string, string> = {};
  for (const { root } of readTrees(path, text)) {
    const node = root?.kind === "map" && textAt(root, "bus") === "environment/v1" ? root.entries.get("vars")?.node : undefined;
    if (node?.kind !== "map") continue;
    for (const [name, { node: value }] of node.entries) if (value.kind === "scalar" && plain(value) !== null) vars[name] = value.text;
  }
  return vars;
}

/** How a variable is spelt in the environment: `statistics.url` is MBUS_VAR_STATISTICS_URL. */
export function envName(name: string): string {
  return PREFIX + name.toUpperCase().replace(/[^A-Z0-9]/g, "_");
}

/** A declared variable takes its spelling; an undeclared one is read with dots for underscores. */
function overrides(declared: readonly string[], env: Env): Record<string, string> {
  const found: Record<string, string> = {};
  for (const [key, value] of Object.entries(env)) {
    if (!key.startsWith(PREFIX) || value === undefined) continue;
    const names = declared.filter((name) => envName(name) === key);
    for (const name of names.length > 0 ? names : [key.slice(PREFIX.length).toLowerCase().replaceAll("_", ".")]) found[name] = value;
  }
  return found;
}
