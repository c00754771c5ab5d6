/**
 * What adapters are given besides the ports: compiled codecs, the shared web host, and the settings of each edge.
 * Adapters never compile a contract themselves; the composition hands them what they need.
 */
import type { SignatureCheck, Signatures, Signed } from "./edge/signatures.ts";
import type { Addressing } from "./edge/addressing.ts";
import type { AvroRecord, CallContext } from "./envelope.ts";

// ── codecs ─────────────────────────────────────────────────────────────────────────────────────────────────────────

/** One message type on one wire format, compiled once. Both directions validate; a violation is a BusError with places. */
export interface Codec {
  readonly mediaType: string;
  read(bytes: Uint8Array): AvroRecord;
  write(value: AvroRecord): Uint8Array;
}

export type SoapVersion = "1.1" | "1.2";

/** A SOAP message that was read and validated in one pass. */
export type SoapMessage = Readonly<{
  version: SoapVersion;
  /** Name of the operation, found by the body's first child. */
  operation: string;
  value: AvroRecord;
  /** Header blocks with text content, by `{namespace}local`. */
  headers: ReadonlyMap<string, string>;
  /** Present when it was signed: what is read here is what the signature covers. */
  signed?: Signed;
}>;

export type SoapFault = Readonly<{
  side: "sender" | "receiver";
  /** Sub-code or qualified code of the sender of the fault. */
  code: string;
  /** A standard's own code for it, which then stands where the receiver looks first. */
  standard?: Readonly<{ ns: string; prefix: string; local: string }>;
  text: string;
  detail?: readonly Readonly<{ name: string; text: string }>[];
}>;

/** A SOAP service (from its WSDL, or from the contract where the outside has none), compiled once. */
export interface SoapService {
  readonly operations: readonly string[];
  /**
   * Reads a request; with `check`, the signature of one that has a Security header is verified before its Body is read.
   * Throws soap-version, soap-shape, soap-must-understand, soap-operation, signature-*, xml-* and xsd-violation.
   */
  readRequest(bytes: Uint8Array, check?: SignatureCheck): SoapMessage;
  /** Reads an answer to `operation`, which with `check` must be signed; a Fault in it is thrown as `provider-fault` with its code. */
  readReply(operation: string, bytes: Uint8Array, check?: SignatureCheck): AvroRecord;
  writeRequest(version: SoapVersion, operation: string, value: AvroRecord, headers?: CallContext, addressing?: Addressing): Uint8Array;
  writeReply(version: SoapVersion, operation: string, value: AvroRecord): Uint8Array;
  /** Value of the reply that confirms an accepted event or command; undefined = the operation has no output. */
  acknowledgement?(operation: string, accepted: Readonly<{ id: string; correlationId: string }>): AvroRecord | undefined;
  writeFault(version: SoapVersion, fault: SoapFault): Uint8Array;
  /** The SOAPAction of an operation, possibly empty. */
  action(operation: string): string;
  /** The service's WSDL with `address` as its soap:address. Schemas stand inline: one document, no second fetch. */
  wsdl(address: string): string;
}

/** A big file in pieces: reads bytes as they come, holds at most one record in memory. */
export interface Splitter {
  split(chunks: AsyncIterable<Uint8Array>): AsyncIterable<Piece>;
}
export type Piece = Readonly<{
  /** 1-based number of the record in the file, and the line it starts on. */
  index: number;
  line: number;
  bytes: Uint8Array;
  read(): AvroRecord;
}>;

// ── the face to the web, shared by adapters ────────────────────────────────────────────────────────────────────────

export type WebRequest = Readonly<{
  method: string;
  /** Path without query, percent-decoded once. */
  path: string;
  query: URLSearchParams;
  headers: Readonly<Record<string, string | undefined>>;
  /** The system that calls: from its certificate, or on samples' plain HTTP from `X-System`. */
  system: string | undefined;
  /** `http://host:port` as the caller addressed us. */
  origin: string;
  body: Uint8Array;
  signal: AbortSignal;
}>;
export type WebResponse = Readonly<{ status: number; headers?: Readonly<Record<string, string>>; body?: Uint8Array | string }>;
export type WebHandler = (request: WebRequest) => Promise<WebResponse>;

/** Faces are mounted by path prefix; the longest wins. `face` is `systems` (X-System / client certificates) or `admin`. */
export interface WebHost {
  mount(face: "systems" | "admin", prefix: string, handler: WebHandler): () => void;
}

/** One open WebSocket (RFC 6455). Each text leaves as one frame, in order; after the end nothing leaves and nobody is told. */
export interface SocketLink {
  /** Bytes that were sent and have not left this process. */
  readonly waiting: number;
  send(text: string): void;
  /** Resolves when nothing waits to leave any more, or the link has ended. */
  drained(): Promise<void>;
  /** `code` of RFC 6455 §7.4, `reason` cut to 123 bytes. */
  close(code: number, reason: string): void;
}

/** What became of a handshake that was taken. */
export type SocketTaken = Readonly<{
  /** The sub-protocol that was chosen of those that the caller named. */
  protocol: string;
  /** Bytes of one text from the caller; a bigger one ends the link with 1009. */
  maxBytes: number;
  /** Called once; `ended` is called once, whoever ended it. */
  open(link: SocketLink): Readonly<{ text(text: string): void; ended(): void }>;
}>;

/** A WebResponse refuses the handshake. `protocols`: the sub-protocols that the caller named. */
export type SocketHandler = (request: WebRequest, protocols: readonly string[]) => Promise<SocketTaken | WebResponse>;

/** Takes WebSocket handshakes under a path prefix, checked as every request is; the longest prefix wins. */
export interface SocketHost {
  mountSocket(face: "systems" | "admin", prefix: string, handler: SocketHandler): () => void;
}

export type WebCall = Readonly<{
  method: string;
  /** Full address, http: or https:. */
  url: string;
  headers: Readonly<Record<string, string>>;
  body: Uint8Array;
  /** Bytes of the answer that are read at most. */
  maxBytes: number;
}>;
export type WebReply = Readonly<{ status: number; headers: Readonly<Record<string, string>>; body: Uint8Array }>;

/**
 * Calls out over pooled connections, shared by all outlets so that the bound per origin holds. Resolves with any answer
 * but 429, 502, 503 and 504. Throws endpoint-unreachable (name, connection, TLS, connection lost), endpoint-unavailable and
 * endpoint-throttled (with Retry-After), attempt-timeout (the signal), provider-reply-invalid (too big).
 */
export interface WebClient {
  request(call: WebCall, signal: AbortSignal): Promise<WebReply>;
  close(): Promise<void>;
}

// ── adapters ─────────────────────────────────────────────────────────────────────────────────────────────────────────

/** JSON Schema 2020-12 of an adapter's options in a route file. Every field has a description; no oneOf, anyOf or allOf. */
export type OptionsSchema = Readonly<{
  type: "object";
  properties: Readonly<Record<string, unknown>>;
  required?: readonly string[];
  additionalProperties: false;
  description?: string;
}>;

/** The table entry of an adapter: its options feed parsing, lint, the published JSON Schema and the docs. */
export type AdapterSpec = Readonly<{
  name: string;
  title: string;
  inlet?: OptionsSchema;
  outlet?: OptionsSchema;
  /** What an inlet needs compiled: a SOAP service, a codec of one format, or a splitter. */
  format: "soap" | "json" | "xml-or-csv" | "none";
}>;

/** Which `from` of which route a message that came in belongs to. */
export type SourceBinding = Readonly<{ route: string; from: string; system: string | undefined; pattern: "query" | "command" | "event" }>;

export type EdgeLimits = Readonly<{
  /** Bytes of one message; default 10 MiB. */
  maxBytes: number;
  /** Unfinished messages of this inlet; above it: inlet-busy with Retry-After. */
  maxInFlight: number;
}>;

export type SoapInletSettings = Readonly<{
  host: WebHost;
  /** Path below the systems' face, for example `/mconnect/soap/rsp/population/PersonRegistry`. */
  path: string;
  service: SoapService;
  /** By operation name of the service. */
  bindings: ReadonlyMap<string, SourceBinding>;
  /** Only this version is taken; undefined = both. */
  version?: SoapVersion;
  /** Undefined = a message with a signature is refused as not understood. */
  signatures?: Signatures;
  /** HTTP headers kept with the message; undefined = every business header. */
  headers?: readonly string[];
  limits: EdgeLimits;
}>;

export type HttpInletSettings = Readonly<{
  host: WebHost;
  path: string;
  method: "POST" | "PUT";
  codec: Codec;
  /** Undefined for events and commands without a reply. */
  replyCodec: Codec | undefined;
  binding: SourceBinding;
  /** HTTP headers kept with the message; undefined = every business header. */
  headers?: readonly string[];
  /** Undefined = a signed body is no JSON. */
  signatures?: Signatures;
  limits: EdgeLimits;
}>;

/** How a contract travels on a broker's topics: always as JSON, and as Confluent-framed Avro where nothing maps its shape. */
export type TopicCodecs = Readonly<{ json: Codec; avro?: Codec }>;

/** What a system publishes on a broker's topic. The broker's permissions let it speak under no name but its own. */
export type TopicSource = Readonly<{
  /** Id of the system, and of the contract, as in the topic. */
  system: string;
  contract: string;
  binding: SourceBinding;
  codecs: TopicCodecs;
  /** For the answers of queries. */
  replies: TopicCodecs | undefined;
  /** Headers kept with the message; undefined = every business header. */
  headers?: readonly string[];
  limits: EdgeLimits;
}>;

/** What a system receives on a broker's topic. `asks`: it is asked there, and answers. */
export type TopicTarget = Readonly<{ system: string; contract: string; codec: Codec; asks?: TopicAsking }>;

/** `waits`: milliseconds that one attempt waits for the answer. `maxBytes`: of an answer that is read. */
export type TopicAsking = Readonly<{ replies: TopicCodecs; waits: number; maxBytes: number }>;

export type SoapOutletSettings = Readonly<{
  client: WebClient;
  /** Full address of the provider's service. */
  address: string;
  version: SoapVersion;
  service: SoapService;
  operation: string;
  /** The call context goes as SOAP headers in https://mconnect.gov.md, as HTTP headers, or both; `replies`: with wsa:RelatesTo. */
  callContext: "soap" | "http" | "both" | "none";
  replies?: boolean;
  headers: Readonly<Record<string, string>>;
  maxBytes: number;
  /** Signs what is sent. */
  sign?: (envelope: Uint8Array) => Promise<Uint8Array>;
  /** Answers must be signed by these; asked for each answer. */
  check?: () => SignatureCheck;
}>;

/** The Authorization header of calls to one provider, where it changes with time. */
export interface Authorization {
  header(signal: AbortSignal): Promise<string>;
  /** The provider did not take this one: it is not given again. */
  refused(header: string): void;
}

/** What an answer's status means, where it is not the usual: any 2xx delivers, and any other is the provider's fault. */
export type StatusMeaning = "delivered" | "provider-fault" | "provider-unavailable" | "throttled" | "timeout" | "contract-violation";

export type HttpOutletSettings = Readonly<{
  client: WebClient;
  /** Fields of the message may stand in its path: `https://host/persons/{idnp}`. */
  address: string;
  /** Parameters behind the question mark; a field that is null leaves its parameter out. */
  query?: Readonly<Record<string, string>>;
  method: "GET" | "POST" | "PUT" | "PATCH" | "DELETE";
  /** Events leave as CloudEvents in HTTP binary mode, the others as plain JSON. */
  pattern: "query" | "command" | "event";
  codec: Codec;
  replyCodec: Codec | undefined;
  headers: Readonly<Record<string, string>>;
  authorization?: Authorization;
  /** By status (`404`) or kind of status (`5xx`). */
  statuses?: Readonly<Record<string, StatusMeaning>>;
  maxBytes: number;
  /** Closes with the outlet: a client of its own, for a certificate of its own. */
  owns?: Readonly<{ close(): Promise<void> }>;
}>;
