/** A refusal as a notice to a sender on a broker's topic: an RFC 9457 problem document that names the message by its id. */
import { CLASSES, CODES, type BusError } from "../errors.ts";
import type { Inbound } from "../ports.ts";

/** Contract of the notice: it comes under `to.<system>.mbus.refused.v1`. */
export const REFUSED = "mbus.refused.v1";
export const PROBLEM_TYPE = "application/problem+json";
const MAX_PLACES = 50;

/** `topic`: the subject or routing key that the message came with. */
export function writeProblem(error: BusError, inbound: Inbound, topic: string): Uint8Array {
  const problem = {
    type: `urn:mconnect-bus:error:${error.code}`,
    title: CODES[error.code][1],
    status: CLASSES[error.class].http,
    // What failed inside is for the operator's eyes.
    detail: error.class === "internal" ? undefined : error.message,
    instance: topic,
    messageId: inbound.id,
    correlationId: inbound.correlationId,
    traceId: inbound.traceparent,
    providerCode: error.providerCode,
    errors: error.places.length > 0 ? error.places.slice(0, MAX_PLACES) : undefined,
  };
  return Buffer.from(JSON.stringify(problem));
}

/** The bus's own state and not the message is why: the message stays on the broker and comes again. */
export function isPassing(error: BusError): boolean {
  return error.class === "throttled" || error.class === "provider-unavailable" || error.class === "internal";
}
