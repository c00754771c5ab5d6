/**
 * A message of the bus as the body of a message on NATS: a byte for the kind, position and predecessor, then the envelope in the journal's
 * own bytes. No JSON is made for a message, and its headers hold nothing of it.
 */
import type { Carried } from "#bus/broker.ts";
import type { Envelope } from "#bus/envelope.ts";
import { asBusError, BusError, CODES, type ErrorCode } from "#bus/errors.ts";
import { newSink, putByte, putNumber, takeByte, takeNumber, type Sink, type Source } from "#bus/journal/bytes.ts";
import { readEnvelope, writeEnvelope } from "#bus/journal/envelope-codec.ts";

const CARRIED = 1;
const ANSWER = 2;
const REFUSAL = 3;
/** A bigger scratch than this is not kept for the next message. */
const KEPT = 1_048_576;

let scratch: Sink | undefined;

/** Writes into the scratch and gives a copy: the client holds bytes until they are on the wire. */
function written(kind: number, write: (sink: Sink) => void): Uint8Array {
  const sink = scratch ?? newSink(65_536);
  scratch = undefined;
  sink.at = 0;
  putByte(sink, kind);
  write(sink);
  const bytes = new Uint8Array(sink.buf.subarray(0, sink.at));
  if (sink.buf.length <= KEPT) scratch = sink;
  return bytes;
}

function sourceOf(bytes: Uint8Array): Source {
  return { buf: Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength), at: 0, end: bytes.byteLength };
}

export function writeCarried(message: Carried): Uint8Array {
  return written(CARRIED, (sink) => {
    putNumber(sink, message.position);
    putNumber(sink, message.after);
    writeEnvelope(sink, message.envelope);
  });
}

/** Throws journal-failed on bytes that are no message of the bus. */
export function readCarried(bytes: Uint8Array): Carried {
  const source = sourceOf(bytes);
  if (takeByte(source) !== CARRIED) throw new BusError("journal-failed", "a message on NATS is not one of the bus, or of a newer version");
  const position = takeNumber(source);
  const after = takeNumber(source);
  return { position, after, envelope: readEnvelope(source) };
}

/** The body of a request or of its answer. */
export function writeAnswer(envelope: Envelope): Uint8Array {
  return written(ANSWER, (sink) => writeEnvelope(sink, envelope));
}

/** A refusal is rare and small: JSON, so that all of a BusError's facts pass. */
export function writeRefusal(thrown: unknown): Uint8Array {
  const { code, message, places, providerCode, retryAfter, step } = asBusError(thrown);
  return Buffer.concat([Uint8Array.of(REFUSAL), Buffer.from(JSON.stringify({ code, message, places, providerCode, retryAfter, step }))]);
}

/** Gives the envelope, or throws the refusal that the far side wrote. */
export function readAnswer(bytes: Uint8Array): Envelope {
  const source = sourceOf(bytes);
  const kind = takeByte(source);
  if (kind === ANSWER) return readEnvelope(source);
  if (kind !== REFUSAL) throw new BusError("unexpected", "an answer on NATS is not one of the bus, or of a newer version");
  const { code, message, places, providerCode, retryAfter, step } = refusalOf(source.buf.toString("utf8", 1));
  throw new BusError(code, message, {
    ...(places && { places }),
    ...(providerCode !== undefined && { providerCode }),
    ...(retryAfter !== undefined && { retryAfter }),
    ...(step !== undefined && { step }),
  });
}

/** A code that this version does not know reads as unexpected. */
function refusalOf(text: string): Refusal {
  try {
    const told = JSON.parse(text) as Refusal;
    return { ...told, code: Object.hasOwn(CODES, told.code) ? told.code : "unexpected" };
  } catch (cause) {
    return { code: "unexpected", message: `a refusal on NATS cannot be read: ${String(cause)}` };
  }
}

type Refusal = Readonly<{ code: ErrorCode; message: string }> & Partial<Pick<BusError, "places" | "providerCode" | "retryAfter" | "step">>;
