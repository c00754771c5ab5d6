/** Members of documents as fields that the server can index: exact values for searches, and one text for uniqueness. */
import type { FindOptions } from "#bus/ports.ts";

type Plain = string | number | boolean;
export type Fields = Readonly<Record<string, Plain>>;

export function plainMember(document: unknown, name: string): Plain | undefined {
  if (typeof document !== "object" || document === null || !Object.hasOwn(document, name)) return undefined;
  const value: unknown = Reflect.get(document, name);
  return typeof value === "string" || typeof value === "number" || typeof value === "boolean" ? value : undefined;
}

/** Name of a member as a field: no dot, no dollar, never empty. */
export function fieldOf(name: string): string {
  return `_${encodeURIComponent(name.toWellFormed()).replaceAll(".", "%2E")}`;
}

export function searchFields(document: unknown, names: readonly string[]): Fields {
  const fields: Record<string, Plain> = {};
  for (const name of names) {
    const value = plainMember(document, name);
    if (value !== undefined) fields[fieldOf(name)] = value;
  }
  return fields;
}

/** One text for each unique member: its kind and value, or the document's own id where it has none, so that absent never meets absent. */
export function uniqueFields(id: string, document: unknown, names: readonly string[]): Fields {
  const fields: Record<string, Plain> = {};
  for (const name of names) {
    const value = plainMember(document, name);
    fields[fieldOf(name)] = value === undefined ? `-${id}` : `${(typeof value)[0] ?? ""}${String(value)}`;
  }
  return fields;
}

type Filter = Record<string, Plain | Record<string, Plain>>;

/** What of a search the server can do; `whole` = all of it. */
export function filterOf(options: FindOptions, indexed: ReadonlySet<string>): Readonly<{ filter: Filter; whole: boolean }> {
  const filter: Filter = { _id: { $gt: options.after ?? "" } };
  let whole = true;
  for (const [name, value] of Object.entries(options.where ?? {})) {
    if (indexed.has(name)) filter[`m.${fieldOf(name)}`] = value;
    else whole = false;
  }
  const { range } = options;
  if (range !== undefined) {
    const bounds: Record<string, Plain> = {};
    if (range.from !== undefined) bounds["$gte"] = range.from;
    if (range.to !== undefined) bounds["$lt"] = range.to;
    const field = `m.${fieldOf(range.member)}`;
    if (indexed.has(range.member) && Object.keys(bounds).length > 0 && filter[field] === undefined) filter[field] = bounds;
    else whole = false;
  }
  return { filter, whole };
}

/** Does a document answer the search? The same answer wherever it is given. */
export function fits(document: unknown, { where = {}, range }: FindOptions): boolean {
  for (const [name, wanted] of Object.entries(where)) if (plainMember(document, name) !== wanted) return false;
  if (range === undefined) return true;
  const value = plainMember(document, range.member);
  const kind = typeof range.from === "string" || typeof range.to === "string" ? "string" : "number";
  if (value === undefined || typeof value !== kind) return false;
  return (range.from === undefined || order(value, range.from) >= 0) && (range.to === undefined || order(value, range.to) < 0);
}

/** Texts in the order of their UTF-8 bytes, as the server has them. Different kinds never fit. */
function order(a: Plain, b: Plain): number {
  if (typeof a === "string" && typeof b === "string") return Buffer.compare(Buffer.from(a), Buffer.from(b));
  return typeof a === "number" && typeof b === "number" ? a - b : Number.NaN;
}
