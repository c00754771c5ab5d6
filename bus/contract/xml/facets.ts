/** Simple types of a schema, and their compilation into one function that says what is wrong with a text. */
import { builtin, canonicalDecimal, compareDecimals, floatValue, moment } from "./builtins.ts";
import type { Builtin, WhiteSpace } from "./builtins.ts";
import { compareDurations } from "./duration.ts";
import type { Name } from "./names.ts";
import type { Pattern } from "./pattern.ts";

/** Facets of one derivation step. Patterns of a step are alternatives, steps add up. */
export type Facets = Readonly<{
  whiteSpace?: WhiteSpace;
  patterns: readonly Readonly<{ source: string; expression: Pattern }>[];
  enumeration?: readonly string[];
  length?: number;
  minLength?: number;
  maxLength?: number;
  minInclusive?: string;
  maxInclusive?: string;
  minExclusive?: string;
  maxExclusive?: string;
  totalDigits?: number;
  fractionDigits?: number;
}>;

export type SimpleType = Readonly<{
  kind: "simple";
  name: Name | undefined;
  variety: "atomic" | "list" | "union";
  /** Of an atomic type: the built-in type it comes from. */
  builtin: Builtin;
  base: SimpleType | undefined;
  item: SimpleType | undefined;
  members: readonly SimpleType[];
  facets: Facets;
}>;

/** `rule` names the facet or type, `text` what was expected. Neither shows the value: it may be personal. */
export type Problem = Readonly<{ rule: string; text: string }>;

export type Scalar = Readonly<{
  type: SimpleType;
  whiteSpace: WhiteSpace;
  /** Undefined = every (normalised) text is fine. */
  check: ((text: string) => Problem | undefined) | undefined;
  /** Same value, same text. */
  canonical: (text: string) => string;
}>;

const NO_FACETS: Facets = { patterns: [] };
const builtins = new Map<string, SimpleType>();

export function builtinType(name: string): SimpleType | undefined {
  const known = builtins.get(name);
  const found = builtin(name);
  if (known !== undefined || found === undefined) return known ?? listBuiltin(name);
  const type: SimpleType = {
    kind: "simple",
    name: { ns: "http://www.w3.org/2001/XMLSchema", local: name },
    variety: "atomic",
    builtin: found,
    base: undefined,
    item: undefined,
    members: [],
    facets: NO_FACETS,
  };
  builtins.set(name, type);
  return type;
}

function listBuiltin(name: string): SimpleType | undefined {
  const item = name === "NMTOKENS" ? builtinType("NMTOKEN") : undefined;
  if (item === undefined) return undefined;
  return {
    ...item,
    name: { ns: "http://www.w3.org/2001/XMLSchema", local: name },
    variety: "list",
    item,
    facets: { patterns: [], minLength: 1 },
  };
}

export function normalize(text: string, whiteSpace: WhiteSpace): string {
  if (whiteSpace === "preserve") return text;
  if (whiteSpace === "replace") return /[\t\n\r]/.test(text) ? text.replace(/[\t\n\r]/g, " ") : text;
  return /^[ \t\n\r]|[\t\n\r]|  | $/.test(text) ? text.replace(/[ \t\n\r]+/g, " ").replace(/^ | $/g, "") : text;
}

const compiled = new WeakMap<SimpleType, Scalar>();

export function compileScalar(type: SimpleType): Scalar {
  const known = compiled.get(type);
  if (known !== undefined) return known;
  const made = type.variety === "atomic" ? atomic(type) : type.variety === "list" ? list(type) : union(type);
  compiled.set(type, made);
  return made;
}

type Check = (text: string) => Problem | undefined;

function join(checks: readonly Check[]): Check | undefined {
  if (checks.length <= 1) return checks[0];
  return (text) => {
    for (const check of checks) {
      const problem = check(text);
      if (problem !== undefined) return problem;
    }
    return undefined;
  };
}

function atomic(type: SimpleType): Scalar {
  const { builtin } = type;
  const checks: Check[] = [];
  if (builtin.test !== undefined) {
    const { test } = builtin;
    const problem: Problem = { rule: `type ${builtin.name}`, text: `expected ${builtin.expected}` };
    checks.push((text) => (test(text) ? undefined : problem));
  }
  let { whiteSpace } = builtin;
  for (const step of steps(type)) {
    whiteSpace = step.facets.whiteSpace ?? whiteSpace;
    checks.push(...facetChecks(step.facets, builtin, builtin.length, builtin.canonical));
  }
  return { type, whiteSpace, check: join(checks), canonical: builtin.canonical };
}

/** Derivation steps from the oldest to the type itself. */
function steps(type: SimpleType): SimpleType[] {
  const all: SimpleType[] = [];
  for (let step: SimpleType | undefined = type; step !== undefined; step = step.base) all.unshift(step);
  return all;
}

export function splitList(text: string): string[] {
  return text === "" ? [] : text.split(" ");
}

function list(type: SimpleType): Scalar {
  const item = type.item === undefined ? undefined : compileScalar(type.item);
  const canonical = (text: string): string =>
    splitList(text)
      .map((part) => item?.canonical(part) ?? part)
      .join(" ");
  const checks: Check[] = [];
  const itemCheck = item?.check;
  if (itemCheck !== undefined) checks.push((text) => firstProblem(splitList(text), itemCheck));
  for (const step of steps(type)) checks.push(...facetChecks(step.facets, undefined, (text) => splitList(text).length, canonical));
  return { type, whiteSpace: "collapse", check: join(checks), canonical };
}

function firstProblem(parts: readonly string[], check: Check): Problem | undefined {
  for (const part of parts) {
    const problem = check(part);
    if (problem !== undefined) return problem;
  }
  return undefined;
}

function union(type: SimpleType): Scalar {
  const members = type.members.map(compileScalar);
  const fits = (text: string): Scalar | undefined =>
    members.find((member) => member.check === undefined || member.check(normalize(text, member.whiteSpace)) === undefined);
  const canonical = (text: string): string => {
    const member = fits(text);
    return member === undefined ? text : member.canonical(normalize(text, member.whiteSpace));
  };
  const problem: Problem = { rule: "union", text: "expected a value of one of the member types" };
  const checks: Check[] = [(text) => (fits(text) === undefined ? problem : undefined)];
  for (const step of steps(type)) checks.push(...facetChecks(step.facets, undefined, undefined, canonical));
  const whiteSpace = members.every((member) => member.whiteSpace === "collapse") ? "collapse" : "preserve";
  return { type, whiteSpace, check: join(checks), canonical };
}

function facetChecks(
  f: Facets,
  base: Builtin | undefined,
  length: ((text: string) => number) | undefined,
  canonical: (text: string) => string,
): Check[] {
  const checks: Check[] = [];
  if (f.patterns.length > 0) checks.push(patternCheck(f));
  if (f.enumeration !== undefined) checks.push(enumerationCheck(f.enumeration, canonical));
  if (length !== undefined) checks.push(...lengthChecks(f, length));
  if (base !== undefined) checks.push(...rangeChecks(f, base), ...digitChecks(f));
  return checks;
}

function patternCheck(f: Facets): Check {
  const expressions = f.patterns.map((pattern) => pattern.expression);
  const source = f.patterns.map((pattern) => pattern.source).join(" | ");
  const problem: Problem = { rule: `pattern ${source}`, text: `does not match the pattern ${source}` };
  const [only] = expressions;
  if (only !== undefined && expressions.length === 1) return (text) => (only.test(text) ? undefined : problem);
  return (text) => (expressions.some((expression) => expression.test(text)) ? undefined : problem);
}

function enumerationCheck(values: readonly string[], canonical: (text: string) => string): Check {
  const allowed = new Set(values.map(canonical));
  const shown = values.slice(0, 12).join(", ") + (values.length > 12 ? ", …" : "");
  const problem: Problem = { rule: "enumeration", text: `expected one of ${shown}` };
  return (text) => (allowed.has(text) || allowed.has(canonical(text)) ? undefined : problem);
}

function lengthChecks(f: Facets, length: (text: string) => number): Check[] {
  const checks: Check[] = [];
  const add = (rule: string, limit: number | undefined, wrong: (size: number, limit: number) => boolean): void => {
    if (limit === undefined) return;
    const problem: Problem = { rule: `${rule} ${limit}`, text: `its length breaks ${rule} ${limit}` };
    checks.push((text) => (wrong(length(text), limit) ? problem : undefined));
  };
  add("length", f.length, (size, limit) => size !== limit);
  add("minLength", f.minLength, (size, limit) => size < limit);
  add("maxLength", f.maxLength, (size, limit) => size > limit);
  return checks;
}

function rangeChecks(f: Facets, base: Builtin): Check[] {
  const checks: Check[] = [];
  const add = (rule: string, limit: string | undefined, fine: (order: number) => boolean): void => {
    if (limit === undefined) return;
    const problem: Problem = { rule: `${rule} ${limit}`, text: `breaks ${rule} ${limit}` };
    checks.push((text) => (fine(compareValues(base, text, limit)) ? undefined : problem));
  };
  add("minInclusive", f.minInclusive, (order) => order >= 0);
  add("maxInclusive", f.maxInclusive, (order) => order <= 0);
  add("minExclusive", f.minExclusive, (order) => order > 0);
  add("maxExclusive", f.maxExclusive, (order) => order < 0);
  return checks;
}

/** NaN where the order is not determined: a zoned and an unzoned time closer than 14 hours, months and days, NaN itself. */
function compareValues(base: Builtin, a: string, b: string): number {
  if (base.family === "decimal") return compareDecimals(a, b);
  if (base.family === "float") return floatValue(a) === floatValue(b) ? 0 : floatValue(a) - floatValue(b);
  if (base.family === "duration") return compareDurations(a, b);
  const left = moment(base.name, a);
  const right = moment(base.name, b);
  if (left === undefined || right === undefined) return Number.NaN;
  const order = left.seconds - right.seconds;
  return left.zoned !== right.zoned && Math.abs(order) <= 14 * 3600 ? Number.NaN : order;
}

function digitChecks(f: Facets): Check[] {
  const checks: Check[] = [];
  const digits = (text: string): [number, number] => {
    const [whole = "", fraction = ""] = canonicalDecimal(text).replace("-", "").split(".");
    return [(whole === "0" ? 0 : whole.length) + fraction.length, fraction.length];
  };
  const { totalDigits, fractionDigits } = f;
  if (totalDigits !== undefined) {
    const problem: Problem = { rule: `totalDigits ${totalDigits}`, text: `has more than ${totalDigits} digits` };
    checks.push((text) => (digits(text)[0] > totalDigits ? problem : undefined));
  }
  if (fractionDigits !== undefined) {
    const problem: Problem = { rule: `fractionDigits ${fractionDigits}`, text: `has more than ${fractionDigits} decimals` };
    checks.push((text) => (digits(text)[1] > fractionDigits ? problem : undefined));
  }
  return checks;
}
