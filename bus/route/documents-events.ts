/** The `events` part of a contract document, and what the bus makes of it. */
import type { EventType } from "../contract/event-type.ts";

export type EventsDoc = Readonly<{
  type: string;
  /** File of the JSON Schema. */
  schema?: string;
  sources?: readonly Readonly<{ system: string; uris: readonly string[] }>[];
  /** Milliseconds. */
  retention?: number;
  partitionKey?: string;
  personal?: Readonly<{ subject?: string; basis?: string; basisField?: string; reason?: string; reasonField?: string }>;
}>;

const DAY = 86_400_000;
export const DEFAULT_RETENTION = 5 * DAY;
/** What the journal keeps in any case. */
export const MOST_RETENTION = 31 * DAY;

/** Drafts of JSON Schema that are understood, by their `$schema` without the empty fragment. */
export const DRAFTS: ReadonlySet<string> = new Set([
  "http://json-schema.org/draft-06/schema",
  "http://json-schema.org/draft-07/schema",
  "https://json-schema.org/draft/2019-09/schema",
  "https://json-schema.org/draft/2020-12/schema",
]);

export const draftOf = (schema: unknown): string =>
  typeof schema === "object" && schema !== null && "$schema" in schema ? String(schema.$schema).replace(/#$/u, "") : "";

/** `subject`: the contract's own. */
export function eventTypeOf(document: EventsDoc, schemaText: string | undefined, subject: string | undefined): EventType {
  const { personal } = document;
  const sources = new Map<string, readonly string[]>();
  for (const { system, uris } of document.sources ?? []) sources.set(system, [...(sources.get(system) ?? []), ...uris]);
  return {
    type: document.type,
    schemaText,
    sources,
    retention: document.retention ?? DEFAULT_RETENTION,
    partitionKey: document.partitionKey,
    personal: personal && {
      subject: personal.subject ?? subject,
      basis: personal.basis,
      basisField: personal.basisField,
      reason: personal.reason,
      reasonField: personal.reasonField,
    },
  };
}
