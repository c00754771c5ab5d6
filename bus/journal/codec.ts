/**
 * Journal records as bytes. Layout of format 1: the format byte, a bit set of the optional members that are present, then
 * the members in the order of this file. A later format adds a reader here and keeps the old one: a log is read for years.
 * Written by hand rather than as Avro because absent members cost nothing and no second object is built on reading.
 */
import { BusError, CLASSES, type ErrorClass } from "../errors.ts";
import type { Mutable } from "../mutable.ts";
import { putByte, putBytes, putMap, putNumber, putText, reserve, takeByte, takeBytes } from "./bytes.ts";
import { takeMap, takeNumber, takeText, type Sink, type Source } from "./bytes.ts";
import { number, readCall, readEnvelope, text, writeCall, writeEnvelope } from "./envelope-codec.ts";
import type { JournalOutcome, JournalRecord, JournalStep } from "./record.ts";

export const RECORD_FORMAT = 1;

/** Order is part of the format: append only. */
const STEPS: readonly JournalStep[] = [
  "accepted",
  "replied",
  "refused",
  "delivered",
  "attempt",
  "dropped",
  "deadletter",
  "replayed",
  "act",
  "verified",
  "audited",
];
const OUTCOMES: readonly JournalOutcome[] = ["ok", "denied", "failed", "duplicate", "dropped", "dead"];
const STEP_NUMBERS: ReadonlyMap<string, number> = new Map(STEPS.map((step, number) => [step, number]));
const OUTCOME_NUMBERS: ReadonlyMap<string, number> = new Map(OUTCOMES.map((outcome, number) => [outcome, number]));

const ROUTE = 1 << 0;
const BRANCH = 1 << 1;
const CONTRACT = 1 << 2;
const SYSTEM = 1 << 3;
const TARGET = 1 << 4;
const GRANT = 1 << 5;
const ERROR_CLASS = 1 << 6;
const ERROR_CODE = 1 << 7;
const DETAIL = 1 << 8;
const ATTEMPT = 1 << 9;
const ELAPSED = 1 << 10;
const INDEX = 1 << 11;
const DIGEST = 1 << 12;
const ENVELOPE = 1 << 13;
const ORIGINAL = 1 << 14;
const TOPIC = 1 << 15;
const DEDUPE = 1 << 16;
const CALL = 1 << 17;

/** Appends one record to the sink. Refuses a step or outcome that is not of the vocabulary. */
export function writeRecord(sink: Sink, record: JournalRecord): void {
  const step = STEP_NUMBERS.get(record.step);
  const outcome = OUTCOME_NUMBERS.get(record.outcome);
  if (step === undefined || outcome === undefined) {
    throw new BusError(
      "journal-failed",
      `a journal record has step "${record.step}" and outcome "${record.outcome}", which the journal does not know`,
    );
  }
  reserve(sink, 32);
  putByte(sink, RECORD_FORMAT);
  const bitsAt = sink.at;
  sink.at += 4;
  putByte(sink, step);
  putByte(sink, outcome);
  putNumber(sink, record.time);
  putText(sink, record.id);
  putText(sink, record.correlationId);
  const bits = writeTexts(sink, record) | writeRest(sink, record);
  sink.buf.writeUInt32LE(bits, bitsAt);
}

function writeTexts(sink: Sink, record: JournalRecord): number {
  return (
    text(sink, record.route, ROUTE) |
    text(sink, record.branch, BRANCH) |
    text(sink, record.contract, CONTRACT) |
    text(sink, record.system, SYSTEM) |
    text(sink, record.target, TARGET) |
    text(sink, record.grant, GRANT) |
    text(sink, record.errorClass, ERROR_CLASS) |
    text(sink, record.errorCode, ERROR_CODE) |
    text(sink, record.detail, DETAIL)
  );
}

function writeRest(sink: Sink, record: JournalRecord): number {
  let bits = number(sink, record.attempt, ATTEMPT) | number(sink, record.elapsed, ELAPSED);
  if (record.index !== undefined) {
    putMap(sink, record.index);
    bits |= INDEX;
  }
  bits |= text(sink, record.digest, DIGEST);
  if (record.envelope !== undefined) {
    writeEnvelope(sink, record.envelope);
    bits |= ENVELOPE;
  }
  if (record.original !== undefined) {
    putBytes(sink, record.original);
    bits |= ORIGINAL;
  }
  bits |= text(sink, record.topic, TOPIC);
  if (record.dedupe !== undefined) {
    putText(sink, record.dedupe.key);
    putNumber(sink, record.dedupe.window);
    bits |= DEDUPE;
  }
  if (record.call !== undefined) {
    writeCall(sink, record.call);
    bits |= CALL;
  }
  return bits;
}

/** Reads one record. Throws journal-failed on a format this version does not know and on damage. Bytes are views of `bytes`. */
export function readRecord(bytes: Buffer, at = 0, end = bytes.length): JournalRecord {
  const source: Source = { buf: bytes, at, end };
  const format = takeByte(source);
  if (format !== RECORD_FORMAT) {
    throw new BusError(
      "journal-failed",
      `a journal record has format ${format}; this version reads format ${RECORD_FORMAT}. Start the version that wrote it`,
    );
  }
  if (source.at + 4 > end) throw new BusError("journal-failed", "a journal record ends within its first bytes: the record is damaged");
  const bits = bytes.readUInt32LE(source.at);
  source.at += 4;
  const step = STEPS[takeByte(source)];
  const outcome = OUTCOMES[takeByte(source)];
  if (step === undefined || outcome === undefined)
    throw new BusError("journal-failed", "a journal record has a step this version does not know");
  const record: Mutable<JournalRecord> = { step, outcome, time: takeNumber(source), id: takeText(source), correlationId: takeText(source) };
  readTexts(source, bits, record);
  readRest(source, bits, record);
  return record;
}

function readTexts(source: Source, bits: number, record: Mutable<JournalRecord>): void {
  if (bits & ROUTE) record.route = takeText(source);
  if (bits & BRANCH) record.branch = takeText(source);
  if (bits & CONTRACT) record.contract = takeText(source);
  if (bits & SYSTEM) record.system = takeText(source);
  if (bits & TARGET) record.target = takeText(source);
  if (bits & GRANT) record.grant = takeText(source);
  if (bits & ERROR_CLASS) record.errorClass = errorClass(takeText(source));
  if (bits & ERROR_CODE) record.errorCode = takeText(source);
  if (bits & DETAIL) record.detail = takeText(source);
}

function readRest(source: Source, bits: number, record: Mutable<JournalRecord>): void {
  if (bits & ATTEMPT) record.attempt = takeNumber(source);
  if (bits & ELAPSED) record.elapsed = takeNumber(source);
  if (bits & INDEX) record.index = takeMap(source);
  if (bits & DIGEST) record.digest = takeText(source);
  if (bits & ENVELOPE) record.envelope = readEnvelope(source);
  if (bits & ORIGINAL) record.original = takeBytes(source);
  if (bits & TOPIC) record.topic = takeText(source);
  if (bits & DEDUPE) record.dedupe = { key: takeText(source), window: takeNumber(source) };
  if (bits & CALL) record.call = readCall(source);
}

/** A class an older or newer version wrote and this one does not know reads as `internal`. */
function errorClass(word: string): ErrorClass {
  return Object.hasOwn(CLASSES, word) ? (word as ErrorClass) : "internal";
}
