/** A contract as a type of MConnect Events: its name there, who may produce it, and what is written down when it is consumed. */

export type PersonalRule = Readonly<{
  /** Dotted path of the IDNP. */
  subject: string | undefined;
  /** A field's value goes before the text; where neither is there, the consumer's grant says it. */
  basis: string | undefined;
  basisField: string | undefined;
  reason: string | undefined;
  reasonField: string | undefined;
}>;

export type EventType = Readonly<{
  /** `Organization.System.Entity.Action`. */
  type: string;
  /** JSON Schema of `data`; undefined = the contract alone says it. */
  schemaText: string | undefined;
  /** URIs that a system may write as `source`, by system. */
  sources: ReadonlyMap<string, readonly string[]>;
  /** Milliseconds that a new group begins before now. */
  retention: number;
  /** Dotted path; undefined = the schema's own key. */
  partitionKey: string | undefined;
  personal: PersonalRule | undefined;
}>;
