/**
 * A question that the bus asks a modern system on a broker's topic, and the answer to it, alike on every broker: facts in headers, how long
 * the bus waits, and what becomes of an answer that is a refusal or fits no contract.
 */
import type { AvroRecord, Envelope } from "../envelope.ts";
import { BusError, type ErrorCode } from "../errors.ts";
import type { TopicAsking } from "../wire.ts";
import { CALL_NAMES, writeHeaderFacts } from "./headers.ts";
import { PROBLEM_TYPE } from "./refusal.ts";
import { essence, readTopicBody } from "./topic.ts";

/** Header with the moment (RFC 3339, UTC) after which nobody waits for the exchange any more. */
export const DEADLINE = "mbus-deadline";

/** `waits`: milliseconds from now that the bus waits for this answer, at least 1. */
export type Question = Readonly<{ headers: Readonly<Record<string, string>>; waits: number }>;

/**
 * The envelope's facts and call context as headers, with `Prefer: wait=<seconds>` rounded up, and `mbus-deadline` where the exchange has
 * one. Brokers carry UTF-8 in headers, HTTP does not. Throws deadline-passed.
 */
export function writeQuestion(envelope: Envelope, { waits: attempt }: TopicAsking, now: number): Question {
  const left = envelope.deadline === undefined ? Infinity : envelope.deadline - now;
  if (left <= 0) throw new BusError("deadline-passed", "the deadline passed before the question was sent");
  const waits = Math.max(1, Math.ceil(Math.min(attempt, left)));
  const headers = writeHeaderFacts(envelope, false, { prefer: `wait=${Math.ceil(waits / 1000)}` });
  if (envelope.deadline !== undefined) headers[DEADLINE] = new Date(envelope.deadline).toISOString();
  for (const [key, name] of CALL_NAMES) {
    const value = envelope.call[key];
    if (value !== undefined)
      headers[name] = value
        .replace(/\p{Cc}+/gu, " ")
        .trim()
        .toWellFormed();
  }
  return { headers, waits };
}

/** `fault`: the answerer's own code of a refusal, where the broker has a header for it. `from`: who was asked, for the text of an error. */
export type TopicAnswer = Readonly<{ from: string; contentType: string; bytes: Uint8Array; fault?: string | undefined }>;

/**
 * Throws what the answer says: a problem document (RFC 9457) or a fault code is provider-fault with its code, of the statuses 429, 502,
 * 503 and 504 what they are over HTTP; anything that does not fit the contract is provider-reply-invalid.
 */
export function readTopicAnswer({ replies, maxBytes }: TopicAsking, answer: TopicAnswer): AvroRecord {
  if (answer.fault !== undefined || essence(answer.contentType) === PROBLEM_TYPE) throw refusalOf(answer);
  try {
    return readTopicBody(replies, answer.contentType, answer.bytes, maxBytes).read();
  } catch (error) {
    const why = error instanceof Error ? error.message : "it cannot be read";
    const places = error instanceof BusError ? error.places : [];
    throw new BusError("provider-reply-invalid", `the answer of ${answer.from} is not usable: ${why}`, { places, cause: error });
  }
}

const PASSING: Readonly<Record<number, ErrorCode>> = {
  429: "endpoint-throttled",
  502: "endpoint-unavailable",
  503: "endpoint-unavailable",
  504: "endpoint-unavailable",
};
/** Bytes of a problem document that are looked at. */
const PROBLEM_BYTES = 65_536;

function refusalOf({ from, bytes, fault }: TopicAnswer): BusError {
  const status = statusOf(bytes);
  const providerCode = (fault ?? String(status ?? "problem")).replace(/\p{Cc}+/gu, " ").slice(0, 100);
  const code = PASSING[status ?? Number(fault)] ?? "provider-fault";
  return new BusError(code, `${from} answered with the fault ${providerCode}`, { providerCode });
}

function statusOf(bytes: Uint8Array): number | undefined {
  if (bytes.byteLength > PROBLEM_BYTES) return undefined;
  try {
    const problem: unknown = JSON.parse(Buffer.from(bytes).toString("utf8"));
    const status: unknown = typeof problem === "object" && problem !== null && "status" in problem ? problem.status : undefined;
    return typeof status === "number" && Number.isInteger(status) ? status : undefined;
  } catch {
    return undefined;
  }
}
