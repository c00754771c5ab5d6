/**
 * Search keys of a record. Each searchable member becomes one 53-bit number (field and value hashed together); an engine
 * indexes only these numbers. Two values may share a number, so a search verifies what it found with `matches`.
 */
import type { JournalQuery, JournalRecord } from "./record.ts";

const FIELDS = ["id", "correlationId", "route", "system", "contract", "step", "outcome", "branch", "topic"] as const;
type Field = (typeof FIELDS)[number];

const REMEMBERED = 4_096;
/** Names of index members whose beginnings are remembered. */
const NAMES = 256;
/** Lengths of values whose beginnings are remembered. */
const LENGTHS = 64;

/** The hash of a field's name, from where its values go on. The second lane begins with the value's length. */
type Seed = Readonly<{ field: string; a: number; b: Int32Array }>;

/** 53 bits of two 32-bit multiply-mix lanes, even (odd numbers are de-duplication keys); never 0, which says "no key". */
export function hash53(field: string, value: string): number {
  return finish(firstLane(field), secondLane(field, value.length), value);
}

function seedOf(field: string): Seed {
  return { field, a: firstLane(field), b: Int32Array.from({ length: LENGTHS }, (_, length) => secondLane(field, length)) };
}

function keyOf(seed: Seed, value: string): number {
  return finish(seed.a, seed.b[value.length] ?? secondLane(seed.field, value.length), value);
}

function firstLane(field: string): number {
  let a = 0x9e3779b9 ^ field.length;
  for (let i = 0; i < field.length; i++) a = Math.imul(a ^ field.charCodeAt(i), 0x9e3779b1);
  return a;
}

function secondLane(field: string, length: number): number {
  let b = 0x85ebca6b ^ length;
  for (let i = 0; i < field.length; i++) b = Math.imul(b ^ field.charCodeAt(i), 0x5f356495);
  return b;
}

function finish(firstSeed: number, secondSeed: number, value: string): number {
  let a = firstSeed;
  let b = secondSeed;
  for (let i = 0; i < value.length; i++) {
    const code = value.charCodeAt(i);
    a = Math.imul(a ^ code, 0x9e3779b1);
    b = Math.imul(b ^ code, 0x5f356495);
  }
  a = Math.imul(a ^ (a >>> 16), 0x85ebca6b) ^ Math.imul(b ^ (b >>> 13), 0xc2b2ae35);
  b = Math.imul(b ^ (b >>> 16), 0x85ebca6b) ^ Math.imul(a ^ (a >>> 13), 0xc2b2ae35);
  return (b & 0x1fffff) * 0x1_0000_0000 + ((a & ~1) >>> 0) || 2;
}

const DEDUPE = seedOf("dedupe");

export function dedupeKey(key: string): number {
  return keyOf(DEDUPE, key) + 1;
}

/** Gives the key of a field's value. */
type KeyOf = (value: string) => number;

/** For members whose values hardly ever come again. */
function computed(field: string): KeyOf {
  const seed = seedOf(field);
  return (value) => keyOf(seed, value);
}

/** For members with few values: their hash is remembered instead of computed again, the last one without a look-up. */
function remembered(field: string): KeyOf {
  const seed = seedOf(field);
  const known = new Map<string, number>();
  let lastValue: string | undefined;
  let lastKey = 0;
  return (value) => {
    if (value === lastValue) return lastKey;
    let key = known.get(value);
    if (key === undefined) {
      key = keyOf(seed, value);
      if (known.size < REMEMBERED) known.set(value, key);
    }
    lastValue = value;
    lastKey = key;
    return key;
  };
}

const KEYS: Readonly<Record<Field, KeyOf>> = {
  id: computed("id"),
  correlationId: computed("correlationId"),
  route: remembered("route"),
  system: remembered("system"),
  contract: remembered("contract"),
  step: remembered("step"),
  outcome: remembered("outcome"),
  branch: remembered("branch"),
  topic: remembered("topic"),
};

const ENTITY = remembered("entity");

/** On whose behalf was asked: of the record itself, or of the message that it is. */
function entityOf({ call, envelope }: JournalRecord): string | undefined {
  return call === undefined ? envelope?.call.entity : call.entity;
}

const names = new Map<string, KeyOf>();

function indexKey(name: string, value: string): number {
  let known = names.get(name);
  if (known === undefined) {
    known = computed(`index.${name}`);
    if (names.size < NAMES) names.set(name, known);
  }
  return known(value);
}

/** Calls `take` with each search key of a record, the de-duplication key not included. */
export function eachKey(record: JournalRecord, take: (key: number) => void): void {
  const { route, system, contract, branch, topic, index } = record;
  // One by one, as the names of FIELDS stand: a loop over names would look each of them up in the record.
  take(KEYS.id(record.id));
  take(KEYS.correlationId(record.correlationId));
  if (route !== undefined) take(KEYS.route(route));
  if (system !== undefined) take(KEYS.system(system));
  if (contract !== undefined) take(KEYS.contract(contract));
  take(KEYS.step(record.step));
  take(KEYS.outcome(record.outcome));
  if (branch !== undefined) take(KEYS.branch(branch));
  if (topic !== undefined) take(KEYS.topic(topic));
  const entity = entityOf(record);
  if (entity !== undefined) take(ENTITY(entity));
  if (index === undefined) return;
  for (const name of Object.keys(index)) take(indexKey(name, index[name] ?? ""));
}

/** The keys that every answer of a query must carry; empty when it asks for times only. */
export function queryKeys(query: JournalQuery): number[] {
  const keys: number[] = [];
  for (const field of FIELDS) {
    const value = query[field];
    if (value !== undefined) keys.push(KEYS[field](value));
  }
  if (query.entity !== undefined) keys.push(ENTITY(query.entity));
  for (const [name, value] of Object.entries(query.index ?? {})) keys.push(indexKey(name, value));
  return keys;
}

/** Does the record answer the query, times aside? */
export function matches(query: JournalQuery, record: JournalRecord): boolean {
  for (const field of FIELDS) {
    const wanted = query[field];
    if (wanted !== undefined && record[field] !== wanted) return false;
  }
  if (query.entity !== undefined && entityOf(record) !== query.entity) return false;
  for (const [name, value] of Object.entries(query.index ?? {})) {
    if (record.index === undefined || !Object.hasOwn(record.index, name) || record.index[name] !== value) return false;
  }
  return true;
}
