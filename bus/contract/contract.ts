/** A contract as the bus uses it: compiled types, marks and requirements. bus/contract/compile.ts makes them. */
import type { AvroRecord, CallContext } from "../envelope.ts";
import type { Place } from "../errors.ts";
import type { EventType } from "./event-type.ts";

export type Pattern = "query" | "command" | "event";

/** Marks of one field, by dotted path (`residence.country`; array items share their array's path). */
export type FieldMarks = Readonly<{
  personal: boolean;
  /** Legal sensitivity, for example `special-category`. */
  sensitivity?: string;
  key: boolean;
}>;

/** A text that is an identifier of thirteen digits, the last one a check digit. `parts`: names on the way; undefined = any key of a map. */
export type IdentifierField = Readonly<{ path: string; parts: readonly (string | undefined)[]; kind: "IDNP" | "IDNO" | "IDNV" }>;

/** One Avro record type of a contract. */
export interface ContractType {
  /** Id of the type, for example `person.request.v1`. */
  readonly id: string;
  /** Parsed Avro schema (JSON), root is a record, and its text as registered. */
  readonly schema: Readonly<Record<string, unknown>>;
  readonly schemaText: string;
  /** Confluent id; encode and decode need it. */
  readonly schemaId: number;
  readonly marks: ReadonlyMap<string, FieldMarks>;
  /** Fields marked as identifiers; absent = none. */
  readonly identifiers?: readonly IdentifierField[];
  /** Value to Confluent-framed Avro. Throws avro-violation with the path of each bad field. */
  encode(value: AvroRecord): Uint8Array;
  /** Confluent-framed Avro to value, behind count, size and depth limits. Also reads frames of older, compatible schemas. */
  decode(body: Uint8Array): AvroRecord;
  /** Empty = fits. */
  check(value: AvroRecord): readonly Place[];
  /** Value of the key field (mark `key`), as text. */
  keyOf(value: AvroRecord): string | undefined;
}

/** Kinds of dealing with personal data that the audit journal knows. */
export const AUDIT_KINDS = ["access", "validate", "search", "transfer", "export"] as const;
export type AuditKind = (typeof AUDIT_KINDS)[number];

export interface Contract {
  /** Id of the request, command or event type: `<domain>.<name>.v<N>`. */
  readonly id: string;
  readonly name: string;
  readonly version: number;
  readonly title: string;
  readonly owner: string;
  readonly pattern: Pattern;
  /** What a next version may change, and whether this one may still be used; as the contract's document says. */
  readonly compatibility?: string;
  readonly state?: string;
  readonly request: ContractType;
  readonly reply: ContractType | undefined;
  /** Values of the call context without which no message is taken. */
  readonly requires: readonly (keyof CallContext)[];
  /** Dotted path of the IDNP of the person the message is about. */
  readonly subject: string | undefined;
  /** What its audit events call an exchange of personal data; absent = `access` for queries, `transfer` for the rest. */
  readonly audit?: AuditKind;
  /** What the bus's own SOAP face is called where the contract has no WSDL of its own. */
  readonly soap: Readonly<{ namespace: string; service: string; operation: string }>;
  /** Set where the contract is a type of MConnect Events. */
  readonly events?: EventType;
}
