/** JSONata's value rules, without its promises: sequences, truth, equality, order and text. Source: docs.jsonata.org. */
import type { AvroRecord } from "../envelope.ts";

const SEQUENCE = Symbol("sequence");
/** A list made by a path. Unlike a list that is a value, it is flattened into its parent. */
export type Sequence = unknown[] & { [SEQUENCE]?: true };

export function sequence(): Sequence {
  const made: Sequence = [];
  made[SEQUENCE] = true;
  return made;
}

const isSequence = (value: unknown): boolean => Array.isArray(value) && (value as Sequence)[SEQUENCE] === true;

/** The singleton trap: a sequence of one is its item, an empty one is nothing. Values that are lists stay. */
export function normalise(value: unknown): unknown {
  if (!isSequence(value)) return value;
  const list = value as Sequence;
  if (list.length === 0) return undefined;
  return list.length === 1 ? list[0] : list;
}

/** A member of a record, or of each record of a list. */
export function lookup(value: unknown, name: string): unknown {
  if (typeof value !== "object" || value === null) return undefined;
  if (!Array.isArray(value)) return Object.hasOwn(value, name) ? (value as AvroRecord)[name] : undefined;
  return normalise(lookupAll(value, name));
}

function lookupAll(items: readonly unknown[], name: string): Sequence {
  const found = sequence();
  for (const item of items) {
    const value = Array.isArray(item) ? lookupAll(item, name) : lookup(item, name);
    if (Array.isArray(value)) found.push(...(value as unknown[]));
    else if (value !== undefined) found.push(value);
  }
  return found;
}

/** One step of a path over a list of items; `last`: a single value that is a list stays what it is. */
export function stepAll(items: readonly unknown[], step: (item: unknown) => unknown, last: boolean): unknown[] {
  const found: unknown[] = [];
  for (const item of items) {
    const value = step(item);
    if (value !== undefined) found.push(value);
  }
  const [only] = found;
  if (last && found.length === 1 && Array.isArray(only) && !isSequence(only)) return only;
  const flat = sequence();
  for (const value of found) {
    if (Array.isArray(value)) flat.push(...(value as unknown[]));
    else flat.push(value);
  }
  return flat;
}

const isIndex = (value: unknown): value is number => typeof value === "number" && Number.isFinite(value);

/** `list[filter]`: a number picks by position (negative from the end), anything else keeps the items where it is true. */
export function filterBy(value: unknown, filter: number | ((item: unknown) => unknown)): unknown {
  const items: readonly unknown[] = Array.isArray(value) ? value : [value];
  const kept = sequence();
  const position = (index: number): number => (Math.floor(index) < 0 ? items.length + Math.floor(index) : Math.floor(index));
  if (typeof filter === "number") {
    const item = items[position(filter)];
    if (Array.isArray(item)) return item;
    if (item !== undefined) kept.push(item);
    return kept;
  }
  for (const [at, item] of items.entries()) {
    const result = filter(item);
    const picks = isIndex(result) ? [result] : result;
    if (Array.isArray(picks) && picks.every(isIndex)) {
      for (const pick of picks) if (position(pick) === at) kept.push(item);
    } else if (isTrue(result)) kept.push(item);
  }
  return kept;
}

/** JSONata's `$boolean`: undefined for nothing; empty text, zero, null, empty lists and records are false. */
export function truth(value: unknown): boolean | undefined {
  if (value === undefined) return undefined;
  if (Array.isArray(value)) return value.length === 1 ? truth(value[0]) : value.some((item) => truth(item) === true);
  if (typeof value === "string") return value.length > 0;
  if (typeof value === "number") return value !== 0 && Number.isFinite(value);
  if (typeof value === "object" && value !== null) return Object.keys(value).length > 0;
  return value === true;
}

export const isTrue = (value: unknown): boolean => truth(value) === true;

export function deepEqual(left: unknown, right: unknown): boolean {
  if (left === right) return true;
  if (typeof left !== "object" || typeof right !== "object" || left === null || right === null) return false;
  if (Array.isArray(left) && Array.isArray(right)) {
    return left.length === right.length && left.every((item, at) => deepEqual(item, right[at]));
  }
  if (Array.isArray(left) || Array.isArray(right)) return false;
  const names = Object.keys(left);
  if (names.length !== Object.keys(right).length) return false;
  return names.every((name) => Object.hasOwn(right, name) && deepEqual((left as AvroRecord)[name], (right as AvroRecord)[name]));
}

/** An operand of a kind that the operator does not take. The caller adds the place. */
export class OperandError extends Error {}

export function compare(left: unknown, right: unknown, operator: "<" | "<=" | ">" | ">="): boolean | undefined {
  for (const side of [left, right]) {
    if (side !== undefined && typeof side !== "string" && typeof side !== "number") {
      throw new OperandError(`\`${operator}\` compares numbers or texts, not ${kindOf(side)}`);
    }
  }
  if (left === undefined || right === undefined) return undefined;
  if (typeof left !== typeof right) throw new OperandError(`\`${operator}\` cannot compare ${kindOf(left)} with ${kindOf(right)}`);
  const [a, b] = [left as number, right as number];
  if (operator === "<") return a < b;
  if (operator === "<=") return a <= b;
  return operator === ">" ? a > b : a >= b;
}

export function add(left: unknown, right: unknown, sign: 1 | -1): number | undefined {
  for (const side of [left, right]) {
    if (side !== undefined && !isIndex(side)) throw new OperandError(`+ and - take numbers, not ${kindOf(side)}`);
  }
  return left === undefined || right === undefined ? undefined : (left as number) + sign * (right as number);
}

export function concat(left: unknown, right: unknown): string {
  return (text(left) ?? "") + (text(right) ?? "");
}

/** JSONata's `$string`: numbers with at most 15 significant digits, anything structured as JSON. */
export function text(value: unknown): string | undefined {
  if (value === undefined) return undefined;
  if (typeof value === "string") return value;
  if (typeof value === "number" && !Number.isFinite(value)) throw new OperandError("a number that is not finite has no text");
  return JSON.stringify(value, (_, inner: unknown) =>
    typeof inner === "number" && !Number.isInteger(inner) ? Number(inner.toPrecision(15)) : inner,
  );
}

export function kindOf(value: unknown): string {
  if (value === undefined) return "nothing";
  if (value === null) return "null";
  return Array.isArray(value) ? "a list" : `a ${typeof value === "object" ? "record" : typeof value}`;
}
