/**
 * Journal records as documents. `_id` is the position. Records of one append name the position of its last one: they count only if that
 * one is there, and it is only there if they all are. A void takes a position out of use for ever.
 */
import { Binary, type Collection, type Db } from "mongodb";
import { BusError } from "#bus/errors.ts";
import { newSink } from "#bus/journal/bytes.ts";
import { readRecord, writeRecord } from "#bus/journal/codec.ts";
import type { JournalRecord, StoredRecord } from "#bus/journal/record.ts";
import { eachKey } from "#bus/journal/search.ts";

/** `x`: void. `e`: last position of its append, where that is another. `t`ime, search `k`eys, `p`ublished, `r`ecord. */
export type Row = { _id: number; x?: 1; e?: number; t?: number; k?: number[]; p?: 1; r?: Binary | Buffer };

/** A record ready to be written, its place not yet known. */
export type Item = Readonly<{ bytes: Buffer; keys: number[]; time: number; published: boolean; dedupe: JournalRecord["dedupe"] }>;

export function rowsOf(db: Db): Collection<Row> {
  return db.collection<Row>("journal");
}

/** Encodes an append. Throws before anything of it is written. */
export function encode(records: readonly JournalRecord[], maxBytes: number): Item[] {
  const sink = newSink(1_024);
  return records.map((record) => {
    const start = sink.at;
    writeRecord(sink, record);
    const bytes = sink.buf.subarray(start, sink.at);
    if (bytes.length > maxBytes)
      throw new BusError(
        "message-too-large",
        `a journal record of message ${record.id} has ${bytes.length} bytes; the limit is ${maxBytes}`,
      );
    const keys: number[] = [];
    eachKey(record, (key) => keys.push(key));
    return { bytes, keys, time: record.time, published: record.topic !== undefined, dedupe: record.dedupe };
  });
}

export function rowOf(item: Item, position: number, end: number): Row {
  return {
    _id: position,
    t: item.time,
    k: item.keys,
    ...(end === position ? undefined : { e: end }),
    ...(item.published ? { p: 1 as const } : undefined),
    r: new Binary(item.bytes),
  };
}

export const voidRow = (position: number): Row => ({ _id: position, x: 1 });

export function recordOf(row: Row): StoredRecord | undefined {
  if (row.r === undefined) return undefined;
  const bytes = row.r instanceof Binary ? row.r.buffer.subarray(0, row.r.position) : row.r;
  const record = readRecord(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length));
  return { ...record, position: row._id };
}
