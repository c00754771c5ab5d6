/**
 * JSONata's simple expressions as plain closures. JSONata walks its tree with a promise per node; the conditions that
 * administrators write (a path compared with a literal) need none of that. What is not known here goes the slow way;
 * `expression.test.ts` proves both ways equal on random values.
 */
import { FUNCTIONS } from "./expression-functions.ts";
import { add, compare, concat, deepEqual, filterBy, isTrue, lookup, normalise, stepAll, truth } from "./expression-values.ts";

/** `input` is the context item, `root` the whole value, `facts` the bound variables without `$`. */
export type Eval = (input: unknown, root: unknown, facts: Readonly<Record<string, unknown>>) => unknown;

/** A node of JSONata's syntax tree; its published types leave half of it out. */
export type Node = Readonly<{
  type: string;
  value?: unknown;
  arguments?: readonly Node[];
  procedure?: Node;
  steps?: readonly Node[];
  expressions?: readonly Node[];
  stages?: readonly Readonly<{ type: string; expr: Node }>[];
  lhs?: Node;
  rhs?: Node;
  condition?: Node;
  then?: Node;
  else?: Node;
}>;

/** Marks of features (grouping, predicates on values, ancestry, kept arrays, chaining) that the fast way does not know. */
const FOREIGN = [
  "predicate",
  "group",
  "keepArray",
  "keepSingletonArray",
  "tuple",
  "focus",
  "index",
  "ancestor",
  "seekingParent",
  "nextFunction",
  "thunk",
  "consarray",
];

/** A closure with JSONata's result, or undefined where the node needs JSONata itself. */
export function compileFast(node: Node, facts: readonly string[]): Eval | undefined {
  if (FOREIGN.some((mark) => mark in node)) return undefined;
  switch (node.type) {
    case "string":
    case "number":
    case "value": {
      const literal: unknown = node.value;
      return () => literal;
    }
    case "path":
      return compilePathNode(node, facts);
    case "variable":
      return compileVariable(node, facts);
    case "binary":
      return compileBinary(node, facts);
    case "unary":
      return compileList(node);
    case "block": {
      const [only, more] = node.expressions ?? [];
      return only === undefined || more !== undefined ? undefined : compileFast(only, facts);
    }
    case "condition":
      return compileCondition(node, facts);
    case "function":
      return compileCall(node, facts);
    default:
      return undefined;
  }
}

function compileVariable(node: Node, facts: readonly string[]): Eval | undefined {
  const name = String(node.value);
  if (name === "") return (input) => input;
  if (name === "$") return (_, root) => root;
  return facts.includes(name) ? (_input, _root, bound) => bound[name] : undefined;
}

type PathStep = Readonly<{ name: string; filters: readonly (Eval | number)[] }>;

function compilePathNode(node: Node, facts: readonly string[]): Eval | undefined {
  const all = node.steps ?? [];
  const [head] = all;
  let start: Eval | undefined;
  if (head?.type === "variable") {
    start = head.stages === undefined ? compileFast(head, facts) : undefined;
    if (start === undefined) return undefined;
  }
  const steps: PathStep[] = [];
  for (const step of start === undefined ? all : all.slice(1)) {
    const compiled = compileStep(step, facts);
    if (compiled === undefined) return undefined;
    steps.push(compiled);
  }
  const [first] = steps;
  // One plain name is most of what is written; it needs no loop.
  if (start === undefined && first !== undefined && steps.length === 1 && first.filters.length === 0)
    return (input) => single(input, first.name);
  return (input, root, bound) => walk(start === undefined ? input : start(input, root, bound), steps, root, bound);
}

function single(input: unknown, name: string): unknown {
  return Array.isArray(input) ? normalise(stepAll(input, (item) => lookup(item, name), true)) : lookup(input, name);
}

function compileStep(step: Node, facts: readonly string[]): PathStep | undefined {
  if (step.type !== "name" || FOREIGN.some((mark) => mark in step)) return undefined;
  const filters: (Eval | number)[] = [];
  for (const stage of step.stages ?? []) {
    if (stage.type !== "filter") return undefined;
    if (stage.expr.type === "number") {
      filters.push(Number(stage.expr.value));
      continue;
    }
    const test = compileFast(stage.expr, facts);
    if (test === undefined) return undefined;
    filters.push(test);
  }
  return { name: String(step.value), filters };
}

function walk(from: unknown, steps: readonly PathStep[], root: unknown, bound: Readonly<Record<string, unknown>>): unknown {
  let at = from;
  // Once a list or a filter was met, the path is a list of items to its end.
  let listed = false;
  for (const [index, step] of steps.entries()) {
    if (at === undefined && index > 0) return undefined;
    if (!listed && step.filters.length === 0 && !Array.isArray(at)) {
      at = lookup(at, step.name);
      continue;
    }
    const items: readonly unknown[] = Array.isArray(at) ? at : [at];
    at = stepAll(items, (item) => applyFilters(lookup(item, step.name), step.filters, root, bound), index === steps.length - 1);
    listed = true;
  }
  return normalise(at);
}

function applyFilters(
  value: unknown,
  filters: readonly (Eval | number)[],
  root: unknown,
  bound: Readonly<Record<string, unknown>>,
): unknown {
  let at = value;
  for (const filter of filters) {
    at = filterBy(at, typeof filter === "number" ? filter : (item) => filter(item, root, bound));
  }
  return at;
}

function compileBinary(node: Node, facts: readonly string[]): Eval | undefined {
  if (node.lhs === undefined || node.rhs === undefined) return undefined;
  const left = compileFast(node.lhs, facts);
  const right = compileFast(node.rhs, facts);
  if (left === undefined || right === undefined) return undefined;
  switch (node.value) {
    case "=":
      return (i, r, b) => bothSet(left(i, r, b), right(i, r, b), true);
    case "!=":
      return (i, r, b) => bothSet(left(i, r, b), right(i, r, b), false);
    case "<":
    case "<=":
    case ">":
    case ">=": {
      const operator = node.value;
      return (i, r, b) => compare(left(i, r, b), right(i, r, b), operator);
    }
    case "and":
      return (i, r, b) => isTrue(left(i, r, b)) && isTrue(right(i, r, b));
    case "or":
      return (i, r, b) => isTrue(left(i, r, b)) || isTrue(right(i, r, b));
    case "in":
      return (i, r, b) => isIn(left(i, r, b), right(i, r, b));
    case "&":
      return (i, r, b) => concat(left(i, r, b), right(i, r, b));
    case "+":
      return (i, r, b) => add(left(i, r, b), right(i, r, b), 1);
    case "-":
      return (i, r, b) => add(left(i, r, b), right(i, r, b), -1);
    default:
      return undefined;
  }
}

function bothSet(left: unknown, right: unknown, equal: boolean): boolean {
  if (left === undefined || right === undefined) return false;
  return (left === right || deepEqual(left, right)) === equal;
}

function isIn(left: unknown, right: unknown): boolean {
  if (left === undefined || right === undefined) return false;
  return Array.isArray(right) ? right.includes(left) && !Number.isNaN(left) : right === left;
}

/** `[1, "a"]`: a list of literals is a constant. */
function compileList(node: Node): Eval | undefined {
  if (node.value !== "[") return undefined;
  const items = node.expressions ?? [];
  if (!items.every((item) => ["string", "number", "value"].includes(item.type))) return undefined;
  const list: readonly unknown[] = items.map((item): unknown => item.value);
  return () => list;
}

function compileCondition(node: Node, facts: readonly string[]): Eval | undefined {
  const test = node.condition === undefined ? undefined : compileFast(node.condition, facts);
  const yes = node.then === undefined ? undefined : compileFast(node.then, facts);
  const no = node.else === undefined ? () => undefined : compileFast(node.else, facts);
  if (test === undefined || yes === undefined || no === undefined) return undefined;
  return (i, r, b) => (truth(test(i, r, b)) === true ? yes(i, r, b) : no(i, r, b));
}

function compileCall(node: Node, facts: readonly string[]): Eval | undefined {
  const name = node.procedure?.type === "variable" ? String(node.procedure.value) : "";
  const known = FUNCTIONS.get(name);
  const args = (node.arguments ?? []).map((argument) => compileFast(argument, facts));
  if (known === undefined || args.length !== known.arity) return undefined;
  const run = known.run;
  const [first, second] = args;
  if (first === undefined || (args.length > 1 && second === undefined)) return undefined;
  if (second === undefined) return (i, r, b) => run(first(i, r, b), undefined);
  return (i, r, b) => run(first(i, r, b), second(i, r, b));
}
