/** The fields of an Avro record by dotted path: what lint needs to know of a contract without compiling it. */

/** `look`: what its values are in memory, where that is one thing; `symbols`: all it can be. */
export type FieldFacts = Readonly<{
  nullable: boolean;
  personal: boolean;
  look?: "text" | "number" | "boolean";
  symbols?: readonly string[];
}>;
export type Fields = Readonly<{
  known: ReadonlyMap<string, FieldFacts>;
  /** Is there such a field? Members of a map are any. */
  find(path: string): FieldFacts | undefined;
}>;

type Json = Readonly<Record<string, unknown>>;
/** Deeper fields of a recursive type are not told apart. */
const MAX_DEPTH = 8;
const MAX_FIELDS = 5000;

/** Reads the text of a schema; undefined when it is no record. */
export function readFields(text: string): Fields | undefined {
  const root = parse(text);
  if (root?.["type"] !== "record") return undefined;
  const known = new Map<string, FieldFacts>();
  const open = new Set<string>();
  collect(root, "", { nullable: false, personal: false }, 0, { known, open, named: new Map() });
  const find = (path: string): FieldFacts | undefined =>
    known.get(path) ?? (inOpen(path, open) ? { nullable: true, personal: false } : undefined);
  return { known, find };
}

function parse(text: string): Json | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null && !Array.isArray(value) ? (value as Json) : undefined;
  } catch {
    return undefined;
  }
}

function inOpen(path: string, open: ReadonlySet<string>): boolean {
  const parts = path.split(".");
  return parts.some((_, count) => open.has(parts.slice(0, count).join(".")));
}

type State = Readonly<{ known: Map<string, FieldFacts>; open: Set<string>; named: Map<string, Json> }>;

function collect(type: unknown, path: string, facts: FieldFacts, depth: number, state: State): void {
  if (depth > MAX_DEPTH || state.known.size > MAX_FIELDS) return;
  if (typeof type === "string") {
    const named = state.named.get(type) ?? state.named.get(type.split(".").at(-1) ?? "");
    if (named) collect(named, path, facts, depth, state);
    return;
  }
  if (Array.isArray(type)) {
    for (const branch of type) collect(branch, path, facts, depth, state);
    return;
  }
  if (typeof type !== "object" || type === null) return;
  const schema = type as Json;
  if (typeof schema["name"] === "string") state.named.set(schema["name"], schema);
  if (schema["type"] === "array") collect(schema["items"], path, facts, depth, state);
  else if (schema["type"] === "map") state.open.add(path);
  else if (schema["type"] === "record") collectRecord(schema, path, facts, depth, state);
  else if (typeof schema["type"] === "object") collect(schema["type"], path, facts, depth, state);
}

function collectRecord(schema: Json, path: string, above: FieldFacts, depth: number, state: State): void {
  for (const field of (schema["fields"] ?? []) as readonly Json[]) {
    const at = path === "" ? String(field["name"]) : `${path}.${String(field["name"])}`;
    const type = field["type"];
    const facts = {
      nullable: above.nullable || (Array.isArray(type) && type.includes("null")),
      personal: above.personal || field["personal"] === true,
      ...valuesOf(type, state.named),
    };
    state.known.set(at, facts);
    collect(type, at, facts, depth + 1, state);
  }
}

const LOOKS: Readonly<Record<string, NonNullable<FieldFacts["look"]>>> = {
  string: "text",
  int: "number",
  long: "number",
  float: "number",
  double: "number",
  boolean: "boolean",
};
/** Logical types whose values are texts in memory. */
const TEXTS = new Set(["date", "timestamp-millis", "decimal", "uuid"]);

/** What the values of a type are, null aside; nothing where they may be different things. */
function valuesOf(type: unknown, named: ReadonlyMap<string, Json>): Pick<FieldFacts, "look" | "symbols"> {
  if (Array.isArray(type)) {
    const [only, more] = (type as readonly unknown[]).filter((branch) => branch !== "null");
    return more === undefined ? valuesOf(only, named) : {};
  }
  if (typeof type === "string") {
    const look = LOOKS[type];
    return look === undefined ? valuesOf(named.get(type) ?? named.get(type.split(".").at(-1) ?? ""), named) : { look };
  }
  if (typeof type !== "object" || type === null) return {};
  const { type: inner, symbols, logicalType } = type as Json;
  if (typeof logicalType === "string" && TEXTS.has(logicalType)) return { look: "text" };
  if (inner === "enum" && Array.isArray(symbols)) return { look: "text", symbols: symbols.map(String) };
  const look = typeof inner === "string" ? LOOKS[inner] : undefined;
  return look === undefined ? {} : { look };
}
