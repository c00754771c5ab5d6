/**
 * Schema compatibility by Avro's resolution rules, at the seven levels of the Confluent registry. Each broken rule is one
 * sentence that names the field, says what was done to it and who can no longer read what.
 */
import type { CompatibilityLevel } from "../ports.ts";
import { label, parseShape, schemaFault, SCHEMA_LIMITS } from "./parse.ts";
import type { DecimalShape, EnumShape, FieldShape, RecordShape, Shape } from "./shape.ts";

/** `backward`: the new schema reads old messages. `forward`: old readers read new messages. */
type Direction = "backward" | "forward";

const MAX_RULES = 50;

/** `trial`: only whether, not why; `steps` is shared with all trials and bounds the whole comparison. */
type Walk = {
  readonly direction: Direction;
  readonly broken: string[];
  readonly seen: Map<Shape, Set<Shape>>;
  readonly trial: boolean;
  readonly steps: { left: number };
};

/** Far above what two schemas at the limits of parse.ts need, far below what would be felt. */
const MAX_STEPS = 200_000;

/** Avro type under a logical type. */
function base(shape: Shape): string {
  if (shape.kind === "date") return "int";
  if (shape.kind === "timestamp") return "long";
  if (shape.kind === "decimal") return shape.size === undefined ? "bytes" : "fixed";
  return shape.kind;
}

/** What a reader's type takes besides its own (Avro 1.12, schema resolution). */
const PROMOTED: Readonly<Record<string, readonly string[]>> = {
  long: ["int"],
  float: ["int", "long"],
  double: ["int", "long", "float"],
  string: ["bytes"],
  bytes: ["string"],
};

function named(path: string): string {
  return path === "" ? "the schema" : `field \`${path}\``;
}

function effect(direction: Direction): string {
  return direction === "backward" ? "old messages cannot be read" : "older readers cannot read new messages";
}

function breaks(walk: Walk, path: string, what: string): void {
  const rule = `${named(path)} ${what}: ${effect(walk.direction)}`;
  if (walk.broken.length < MAX_RULES && !walk.broken.includes(rule)) walk.broken.push(rule);
}

/** "from int to string", in the order in which it happened. */
function change(walk: Walk, reader: string, writer: string): string {
  return walk.direction === "backward" ? `from ${writer} to ${reader}` : `from ${reader} to ${writer}`;
}

/** A reader's name or one of its aliases must be the writer's full name. */
function sameName(reader: Shape, writer: Shape): boolean {
  if (!("name" in reader) || !("name" in writer) || writer.name === undefined) return true;
  const aliases = ("aliases" in reader ? reader.aliases : undefined) ?? [];
  return reader.name === writer.name || aliases.includes(writer.name);
}

/** Tries without noting: does it resolve? */
function resolves(reader: Shape, writer: Shape, walk: Walk): boolean {
  const seen = new Map([...walk.seen].map(([key, set]) => [key, new Set(set)]));
  const trial: Walk = { direction: walk.direction, broken: [], seen, trial: true, steps: walk.steps };
  resolve(reader, writer, "", trial);
  return trial.broken.length === 0;
}

function resolve(reader: Shape, writer: Shape, path: string, walk: Walk): void {
  if (walk.broken.length >= (walk.trial ? 1 : MAX_RULES)) return;
  if (--walk.steps.left < 0) return breaks(walk, "", "is too intertwined with the other version to be compared");
  if (writer.kind === "union") {
    for (const branch of writer.branches) {
      // Only a union that takes the branch at all is looked into for what breaks inside.
      if (reader.kind === "union" && !resolves(reader, branch, walk)) branchLost(reader.branches, branch, path, walk);
      else if (reader.kind !== "union") fromUnion(reader, branch, path, walk);
    }
    return;
  }
  if (reader.kind === "union") {
    if (!reader.branches.some((branch) => resolves(branch, writer, walk))) branchLost(reader.branches, writer, path, walk);
    return;
  }
  if (base(reader) !== base(writer)) {
    if (!PROMOTED[base(reader)]?.includes(base(writer))) breaks(walk, path, `changed ${change(walk, label(reader), label(writer))}`);
    return;
  }
  sameBase(reader, writer, path, walk);
}

/** A union lost or gained a branch; where the branch is a record that exists on both sides, what differs inside is named. */
function branchLost(branches: readonly Shape[], writer: Shape, path: string, walk: Walk): void {
  const twin = branches.find((branch) => base(branch) === base(writer) && sameName(branch, writer));
  if (twin !== undefined && !walk.trial) return resolve(twin, writer, path, walk);
  breaks(walk, path, `${walk.direction === "backward" ? "no longer" : "now also"} allows ${label(writer)}`);
}

function fromUnion(reader: Shape, branch: Shape, path: string, walk: Walk): void {
  if (base(branch) !== "null" || base(reader) === "null") return resolve(reader, branch, path, walk);
  breaks(walk, path, walk.direction === "backward" ? "no longer allows null" : "now also allows null");
}

function sameBase(reader: Shape, writer: Shape, path: string, walk: Walk): void {
  if (!sameName(reader, writer)) return breaks(walk, path, `was renamed ${change(walk, label(reader), label(writer))} without an alias`);
  if (reader.kind === "decimal" && writer.kind === "decimal") decimals(reader, writer, path, walk);
  const [readerSize, writerSize] = [sizeOf(reader), sizeOf(writer)];
  if (readerSize !== writerSize)
    return breaks(walk, path, `changed its size ${change(walk, String(readerSize), String(writerSize))} bytes`);
  if (reader.kind === "enum" && writer.kind === "enum") symbols(reader, writer, path, walk);
  if (reader.kind === "array" && writer.kind === "array") resolve(reader.items, writer.items, path, walk);
  if (reader.kind === "map" && writer.kind === "map") resolve(reader.values, writer.values, path, walk);
  if (reader.kind === "record" && writer.kind === "record") records(reader, writer, path, walk);
}

function sizeOf(shape: Shape): number | undefined {
  return shape.kind === "fixed" || shape.kind === "decimal" ? shape.size : undefined;
}

/** The specification lets two decimals match only with the same precision and scale. */
function decimals(reader: DecimalShape, writer: DecimalShape, path: string, walk: Walk): void {
  if (reader.precision === writer.precision && reader.scale === writer.scale) return;
  const text = (shape: DecimalShape): string => `decimal(${shape.precision},${shape.scale})`;
  breaks(walk, path, `changed ${change(walk, text(reader), text(writer))}`);
}

function symbols(reader: EnumShape, writer: EnumShape, path: string, walk: Walk): void {
  if (reader.fallback !== undefined) return;
  const missing = writer.symbols.filter((symbol) => !reader.symbols.includes(symbol));
  if (missing.length === 0) return;
  const list = missing.slice(0, 5).join(", ");
  breaks(
    walk,
    path,
    walk.direction === "backward"
      ? `lost the symbol ${list} and has no enum default`
      : `gained the symbol ${list}, and the older enum has no default`,
  );
}

function records(reader: RecordShape, writer: RecordShape, path: string, walk: Walk): void {
  const seen = walk.seen.get(reader) ?? new Set();
  if (seen.has(writer)) return;
  walk.seen.set(reader, seen.add(writer));
  const written = new Map(writer.fields.map((field) => [field.name, field]));
  for (const field of reader.fields) {
    const at = path === "" ? field.name : `${path}.${field.name}`;
    const matches = [...new Set([field.name, ...field.aliases])].filter((name) => written.has(name));
    if (matches.length > 1) breaks(walk, at, `matches several fields of the other version (${matches.join(", ")})`);
    const match: FieldShape | undefined = matches[0] === undefined ? undefined : written.get(matches[0]);
    if (match !== undefined) resolve(field.type, match.type, at, walk);
    else if (field.default === undefined)
      breaks(
        walk,
        at,
        walk.direction === "backward" ? "was added without a default" : "was removed, and older readers have no default for it",
      );
  }
}

/** Rules broken when `reader` reads what `writer` wrote. */
export function unreadable(reader: Shape, writer: Shape, direction: Direction): readonly string[] {
  const walk: Walk = { direction, broken: [], seen: new Map(), trial: false, steps: { left: MAX_STEPS } };
  resolve(reader, writer, "", walk);
  return walk.broken;
}

function shapeOf(text: string): Shape {
  if (text.length > SCHEMA_LIMITS.text) throw schemaFault("", `is longer than ${SCHEMA_LIMITS.text} characters`);
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    throw schemaFault("", "is not JSON");
  }
  return parseShape(json);
}

/**
 * Checks a new schema against the versions before it, oldest first. Empty = compatible. Levels that are not transitive look
 * at the last version only; `NONE` looks at none, but the new schema must still be sound. Throws `configuration` where it is not.
 */
export function checkCompatibility(schema: string, history: readonly string[], level: CompatibilityLevel): readonly string[] {
  const next = shapeOf(schema);
  if (level === "NONE") return [];
  const transitive = level.endsWith("_TRANSITIVE");
  const from = transitive ? 0 : Math.max(0, history.length - 1);
  const rules: string[] = [];
  for (let i = history.length - 1; i >= from; i--) {
    const former = shapeOf(history[i] ?? "");
    const found = [
      ...(level.startsWith("FORWARD") ? [] : unreadable(next, former, "backward")),
      ...(level.startsWith("BACKWARD") ? [] : unreadable(former, next, "forward")),
    ];
    // Which version it was matters only where more than one is looked at.
    for (const rule of found)
      if (!rules.some((known) => known.startsWith(rule)))
        rules.push(i === history.length - 1 ? rule : `${rule} (compared with version ${i + 1} of ${history.length})`);
  }
  return rules.slice(0, MAX_RULES);
}
