/** Conditions and keys of documents as functions over a message. */
import type { Message } from "../envelope.ts";
import { BusError } from "../errors.ts";
import type { FieldTestDoc, KeyDoc, PredicateDoc } from "./documents.ts";
import { compileExpression, compilePredicate } from "./expression.ts";
import { compileMessagePath, compileTextPath, textOf } from "./field-path.ts";
import type { Predicate } from "./runtime.ts";

/** A key of a message as text; undefined where the message has none. */
export type KeyOf = (message: Message) => string | undefined | Promise<string | undefined>;

export function predicateOf(doc: PredicateDoc, place: string): Predicate {
  if (doc.language === "field") return fieldTest(doc, place);
  if (doc.language === "xpath") throw noXPath(place, "a condition");
  return compilePredicate(doc.text, place);
}

export function noXPath(place: string, where: string): BusError {
  return new BusError("configuration", `${place}: ${where} sees the record, not the XML it came from: write \`jsonata\` or a field test`);
}

function fieldTest(doc: FieldTestDoc, place: string): Predicate {
  const get = compileMessagePath(doc.field);
  if (doc.exists !== undefined) {
    const wanted = doc.exists;
    return (message) => isThere(get(message)) === wanted;
  }
  if (doc.matches !== undefined) {
    const pattern = patternOf(doc.matches, place);
    return (message) => {
      const text = textOf(get(message));
      return text !== undefined && pattern.test(text);
    };
  }
  if (doc.in !== undefined) {
    const allowed = doc.in;
    return (message) => {
      const actual = get(message);
      return allowed.some((value) => same(actual, value));
    };
  }
  if (doc.notEquals !== undefined) {
    const unwanted = doc.notEquals;
    return (message) => !same(get(message), unwanted);
  }
  const wanted = doc.equals;
  return (message) => same(get(message), wanted);
}

const isThere = (value: unknown): boolean => value !== undefined && value !== null;

/** Equal scalars; a long beyond 2^53 is a bigint in memory and a number in YAML. */
function same(actual: unknown, written: unknown): boolean {
  if (typeof actual === "bigint" && typeof written === "number") return Number.isInteger(written) && actual === BigInt(written);
  return actual === written;
}

function patternOf(text: string, place: string): RegExp {
  try {
    return new RegExp(`^(?:${text})$`, "u");
  } catch {
    throw new BusError("configuration", `${place}: \`${text}\` is no regular expression`);
  }
}

export function keyOf(doc: KeyDoc, place: string): KeyOf {
  if (doc.language === "path") return compileTextPath(doc.field);
  if (doc.language === "xpath") throw noXPath(place, "a key");
  const expression = compileExpression(doc.text, place);
  if (expression.fast) return (message) => textOf(expression.evaluate(message.value, message));
  return async (message) => textOf(await expression.evaluate(message.value, message));
}
