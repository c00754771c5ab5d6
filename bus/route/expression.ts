/**
 * Expressions of route files: JSONata, always with its limits, compiled once. The value's fields stand at the root; the
 * message's own facts are variables: `$headers`, `$call`, `$id`, `$source`, `$key`, `$subject`, `$correlationId`, `$time` (ms).
 *
 * Two traps of the language that an author should know. A path over a list that finds one thing gives the thing, not a list:
 * write `list[x = 1][]` where a list is needed. `null` is a value: `$exists(a)` is true for null; write `a != null` as well.
 */
import jsonata from "jsonata";
import type { Message } from "../envelope.ts";
import { BusError } from "../errors.ts";
import { compileFast, type Node } from "./expression-fast.ts";
import { isTrue } from "./expression-values.ts";
import { FACTS, factOf } from "./field-path.ts";
import type { Predicate } from "./runtime.ts";
import { createTurns } from "./turns.ts";

/** Milliseconds, evaluation depth and sequence length of one evaluation. */
export const LIMITS = { timeout: 100, stack: 500, sequence: 10_000 } as const;
/** Characters of one expression. */
const MAX_TEXT = 4_000;

export type Expression = Readonly<{
  text: string;
  /** True: evaluated without JSONata; the result is never a promise. */
  fast: boolean;
  /** The result over a value; nothing = undefined. Throws expression-failed. */
  evaluate(value: unknown, message: Message | undefined): unknown;
}>;

/** The thread has one processor: whose ever expressions they are, they take turns. */
const inTurn = createTurns();
const TOO_LONG = "D1012";

type Facts = Readonly<Record<string, unknown>>;
const NO_FACTS: Facts = {};

/** Compiles an expression; `place` is its `file:line`. Throws `configuration` when it is not one, with the column. */
export function compileExpression(text: string, place: string): Expression {
  const compiled = parse(text, place);
  const tree = compiled.ast() as unknown as Node;
  refuseDangerous(tree, place);
  const usesFacts = text.includes("$");
  const factsOf = (message: Message | undefined): Facts => (usesFacts && message !== undefined ? bind(message) : NO_FACTS);
  const fast = compileFast(tree, FACTS);
  if (fast !== undefined) {
    const evaluate = (value: unknown, message: Message | undefined): unknown => {
      try {
        return fast(value, value, factsOf(message));
      } catch (error) {
        throw failed(error, text, place);
      }
    };
    return { text, fast: true, evaluate };
  }
  const evaluate = async (value: unknown, message: Message | undefined): Promise<unknown> => {
    const once = (): Promise<unknown> => inTurn(() => compiled.evaluate(value, { ...factsOf(message) }) as Promise<unknown>);
    try {
      // on a busy machine the processor may have been elsewhere: what ran too long once has one more turn
      return plain(await once().catch((error: unknown) => (codeOf(error) === TOO_LONG ? once() : Promise.reject(error))));
    } catch (error) {
      throw failed(error, text, place);
    }
  };
  return { text, fast: false, evaluate };
}

/** An expression as a condition: JSONata's truth of its result. */
export function compilePredicate(text: string, place: string): Predicate {
  const expression = compileExpression(text, place);
  if (expression.fast) return (message) => isTrue(expression.evaluate(message.value, message));
  return async (message) => isTrue(await expression.evaluate(message.value, message));
}

function parse(text: string, place: string): jsonata.Expression {
  if (text.length > MAX_TEXT)
    throw new BusError("configuration", `${place}: the expression has over ${MAX_TEXT} characters; use a map file`);
  try {
    return jsonata(text, { ...LIMITS });
  } catch (error) {
    const at = (error as { position?: number }).position;
    const where = at === undefined ? "" : ` at its character ${at}`;
    throw new BusError("configuration", `${place}: the expression is not JSONata${where}: ${reasonOf(error)}`, {
      places: [{ text: text.slice(0, 200), path: place }],
    });
  }
}

function bind(message: Message): Facts {
  const facts: Record<string, unknown> = {};
  for (const fact of FACTS) facts[fact] = factOf(message, fact);
  return facts;
}

/** `$eval` would run text from the payload; a date picture from the payload can hang the process (CVE-2026-52746). */
function refuseDangerous(node: unknown, place: string): void {
  if (typeof node !== "object" || node === null) return;
  if (Array.isArray(node)) {
    for (const item of node) refuseDangerous(item, place);
    return;
  }
  const { type, value, procedure, arguments: args } = node as Node;
  if (type === "variable" && value === "eval")
    throw new BusError("configuration", `${place}: $eval is not allowed: it would run text of the message`);
  const called: unknown = procedure?.value;
  if (called === "toMillis" || called === "fromMillis") {
    const picture = args?.[1];
    if (picture !== undefined && picture.type !== "string")
      throw new BusError("configuration", `${place}: the picture of $${called} must be a literal text`);
  }
  for (const inner of Object.values(node)) refuseDangerous(inner, place);
}

/** JSONata's sequences carry functions of their own; the flow gets plain lists and records. */
function plain(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(plain);
  if (typeof value !== "object" || value === null) return value;
  const prototype: unknown = Object.getPrototypeOf(value);
  if (prototype !== Object.prototype && prototype !== null) return value;
  return Object.fromEntries(Object.entries(value).map(([name, inner]) => [name, plain(inner)]));
}

function failed(error: unknown, text: string, place: string): BusError {
  const limit = {
    D1011: "it nests too deep",
    [TOO_LONG]: `it ran longer than ${LIMITS.timeout} ms`,
    D2015: `a list passed ${LIMITS.sequence} items`,
  };
  const code = codeOf(error);
  const reason = code !== undefined && code in limit ? limit[code as keyof typeof limit] : reasonOf(error);
  return new BusError("expression-failed", `${place}: the expression failed: ${reason}`, {
    places: [{ path: place, text: text.slice(0, 200) }],
    cause: error,
  });
}

const codeOf = (error: unknown): string | undefined => (error as { code?: string }).code;

/** JSONata's own words name operators and kinds, but may quote values of the message; those are cut. */
function reasonOf(error: unknown): string {
  const { message, code } = error as { message?: string; code?: string };
  const words = typeof message === "string" ? message : "unknown reason";
  const named =
    code?.startsWith("S") === true || !words.includes(":") || error instanceof Error ? words : words.slice(0, words.indexOf(":"));
  return code === undefined ? named : `${named} (${code})`;
}
