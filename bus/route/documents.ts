/**
 * An administrator's documents after parsing: durations in milliseconds, sizes in bytes, percentages 0..1, rates per second,
 * dates in milliseconds since the epoch, `${var:…}` filled in, file references resolved from the root of the files
 * (`resolvePath`), templates expanded. `${secret:…}` stays as text in the adapter options until the composition fills it.
 *
 * A field path names a value of a message: `headers.NAME`, `call.user|entity|basis|reason`,
 * `$id`, `$source`, `$subject`, `$key`, `$correlationId`, `$time`; anything else is a dotted path into the contract's record.
 */
import type { CallContext } from "../envelope.ts";
import type { Json } from "../ports.ts";
import type { AuditKind, Pattern } from "../contract/contract.ts";
import type { DeliverDoc, FailureDoc } from "./documents-deliver.ts";
import type { EventsDoc } from "./documents-events.ts";
import type { LegalBasis } from "./runtime.ts";
import type { TestDoc } from "./documents-test.ts";
import type { StepDoc } from "./documents-steps.ts";

/** A place in a file; lines and columns count from 1. */
export type Spot = Readonly<{ file: string; line: number; column: number }>;
/** Keys and 0-based indexes from the root of a document, as written in the YAML. */
export type Path = readonly (string | number)[];

/** What every document carries: where it stands, and where each of its nodes stands. */
export type Located = Readonly<{
  source: Readonly<{
    file: string;
    line: number;
    column: number;
    /** The node at `path`, or its nearest ancestor that is there. For a template's route: the place in the template. */
    place(path: Path): Spot;
  }>;
}>;

/** `jsonata` and `xpath` are evaluated; `literal` never is. Namespaces belong to xpath. */
export type ExpressionDoc = Readonly<{
  language: "jsonata" | "xpath";
  text: string;
  namespaces: Readonly<Record<string, string>>;
  path: Path;
}>;

/** A native test of one field; exactly one comparison is set. Cheap: no expression engine runs. */
export type FieldTestDoc = Readonly<{
  language: "field";
  field: string;
  equals?: string | number | boolean;
  notEquals?: string | number | boolean;
  in?: readonly (string | number | boolean)[];
  /** Is the field there and not null? */
  exists?: boolean;
  /** ECMAScript pattern, whole value. */
  matches?: string;
  path: Path;
}>;
export type PredicateDoc = ExpressionDoc | FieldTestDoc;
/** What gives a key: a field path, or an expression whose value is taken as text. */
export type KeyDoc = Readonly<{ language: "path"; field: string; path: Path }> | ExpressionDoc;

/** The one adapter of a `from`, `to` or branch. Options as written, variables filled in. */
export type AdapterDoc = Readonly<{ name: string; options: Readonly<Record<string, unknown>>; path: Path }>;
/** File of a map, from the root of the files. */
export type MapDoc = Readonly<{ map: string }>;

export type SystemDoc = Located &
  Readonly<{
    kind: "system";
    id: string;
    title: string;
    institution: Readonly<{ idno: string; name: string }>;
    addresses: readonly string[];
    contact?: string;
    /** Files of its certificates, from the root of the files. */
    certificates: readonly string[];
    /** By the name of the service that they are for. */
    settings: Readonly<Record<string, Json>>;
    guid?: string;
    /** IDNO of institutions that let it act for them. */
    actsFor: readonly string[];
    signatures: MessageSignatures;
  }>;

/** Must a system's messages be signed, and may RSA with SHA-1 be taken from it? */
export type MessageSignatures = Readonly<{ required: boolean; rsaSha1: boolean; covers: "message" | "body" }>;

export type ContractDoc = Located &
  Readonly<{
    kind: "contract";
    id: string;
    title: string;
    owner: string;
    pattern: Pattern;
    /** File of the Avro schema. */
    schema: string;
    reply?: Readonly<{ id: string; schema: string }>;
    compatibility: "backward" | "forward" | "full" | "none";
    state: "active" | "deprecated" | "retired";
    /** The provider handles one message id once, however often it comes. */
    idempotent: boolean;
    requires: readonly (keyof CallContext)[];
    subject?: string;
    /** Kind of the audit events of its exchanges. */
    audit?: AuditKind;
    soap?: Readonly<{ namespace: string; service: string; operation: string }>;
    events?: EventsDoc;
  }>;

export type ScheduleDoc = Readonly<{
  cron: string;
  timezone?: string;
  overlap: "skip" | "queue";
  missed: "run-once" | "skip";
  deadline?: number;
}>;

export type FromDoc = Readonly<{
  name: string;
  system?: string;
  adapter: AdapterDoc;
  in?: MapDoc;
  out?: MapDoc;
  schedule?: ScheduleDoc;
  /** How long the caller of a command is held for its reply, ms. */
  wait?: number;
  path: Path;
}>;

/** `to` is one branch named `to`. */
export type BranchDoc = Readonly<{
  name: string;
  system?: string;
  when?: PredicateDoc;
  /** Written `map:` on a branch, or `in: { map }` on `to`: contract shape to wire shape. */
  in?: MapDoc;
  out?: MapDoc;
  steps: readonly StepDoc[];
  adapter: AdapterDoc;
  deliver?: DeliverDoc;
  order?: OrderDoc;
  path: Path;
}>;

/** `none` undoes the route's order for one branch. */
export type OrderDoc = Readonly<{ by: KeyDoc | "none" }>;

export type RouteDoc = Located &
  Readonly<{
    kind: "route";
    id: string;
    title: string;
    owner: string;
    state: "active" | "paused" | "draft";
    pattern: Pattern;
    /** Id of the query's, command's or event's contract, and of its reply's type. */
    contract: string;
    reply?: string;
    from: readonly FromDoc[];
    access: Readonly<{ grants: readonly string[]; require: readonly string[] }>;
    order?: OrderDoc;
    steps: readonly StepDoc[];
    /** From `to` or from `fanOut`. */
    branches: readonly BranchDoc[];
    /** Where the replies of a command are pushed to, one for each system that sends it. */
    replies: readonly BranchDoc[];
    deliver?: DeliverDoc;
    failures: readonly FailureDoc[];
    deadletter: Readonly<{ keep: number; replay: "never" | "manual" }>;
    journal: Readonly<{ payload: "full" | "hash" | "none"; keep: number; index: readonly string[] }>;
    stopAfter?: Readonly<{ failedRecords: number }>;
    notify?: Readonly<{ on: readonly string[]; to: readonly string[] }>;
    /** Files of tests. */
    tests: readonly string[];
    /** Set when the route was made from a template: where its `with` stands. */
    template?: Readonly<{ id: string; at: Spot }>;
    /** The document with its texts as written, variables filled in: what `effective` tells apart from defaults. */
    written: Readonly<Record<string, unknown>>;
  }>;

export type GrantDoc = Located &
  Readonly<{
    kind: "grant";
    id: string;
    owner: string;
    system: string;
    role: "consumer" | "producer";
    contract: string;
    legalBasis: LegalBasis;
    reply?: Readonly<{ allow: readonly string[] }>;
    /** `from` inclusive, `until` exclusive (a day as written counts whole). */
    valid: Readonly<{ from: number; until: number }>;
    quota?: Readonly<{ count: number; per: number }>;
  }>;

export type PolicyDoc = Located & Readonly<{ kind: "policy"; id: string; deliver: DeliverDoc }>;

export type ParameterDoc = Readonly<{
  type: "string" | "integer" | "boolean" | "duration";
  required: boolean;
  default?: string | number | boolean;
  description: string;
}>;
/** Its route is expanded before parsing; `parameters` serves the documentation. */
export type TemplateDoc = Located & Readonly<{ kind: "template"; id: string; parameters: Readonly<Record<string, ParameterDoc>> }>;
/** A danger of an outside engine that a stage takes knowingly, and why. */
export type Waiver = Readonly<{ setting: string; because: string }>;
export type EnvironmentDoc = Located &
  Readonly<{ kind: "environment"; id: string; vars: Readonly<Record<string, string>>; waive: readonly Waiver[] }>;

export type Document = SystemDoc | ContractDoc | RouteDoc | GrantDoc | PolicyDoc | TemplateDoc | EnvironmentDoc | TestDoc;
export type Kind = Document["kind"];

/** A document that may not run, and why; its own faults are findings. */
export type LeftOut = Readonly<{ kind: Kind | "unknown"; id: string; at: Spot; because: string }>;

/** All sound documents of a set of files. */
export type ParsedSet = Readonly<{
  systems: ReadonlyMap<string, SystemDoc>;
  contracts: ReadonlyMap<string, ContractDoc>;
  routes: ReadonlyMap<string, RouteDoc>;
  grants: ReadonlyMap<string, GrantDoc>;
  policies: ReadonlyMap<string, PolicyDoc>;
  templates: ReadonlyMap<string, TemplateDoc>;
  environments: ReadonlyMap<string, EnvironmentDoc>;
  tests: readonly TestDoc[];
  leftOut: readonly LeftOut[];
}>;

/** A reference as written in `file`, as a path from the root: `./` and `../` are relative to the file, the rest is from the root. */
export function resolvePath(file: string, reference: string): string {
  if (!/^\.\.?\//.test(reference)) return reference;
  const parts = file.split("/").slice(0, -1);
  for (const part of reference.split("/")) {
    if (part === "..") parts.pop();
    else if (part !== "." && part !== "") parts.push(part);
  }
  return parts.join("/");
}

export type { DeliverDoc, FailureDoc, StepDoc, TestDoc };
