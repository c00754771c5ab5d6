/**
 * The whole vocabulary of failure. Every error that crosses a port is a BusError whose `code` stands in
 * the table below; the code fixes the class (the words of `retry.on` and `failures.on`), and the class fixes the
 * HTTP status, the SOAP fault side and whether a retry can ever help. docs/errors.md is checked against this table.
 */

/** One of the fourteen words that `retry.on` and `failures.on` know (`default` is the fourteenth: any other). */
export type ErrorClass =
  | "timeout"
  | "unreachable"
  | "provider-unavailable"
  | "throttled"
  | "provider-fault"
  | "contract-violation"
  | "mapping-error"
  | "access-denied"
  | "signature-invalid"
  | "too-large"
  | "duplicate"
  | "expired"
  | "internal";

type ClassFacts = Readonly<{
  /** HTTP status an inlet answers with. */
  http: number;
  /** Which side is at fault: SOAP 1.1 Client/Server, SOAP 1.2 Sender/Receiver. */
  side: "sender" | "receiver";
  /** May `retry.on` name it? Deterministic failures never retry. */
  retryable: boolean;
  meaning: string;
}>;

/** Facts of each class. `provider-fault` is retryable only with an explicit `code` in `retry.on`. */
export const CLASSES: Readonly<Record<ErrorClass, ClassFacts>> = {
  timeout: { http: 504, side: "receiver", retryable: true, meaning: "no answer within the attempt's time" },
  unreachable: { http: 502, side: "receiver", retryable: true, meaning: "name, connection or TLS failed before a request was answered" },
  "provider-unavailable": {
    http: 503,
    side: "receiver",
    retryable: true,
    meaning: "the provider answered 502, 503 or 504, or its breaker is open",
  },
  throttled: { http: 429, side: "receiver", retryable: true, meaning: "a rate, queue or quota is used up; Retry-After says for how long" },
  "provider-fault": { http: 502, side: "receiver", retryable: true, meaning: "the provider answered with its own fault" },
  "contract-violation": {
    http: 400,
    side: "sender",
    retryable: false,
    meaning: "the message does not fit its contract, XSD or media type",
  },
  "mapping-error": { http: 422, side: "sender", retryable: false, meaning: "a map or expression could not make the target value" },
  "access-denied": { http: 403, side: "sender", retryable: false, meaning: "no valid grant, call context or identity for this message" },
  "signature-invalid": { http: 401, side: "sender", retryable: false, meaning: "a signature or certificate does not verify" },
  "too-large": { http: 413, side: "sender", retryable: false, meaning: "a size, depth or count limit was passed" },
  duplicate: { http: 409, side: "sender", retryable: false, meaning: "the same message id came with another content" },
  expired: { http: 504, side: "receiver", retryable: false, meaning: "the deadline passed before the work was done" },
  internal: { http: 500, side: "receiver", retryable: false, meaning: "the bus itself failed; the message was not accepted" },
};

/** Codes by class. A code is never reused with another meaning; add new ones at the end of their class. */
export const CODES = {
  "attempt-timeout": ["timeout", "the provider did not answer within the attempt's timeout"],
  "endpoint-unreachable": ["unreachable", "the endpoint's address could not be connected"],
  "endpoint-unavailable": ["provider-unavailable", "the endpoint answered that it is unavailable"],
  "breaker-open": ["provider-unavailable", "the endpoint's circuit breaker is open"],
  "bus-stopping": ["provider-unavailable", "the bus is draining and takes no new messages"],
  "route-paused": ["provider-unavailable", "the route is paused by an operator"],
  "transport-unavailable": ["provider-unavailable", "the message broker cannot be reached or refuses to work"],
  "store-unavailable": ["provider-unavailable", "the database of documents cannot be reached or refuses to work"],
  "stamp-overdue": ["provider-unavailable", "the time-stamping authority has not signed the evidence log for too long"],
  "queue-full": ["throttled", "the endpoint's waiting line is full"],
  "rate-exceeded": ["throttled", "the endpoint's rate limit is used up"],
  "quota-exceeded": ["throttled", "the grant's quota is used up"],
  "inlet-busy": ["throttled", "the inlet holds as many unfinished messages as it may"],
  "journal-busy": ["throttled", "the journal's queue to disk is full"],
  "endpoint-throttled": ["throttled", "the endpoint answered 429"],
  "provider-fault": ["provider-fault", "the provider answered with a fault"],
  "provider-reply-invalid": ["provider-fault", "the provider's answer does not fit its contract"],
  "xml-malformed": ["contract-violation", "the document is not well-formed XML"],
  "xml-forbidden": ["contract-violation", "the document uses a construct that is refused before parsing"],
  "xml-encoding": ["contract-violation", "the document's encoding is not accepted"],
  "xsd-violation": ["contract-violation", "an element or attribute breaks a rule of its XSD"],
  "soap-shape": ["contract-violation", "the SOAP envelope is not shaped as its version demands"],
  "soap-version": ["contract-violation", "the envelope's namespace is of no known SOAP version"],
  "soap-must-understand": ["contract-violation", "a header marked mustUnderstand is not known here"],
  "soap-operation": ["contract-violation", "the body's first child is no operation of this service"],
  "soap-action": ["contract-violation", "SOAPAction names another operation than the body"],
  "media-type": ["contract-violation", "the media type is not accepted here"],
  "http-request": ["contract-violation", "the HTTP request is not one this address serves"],
  "json-malformed": ["contract-violation", "the document is not JSON, or repeats a member"],
  "json-violation": ["contract-violation", "a member of the JSON document breaks its contract"],
  "csv-violation": ["contract-violation", "a row of the CSV file breaks its contract"],
  "avro-malformed": ["contract-violation", "the bytes are not a message of the named schema"],
  "avro-violation": ["contract-violation", "a field of the record breaks its Avro contract"],
  "schema-unknown": ["contract-violation", "no schema has this id"],
  "call-context-invalid": ["contract-violation", "a value of the call context is not of its form"],
  "contract-unknown": ["contract-violation", "no contract has this name"],
  "rejected-by-step": ["contract-violation", "a step of the route rejected the message"],
  "schema-invalid": ["contract-violation", "the schema is no sound Avro schema"],
  "schema-incompatible": ["contract-violation", "the schema breaks the compatibility level of its subject"],
  "map-failed": ["mapping-error", "a map could not make its target"],
  "expression-failed": ["mapping-error", "an expression failed or passed its limits"],
  "grant-missing": ["access-denied", "no grant lets this system use this contract"],
  "grant-expired": ["access-denied", "the grant is not valid at this time"],
  "system-unknown": ["access-denied", "the caller is no registered system"],
  "system-missing": ["access-denied", "the caller did not say which system it is"],
  "call-context-missing": ["access-denied", "a value of the call context that the contract requires is missing"],
  "legal-basis-mismatch": ["access-denied", "the call's legal basis is not the grant's"],
  "purpose-mismatch": ["access-denied", "the call's reason is none that the grant names"],
  "admin-denied": ["access-denied", "the administration token is missing or wrong"],
  "replay-refused": ["access-denied", "a replay of this message is not allowed"],
  "change-refused": ["access-denied", "a change of the configuration is not allowed"],
  "signature-missing": ["signature-invalid", "the sender's messages must be signed, and this one is not"],
  "signature-shape": ["signature-invalid", "the security header or signature is not of the one form that is taken"],
  "signature-algorithm": ["signature-invalid", "an algorithm of the signature is not accepted"],
  "signature-coverage": ["signature-invalid", "a part of the message that must be signed is not"],
  "signature-key": ["signature-invalid", "the signature names none of the sender's registered certificates"],
  "signature-wrong": ["signature-invalid", "a digest or the signature does not fit the message"],
  "signature-expired": ["signature-invalid", "the signed time of the message is outside the window"],
  "signature-replayed": ["signature-invalid", "this signed message was received before"],
  "der-invalid": ["signature-invalid", "bytes that should be DER are none, or hold something else than they must"],
  "stamp-invalid": ["signature-invalid", "a time-stamp is not one of a trusted authority over what was sent"],
  "message-too-large": ["too-large", "the message passes the size limit"],
  "xml-limit": ["too-large", "the document passes a depth, count or token limit"],
  "json-limit": ["too-large", "the document passes a depth or size limit"],
  "avro-limit": ["too-large", "the message passes a count, size or depth limit"],
  "id-reused": ["duplicate", "the message id was used before with another content"],
  "duplicate-message": ["duplicate", "the message was already handled within the de-duplication window"],
  "deadline-passed": ["expired", "the message's deadline passed"],
  "attempts-exhausted": ["expired", "the message was tried as often or as long as its policy allows"],
  "journal-failed": ["internal", "the journal could not make the record durable"],
  "store-conflict": ["internal", "a document was changed by another writer"],
  "store-duplicate": ["internal", "a unique index holds this value already"],
  "not-found": ["internal", "nothing has this id"],
  configuration: ["internal", "a file of the administrator is wrong"],
  "evidence-broken": ["internal", "a record of the journal is not the one that was sealed"],
  "evidence-pending": ["internal", "a record of the journal is not sealed yet"],
  unexpected: ["internal", "an unexpected error"],
} as const satisfies Record<string, readonly [ErrorClass, string]>;

export type ErrorCode = keyof typeof CODES;

/** Where in the input the fault lies. Lines and columns count from 1. */
export type Place = Readonly<{ line?: number; column?: number; path?: string; rule?: string; text: string }>;

export type ErrorDetails = Readonly<{
  places?: readonly Place[];
  /** The provider's own fault code, for `retry.on` and `failures.on`. */
  providerCode?: string;
  /** Milliseconds after which the sender may try again. */
  retryAfter?: number;
  /** Name of the step, rule or endpoint that failed. */
  step?: string;
  cause?: unknown;
}>;

/** A failure that a port may show. `message` is safe to show to the sender: it carries no secret and no payload. */
export class BusError extends Error {
  override readonly name = "BusError";
  readonly code: ErrorCode;
  readonly class: ErrorClass;
  readonly places: readonly Place[];
  readonly providerCode: string | undefined;
  readonly retryAfter: number | undefined;
  readonly step: string | undefined;

  constructor(code: ErrorCode, message: string, details: ErrorDetails = {}) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause });
    this.code = code;
    this.class = CODES[code][0];
    this.places = details.places ?? [];
    this.providerCode = details.providerCode;
    this.retryAfter = details.retryAfter;
    this.step = details.step;
  }
}

/** Any thrown thing as a BusError; what is not one already becomes `unexpected` with the original as cause. */
export function asBusError(error: unknown): BusError {
  if (error instanceof BusError) return error;
  const text = error instanceof Error ? error.message : String(error);
  return new BusError("unexpected", `unexpected error: ${text}`, { cause: error });
}
