/** One source of a map as a closure. */
import { recordIn, withoutNull, type RecordShape, type Shape } from "../contract/shape.ts";
import type { Message } from "../envelope.ts";
import { BusError } from "../errors.ts";
import { compileExpression } from "./expression.ts";
import { compileMessagePath, compilePath, FACTS, textOf } from "./field-path.ts";
import type { Convert } from "./map-converts.ts";
import type { MapEntry, MapSource } from "./map-document.ts";

/** `item` is the record that paths start from, `root` the whole source. */
export type Make = (item: unknown, root: unknown, message: Message | undefined) => unknown;
/** `async`: the maker may return a promise. */
export type Compiled = Readonly<{ make: Make; async: boolean }>;
/** Compiles the entries of a record inside this one; bus/route/map.ts gives it. */
export type CompileRecord = (
  file: string,
  entries: readonly MapEntry[],
  shape: RecordShape | undefined,
  path: string,
  optional: boolean,
) => Compiled;
type SourceOf<K extends MapSource["kind"]> = Extract<MapSource, { kind: K }>;

/** Compiles the source of `entry` whose target stands at `path` and has `shape`. */
export function compileSource(
  file: string,
  entry: MapEntry,
  shape: Shape | undefined,
  path: string,
  compileRecord: CompileRecord,
): Compiled {
  const { source } = entry;
  const place = `${file}:${entry.line}`;
  switch (source.kind) {
    case "value": {
      const literal = source.value;
      // A list or record of its own for each message, as every other source gives.
      if (typeof literal === "object" && literal !== null) return { async: false, make: () => structuredClone(literal) };
      return { async: false, make: () => literal };
    }
    case "path":
      return { async: false, make: pathSource(source, path, place) };
    case "concat":
      return { async: false, make: concatSource(source) };
    case "jsonata":
      return expressionSource(source, path, place);
    case "each":
      return eachSource(file, source, shape, path, compileRecord);
    default:
      return recordSource(file, source, shape, path, compileRecord);
  }
}

function recordSource(
  file: string,
  source: SourceOf<"record">,
  shape: Shape | undefined,
  path: string,
  compileRecord: CompileRecord,
): Compiled {
  const record = compileRecord(file, source.entries, shape === undefined ? undefined : recordIn(shape), path, false);
  if (source.from === undefined) return record;
  const start = compileStart(source.from);
  return {
    async: record.async,
    make(item, root, message) {
      const from = start(item, root, message);
      return from === undefined || from === null ? undefined : record.make(from, root, message);
    },
  };
}

/** A path of a map as a closure: relative, `$$.` from the root, `$` the item, or a fact of the message. */
export function compileStart(path: string): Make {
  if (path === "$") return (item) => item;
  if (path === "$$") return (_, root) => root;
  if (path.startsWith("$$.")) {
    const get = compilePath(path.slice(3));
    return (_, root) => get(root);
  }
  if (path.startsWith("$")) {
    const [first = ""] = path.slice(1).split(".");
    if (!(FACTS as readonly string[]).includes(first)) {
      throw new BusError("configuration", `\`${path}\`: known are ${FACTS.map((fact) => `$${fact}`).join(", ")}, $ and $$`);
    }
    const get = compileMessagePath(path);
    return (_item, _root, message) => (message === undefined ? undefined : get(message));
  }
  const get = compilePath(path);
  return (item) => get(item);
}

function pathSource(source: SourceOf<"path">, path: string, place: string): Make {
  const start = compileStart(source.from);
  const { converts, table, default: fallback } = source;
  if (converts.length === 0 && table === undefined && fallback === undefined) return start;
  const name = source.from;
  const convert = (value: unknown): unknown => {
    const converted = run(converts, value, `${place}: target \`${path}\``, name);
    if (table === undefined) return converted;
    const found = table.get(textOf(converted) ?? "");
    if (found !== undefined) return found;
    if (fallback !== undefined) return fallback;
    throw new BusError("map-failed", `${place}: target \`${path}\`: the value of ${name} is not in the table; add it, or a \`default\``, {
      places: [{ path, text: "not in the table" }],
    });
  };
  return (item, root, message) => {
    const value = start(item, root, message);
    if (value === undefined || value === null) return fallback;
    return Array.isArray(value) ? value.map(convert) : convert(value);
  };
}

function run(converts: readonly Convert[], value: unknown, where: string, from: string): unknown {
  let at = value;
  for (const convert of converts) {
    at = convert.run(at);
    if (at === undefined) {
      const text = `\`${convert.name}\` cannot read the value of ${from}`;
      throw new BusError("map-failed", `${where}: ${text}`, { places: [{ path: from, rule: convert.name, text }] });
    }
  }
  return at;
}

/** Joins what is there; nothing when nothing is. */
function concatSource(source: SourceOf<"concat">): Make {
  const starts = source.parts.map(compileStart);
  return (item, root, message) => {
    const found: string[] = [];
    for (const start of starts) {
      const text = textOf(start(item, root, message));
      if (text !== undefined && text !== "") found.push(text);
    }
    return found.length === 0 ? undefined : found.join(source.with);
  };
}

function expressionSource(source: SourceOf<"jsonata">, path: string, place: string): Compiled {
  const expression = compileExpression(source.text, place);
  const after = (value: unknown): unknown =>
    value === undefined || value === null ? undefined : run(source.converts, value, `${place}: target \`${path}\``, "the expression");
  if (expression.fast) return { async: false, make: (item, _root, message) => after(expression.evaluate(item, message)) };
  return { async: true, make: async (item, _root, message) => after(await expression.evaluate(item, message)) };
}

/** A list item by item; a single item counts as a list of one, as XML has it. */
function eachSource(
  file: string,
  source: SourceOf<"each">,
  shape: Shape | undefined,
  path: string,
  compileRecord: CompileRecord,
): Compiled {
  const start = compileStart(source.each);
  const list = shape === undefined ? undefined : withoutNull(shape);
  const record = compileRecord(file, source.entries, list?.kind === "array" ? recordIn(list.items) : undefined, `${path}[]`, false);
  const items = (item: unknown, root: unknown, message: Message | undefined): readonly unknown[] | undefined => {
    const found = start(item, root, message);
    if (found === undefined || found === null) return list?.kind === "array" && list === shape ? [] : undefined;
    return Array.isArray(found) ? found : [found];
  };
  if (!record.async)
    return { async: false, make: (item, root, message) => items(item, root, message)?.map((one) => record.make(one, root, message)) };
  return {
    async: true,
    async make(item, root, message) {
      const found = items(item, root, message);
      if (found === undefined) return undefined;
      const made: unknown[] = [];
      for (const one of found) made.push(await record.make(one, root, message));
      return made;
    },
  };
}
