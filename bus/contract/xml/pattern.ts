/**
 * XML Schema regular expressions (part 2, appendix F) as JavaScript ones. Anchored; `^` and `$` are plain characters there. Where
 * JavaScript could try too many ways on a text, the machine of pattern-machine.ts matches instead.
 */
import { compileMachine } from "./pattern-machine.ts";

const OUTSIDE: Readonly<Record<string, string>> = {
  d: "\\p{Nd}",
  D: "\\P{Nd}",
  w: "[^\\p{P}\\p{Z}\\p{C}]",
  W: "[\\p{P}\\p{Z}\\p{C}]",
  s: "[ \\t\\n\\r]",
  S: "[^ \\t\\n\\r]",
  i: "[\\p{L}\\p{Nl}_:]",
  I: "[^\\p{L}\\p{Nl}_:]",
  c: "[-.\\p{L}\\p{M}\\p{Nd}\\p{Nl}_:\\u00B7]",
  C: "[^-.\\p{L}\\p{M}\\p{Nd}\\p{Nl}_:\\u00B7]",
};
const INSIDE: Readonly<Record<string, string>> = {
  d: "\\p{Nd}",
  D: "\\P{Nd}",
  s: " \\t\\n\\r",
  w: "\\p{L}\\p{M}\\p{N}\\p{S}",
  i: "\\p{L}\\p{Nl}_:",
  c: "\\-.\\p{L}\\p{M}\\p{Nd}\\p{Nl}_:\\u00B7",
};
const ESCAPED = new Set("\\|.?*+(){}-[]^$/");

/** Does a whole text match? In time by the text's length, whatever the pattern. */
export type Pattern = Readonly<{ test(text: string): boolean }>;

/** The matcher of one pattern facet, or a sentence that says why it is not supported. */
export function translatePattern(source: string): Pattern | string {
  const state = { source, at: 0, problem: "" };
  const body = outside(state);
  if (state.problem !== "") return state.problem;
  let expression: RegExp;
  try {
    expression = new RegExp(`^(?:${body})$`, "u");
  } catch {
    return "it is not a regular expression of XML Schema";
  }
  const { nested, variable, unbounded, ways } = costOf(body);
  const tame = !nested && ways <= MOST_WAYS;
  if (tame && (unbounded === 0 || variable === 1)) return expression;
  const machine = compileMachine(body);
  if (machine === undefined) return "its repetitions written out have more than 20000 parts; use smaller numbers";
  return { test: (text) => (tame && text.length <= SHORT ? expression.test(text) : machine(text)) };
}

type State = { readonly source: string; at: number; problem: string };

function fault(state: State, text: string): string {
  if (state.problem === "") state.problem = text;
  state.at = state.source.length;
  return "";
}

function outside(state: State): string {
  let out = "";
  while (state.at < state.source.length) {
    const char = state.source.charAt(state.at++);
    if (char === "\\") out += escape(state, OUTSIDE, "");
    else if (char === "[") out += charClass(state);
    else if (char === ".") out += "[^\\n\\r]";
    else if (char === "^" || char === "$" || char === "/") out += `\\${char}`;
    else if (char === "(" && state.source.charAt(state.at) === "?") out += fault(state, "(? is not part of XML Schema's expressions");
    else if (char === "]" || char === "}") out += `\\${char}`;
    else if (char === "{") out += quantity(state);
    else out += char;
    // XML Schema has no lazy or possessive repetition: a ? after a repetition is an error there, and another meaning here.
    if ("*+?}".includes(char) && "*+?{".includes(state.source.charAt(state.at) || " ") && out.at(-1) !== "\\") {
      fault(state, "a repetition follows a repetition");
    }
  }
  return out;
}

function quantity(state: State): string {
  const match = /^(\d{1,4})(,(\d{1,4})?)?\}/.exec(state.source.slice(state.at));
  if (match === null) return fault(state, "{ needs a number such as {13} or {1,5}");
  state.at += match[0].length;
  return `{${match[0]}`;
}

function charClass(state: State): string {
  let out = "[";
  if (state.source.charAt(state.at) === "^") {
    out += "^";
    state.at++;
  }
  for (;;) {
    if (state.at >= state.source.length) return fault(state, "[ is not closed");
    const char = state.source.charAt(state.at++);
    if (char === "]") return `${out}]`;
    if (char === "[") return fault(state, "a class inside a class (subtraction) is not supported; list the characters");
    if (char === "\\") out += escape(state, INSIDE, " inside [ ]");
    else if (char === "-" && (out === "[" || out === "[^" || state.source.charAt(state.at) === "]")) out += "\\-";
    else out += "^$/(){}|.*+?".includes(char) ? `\\${char}` : char;
  }
}

function escape(state: State, classes: Readonly<Record<string, string>>, where: string): string {
  const char = state.source.charAt(state.at++);
  const known = classes[char];
  if (known !== undefined) return known;
  if (char === "n" || char === "r" || char === "t") return `\\${char}`;
  if (char === "p" || char === "P") return property(state, char);
  if (char === "-") return where === "" ? "-" : "\\-";
  if (ESCAPED.has(char)) return `\\${char}`;
  return fault(state, `\\${char} is not supported${where}`);
}

function property(state: State, kind: string): string {
  const match = /^\{([A-Z][a-z]?)\}/.exec(state.source.slice(state.at));
  if (match === null) return fault(state, `\\${kind}{…} knows categories such as \\p{L} and \\p{Nd}; blocks (\\p{Is…}) are not supported`);
  state.at += match[0].length;
  return `\\${kind}${match[0]}`;
}

/** How many ways JavaScript may try on a text of up to SHORT characters. */
type Cost = Readonly<{
  /** A repeated group holds a choice of its own: the number of ways grows without measure. */
  nested: boolean;
  /** Repetitions that differ in number, and those of them without an end. */
  variable: number;
  unbounded: number;
  ways: number;
}>;

/** Texts of real fields are shorter; up to here a few repetitions in a row cost nothing. */
const SHORT = 128;
const MOST_WAYS = 1_000_000;

function costOf(body: string): Cost {
  const plain = body.replace(/\\[pP]\{\w+\}|\\./gsu, "x").replace(/\[[^\]]*\]/g, "x");
  const choices: boolean[] = [false];
  let [nested, variable, unbounded, ways] = [false, 0, 0, 1];
  for (let i = 0; i < plain.length; i++) {
    const char = plain.charAt(i);
    const top = choices.length - 1;
    if (char === "(") choices.push(false);
    else if (char === "|") {
      choices[top] = true;
      ways *= 2;
    } else if (char === ")") {
      const inner = choices.pop() ?? false;
      nested ||= inner && (repetitionAt(plain, i + 1)?.max ?? 1) > 1;
      if (inner) choices[choices.length - 1] = true;
    } else {
      const found = repetitionAt(plain, i);
      if (found === undefined || found.min === found.max) continue;
      choices[top] = true;
      variable++;
      ways *= Math.min(found.max, SHORT) - Math.min(found.min, SHORT) + 1;
      if (found.max > SHORT) unbounded++;
    }
  }
  return { nested, variable, unbounded, ways };
}

function repetitionAt(plain: string, at: number): Readonly<{ min: number; max: number }> | undefined {
  const char = plain.charAt(at);
  if (char === "?") return { min: 0, max: 1 };
  if (char === "*" || char === "+") return { min: char === "+" ? 1 : 0, max: Infinity };
  const [, least, range, most] = /^\{(\d+)(,(\d*))?\}/.exec(plain.slice(at, at + 14)) ?? [];
  if (least === undefined) return undefined;
  return { min: Number(least), max: range === undefined ? Number(least) : most === "" ? Infinity : Number(most) };
}
