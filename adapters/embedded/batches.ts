/**
 * One durable write of the log, as bytes: a head with a table of its blocks, then the blocks. The head's checksum covers
 * the table, the table holds each block's: a write that a crash cut short anywhere is not a batch. Pure: no file.
 */
import { crc32 } from "node:zlib";

/** Bytes of the random number of a file, repeated in each of its batches: what a message carries can never look like a batch. */
export const SALT_BYTES = 16;
export const HEAD_BYTES = 40;
const ENTRY_BYTES = 32;
/** "MBB1", little-endian. */
const MAGIC = 0x3142_424d;
const AT = { magic: 0, crc: 4, salt: 8, first: 24, blocks: 32, size: 36 } as const;
const MOST_BLOCKS = 1_048_576;

/** A block in the table: its first position, how many records, bytes, checksum, log times of first and last record. */
export type Entry = Readonly<{ first: number; count: number; size: number; crc: number; time: number; last: number }>;

/** `bytes` = of head and table; `size` = of all blocks, which follow without gaps. */
export type Head = Readonly<{ first: number; entries: readonly Entry[]; bytes: number; size: number }>;

export const headBytes = (blocks: number): number => HEAD_BYTES + blocks * ENTRY_BYTES;

/** Head and table of a batch of at least one block. Positions of the blocks follow each other. */
export function encodeHead(salt: Uint8Array, entries: readonly Entry[]): Buffer {
  const buf = Buffer.alloc(headBytes(entries.length));
  let size = 0;
  let at = HEAD_BYTES;
  for (const entry of entries) {
    buf.writeUInt32LE(entry.count, at);
    buf.writeUInt32LE(entry.size, at + 4);
    buf.writeUInt32LE(entry.crc, at + 8);
    buf.writeDoubleLE(entry.time, at + 16);
    buf.writeDoubleLE(entry.last, at + 24);
    at += ENTRY_BYTES;
    size += entry.size;
  }
  buf.writeUInt32LE(MAGIC, AT.magic);
  buf.set(salt, AT.salt);
  buf.writeDoubleLE(entries[0]?.first ?? 0, AT.first);
  buf.writeUInt32LE(entries.length, AT.blocks);
  buf.writeUInt32LE(size, AT.size);
  buf.writeUInt32LE(crc32(buf.subarray(AT.salt)), AT.crc);
  return buf;
}

/** Bytes of head and table that a head announces; undefined where there is no head of this file. */
export function announced(buf: Buffer, salt: Uint8Array): number | undefined {
  if (buf.length < HEAD_BYTES || buf.readUInt32LE(AT.magic) !== MAGIC) return undefined;
  if (buf.compare(salt, 0, SALT_BYTES, AT.salt, AT.salt + SALT_BYTES) !== 0) return undefined;
  const blocks = buf.readUInt32LE(AT.blocks);
  return blocks >= 1 && blocks <= MOST_BLOCKS ? headBytes(blocks) : undefined;
}

/** Reads head and table; undefined when they are not whole. */
export function decodeHead(buf: Buffer, salt: Uint8Array): Head | undefined {
  const bytes = announced(buf, salt);
  if (bytes === undefined || buf.length < bytes) return undefined;
  if (crc32(buf.subarray(AT.salt, bytes)) !== buf.readUInt32LE(AT.crc)) return undefined;
  const entries: Entry[] = [];
  const first = buf.readDoubleLE(AT.first);
  let next = first;
  let size = 0;
  for (let at = HEAD_BYTES; at < bytes; at += ENTRY_BYTES) {
    const entry = {
      first: next,
      count: buf.readUInt32LE(at),
      size: buf.readUInt32LE(at + 4),
      crc: buf.readUInt32LE(at + 8),
      time: buf.readDoubleLE(at + 16),
      last: buf.readDoubleLE(at + 24),
    };
    next += entry.count;
    size += entry.size;
    entries.push(entry);
  }
  return size === buf.readUInt32LE(AT.size) ? { first, entries, bytes, size } : undefined;
}
