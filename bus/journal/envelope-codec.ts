/**
 * An envelope as bytes, alike in the journal and on a broker: two bytes that say which optional members are present, then the
 * members in the order of this file. Part of the journal's format: members are only added at the end, with a bit of their own.
 */
import type { CallContext, Envelope } from "../envelope.ts";
import { BusError } from "../errors.ts";
import type { Mutable } from "../mutable.ts";
import {
  putBytes,
  putMap,
  putNumber,
  putText,
  reserve,
  takeByte,
  takeBytes,
  takeMap,
  takeNumber,
  takeText,
  type Sink,
  type Source,
} from "./bytes.ts";

const SUBJECT = 1 << 0;
const KEY = 1 << 1;
const CAUSATION = 1 << 2;
const TRACE = 1 << 3;
const DEADLINE = 1 << 4;
const DATAREF = 1 << 5;
const USER = 1 << 6;
const ENTITY = 1 << 7;
const BASIS = 1 << 8;
const REASON = 1 << 9;

/** Writes an optional text; gives its bit, or 0 when it is absent. */
export function text(sink: Sink, value: string | undefined, bit: number): number {
  if (value === undefined) return 0;
  putText(sink, value);
  return bit;
}

/** Writes an optional number; gives its bit, or 0 when it is absent. */
export function number(sink: Sink, value: number | undefined, bit: number): number {
  if (value === undefined) return 0;
  putNumber(sink, value);
  return bit;
}

/** Appends a call context by itself: a byte of its members' bits, then those that are there. */
export function writeCall(sink: Sink, call: CallContext): void {
  reserve(sink, 1);
  const bitsAt = sink.at;
  sink.at += 1;
  const bits = callTexts(sink, call);
  sink.buf[bitsAt] = bits / USER;
}

/** Reads what `writeCall` wrote. Throws journal-failed on damage. */
export function readCall(source: Source): CallContext {
  const call: Mutable<CallContext> = {};
  takeCall(source, takeByte(source) * USER, call);
  return call;
}

function callTexts(sink: Sink, call: CallContext): number {
  return text(sink, call.user, USER) | text(sink, call.entity, ENTITY) | text(sink, call.basis, BASIS) | text(sink, call.reason, REASON);
}

function takeCall(source: Source, bits: number, call: Mutable<CallContext>): void {
  if (bits & USER) call.user = takeText(source);
  if (bits & ENTITY) call.entity = takeText(source);
  if (bits & BASIS) call.basis = takeText(source);
  if (bits & REASON) call.reason = takeText(source);
}

/** Appends one envelope to the sink. */
export function writeEnvelope(sink: Sink, envelope: Envelope): void {
  const { call } = envelope;
  reserve(sink, 2);
  const bitsAt = sink.at;
  sink.at += 2;
  putText(sink, envelope.id);
  putText(sink, envelope.source);
  putText(sink, envelope.type);
  putNumber(sink, envelope.time);
  putText(sink, envelope.correlationId);
  putText(sink, envelope.contract);
  putMap(sink, envelope.headers);
  putBytes(sink, envelope.body);
  const bits =
    text(sink, envelope.subject, SUBJECT) |
    text(sink, envelope.key, KEY) |
    text(sink, envelope.causationId, CAUSATION) |
    text(sink, envelope.traceparent, TRACE) |
    number(sink, envelope.deadline, DEADLINE) |
    text(sink, envelope.dataref, DATAREF) |
    callTexts(sink, call);
  sink.buf.writeUInt16LE(bits, bitsAt);
}

/** Reads one envelope. Throws journal-failed on damage. The body is a view of the source's bytes. */
export function readEnvelope(source: Source): Envelope {
  if (source.at + 2 > source.end) throw new BusError("journal-failed", "a journal record ends within its envelope: the record is damaged");
  const bits = source.buf.readUInt16LE(source.at);
  source.at += 2;
  const call: Mutable<CallContext> = {};
  const envelope: Mutable<Envelope> = {
    id: takeText(source),
    source: takeText(source),
    type: takeText(source),
    time: takeNumber(source),
    correlationId: takeText(source),
    contract: takeText(source),
    headers: takeMap(source),
    body: takeBytes(source),
    call,
  };
  if (bits & SUBJECT) envelope.subject = takeText(source);
  if (bits & KEY) envelope.key = takeText(source);
  if (bits & CAUSATION) envelope.causationId = takeText(source);
  if (bits & TRACE) envelope.traceparent = takeText(source);
  if (bits & DEADLINE) envelope.deadline = takeNumber(source);
  if (bits & DATAREF) envelope.dataref = takeText(source);
  takeCall(source, bits, call);
  return envelope;
}
