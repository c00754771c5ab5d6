/**
 * The seams of the bus; the first file to read. Each port has two to four members and its contract in prose.
 * Every sentence is proved by a suite under test/conformance/.
 */
import type { Signed } from "./edge/signatures.ts";
import type { AvroRecord, CallContext, Envelope, Message } from "./envelope.ts";
import type { JournalRecord, JournalQuery, StoredRecord } from "./journal/record.ts";

/** Time. Tests run on a virtual clock; `sleep` rejects with the signal's reason when it is aborted. */
export interface Clock {
  /** Milliseconds since the epoch. */
  now(): number;
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
}

// ── edges ──────────────────────────────────────────────────────────────────────────────────────────────────────────

/** What an inlet hands to the bus: bytes and facts of the wire, decoded only when the pipeline asks. */
export type Inbound = Readonly<{
  /** Route id and name of the `from` that received it; undefined when not even that could be told. */
  route: string | undefined;
  from: string;
  /** The system that sent it, as the inlet authenticated it; undefined = it did not say. */
  system: string | undefined;
  /** The sender's message id; the bus makes one when absent. */
  id?: string;
  correlationId?: string;
  traceparent?: string;
  subject?: string;
  /** Milliseconds from now that the sender waits. */
  waits?: number;
  call: CallContext;
  headers: Readonly<Record<string, string>>;
  /** The bytes as received (for digest and dead letters) and their media type. */
  bytes: Uint8Array;
  mediaType: string;
  /** Present when the message was signed and the signature holds; `read` then gives what it covers. */
  signed?: Signed;
  /** `wire` (the default): the source's map still applies. `contract`: the value already has the contract's shape. */
  shape?: "wire" | "contract";
  /** Decodes into the contract's shape. Throws BusError. Called at most once, inside the pipeline. */
  read(): AvroRecord;
}>;

/** How the bus answered. A refusal is a thrown BusError. */
export type Outcome =
  | Readonly<{ kind: "reply"; id: string; correlationId: string; value: AvroRecord; position: number }>
  | Readonly<{ kind: "accepted"; id: string; correlationId: string; position: number; duplicate: boolean }>;

export type Accept = (inbound: Inbound, signal?: AbortSignal) => Promise<Outcome>;

/**
 * Turns outside bytes into an envelope. The outsider is answered only after `accept` settles; a rejection becomes the
 * protocol's own fault. `close` stops taking new messages, waits for running ones, is idempotent and works while blocked.
 */
export interface Inlet {
  start(accept: Accept): Promise<void>;
  close(): Promise<void>;
}

/**
 * Turns an envelope into outside bytes. `send` resolves only on confirmed delivery, with the reply's value where the
 * contract has one. A failure is a BusError whose class says whether a retry can help. It obeys the signal: after an
 * abort nothing of the call goes on.
 */
export interface Outlet {
  /** Address that breaker and limits are kept for. */
  readonly endpoint: string;
  send(message: Message, signal: AbortSignal): Promise<AvroRecord | undefined>;
  close(): Promise<void>;
}

// ── engines ────────────────────────────────────────────────────────────────────────────────────────────────────────

/** What a branch sees of one message. `attempt` counts from 1 and survives restarts. */
export type Delivery = Readonly<{
  envelope: Envelope;
  position: number;
  attempt: number;
  /** When the first attempt was made, milliseconds since the epoch. */
  firstAttemptAt: number;
  /** The engine cannot rule out that an earlier delivery ended well: look into the journal before anything is done twice. */
  again?: boolean;
}>;

/** Thrown by a handler to have the message again after `after` milliseconds; the wait is durable. `sameAttempt`: not counted. */
export class Redeliver extends Error {
  override readonly name = "Redeliver";
  readonly after: number;
  readonly sameAttempt: boolean;
  constructor(after: number, sameAttempt = false, cause?: unknown) {
    super(`redeliver after ${after} ms`, { cause });
    this.after = after;
    this.sameAttempt = sameAttempt;
  }
}

export type SubscribeOptions = Readonly<{
  /** How many messages may be in the handler at once; bounds memory. */
  concurrency: number;
  /** Messages with one key go one at a time, in order; a key whose head waits for a retry is blocked, others flow. */
  ordered: boolean;
  /** Where a new group starts. Known groups go on where they were. */
  from: "start" | "new";
}>;

export type SubscriptionState = Readonly<{
  /** First position not yet finished: everything below is done. */
  floor: number;
  /** Messages not finished. */
  lag: number;
  inFlight: number;
  /** Messages waiting for a retry. */
  waiting: number;
  blockedKeys: number;
}>;

export interface Subscription {
  state(): Promise<SubscriptionState>;
  /** Stops handing out messages within two seconds, or goes on. */
  pause(paused: boolean): void;
  /** Stops, waits for running handlers; unfinished messages come again to the next subscriber of the group. */
  close(): Promise<void>;
}

/**
 * Moves envelopes. What the journal holds with a topic is published: the transport shares the journal's log or reads from it, and
 * `publish` writes such a record and resolves when it is durable. A handler that returns acknowledges; one that throws
 * gets the message again (Redeliver says when; any other error after one second). Each group sees every message of the
 * topic; subscribers of one group share them. Order per key within a group when `ordered`. Survives restart.
 */
export interface Transport {
  publish(topic: string, envelope: Envelope): Promise<void>;
  subscribe(topic: string, group: string, options: SubscribeOptions, handler: (delivery: Delivery) => Promise<void>): Promise<Subscription>;
  /** Sends to one subscriber of the topic's responders and waits for its answer, at most `timeout` milliseconds. */
  request(topic: string, envelope: Envelope, timeout: number): Promise<Envelope>;
  /** Answers requests of a topic. */
  respond(topic: string, handler: (envelope: Envelope) => Promise<Envelope>): Promise<Subscription>;
  close(): Promise<void>;
}

/** What `append` gave back for one record. `first` is the position of the earlier record with the same dedupe key. */
export type Appended = Readonly<{ position: number; duplicateOf?: number }>;

/**
 * Append-only record of every message and every step. `append` resolves when all records are durable (they become
 * durable together or not at all); positions strictly grow; what was appended is read; a record whose `dedupe` key was
 * seen within its window is not written again and names the first position. Survives kill -9 and a torn tail.
 */
export interface Journal {
  /** `one`: only this process appends, so that it knows every record by its own appends. `many`: other processes append too. */
  readonly writers: "one" | "many";
  append(records: readonly JournalRecord[]): Promise<readonly Appended[]>;
  /**
   * Records from a position upward, at most `limit`; with `published` only those that have a topic. What it returned is final: no
   * record appears later below the last position it gave, whoever writes at the same time.
   */
  read(from: number, limit: number, only?: "published"): Promise<readonly StoredRecord[]>;
  /** Newest first (or oldest first with `ascending`), at most `limit`, from `cursor` on. */
  find(query: JournalQuery): Promise<Readonly<{ records: readonly StoredRecord[]; cursor: number | undefined }>>;
  close(): Promise<void>;
}

/** A document of a collection. `version` grows by one with each update. */
export type Stored<T> = Readonly<{ id: string; version: number; value: T }>;
export type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json | undefined };

/** `where` compares top-level members for equality; `range` bounds one member (from ≤ member < to). */
export type FindOptions = Readonly<{
  where?: Readonly<Record<string, string | number | boolean>>;
  range?: Readonly<{ member: string; from?: string | number; to?: string | number }>;
  limit?: number;
  after?: string;
}>;

/** Documents of one kind. A unique member refuses a second value (store-duplicate); `update` refuses a lost update (store-conflict). */
export interface Collection<T> {
  insert(id: string, value: T): Promise<void>;
  get(id: string): Promise<Stored<T> | undefined>;
  /** Replaces the document if its version still is `version`. */
  update(id: string, version: number, value: T): Promise<void>;
  /** In order of id. */
  find(options?: FindOptions): Promise<readonly Stored<T>[]>;
  remove(id: string): Promise<boolean>;
}

export interface Blobs {
  put(id: string, bytes: Uint8Array): Promise<void>;
  read(id: string): Promise<Uint8Array | undefined>;
  remove(id: string): Promise<boolean>;
}

/** Documents and blobs of services. Every write is durable when its promise resolves. */
export interface Store {
  collection<T extends Json>(
    name: string,
    options?: Readonly<{ unique?: readonly string[]; index?: readonly string[] }>,
  ): Promise<Collection<T>>;
  readonly blobs: Blobs;
  close(): Promise<void>;
}

/** How a new schema of a subject must fit the older ones (Confluent's words). `_TRANSITIVE`: all older ones, not only the last. */
export const LEVELS = ["NONE", "BACKWARD", "BACKWARD_TRANSITIVE", "FORWARD", "FORWARD_TRANSITIVE", "FULL", "FULL_TRANSITIVE"] as const;
export type CompatibilityLevel = (typeof LEVELS)[number];

/** Schemas by id (Confluent ids: one id per schema text, everywhere). */
export interface Registry {
  /** Registers a schema (Avro JSON text) under a subject, or finds it there; gives its id. Throws on incompatibility. */
  register(subject: string, schema: string): Promise<number>;
  schema(id: number): Promise<string>;
  /** Empty = compatible; otherwise one sentence per broken rule. */
  compatibility(subject: string, schema: string): Promise<readonly string[]>;
  close(): Promise<void>;
}

/** Signs with the seal of the bus, whose key never leaves its holder. */
export interface Signer {
  /** Certificate of the seal and those above it, PEM, leaf first. */
  readonly certificates: readonly string[];
  /** Detached CMS signature with signing time and certificate in it (ETSI EN 319 122-1, CAdES-B-B), DER. */
  sign(bytes: Uint8Array): Promise<Uint8Array>;
}

/** A time-stamp that was checked: the token (DER, RFC 3161), when the authority signed in milliseconds since the epoch, and its name. */
export type Stamp = Readonly<{
  token: Uint8Array;
  at: number;
  by: string;
  /** Certificate under which it is trusted, PEM. */
  authority: string;
}>;

/** An authority outside the bus that says when bytes existed. */
export interface TimeStamps {
  /** A token over the SHA-256 of the bytes. Throws stamp-invalid, and what the connection to the authority throws. */
  stamp(bytes: Uint8Array, signal: AbortSignal): Promise<Stamp>;
}
