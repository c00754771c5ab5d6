/** Puts records into the batch being filled: framed bytes, and beside them the numbers that the worker needs. */
import { BusError } from "#bus/errors.ts";
import { reserve } from "#bus/journal/bytes.ts";
import { readRecord, writeRecord } from "#bus/journal/codec.ts";
import type { JournalRecord, StoredRecord } from "#bus/journal/record.ts";
import { dedupeKey, eachKey } from "#bus/journal/search.ts";
import { reserveMeta, type Draft } from "./channel.ts";
import { FRAME, META, type Records } from "./protocol.ts";

/** Ids of topics, given out here and written with the first batch that uses them. */
export type TopicIds = { readonly ids: Map<string, number>; next: number };

const MOST_KEYS = 64;

/** Log times never fall: a clock that went back does not disturb searches by time. */
export type LogTime = { last: number };

/** Adds all records of one append, or none of them. */
export function pack(draft: Draft, records: readonly JournalRecord[], topics: TopicIds, time: LogTime, maxBytes: number): void {
  const { sink } = draft;
  const before = { at: sink.at, meta: draft.metaAt, records: draft.records };
  try {
    for (const record of records) packOne(draft, record, topics, time, maxBytes);
  } catch (error) {
    sink.at = before.at;
    draft.metaAt = before.meta;
    draft.records = before.records;
    throw error;
  }
}

function packOne(draft: Draft, record: JournalRecord, topics: TopicIds, time: LogTime, maxBytes: number): void {
  const { sink } = draft;
  const start = sink.at;
  reserve(sink, FRAME);
  sink.at += FRAME;
  writeRecord(sink, record);
  const length = sink.at - start;
  if (length > maxBytes) throw new BusError("message-too-large", `the journal record has ${length} bytes; the limit is ${maxBytes}`);
  if (record.time > time.last) time.last = record.time;
  sink.buf.writeUInt32LE(length - FRAME, start);
  sink.buf.writeDoubleLE(time.last, start + 4);
  reserveMeta(draft, META.size + MOST_KEYS);
  const { meta, metaAt: at } = draft;
  meta[at + META.offset] = start;
  meta[at + META.length] = length;
  meta[at + META.time] = time.last;
  meta[at + META.topic] = record.topic === undefined || record.envelope === undefined ? 0 : topicId(draft, topics, record.topic);
  meta[at + META.dedupe] = record.dedupe === undefined ? 0 : dedupeKey(record.dedupe.key);
  meta[at + META.window] = record.dedupe?.window ?? 0;
  let next = at + META.size;
  eachKey(record, (key) => {
    if (next < at + META.size + MOST_KEYS) meta[next++] = key;
  });
  meta[at + META.keys] = next - at - META.size;
  draft.metaAt = next;
  draft.records++;
}

export function topicId(draft: Draft, topics: TopicIds, name: string): number {
  const known = topics.ids.get(name);
  if (known !== undefined) return known;
  const id = topics.next++;
  topics.ids.set(name, id);
  draft.topics.push([id, name]);
  return id;
}

/** Records of an answer, decoded. */
export function unpack(records: Records): StoredRecord[] {
  const stored: StoredRecord[] = [];
  eachRecord(records, (record, position) => {
    (record as { position?: number }).position = position;
    stored.push(record as StoredRecord);
  });
  return stored;
}

export function eachRecord(records: Records, take: (record: JournalRecord, position: number, bytes: number) => void): void {
  const { data, positions } = records;
  const bytes = Buffer.from(data.buffer, data.byteOffset, data.length);
  let at = 0;
  for (const position of positions) {
    const end = at + FRAME + bytes.readUInt32LE(at);
    take(readRecord(bytes, at + FRAME, end), position, end - at);
    at = end;
  }
}
