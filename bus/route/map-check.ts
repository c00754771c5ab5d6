/**
 * Checks a map against the shapes on both sides without running it: sources that do not exist, targets that do not exist, required
 * targets that nothing fills, and values of the wrong kind. A shape that is not known is not checked.
 */
import { describe, lookOf, nullable, recordIn, withoutNull, type Look, type RecordShape, type Shape } from "../contract/shape.ts";
import { meant } from "../near.ts";
import type { Finding } from "./findings.ts";
import type { MapEntry, MapFile, MapSource } from "./map-document.ts";
import { misfitOf } from "./map-literal.ts";

type Checking = Readonly<{ file: string; findings: Finding[]; root: Shape | undefined }>;

/** What lint says of a map. `source` and `target` are record shapes of contracts or wire formats (bus/contract/parse.ts). */
export function checkMap(map: MapFile, source?: RecordShape, target?: RecordShape): readonly Finding[] {
  const checking: Checking = { file: map.file, findings: [], root: source };
  checkEntries(checking, map.entries, source, target, "", { line: 1, column: 1 });
  return checking.findings;
}

type At = Readonly<{ line: number; column: number }>;

function fault(checking: Checking, at: At, rule: string, text: string): void {
  checking.findings.push({ file: checking.file, line: at.line, column: at.column, severity: "error", rule, text });
}

function checkEntries(
  checking: Checking,
  entries: readonly MapEntry[],
  source: Shape | undefined,
  target: RecordShape | undefined,
  path: string,
  at: At,
): void {
  const names = new Map<string, MapEntry[]>();
  for (const entry of entries) names.set(entry.target[0] ?? "", [...(names.get(entry.target[0] ?? "") ?? []), entry]);
  for (const [name, group] of names) checkField(checking, name, group, source, target, path);
  for (const field of target?.fields ?? []) {
    if (names.has(field.name) || nullable(field.type) || field.default !== undefined) continue;
    fault(
      checking,
      at,
      "map-target-missing",
      `required field \`${join(path, field.name)}\` of the target is not mapped; add it (${describe(field.type)})`,
    );
  }
}

function checkField(
  checking: Checking,
  name: string,
  group: readonly MapEntry[],
  source: Shape | undefined,
  target: RecordShape | undefined,
  path: string,
): void {
  const [first] = group;
  if (first === undefined) return;
  const field = target?.fields.find((one) => one.name === name);
  const whole = join(path, name);
  if (target !== undefined && field === undefined) {
    fault(
      checking,
      first,
      "map-target-unknown",
      `the target has no field \`${whole}\`${near(
        name,
        target.fields.map((one) => one.name),
      )}`,
    );
  }
  if (first.target.length === 1) {
    checkSource(checking, first, source, field?.type, whole);
    return;
  }
  const record = field === undefined ? undefined : recordIn(field.type);
  if (field !== undefined && record === undefined) {
    fault(checking, first, "map-type", `\`${whole}\` of the target is ${describe(field.type)}; it has no fields to map`);
  }
  checkEntries(
    checking,
    group.map((entry) => ({ ...entry, target: entry.target.slice(1) })),
    source,
    record,
    whole,
    first,
  );
}

const join = (path: string, name: string): string => (path === "" ? name : `${path}.${name}`);

function near(name: string, names: readonly string[]): string {
  return meant(name, names) || (names.length === 0 ? "" : `; it has ${names.slice(0, 12).join(", ")}`);
}

function checkSource(checking: Checking, entry: MapEntry, from: Shape | undefined, to: Shape | undefined, target: string): void {
  const { source } = entry;
  switch (source.kind) {
    case "value":
      if (to !== undefined && source.value === null && !nullable(to))
        fault(checking, entry, "map-type", `\`${target}\` may not be null; it is ${describe(to)}`);
      else tellMisfit(checking, entry, "the literal is", source.value, to, target);
      break;
    case "path":
      checkKind(checking, entry, resolve(checking, entry, source.from, from), source, to, target);
      break;
    case "concat":
      for (const part of source.parts) resolve(checking, entry, part, from);
      expectLook(checking, entry, "text", to, target);
      break;
    case "jsonata":
      break;
    case "each":
      checkEach(checking, entry, source, from, to, target);
      break;
    case "record": {
      const inner = source.from === undefined ? from : resolve(checking, entry, source.from, from);
      if (inner !== undefined && source.from !== undefined && withoutNull(inner).kind === "array") {
        fault(checking, entry, "map-list", `\`${source.from}\` is a list; write \`each: ${source.from}\``);
      }
      expectLook(checking, entry, "object", to, target);
      checkEntries(
        checking,
        source.entries,
        inner === undefined ? undefined : withoutNull(inner),
        to === undefined ? undefined : recordIn(to),
        target,
        entry,
      );
      break;
    }
  }
}

function checkEach(
  checking: Checking,
  entry: MapEntry,
  source: Extract<MapSource, { kind: "each" }>,
  from: Shape | undefined,
  to: Shape | undefined,
  target: string,
): void {
  const list = resolve(checking, entry, source.each, from);
  const bare = list === undefined ? undefined : withoutNull(list);
  if (bare !== undefined && bare.kind !== "array")
    fault(checking, entry, "map-list", `\`${source.each}\` is ${describe(bare)}, no list; write \`from: ${source.each}\``);
  expectLook(checking, entry, "list", to, target);
  const items = to === undefined ? undefined : withoutNull(to);
  const item = items?.kind === "array" ? recordIn(items.items) : undefined;
  checkEntries(checking, source.entries, bare?.kind === "array" ? bare.items : undefined, item, `${target}[]`, entry);
}

/** The shape at a path of the source; undefined = not known, or a finding was made. */
function resolve(checking: Checking, at: At, path: string, from: Shape | undefined): Shape | undefined {
  const rooted = path.startsWith("$$");
  if (path.startsWith("$") && path !== "$" && !rooted) return undefined;
  let shape = rooted ? checking.root : from;
  const names = path === "$" || path === "$$" ? [] : path.split(".").slice(rooted ? 1 : 0);
  let optional = false;
  for (const [index, name] of names.entries()) {
    if (shape === undefined) return undefined;
    optional ||= nullable(shape);
    const bare = withoutNull(shape);
    if (bare.kind === "map") {
      shape = bare.values;
      continue;
    }
    const walked = names.slice(0, index).join(".");
    if (bare.kind === "array") {
      fault(checking, at, "map-list", `\`${walked}\` is a list; map its items with \`{ each: ${walked}, map: { … } }\``);
      return undefined;
    }
    const record = recordIn(bare);
    const field = record?.fields.find((one) => one.name === name);
    if (field === undefined) {
      const where = walked === "" ? "the source" : `\`${walked}\` of the source`;
      const hint =
        record === undefined
          ? `; it is ${describe(bare)}`
          : near(
              name,
              record.fields.map((one) => one.name),
            );
      fault(checking, at, "map-source-unknown", `${where} has no field \`${name}\`${hint}`);
      return undefined;
    }
    shape = field.type;
  }
  return shape !== undefined && optional && !nullable(shape) ? { kind: "union", branches: [{ kind: "null" }, shape] } : shape;
}

function checkKind(
  checking: Checking,
  entry: MapEntry,
  from: Shape | undefined,
  source: Extract<MapSource, { kind: "path" }>,
  to: Shape | undefined,
  target: string,
): void {
  if (to === undefined) return;
  if (from !== undefined && nullable(from) && !nullable(to) && (source.default === undefined || source.default === null)) {
    checking.findings.push({
      file: checking.file,
      line: entry.line,
      column: entry.column,
      severity: "warn",
      rule: "map-source-optional",
      text: `\`${source.from}\` may be absent but \`${target}\` is required; give a \`default\`, or such messages fail`,
    });
  }
  if (source.default !== undefined) tellMisfit(checking, entry, "the default is", source.default, to, target);
  if (source.table !== undefined) {
    const items = withoutNull(to);
    const listed = from !== undefined && withoutNull(from).kind === "array" && items.kind === "array";
    for (const value of source.table.values()) tellMisfit(checking, entry, "the table gives", value, listed ? items.items : to, target);
    return;
  }
  const last = source.converts.at(-1);
  if (last !== undefined) expectLook(checking, entry, last.result, to, target, from !== undefined && withoutNull(from).kind === "array");
  else if (from !== undefined) compareShapes(checking, entry, from, to, source.from, target);
}

function tellMisfit(checking: Checking, entry: MapEntry, what: string, value: unknown, to: Shape | undefined, target: string): void {
  const misfit = to === undefined ? undefined : misfitOf(value, to);
  if (misfit !== undefined) fault(checking, entry, "map-type", `\`${target}\` is ${misfit.wanted}; ${what} ${misfit.given}`);
}

function compareShapes(checking: Checking, entry: MapEntry, from: Shape, to: Shape, path: string, target: string): void {
  const [left, right] = [withoutNull(from), withoutNull(to)];
  if (left.kind === "union" || right.kind === "union") return;
  const [have, want] = [lookOf(left), lookOf(right)];
  if (have !== want) {
    const advice = want === "text" ? "; add `convert: text`" : want === "number" && have === "text" ? "; add `convert: number`" : "";
    fault(checking, entry, "map-type", `\`${path}\` is ${describe(left)} but \`${target}\` is ${describe(right)}${advice}`);
  } else if (want === "text" && left.kind === "string" && ["date", "timestamp", "decimal"].includes(right.kind)) {
    checking.findings.push({
      file: checking.file,
      line: entry.line,
      column: entry.column,
      severity: "warn",
      rule: "map-type",
      text: `\`${path}\` is any text but \`${target}\` is ${describe(right)}; add a \`convert\`, for example \`${right.kind === "date" ? "date(dd.mm.yyyy)" : "decimal"}\``,
    });
  }
}

function expectLook(checking: Checking, entry: MapEntry, have: Look, to: Shape | undefined, target: string, listed = false): void {
  if (to === undefined) return;
  const bare = withoutNull(to);
  const want = bare.kind === "array" && listed ? lookOf(withoutNull(bare.items)) : lookOf(bare);
  if (bare.kind !== "union" && want !== have)
    fault(checking, entry, "map-type", `\`${target}\` is ${describe(bare)}; the map gives ${have}`);
}
