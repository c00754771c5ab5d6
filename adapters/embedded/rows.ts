/**
 * Rows of durable blocks on their way into SQLite: where each block lies and which of its messages belong to which topic.
 * They are written together some time after the answer, without a flush of their own: a start finds them again in the log.
 */
import type { DatabaseSync } from "node:sqlite";
import { readRecord } from "#bus/journal/codec.ts";
import { insertBlock, type Blocks } from "./blocks.ts";
import type { Placed } from "./log.ts";
import { FRAME } from "./protocol.ts";
import { insertQueue, saveTopics, topicNumber, type Topics } from "./topics.ts";

/** Positions of a block's messages by topic. */
export type ByTopic = ReadonlyMap<number, readonly number[]>;
type Row = Readonly<{ block: Placed; topics: ByTopic }>;
export type Rows = { waiting: Row[] };

export const newRows = (): Rows => ({ waiting: [] });

export function addRows(rows: Rows, blocks: readonly Placed[], topics: readonly ByTopic[]): void {
  blocks.forEach((block, i) => rows.waiting.push({ block, topics: topics[i] ?? new Map<number, number[]>() }));
}

/** All that wait, and the names of topics; inside a transaction. Call `rowsWritten` after its commit. */
export function writeRows(rows: Rows, blocks: Blocks, topics: Topics): void {
  saveTopics(topics);
  for (const { block, topics: byTopic } of rows.waiting) {
    insertBlock(blocks, block);
    for (const [topic, positions] of byTopic) insertQueue(topics, topic, positions);
  }
}

export function rowsWritten(rows: Rows, blocks: Blocks, topics: Topics): void {
  const last = rows.waiting.at(-1)?.block;
  if (last !== undefined) blocks.rowed = last.first + last.count - 1;
  rows.waiting = [];
  topics.unsaved.length = 0;
}

/** What the rows of a block from the log must say. A topic that only the log knows gets a number. */
export function topicsOf(db: DatabaseSync, topics: Topics, block: Placed): ByTopic {
  const byTopic = new Map<number, number[]>();
  const bytes = Buffer.from(block.bytes.buffer, block.bytes.byteOffset, block.bytes.length);
  for (let at = 0, position = block.first; at < bytes.length; position++) {
    const end = at + FRAME + bytes.readUInt32LE(at);
    const { topic, envelope } = readRecord(bytes, at + FRAME, end);
    at = end;
    if (topic === undefined || envelope === undefined) continue;
    const number = topicNumber(db, topics, topic);
    const positions = byTopic.get(number);
    if (positions === undefined) byTopic.set(number, [position]);
    else positions.push(position);
  }
  return byTopic;
}
