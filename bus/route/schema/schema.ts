/**
 * The part of JSON Schema 2020-12 that our files need, and shorthands to write it. There is no oneOf, anyOf or allOf: a choice is
 * a one-key map, so that one typo gives one message. Keywords that begin with `x-` are read by our walker; editors ignore them.
 */

export type TypeName = "object" | "array" | "string" | "integer" | "number" | "boolean";
/** What a text is turned into when it is read. */
export type ValueKind = "duration" | "size" | "rate" | "percent" | "quota" | "moment" | "file" | "idno" | "retry-rule" | "bounds";

export type Schema = Readonly<{
  type?: TypeName | readonly TypeName[];
  description?: string;
  examples?: readonly unknown[];
  default?: unknown;
  properties?: Readonly<Record<string, Schema>>;
  required?: readonly string[];
  additionalProperties?: boolean | Schema;
  minProperties?: number;
  maxProperties?: number;
  items?: Schema;
  minItems?: number;
  maxItems?: number;
  enum?: readonly unknown[];
  pattern?: string;
  minLength?: number;
  maxLength?: number;
  minimum?: number;
  maximum?: number;
  $ref?: string;
  "x-kind"?: ValueKind;
  /** `${secret:…}` may stand here. */
  "x-secret"?: boolean;
  /** Nothing is filled in: expressions and patterns mean what they say. */
  "x-literal"?: boolean;
  /** Exactly one of these keys must be there. */
  "x-one"?: readonly string[];
  /** What a key of this map is called in messages: `step`, `adapter`. */
  "x-noun"?: string;
  /** What to write where the pattern does not fit. */
  "x-write"?: string;
}>;
type Extra = Omit<Schema, "description" | "examples">;

export function text(description: string, example: unknown, extra: Extra = {}): Schema {
  return { type: "string", minLength: 1, maxLength: 4096, description, examples: [example], ...extra };
}
export function matching(pattern: string, write: string, description: string, example: unknown, extra: Extra = {}): Schema {
  return text(description, example, { pattern, "x-write": write, ...extra });
}
export function whole(description: string, example: number, minimum = 1, maximum = 1_000_000): Schema {
  return { type: "integer", minimum, maximum, description, examples: [example] };
}
export function yesNo(description: string, example: boolean): Schema {
  return { type: "boolean", description, examples: [example] };
}
export function oneOf(words: readonly string[], description: string, extra: Extra = {}): Schema {
  return { type: "string", enum: words, description, examples: [words[0]], ...extra };
}
export function list(items: Schema, description: string, example: unknown, extra: Extra = {}): Schema {
  return { type: "array", items, maxItems: 1000, description, examples: [example], ...extra };
}
export function map(
  properties: Readonly<Record<string, Schema>>,
  required: readonly string[],
  description: string,
  extra: Extra = {},
): Schema {
  return { type: "object", properties, required, additionalProperties: false, description, ...extra };
}
/** A map with free names. */
export function dictionary(values: Schema, description: string, example: unknown, extra: Extra = {}): Schema {
  return { type: "object", additionalProperties: values, maxProperties: 1000, description, examples: [example], ...extra };
}
/** Any JSON object, taken as it stands. */
export function anything(description: string, example: unknown): Schema {
  return { type: "object", additionalProperties: true, description, examples: [example], "x-literal": true };
}

const unit =
  (kind: ValueKind, pattern: string) =>
  (description: string, example: string, extra: Extra = {}) =>
    ({ type: "string", pattern, description, examples: [example], "x-kind": kind, ...extra }) satisfies Schema;

export const duration = unit("duration", "^[0-9]+(\\.[0-9]+)? *(ms|s|m|h|d|w|y)$");
export const size = unit("size", "^[0-9]+(\\.[0-9]+)? *(B|KiB|MiB|GiB)$");
export const percent = unit("percent", "^[0-9]+(\\.[0-9]+)? *%$");
export const rate = unit("rate", "^[0-9]+ */ *(s|second|m|minute|h|hour|d|day)$");
export const quota = unit("quota", "^[0-9]+ */ *(s|second|m|minute|h|hour|d|day)$");
export const moment = unit("moment", "^[0-9]{4}-[0-9]{2}-[0-9]{2}(T.*)?$");
export const file = unit("file", "^[^\\\\]+$");

export const ID = "^[a-z0-9][a-z0-9-]{0,79}$";
export const CONTRACT_ID = "^[a-z][A-Za-z0-9-]*(\\.[a-z][A-Za-z0-9-]*)*\\.v[1-9][0-9]{0,3}$";
export const SYSTEM_ID = "^[a-z0-9][a-z0-9-]*/[a-z0-9][a-z0-9-]*$";
export const FIELD_PATH = "^\\$?[A-Za-z_][A-Za-z0-9_-]*(\\.[A-Za-z_][A-Za-z0-9_-]*){0,31}$";

export const id = (description: string, example: string): Schema =>
  matching(ID, "write lower-case letters, digits and hyphens", description, example);
export const contractId = (description: string, example: string): Schema =>
  matching(CONTRACT_ID, "write `<domain>.<name>.v<N>`", description, example);
export const systemId = (description: string, example: string): Schema =>
  matching(SYSTEM_ID, "write `<institution>/<system>` in lower case", description, example);
export const fieldPath = (description: string, example: string): Schema =>
  matching(FIELD_PATH, "write names joined by dots, or `headers.NAME`, `call.user`, `$id`", description, example);
