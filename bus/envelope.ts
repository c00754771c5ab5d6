/**
 * What travels. CloudEvents 1.0 attributes plus our extensions; the body is Avro in Confluent framing
 * (0x00, 4-byte big-endian schema id, payload). An envelope is never changed: a step that changes something makes a new one.
 */

/** A value in the shape avsc reads and writes: records are plain objects, decimals and dates are logical values. */
export type AvroRecord = { [field: string]: unknown };

/** Who asks, for whom, and why: the four values of an MConnect call. All optional here; a contract says which it requires. */
export type CallContext = Readonly<{
  /** CallingUser: IDNP of the person behind the call, 13 digits. */
  user?: string;
  /** CallingEntity: IDNO of the legal entity that calls, 13 digits. */
  entity?: string;
  /** CallBasis: legal basis, at most 256 characters. */
  basis?: string;
  /** CallReason: purpose, at most 512 characters. */
  reason?: string;
}>;

export type Envelope = Readonly<{
  /** CloudEvents `id`: the sender's message id, or one we made (UUIDv7). Unique per `source`. */
  id: string;
  /** CloudEvents `source`: `<institution>/<system>` of the sender. */
  source: string;
  /** CloudEvents `type`: the topic, `mbus.<domain>.<contract>.v<N>`. */
  type: string;
  /** CloudEvents `time`: milliseconds since the epoch, when the bus accepted it. */
  time: number;
  /** CloudEvents `subject`, where the sender gave one. */
  subject?: string;
  /** Extension `partitionkey`: messages of one key keep their order. */
  key?: string;
  /** Extension `correlationid`: one id for all messages of one business exchange. */
  correlationId: string;
  /** Extension `causationid`: id of the message that led to this one. */
  causationId?: string;
  /** W3C trace context. */
  traceparent?: string;
  /** Extension `expirytime`: milliseconds since the epoch after which nobody waits any more. */
  deadline?: number;
  /** Contract id, for example `person.request.v1`. */
  contract: string;
  call: CallContext;
  /** Allow-listed headers of the sender, names in lower case. */
  headers: Readonly<Record<string, string>>;
  /** Confluent-framed Avro. Empty where `dataref` is set. */
  body: Uint8Array;
  /** Claim check: `blob:<sha-256 hex>` of a body above the claim-check size. */
  dataref?: string;
}>;

/** An envelope with its body decoded once. Steps pass messages on; they never change one in place. */
export type Message = Readonly<{ envelope: Envelope; value: AvroRecord }>;

/** The topic of a contract: `mbus.` and the contract id, which already reads `<domain>.<contract>.v<N>`. */
export function topicOf(contractId: string): string {
  return `mbus.${contractId}`;
}
