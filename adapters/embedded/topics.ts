/**
 * Which positions carry a message of which topic. One row per topic and block, with a running count, so that a page and a
 * backlog's size cost the same at a thousand messages and at ten million. Runs in the worker.
 */
import type { DatabaseSync, StatementSync } from "node:sqlite";
import { addRecord, newPile, pileUp, type Blocks } from "./blocks.ts";
import type { Page } from "./protocol.ts";

export type Topics = Readonly<{
  insert: StatementSync;
  name: StatementSync;
  number: StatementSync;
  /** The row that could hold a position, and the rows after it. */
  rows: StatementSync;
  newest: StatementSync;
  floor: StatementSync;
  /** Messages ever published, by topic; filled on first use. */
  totals: Map<number, number>;
  /** Topics with a number that is not written yet; a later batch may use it already. */
  unsaved: (readonly [number, string])[];
}>;

export function openTopics(db: DatabaseSync, unsaved: Topics["unsaved"] = []): Topics {
  return {
    insert: db.prepare("INSERT INTO queue(topic, first, before, count, offsets) VALUES(?, ?, ?, ?, ?)"),
    name: db.prepare("INSERT INTO topic(id, name) VALUES(?, ?)"),
    number: db.prepare("SELECT id FROM topic WHERE name = ?"),
    rows: db.prepare("SELECT first, before, count, offsets FROM queue WHERE topic = ? AND first >= ? ORDER BY first LIMIT 32"),
    newest: db.prepare("SELECT before + count AS total FROM queue WHERE topic = ? ORDER BY first DESC LIMIT 1"),
    floor: db.prepare("SELECT first FROM queue WHERE topic = ? AND first <= ? ORDER BY first DESC LIMIT 1"),
    totals: new Map(),
    unsaved,
  };
}

/** Inside a transaction. */
export function saveTopics(topics: Topics): void {
  for (const [id, name] of topics.unsaved) topics.name.run(id, name);
}

/** All topics by number, those not written yet included. */
export function allTopics(db: DatabaseSync, topics: Topics): (readonly [number, string])[] {
  const rows = db.prepare("SELECT id, name FROM topic ORDER BY id").all();
  return [...rows.map((row): readonly [number, string] => [Number(row["id"]), String(row["name"])]), ...topics.unsaved];
}

/** Number of a topic by name; a new one where none has it. For the start: main gives them out later. */
export function topicNumber(db: DatabaseSync, topics: Topics, name: string): number {
  const saved = topics.number.get(name)?.["id"] ?? topics.unsaved.find((one) => one[1] === name)?.[0];
  if (saved !== undefined) return Number(saved);
  const number = Math.max(0, ...allTopics(db, topics).map((one) => one[0])) + 1;
  topics.unsaved.push([number, name]);
  return number;
}

function total(topics: Topics, topic: number): number {
  let count = topics.totals.get(topic);
  if (count === undefined) {
    count = Number(topics.newest.get(topic)?.["total"] ?? 0);
    topics.totals.set(topic, count);
  }
  return count;
}

/** Writes a block's messages of one topic; positions ascend within one block, so differences are small. */
export function insertQueue(topics: Topics, topic: number, positions: readonly number[]): void {
  const before = total(topics, topic);
  const first = positions[0] ?? 0;
  const offsets = new Uint16Array(positions.length);
  for (let i = 0; i < positions.length; i++) offsets[i] = (positions[i] ?? 0) - first;
  topics.insert.run(topic, first, before, positions.length, new Uint8Array(offsets.buffer));
  topics.totals.set(topic, before + positions.length);
}

function* positionsAfter(topics: Topics, topic: number, after: number): Generator<number> {
  let from = Number(topics.floor.get(topic, after)?.["first"] ?? 0);
  for (;;) {
    const rows = topics.rows.all(topic, from);
    for (const row of rows) {
      const first = Number(row["first"]);
      const bytes = row["offsets"] as Uint8Array;
      const offsets = new Uint16Array(bytes.slice().buffer);
      for (const offset of offsets) if (first + offset > after) yield first + offset;
      from = first + 1;
    }
    if (rows.length < 32) return;
  }
}

/** Next messages of a topic above `after`, up to both limits (at least one). */
export function readPage(topics: Topics, blocks: Blocks, topic: number, after: number, limit: number, bytes: number): Page {
  const pile = newPile();
  let scanned = after;
  for (const position of positionsAfter(topics, topic, after)) {
    if (pile.positions.length >= limit || pile.bytes >= bytes) return { records: pileUp(pile), scanned, end: false };
    addRecord(blocks, pile, position);
    scanned = position;
  }
  return { records: pileUp(pile), scanned: Math.max(scanned, blocks.last), end: true };
}

/** First message of the topic above `after`. */
export function nextMessage(topics: Topics, topic: number, after: number): number | undefined {
  for (const position of positionsAfter(topics, topic, after)) return position;
  return undefined;
}

/** How many messages of the topic lie above `after`. */
export function countAfter(topics: Topics, topic: number, after: number): number {
  const all = total(topics, topic);
  const from = topics.floor.get(topic, after)?.["first"];
  const row = topics.rows.all(topic, Number(from ?? 0))[0];
  if (row === undefined) return 0;
  const first = Number(row["first"]);
  let below = Number(row["before"]);
  const bytes = row["offsets"] as Uint8Array;
  for (const offset of new Uint16Array(bytes.slice().buffer)) if (first + offset <= after) below++;
  return all - below;
}
