/**
 * Compiles a map into closures: value of one shape to value of another. With the target's shape known, a nullable field that has
 * no source becomes null and a required one fails here, by name, instead of later in an encoder.
 */
import { nullable, recordIn, type RecordShape, type Shape } from "../contract/shape.ts";
import type { AvroRecord, Message } from "../envelope.ts";
import { BusError, asBusError } from "../errors.ts";
import type { MapEntry, MapFile } from "./map-document.ts";
import { compileSource, type Compiled, type Make } from "./map-source.ts";
import type { Mapper } from "./runtime.ts";

/** One field of a record under construction. */
type Field = Readonly<{
  name: string;
  make: Make;
  async: boolean;
  shape: Shape | undefined;
  hasDefault: boolean;
  path: string;
  place: string;
}>;

/** Compiles a map. `target`: the shape that the value must have. Throws `configuration` for a broken expression. */
export function compileMap(map: MapFile, target?: RecordShape): Mapper {
  const { make, async } = compileRecord(map.file, map.entries, target, "", false);
  if (!async) return (value, message) => make(value, value, message) as AvroRecord;
  return async (value, message) => (await make(value, value, message)) as AvroRecord;
}

/**
 * Compiles the entries of one record. `optional`: the record itself may be left out, and is (undefined) when all it would hold
 * comes from paths that lead nowhere.
 */
function compileRecord(
  file: string,
  entries: readonly MapEntry[],
  shape: RecordShape | undefined,
  path: string,
  optional: boolean,
): Compiled {
  const fields = [...groups(entries)].map(([name, group]) => compileField(file, name, group, shape, path));
  for (const field of shape?.fields ?? []) {
    if (!fields.some(({ name }) => name === field.name))
      fields.push(unmapped(file, field.name, field.type, field.default !== undefined, join(path, field.name)));
  }
  const async = fields.some((field) => field.async);
  const constant = optional && !entries.some(isSourced);
  const leaveOut = optional && !constant;
  return { async, make: async ? buildLater(fields, leaveOut) : build(fields, leaveOut) };
}

const isSourced = (entry: MapEntry): boolean => entry.source.kind !== "value";
const join = (path: string, name: string): string => (path === "" ? name : `${path}.${name}`);

/** Entries by the first name of their targets, in order. */
function groups(entries: readonly MapEntry[]): ReadonlyMap<string, readonly MapEntry[]> {
  const found = new Map<string, MapEntry[]>();
  for (const entry of entries) {
    const [name = ""] = entry.target;
    found.set(name, [...(found.get(name) ?? []), entry]);
  }
  return found;
}

function compileField(file: string, name: string, group: readonly MapEntry[], shape: RecordShape | undefined, parent: string): Field {
  const known = shape?.fields.find((field) => field.name === name);
  const path = join(parent, name);
  const [first] = group;
  const place = `${file}:${first?.line ?? 1}`;
  const common = { name, path, place, shape: known?.type, hasDefault: known?.default !== undefined };
  if (first !== undefined && first.target.length === 1)
    return { ...common, ...compileSource(file, first, known?.type, path, compileRecord) };
  const inner = group.map((entry) => ({ ...entry, target: entry.target.slice(1) }));
  const record = known === undefined ? undefined : recordIn(known.type);
  const absent = known === undefined || nullable(known.type) || common.hasDefault;
  return { ...common, ...compileRecord(file, inner, record, path, absent) };
}

/** A field of the target that the map does not name. */
function unmapped(file: string, name: string, shape: Shape, hasDefault: boolean, path: string): Field {
  return { name, path, shape, hasDefault, place: `${file}:1`, async: false, make: () => undefined };
}

function build(fields: readonly Field[], leaveOut: boolean): Make {
  // A record whose fields all get a value begins with its members, so that it does not grow with each of them.
  const whole = fields.every((field) => field.shape !== undefined && (nullable(field.shape) || !field.hasDefault));
  const template = Object.fromEntries(whole ? fields.map((field) => [field.name, undefined]) : []);
  return (item, root, message) => {
    // A spread would take four times as long once it has met many templates.
    const record: AvroRecord = Object.assign({}, template);
    let found = !leaveOut;
    for (const field of fields) {
      const value = attempt(field, item, root, message);
      if (value !== undefined && value !== null) found = true;
      put(record, field, value, leaveOut && !found);
    }
    return found ? settle(record, fields, leaveOut) : undefined;
  };
}

function buildLater(fields: readonly Field[], leaveOut: boolean): Make {
  return async (item, root, message) => {
    const record: AvroRecord = {};
    let found = !leaveOut;
    for (const field of fields) {
      const made = attempt(field, item, root, message);
      const value: unknown = made instanceof Promise ? await made.catch((error: unknown) => rethrow(field, error)) : made;
      if (value !== undefined && value !== null) found = true;
      put(record, field, value, leaveOut && !found);
    }
    return found ? settle(record, fields, leaveOut) : undefined;
  };
}

/** Fields that were missing while the record might still have been left out whole are judged now that it stays. */
function settle(record: AvroRecord, fields: readonly Field[], wasOpen: boolean): AvroRecord {
  if (wasOpen) for (const field of fields) if (record[field.name] === undefined) put(record, field, undefined, false);
  return record;
}

function attempt(field: Field, item: unknown, root: unknown, message: Message | undefined): unknown {
  try {
    return field.make(item, root, message);
  } catch (error) {
    return rethrow(field, error);
  }
}

function rethrow(field: Field, error: unknown): never {
  const known = asBusError(error);
  if (known.code === "map-failed") throw known;
  throw new BusError("map-failed", `${field.place}: target \`${field.path}\`: ${known.message}`, {
    places: [{ path: field.path, text: known.message }],
    cause: error,
  });
}

function put(record: AvroRecord, field: Field, value: unknown, undecided: boolean): void {
  if (value !== undefined && !(value === null && field.shape !== undefined && !nullable(field.shape))) {
    record[field.name] = value;
    return;
  }
  if (field.shape === undefined || undecided) return;
  if (nullable(field.shape)) record[field.name] = null;
  else if (!field.hasDefault) {
    const text = `required field \`${field.path}\` has no value: its source is missing or not mapped`;
    throw new BusError("map-failed", `${field.place}: ${text}`, { places: [{ path: field.path, text }] });
  }
}
