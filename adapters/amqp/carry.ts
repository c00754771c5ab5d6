/**
 * A message as one body. Of a lane: the format byte, position and predecessor (doubles), the envelope. An answer: the format byte,
 * then 0 and an envelope, or 1 and the error as JSON. Nothing of ours stands in headers, so no header rule of the broker applies.
 */
import type { Carried } from "#bus/broker.ts";
import type { Envelope } from "#bus/envelope.ts";
import { asBusError, BusError, CODES, type ErrorCode, type Place } from "#bus/errors.ts";
import { newSink, putByte, putNumber, putText, takeByte, takeNumber, takeText, type Source } from "#bus/journal/bytes.ts";
import { readEnvelope, writeEnvelope } from "#bus/journal/envelope-codec.ts";

const FORMAT = 1;
const ANSWER = 0;
const FAULT = 1;

export function writeCarried(message: Carried): Buffer {
  const sink = newSink(512 + message.envelope.body.length);
  putByte(sink, FORMAT);
  putNumber(sink, message.position);
  putNumber(sink, message.after);
  writeEnvelope(sink, message.envelope);
  return sink.buf.subarray(0, sink.at);
}

/** Throws journal-failed on damage and on a format of another version. */
export function readCarried(bytes: Buffer): Carried {
  const source = open(bytes);
  return { position: takeNumber(source), after: takeNumber(source), envelope: readEnvelope(source) };
}

export function writeAsked(envelope: Envelope): Buffer {
  const sink = newSink(512 + envelope.body.length);
  putByte(sink, FORMAT);
  writeEnvelope(sink, envelope);
  return sink.buf.subarray(0, sink.at);
}

export const readAsked = (bytes: Buffer): Envelope => readEnvelope(open(bytes));

export function writeAnswer(envelope: Envelope): Buffer {
  const sink = newSink(512 + envelope.body.length);
  putByte(sink, FORMAT);
  putByte(sink, ANSWER);
  writeEnvelope(sink, envelope);
  return sink.buf.subarray(0, sink.at);
}

export function writeFault(thrown: unknown): Buffer {
  const { code, message, places, providerCode, retryAfter, step } = asBusError(thrown);
  const sink = newSink(512);
  putByte(sink, FORMAT);
  putByte(sink, FAULT);
  putText(sink, JSON.stringify({ code, message, places, providerCode, retryAfter, step }));
  return sink.buf.subarray(0, sink.at);
}

/** The answer, or the responder's error thrown. */
export function readAnswer(bytes: Buffer): Envelope {
  const source = open(bytes);
  if (takeByte(source) === ANSWER) return readEnvelope(source);
  const { code, message, places, providerCode, retryAfter, step } = faultOf(takeText(source));
  throw new BusError(code, message, {
    ...(places && { places }),
    ...(providerCode !== undefined && { providerCode }),
    ...(retryAfter !== undefined && { retryAfter }),
    ...(step !== undefined && { step }),
  });
}

type Fault = Readonly<{ code: ErrorCode; message: string }> &
  Partial<Pick<BusError, "providerCode" | "retryAfter" | "step">> &
  Readonly<{ places?: readonly Place[] }>;

/** A code that this version does not know reads as unexpected, and so does what is no fault at all. */
function faultOf(text: string): Fault {
  try {
    const told = JSON.parse(text) as Fault;
    return { ...told, code: Object.hasOwn(CODES, told.code) ? told.code : "unexpected" };
  } catch (cause) {
    return { code: "unexpected", message: `a fault on the broker cannot be read: ${String(cause)}` };
  }
}

function open(bytes: Buffer): Source {
  const source: Source = { buf: bytes, at: 0, end: bytes.length };
  const format = takeByte(source);
  if (format !== FORMAT)
    throw new BusError("journal-failed", `a message on the broker has format ${format}; this version reads format ${FORMAT}`);
  return source;
}
