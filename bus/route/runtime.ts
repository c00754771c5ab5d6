/** A route ready to run: what bus/route/compile.ts makes of documents, and what pipeline and delivery work with. Times are ms. */
import type { X509Certificate } from "node:crypto";
import type { Contract, ContractType } from "../contract/contract.ts";
import type { AvroRecord, Message } from "../envelope.ts";
import type { ErrorClass } from "../errors.ts";
import type { Clock, Json } from "../ports.ts";
import type { Codec, SoapService, Splitter } from "../wire.ts";
import type { MessageSignatures } from "./documents.ts";

/** Lets a step reach what it needs; nothing else. */
export interface StepContext {
  readonly clock: Clock;
  readonly signal: AbortSignal;
  readonly route: string;
  /** Publishes a copy beside the flow (tap); never throws into the flow. */
  tap(topic: string, message: Message, fields: readonly string[]): void;
  /** Asks another contract through the bus (enrich), under the route's own grant. */
  ask(contract: string, value: AvroRecord, message: Message): Promise<AvroRecord>;
  /**
   * Remembers a key for `window`; gives what was remembered before, if anything. Durable. `instead`: what was remembered may be
   * replaced if it still is this; of many that try, one does.
   */
  remember(key: string, window: number, value: string, instead?: string): Promise<string | undefined>;
  /** What became of an earlier message of this route. */
  firstReply(first: FirstMessage): Promise<FirstReply>;
  /** Adds to a durable group; gives the whole group when it is complete (by count or predicate), else undefined. */
  gather(
    group: string,
    message: Message,
    complete: Readonly<{ count?: number; timeout: number; when?: (group: readonly Message[]) => Promise<boolean> }>,
  ): Promise<readonly Message[] | undefined>;
}

/** An earlier message: ids are unique per source; `time` is when the bus took it, ms since the epoch. */
export type FirstMessage = Readonly<{ id: string; source: string; time: number }>;

export type FirstReply =
  /** Its reply in the contract's shape, before any grant's reduction of today. */
  | Readonly<{ kind: "replied"; value: AvroRecord }>
  | Readonly<{ kind: "running" }>
  /** It ended and there is no reply to give; `reason` says why. */
  | Readonly<{ kind: "refused"; reason: string }>
  /** It ended without effect: another may take its place. */
  | Readonly<{ kind: "free" }>;

export type StepResult =
  | Readonly<{ kind: "next"; message: Message }>
  | Readonly<{ kind: "many"; messages: readonly Message[] }>
  | Readonly<{ kind: "drop"; reason: string }>
  /** Go on with this message after `ms`, durably. */
  | Readonly<{ kind: "delay"; ms: number; message: Message }>
  /** Answer the caller now with this value (dedupe: return-first-reply). */
  | Readonly<{ kind: "answer"; value: AvroRecord }>;

/** One named step. A step that rejects throws a BusError. */
export type Step = Readonly<{
  name: string;
  place: string;
  /** It may keep a message for later (delay, aggregate), so the message must be durable before it runs. */
  waits?: boolean;
  run(message: Message, context: StepContext): Promise<StepResult> | StepResult;
}>;

/** Value of one shape to value of another. Throws map-failed with the target path. */
export type Mapper = (value: AvroRecord, message: Message | undefined) => Promise<AvroRecord> | AvroRecord;
export type Predicate = (message: Message) => Promise<boolean> | boolean;

export type RetryRule = Readonly<{ class: ErrorClass; code?: string }>;

export type DeliverPolicy = Readonly<{
  /** Whole exchange; undefined = no limit (events). */
  deadline: number | undefined;
  attemptTimeout: number;
  retry: Readonly<{
    on: readonly RetryRule[];
    /** Total, the first included. */
    attempts: number;
    backoff: Readonly<{ first: number; factor: number; max: number; jitter: "none" | "full" }>;
    giveUpAfter: number | undefined;
  }>;
  breaker:
    | Readonly<{
        window: number;
        minimumCalls: number;
        /** 0..1 */
        openAtFailureRate: number;
        openFor: number;
        probes: number;
        whenOpen: "fault" | "wait";
        /** What a refused caller is told to wait; absent = what is left of `openFor`. */
        retryAfter?: number;
      }>
    | undefined;
  limits: Readonly<{ concurrency: number; queue: number; ratePerSecond: number | undefined }>;
}>;

export type FailureRule = Readonly<{
  /** undefined = default: any class not named before. */
  on: readonly ErrorClass[] | undefined;
  code?: string;
  do: "reject" | "reply" | "deadletter" | "drop" | "stop";
  with?: AvroRecord;
}>;

/** Wire side of a source or target: what the adapter needs, already compiled. */
export type Binding = Readonly<{
  /** Adapter name: soap, http, file, nats, amqp, topic. */
  kind: string;
  /** The adapter's options as written, checked against its spec, variables filled in. */
  options: Readonly<Record<string, unknown>>;
  service?: SoapService;
  operation?: string;
  codec?: Codec;
  replyCodec?: Codec;
  /** On a broker's topics: the same as Confluent-framed Avro. Absent where a map stands between the wire and the contract. */
  avro?: Codec;
  avroReply?: Codec;
  splitter?: Splitter;
}>;

export type Source = Readonly<{
  name: string;
  /** Only this system may send here; undefined = any system with a grant. */
  system: string | undefined;
  binding: Binding;
  /** Wire shape to contract shape, and back for replies; undefined = they are the same. */
  in: Mapper | undefined;
  out: Mapper | undefined;
  /** How long the caller of a command is held for its reply, ms. */
  wait?: number | undefined;
  schedule:
    | Readonly<{ cron: string; timezone?: string; overlap: "skip" | "queue"; missed: "run-once" | "skip"; deadline?: number }>
    | undefined;
}>;

export type Branch = Readonly<{
  name: string;
  /** Receiving system. */
  system: string | undefined;
  when: Predicate | undefined;
  steps: readonly Step[];
  binding: Binding;
  /** Base addresses, first preferred (failover in order). Empty for topics. */
  addresses: readonly string[];
  in: Mapper | undefined;
  out: Mapper | undefined;
  deliver: DeliverPolicy;
  /** One at a time per key; undefined = no order. */
  order: ((message: Message) => string | undefined) | undefined;
  failures: readonly FailureRule[];
}>;

export type Route = Readonly<{
  id: string;
  title: string;
  owner: string;
  state: "active" | "paused" | "draft";
  /** Where it stands: `file:line`, and a hash of its effective form. */
  place: string;
  revision: string;
  contract: Contract;
  reply: ContractType | undefined;
  sources: readonly Source[];
  access: Readonly<{ grants: readonly string[]; require: readonly string[] }>;
  steps: readonly Step[];
  /** `to` gives one branch named `to`. */
  branches: readonly Branch[];
  /** Branches that push the reply of a command to its sender; each names its system. */
  replies?: readonly Branch[];
  failures: readonly FailureRule[];
  deadletter: Readonly<{ keep: number; replay: "never" | "manual" }>;
  journal: Readonly<{ payload: "full" | "hash" | "none"; keep: number; index: (message: Message) => Readonly<Record<string, string>> }>;
  stopAfter: Readonly<{ failedRecords: number }> | undefined;
}>;

/**
 * Why a grant is lawful. `check`: what the CallBasis of a call must be: `exact`, act and section; `prefix`, the act and whatever
 * follows; `any` (the default), anything. `reasons`: how its CallReason must begin; absent = any.
 */
export type LegalBasis = Readonly<{
  act: string;
  section: string;
  purpose: string;
  check?: "exact" | "prefix" | "any";
  reasons?: readonly string[];
}>;

/** A grant, read from its document. */
export type Grant = Readonly<{
  id: string;
  owner: string;
  /** Who asks or receives (`consumer`) or who publishes (`producer`); exactly one. */
  system: string;
  role: "consumer" | "producer";
  contract: string;
  legalBasis: LegalBasis;
  /** Reply (or event) fields the consumer may see; undefined = all. */
  allow: readonly string[] | undefined;
  /** Milliseconds since the epoch, from inclusive, until exclusive. */
  from: number;
  until: number;
  quota: Readonly<{ count: number; per: number }> | undefined;
  place: string;
}>;

/** A registered system, read from its document. */
export type System = Readonly<{
  id: string;
  title: string;
  institution: Readonly<{ idno: string; name: string }>;
  addresses: readonly string[];
  contact: string | undefined;
  /** GUID: as its file says, or made from its id. */
  guid: string;
  /** Registered for it; whether one is valid now is the registry's to say (bus/identity). */
  certificates: readonly X509Certificate[];
  /** By the name of the service that they are for. */
  settings: Readonly<Record<string, Json>>;
  /** IDNO of institutions that let it act for them. */
  actsFor: readonly string[];
  signatures: MessageSignatures;
  place: string;
}>;

/** All that a set of files says. One faulty document is left out; the rest stands. */
export type RouteSet = Readonly<{
  routes: ReadonlyMap<string, Route>;
  grants: readonly Grant[];
  systems: ReadonlyMap<string, System>;
  contracts: ReadonlyMap<string, Contract>;
}>;
