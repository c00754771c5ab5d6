/** A short text that a pattern of XML Schema matches: of alternatives the first, of repetitions the fewest. A guess; callers check it. */

type State = { readonly source: string; at: number; steps: number };

const MAX_STEPS = 5_000;
const MAX_TEXT = 2_000;
const MAX_SOURCE = 1_000;
const CLASS: Readonly<Record<string, string>> = {
  d: "1",
  w: "a",
  s: " ",
  i: "a",
  c: "a",
  D: "a",
  W: "-",
  S: "a",
  n: "\n",
  r: "\r",
  t: "\t",
};

/** Undefined where the pattern is beyond this small reader. */
export function patternSample(source: string): string | undefined {
  if (source.length > MAX_SOURCE) return undefined;
  const state: State = { source, at: 0, steps: 0 };
  const text = alternatives(state);
  return state.at === source.length && state.steps <= MAX_STEPS && text.length <= MAX_TEXT ? text : undefined;
}

function alternatives(state: State): string {
  let first: string | undefined;
  for (;;) {
    const branch = sequence(state);
    first ??= branch;
    if (state.source.charAt(state.at) !== "|") return first;
    state.at++;
  }
}

function sequence(state: State): string {
  let text = "";
  for (; state.at < state.source.length; state.steps++) {
    const char = state.source.charAt(state.at);
    if (state.steps > MAX_STEPS) return text;
    if (char === "|" || char === ")") return text;
    const unit = atom(state);
    text += unit.repeat(text.length > MAX_TEXT ? 0 : repetition(state));
  }
  return text;
}

function atom(state: State): string {
  const char = state.source.charAt(state.at++);
  if (char === "(") {
    const inner = alternatives(state);
    state.at++;
    return inner;
  }
  if (char === "[") return charClass(state);
  if (char === "\\") return escaped(state);
  return char === "." ? "a" : char;
}

function escaped(state: State): string {
  const char = state.source.charAt(state.at++);
  if (char !== "p" && char !== "P") return CLASS[char] ?? char;
  const name = /^\{([A-Za-z]+)\}/.exec(state.source.slice(state.at))?.[1] ?? "";
  state.at += name.length + 2;
  return name.startsWith("N") ? "1" : name === "Lu" ? "A" : "a";
}

/** The first member of a class; of a negated one a plain character that is not in it. */
function charClass(state: State): string {
  const negated = state.source.charAt(state.at) === "^";
  if (negated) state.at++;
  const members: string[] = [];
  while (state.at < state.source.length && state.source.charAt(state.at) !== "]") {
    const char = state.source.charAt(state.at++);
    if (char === "[") charClass(state); // a subtracted class: the check decides whether the guess still fits
    else members.push(char === "\\" ? escaped(state) : char);
  }
  state.at++;
  if (!negated) return members[0] ?? "";
  return ["a", "A", "1", "-", " "].find((plain) => !members.includes(plain)) ?? "a";
}

/** How often the atom before must stand at least. */
function repetition(state: State): number {
  const char = state.source.charAt(state.at);
  if (char === "*" || char === "?") {
    state.at++;
    return 0;
  }
  if (char === "+") state.at++;
  if (char !== "{") return 1;
  const counts = /^\{(\d{1,4})(?:,\d{0,4})?\}/.exec(state.source.slice(state.at));
  if (counts === null) return 1;
  state.at += counts[0].length;
  return Number(counts[1]);
}
