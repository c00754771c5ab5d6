/** The JSONata functions that the fast way knows, each with the number of its arguments. */
import { OperandError, kindOf, text, truth } from "./expression-values.ts";

type Known = (first: unknown, second: unknown) => unknown;

function asText(name: string, value: unknown): string | undefined {
  if (value === undefined || typeof value === "string") return value;
  throw new OperandError(`$${name} takes a text, not ${kindOf(value)}`);
}

function count(value: unknown): number {
  if (value === undefined) return 0;
  return Array.isArray(value) ? value.length : 1;
}

/** Code points, as JSONata counts. */
function length(value: unknown): number | undefined {
  const given = asText("length", value);
  if (given === undefined) return undefined;
  let points = 0;
  for (const _ of given) points++;
  return points;
}

function contains(value: unknown, part: unknown): boolean | undefined {
  const [given, wanted] = [asText("contains", value), asText("contains", part)];
  return given === undefined || wanted === undefined ? undefined : given.includes(wanted);
}

function not(value: unknown): boolean | undefined {
  const known = truth(value);
  return known === undefined ? undefined : !known;
}

export const FUNCTIONS: ReadonlyMap<string, Readonly<{ arity: number; run: Known }>> = new Map([
  ["exists", { arity: 1, run: (value: unknown) => value !== undefined }],
  ["count", { arity: 1, run: count }],
  ["length", { arity: 1, run: length }],
  ["not", { arity: 1, run: not }],
  ["boolean", { arity: 1, run: truth }],
  ["string", { arity: 1, run: text }],
  ["lowercase", { arity: 1, run: (value: unknown) => asText("lowercase", value)?.toLowerCase() }],
  ["uppercase", { arity: 1, run: (value: unknown) => asText("uppercase", value)?.toUpperCase() }],
  ["contains", { arity: 2, run: contains }],
]);
