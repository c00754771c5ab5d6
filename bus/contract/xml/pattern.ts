/** XML Schema regular expressions (part 2, appendix F) as JavaScript ones. Anchored; `^` and `$` are plain characters there. */

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

/** The expression of one pattern facet, or a sentence that says why it is not supported. */
export function translatePattern(source: string): RegExp | string {
  const state = { source, at: 0, problem: "" };
  const body = risky(source)
    ? fault(state, "it repeats a repeated group, which can take exponential time; write it without nesting + or *")
    : outside(state);
  if (state.problem !== "") return state.problem;
  try {
    return new RegExp(`^(?:${body})$`, "u");
  } catch {
    return "it is not a regular expression of XML Schema";
  }
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

/** Does an unbounded repetition apply to a group that holds one? Such an expression can backtrack for ever. */
function risky(source: string): boolean {
  const plain = source.replace(/\\./gs, "x").replace(/\[[^\]]*\]/g, "x");
  const repeats: boolean[] = [false];
  for (let i = 0; i < plain.length; i++) {
    const char = plain.charAt(i);
    const unbounded = char === "*" || char === "+" || /^\{\d+,(?:\d{3,})?\}/.test(plain.slice(i));
    if (char === "(") repeats.push(false);
    else if (char === ")") {
      const inner = repeats.pop() ?? false;
      const next = plain.slice(i + 1);
      if (inner && /^(?:[*+]|\{\d+,\}|\{\d+,\d{2,}\}|\{\d{2,}\})/.test(next)) return true;
      if (inner) repeats[repeats.length - 1] = true;
    } else if (unbounded) repeats[repeats.length - 1] = true;
  }
  return false;
}
