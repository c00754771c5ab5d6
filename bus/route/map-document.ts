/**
 * Map files (`*.map.yaml`): target field to source, read with places.
 *
 *     map:
 *       personalCode: Query.Code                                        # a path of the source
 *       birthDate: { from: Query.Born, convert: date(dd.mm.yyyy) }      # converts run in order, before the table
 *       status: { from: Query.State, table: { A: active }, default: unknown }
 *       kind: { value: person }                                         # a literal
 *       fullName: { concat: [Query.Given, Query.Family], with: " " }
 *       initial: { jsonata: "$substring(Query.Given, 0, 1)" }
 *       residence.country: Query.Country                                # dots make records
 *       residence: { from: Query.Home, map: { city: City } }            # paths from Query.Home; absent when that is
 *       changes: { each: Query.Changes.Change, map: { field: Name, by: $$.Query.Clerk, raw: $ } }
 *
 * A path is relative to the record that is mapped; `$$.x` starts at the whole source, `$` is the item itself, and
 * `$headers.NAME`, `$call.NAME`, `$id`, `$source`, `$key`, `$subject`, `$correlationId`, `$time` are the message's own facts.
 */
import type { Convert } from "./map-converts.ts";

export type Scalar = string | number | boolean | null;
export type MapSource =
  | Readonly<{
      kind: "path";
      from: string;
      converts: readonly Convert[];
      table: ReadonlyMap<string, Scalar> | undefined;
      default: Scalar | undefined;
    }>
  | Readonly<{ kind: "value"; value: unknown }>
  | Readonly<{ kind: "jsonata"; text: string; converts: readonly Convert[] }>
  | Readonly<{ kind: "concat"; parts: readonly string[]; with: string }>
  | Readonly<{ kind: "each"; each: string; entries: readonly MapEntry[] }>
  | Readonly<{ kind: "record"; from: string | undefined; entries: readonly MapEntry[] }>;

/** `target` is relative to the record that holds the entry. */
export type MapEntry = Readonly<{ target: readonly string[]; source: MapSource; line: number; column: number }>;
export type MapFile = Readonly<{ file: string; entries: readonly MapEntry[] }>;

/** Entries of one file, and records inside records. */
export const MAP_LIMITS = { entries: 5_000, depth: 16 } as const;

/** What may stand beside the word that decides; the first of these words that is there decides. */
const FORMS = {
  each: ["each", "map"],
  map: ["map", "from"],
  concat: ["concat", "with"],
  jsonata: ["jsonata", "convert"],
  value: ["value"],
  from: ["from", "convert", "table", "default"],
} as const;
export type Form = keyof typeof FORMS;
export { FORMS };
