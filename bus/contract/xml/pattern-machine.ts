/**
 * Matches a regular expression in one pass over the text (Thompson's construction). JavaScript's own expressions try one way after the
 * other, which can take exponential time; here all ways are followed at once, so no text of a stranger makes a schema's pattern slow.
 * Reads what pattern.ts writes: characters, classes, groups, alternatives and repetitions, anchored at both ends.
 */

/** A matcher, or undefined where the repetitions written out would be too many. */
export function compileMachine(body: string): ((text: string) => boolean) | undefined {
  const machine: Machine = { tests: [], next: [], other: [] };
  const match = state(machine, undefined, NONE, NONE);
  const entry = build(machine, parse({ body, at: 0 }), match);
  return entry === undefined ? undefined : (text) => run(machine, entry, match, text);
}

type Test = (char: string, code: number) => boolean;
type Part =
  | Readonly<{ kind: "one"; test: Test }>
  | Readonly<{ kind: "row" | "either"; parts: readonly Part[] }>
  | Readonly<{ kind: "many"; part: Part; min: number; max: number }>;

// ── reading ────────────────────────────────────────────────────────────────────────────────────────────────────────

type Source = { readonly body: string; at: number };

function parse(source: Source): Part {
  const ways: Part[] = [row(source)];
  while (source.body[source.at] === "|") {
    source.at++;
    ways.push(row(source));
  }
  const [only] = ways;
  return ways.length === 1 && only !== undefined ? only : { kind: "either", parts: ways };
}

function row(source: Source): Part {
  const parts: Part[] = [];
  for (let char = source.body[source.at]; char !== undefined && char !== "|" && char !== ")"; char = source.body[source.at]) {
    const part = atom(source, char);
    const [text = "", least, range, most] = /^(?:[*+?]|\{(\d+)(,(\d*))?\})/.exec(source.body.slice(source.at, source.at + 14)) ?? [];
    source.at += text.length;
    if (text === "") parts.push(part);
    else if (least === undefined) parts.push({ kind: "many", part, min: text === "+" ? 1 : 0, max: text === "?" ? 1 : Infinity });
    else {
      const max = range === undefined ? Number(least) : most === "" ? Infinity : Number(most);
      parts.push({ kind: "many", part, min: Number(least), max });
    }
  }
  return { kind: "row", parts };
}

/** A group, a class, an escape or a plain character. */
function atom(source: Source, char: string): Part {
  if (char === "(") {
    source.at++;
    const inner = parse(source);
    source.at++;
    return inner;
  }
  const found = /^(?:\[(?:\\[^]|[^\]\\])*\]|\\[pP]\{\w+\}|\\[^]|[^])/u.exec(source.body.slice(source.at))?.[0] ?? char;
  source.at += found.length;
  return { kind: "one", test: testOf(found) };
}

/** Characters of ASCII are looked up in a table. */
function testOf(one: string): Test {
  if (one.length === 1 && one !== ".") return (char) => char === one;
  const expression = new RegExp(`^${one}$`, "u");
  const ascii = Array.from({ length: 128 }, (_, code) => expression.test(String.fromCharCode(code)));
  return (char, code) => ascii[code] ?? expression.test(char);
}

// ── building ───────────────────────────────────────────────────────────────────────────────────────────────────────

const NONE = -1;
const MAX_STATES = 20_000;

/** A state with a test takes a character and goes to `next`; one without goes to `next` and `other` at once. */
type Machine = Readonly<{ tests: (Test | undefined)[]; next: number[]; other: number[] }>;

function state({ tests, next, other }: Machine, test: Test | undefined, first: number, second: number): number {
  tests.push(test);
  other.push(second);
  return next.push(first) - 1;
}

/** The state in which a part begins that ends in `end`; undefined where there would be too many states. */
function build(machine: Machine, part: Part, end: number): number | undefined {
  if (machine.next.length > MAX_STATES) return undefined;
  switch (part.kind) {
    case "one":
      return state(machine, part.test, end, NONE);
    case "row": {
      let at: number | undefined = end;
      for (const inner of part.parts.toReversed()) at = at === undefined ? undefined : build(machine, inner, at);
      return at;
    }
    case "either": {
      let at: number | undefined;
      for (const inner of part.parts) {
        const begin = build(machine, inner, end);
        if (begin === undefined) return undefined;
        at = at === undefined ? begin : state(machine, undefined, begin, at);
      }
      return at;
    }
    default:
      return repeat(machine, part.part, part.min, part.max, end);
  }
}

function repeat(machine: Machine, part: Part, min: number, max: number, end: number): number | undefined {
  let at: number | undefined = end;
  if (max === Infinity) {
    const loop = state(machine, undefined, NONE, end);
    const begin = build(machine, part, loop);
    if (begin === undefined) return undefined;
    machine.next[loop] = begin;
    at = loop;
  } else
    for (let times = min; times < max && at !== undefined; times++) {
      const begin: number | undefined = build(machine, part, at);
      at = begin === undefined ? undefined : state(machine, undefined, begin, end);
    }
  for (let times = 0; times < min && at !== undefined; times++) at = build(machine, part, at);
  return at;
}

// ── running ────────────────────────────────────────────────────────────────────────────────────────────────────────

/** Steps of one text: above it the text counts as none that matches. Patterns and texts of real messages stay far below. */
const MAX_STEPS = 10_000_000;

/** States that are reached before the next character, without repetition. */
type Front = { readonly list: number[]; readonly marks: Int32Array };

function reach({ tests, next, other }: Machine, front: Front, begin: number, time: number): void {
  const open = [begin];
  for (let at = open.pop(); at !== undefined; at = open.pop()) {
    if (at === NONE || front.marks[at] === time) continue;
    front.marks[at] = time;
    if (tests[at] !== undefined || next[at] === NONE) front.list.push(at);
    else open.push(next[at] ?? NONE, other[at] ?? NONE);
  }
}

function run(machine: Machine, entry: number, match: number, text: string): boolean {
  const { tests, next } = machine;
  let front: Front = { list: [], marks: new Int32Array(next.length) };
  let time = 1;
  let steps = 0;
  reach(machine, front, entry, time);
  for (const char of text) {
    const after: Front = { list: [], marks: front.marks };
    const code = char.codePointAt(0) ?? 0;
    time++;
    for (const at of front.list) if (tests[at]?.(char, code) === true) reach(machine, after, next[at] ?? NONE, time);
    steps += front.list.length;
    if (after.list.length === 0 || steps > MAX_STEPS) return false;
    front = after;
  }
  return front.list.includes(match);
}
