/**
 * Search keys of a record. Each searchable member becomes one 53-bit number (field and value hashed together); an engine
 * indexes only these numbers. Two values may share a number, so a search verifies what it found with `matches`.
 */
import type { JournalQuery, JournalRecord } from "./record.ts";

const FIELDS = ["id", "correlationId", "route", "system", "contract", "step", "outcome", "branch", "topic"] as const;
type Field = (typeof FIELDS)[number];
const REMEMBERED = 4_096;

/** Hashes of the members that have few values: all but the ids. */
const remembered: ReadonlyMap<Field, Map<string, number>> = new Map(
  FIELDS.filter((field) => field !== "id" && field !== "correlationId").map((field) => [field, new Map()]),
);

/** 53 bits of two 32-bit multiply-mix lanes, even (odd numbers are de-duplication keys); never 0, which says "no key". */
export function hash53(field: string, value: string): number {
  let a = 0x9e3779b9 ^ field.length;
  let b = 0x85ebca6b ^ value.length;
  for (let i = 0; i < field.length; i++) {
    const code = field.charCodeAt(i);
    a = Math.imul(a ^ code, 0x9e3779b1);
    b = Math.imul(b ^ code, 0x5f356495);
  }
  for (let i = 0; i < value.length; i++) {
    const code = value.charCodeAt(i);
    a = Math.imul(a ^ code, 0x9e3779b1);
    b = Math.imul(b ^ code, 0x5f356495);
  }
  a = Math.imul(a ^ (a >>> 16), 0x85ebca6b) ^ Math.imul(b ^ (b >>> 13), 0xc2b2ae35);
  b = Math.imul(b ^ (b >>> 16), 0x85ebca6b) ^ Math.imul(a ^ (a >>> 13), 0xc2b2ae35);
  return (b & 0x1fffff) * 0x1_0000_0000 + ((a & ~1) >>> 0) || 2;
}

export function dedupeKey(key: string): number {
  return hash53("dedupe", key) + 1;
}

function keyOf(field: Field, value: string): number {
  const known = remembered.get(field);
  if (known === undefined) return hash53(field, value);
  let key = known.get(value);
  if (key === undefined) {
    key = hash53(field, value);
    if (known.size < REMEMBERED) known.set(value, key);
  }
  return key;
}

/** Calls `take` with each search key of a record, the de-duplication key not included. */
export function eachKey(record: JournalRecord, take: (key: number) => void): void {
  const { route, system, contract, branch, topic } = record;
  // One by one, as the names of FIELDS stand: a loop over names would look each of them up in the record.
  take(hash53("id", record.id));
  take(hash53("correlationId", record.correlationId));
  if (route !== undefined) take(keyOf("route", route));
  if (system !== undefined) take(keyOf("system", system));
  if (contract !== undefined) take(keyOf("contract", contract));
  take(keyOf("step", record.step));
  take(keyOf("outcome", record.outcome));
  if (branch !== undefined) take(keyOf("branch", branch));
  if (topic !== undefined) take(keyOf("topic", topic));
  if (record.index === undefined) return;
  for (const name of Object.keys(record.index)) take(hash53(`index.${name}`, record.index[name] ?? ""));
}

/** The keys that every answer of a query must carry; empty when it asks for times only. */
export function queryKeys(query: JournalQuery): number[] {
  const keys: number[] = [];
  for (const field of FIELDS) {
    const value = query[field];
    if (value !== undefined) keys.push(keyOf(field, value));
  }
  for (const [name, value] of Object.entries(query.index ?? {})) keys.push(hash53(`index.${name}`, value));
  return keys;
}

/** Does the record answer the query, times aside? */
export function matches(query: JournalQuery, record: JournalRecord): boolean {
  for (const field of FIELDS) {
    const wanted = query[field];
    if (wanted !== undefined && record[field] !== wanted) return false;
  }
  for (const [name, value] of Object.entries(query.index ?? {})) {
    if (record.index === undefined || !Object.hasOwn(record.index, name) || record.index[name] !== value) return false;
  }
  return true;
}
