/** The built-in simple types of XML Schema 1.0 part 2: lexical form, white space, order and equality. */
import { daysFromDate, millisFromInstant } from "../values.ts";
import { isNcName } from "./state.ts";

export type WhiteSpace = "preserve" | "replace" | "collapse";

/** How values of a family compare: numbers, points in time, or not at all. */
export type Family = "text" | "decimal" | "float" | "boolean" | "time" | "binary" | "duration";

export type Builtin = Readonly<{
  name: string;
  family: Family;
  whiteSpace: WhiteSpace;
  /** Is this (normalised) text of the type? Undefined = every text is. */
  test: ((text: string) => boolean) | undefined;
  /** What a message says was expected. */
  expected: string;
  /** Length as facets count it; undefined = length facets do not apply. */
  length: ((text: string) => number) | undefined;
  /** Text that equal values share. */
  canonical: (text: string) => string;
  /** Smallest and greatest value of the integer family. */
  range?: readonly [string | undefined, string | undefined];
}>;

const same = (text: string): string => text;
/** Characters, not UTF-16 units. */
const characters = (text: string): number => {
  let count = text.length;
  for (let i = 0; i < text.length - 1; i++) if ((text.charCodeAt(i) & 0xfc00) === 0xd800) count--;
  return count;
};

const DECIMAL = /^[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)$/;
const INTEGER = /^[+-]?[0-9]+$/;
const FLOAT = /^(?:[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?|-?INF|NaN)$/;
const DURATION = /^-?P(?=[0-9T])(?:[0-9]+Y)?(?:[0-9]+M)?(?:[0-9]+D)?(?:T(?=[0-9])(?:[0-9]+H)?(?:[0-9]+M)?(?:[0-9]+(?:\.[0-9]+)?S)?)?$/;
const NMTOKEN = /^[-.0-9:\p{L}\p{M}\p{Nd}\u00B7_]+$/u;

/** Spaces may stand anywhere; the last group of four may be filled with =, and its unused bits are zero. */
function isBase64(text: string): boolean {
  const plain = text.includes(" ") ? text.replaceAll(" ", "") : text;
  if (plain.length % 4 !== 0 || !/^[A-Za-z0-9+/]*={0,2}$/.test(plain)) return false;
  return !plain.endsWith("=") || /(?:[AQgw]==|[AEIMQUYcgkosw048]=)$/.test(plain);
}

/** A decimal without sign of plus, leading and trailing zeros. One pass: a text may hold millions of zeros. */
export function canonicalDecimal(text: string): string {
  if (!DECIMAL.test(text)) return text;
  const dot = text.indexOf(".");
  const end = dot === -1 ? text.length : dot;
  let from = /^[+-]/.test(text) ? 1 : 0;
  while (from < end && text.charCodeAt(from) === 48) from++;
  let to = text.length;
  while (to > end && text.charCodeAt(to - 1) === 48) to--;
  const fraction = to > end + 1 ? text.slice(end, to) : "";
  const value = (from < end ? text.slice(from, end) : "0") + fraction;
  return text.startsWith("-") && value !== "0" ? `-${value}` : value;
}

/** Below, above or 0. Numbers of up to 15 digits compare exactly as doubles. */
export function compareDecimals(a: string, b: string): number {
  if (a.length <= 15 && b.length <= 15) return Number(a) - Number(b);
  const left = canonicalDecimal(a);
  const right = canonicalDecimal(b);
  if (left === right) return 0;
  const negative = left.startsWith("-");
  if (negative !== right.startsWith("-")) return negative ? -1 : 1;
  const [wholeA = "", fractionA = ""] = left.replace("-", "").split(".");
  const [wholeB = "", fractionB = ""] = right.replace("-", "").split(".");
  const size = wholeA.length - wholeB.length;
  const order = size === 0 ? (wholeA + fractionA < wholeB + fractionB ? -1 : 1) : size;
  return negative ? -order : order;
}

const ZONE = "(Z|[+-](?:(?:0[0-9]|1[0-3]):[0-5][0-9]|14:00))?";
const DATE_PART = "(-?(?:[1-9][0-9]{3,}|0[0-9]{3}))-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])";
const TIME_PART = "(?:([01][0-9]|2[0-3]):([0-5][0-9]):([0-5][0-9](?:\\.[0-9]+)?)|(24):(00):(00(?:\\.0+)?))";
const DATE_TIME = new RegExp(`^${DATE_PART}T${TIME_PART}${ZONE}$`);
const DATE = new RegExp(`^${DATE_PART}${ZONE}$`);
const TIME = new RegExp(`^${TIME_PART}${ZONE}$`);

function daysIn(year: number, month: number): number {
  if (month === 2) return year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0) ? 29 : 28;
  return month === 4 || month === 6 || month === 9 || month === 11 ? 30 : 31;
}

/** A point in time as seconds since the year 0 in UTC, and whether the text names a time zone. */
export type Moment = Readonly<{ seconds: number; zoned: boolean }>;

/** Reads date, dateTime, time and the g… types; undefined when the text is none. */
export function moment(name: string, text: string): Moment | undefined {
  const parts = momentParts(name, text);
  if (parts === undefined) return undefined;
  const [year, month, day, hour, minute, second, zone] = parts;
  if (!Number.isSafeInteger(year) || Math.abs(year) > 100_000 || year === 0) return undefined;
  if (day > daysIn(year, month)) return undefined;
  const base = new Date(0);
  base.setUTCFullYear(year, month - 1, day);
  const sign = zone?.startsWith("-") ? -1 : 1;
  const offset = zone === undefined || zone === "Z" ? 0 : sign * (Number(zone.slice(1, 3)) * 60 + Number(zone.slice(4, 6)));
  return { seconds: base.getTime() / 1000 + hour * 3600 + (minute - offset) * 60 + second, zoned: zone !== undefined };
}

type Parts = [year: number, month: number, day: number, hour: number, minute: number, second: number, zone: string | undefined];

function momentParts(name: string, text: string): Parts | undefined {
  if (name === "date") {
    const m = DATE.exec(text);
    return m === null ? undefined : [Number(m[1]), Number(m[2]), Number(m[3]), 0, 0, 0, m[4]];
  }
  if (name === "dateTime") {
    const m = DATE_TIME.exec(text);
    return m === null
      ? undefined
      : [Number(m[1]), Number(m[2]), Number(m[3]), Number(m[4] ?? m[7]), Number(m[5] ?? m[8]), Number(m[6] ?? m[9]), m[10]];
  }
  if (name === "time") {
    const m = TIME.exec(text);
    return m === null ? undefined : [2000, 1, 1, Number(m[1] ?? 0), Number(m[2] ?? m[5]), Number(m[3] ?? m[6]), m[7]];
  }
  return gregorianParts(name, text);
}

const GREGORIAN: Readonly<Record<string, readonly [RegExp, (m: RegExpExecArray) => [number, number, number]]>> = {
  gYear: [new RegExp(`^(-?(?:[1-9][0-9]{3,}|0[0-9]{3}))${ZONE}$`), (m) => [Number(m[1]), 1, 1]],
  gYearMonth: [new RegExp(`^(-?(?:[1-9][0-9]{3,}|0[0-9]{3}))-(0[1-9]|1[0-2])${ZONE}$`), (m) => [Number(m[1]), Number(m[2]), 1]],
  gMonth: [new RegExp(`^--(0[1-9]|1[0-2])${ZONE}$`), (m) => [2000, Number(m[1]), 1]],
  gDay: [new RegExp(`^---(0[1-9]|[12][0-9]|3[01])${ZONE}$`), (m) => [2000, 1, Number(m[1])]],
  gMonthDay: [new RegExp(`^--(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])${ZONE}$`), (m) => [2000, Number(m[1]), Number(m[2])]],
};

function gregorianParts(name: string, text: string): Parts | undefined {
  const form = GREGORIAN[name];
  const match = form?.[0].exec(text);
  if (form === undefined || match === null || match === undefined) return undefined;
  const [year, month, day] = form[1](match);
  return [year, month, day, 0, 0, 0, match.at(-1)];
}

const table = new Map<string, Builtin>();

function text(name: string, whiteSpace: WhiteSpace, test?: (text: string) => boolean, expected = "text"): void {
  table.set(name, { name, family: "text", whiteSpace, test, expected, length: characters, canonical: same });
}
text("string", "preserve");
text("anySimpleType", "preserve");
text("normalizedString", "replace");
text("token", "collapse");
text("anyURI", "collapse");
text("language", "collapse", (value) => /^[a-zA-Z]{1,8}(?:-[a-zA-Z0-9]{1,8})*$/.test(value), "a language tag such as ro or en-GB");
text("NMTOKEN", "collapse", (value) => NMTOKEN.test(value), "a name token");
text("Name", "collapse", (value) => value.split(":").every((part, i) => isNcName(part) || (i > 0 && isNcName(`_${part}`))), "a name");
text("NCName", "collapse", isNcName, "a name without a colon");
text("ID", "collapse", isNcName, "an identifier (a name without a colon)");

function number(name: string, range?: Builtin["range"]): void {
  const integer = name !== "decimal";
  const [min, max] = range ?? [];
  const inRange = (value: string): boolean =>
    (min === undefined || compareDecimals(value, min) >= 0) && (max === undefined || compareDecimals(value, max) <= 0);
  const form = integer ? INTEGER : DECIMAL;
  const test = range === undefined ? (value: string) => form.test(value) : (value: string) => form.test(value) && inRange(value);
  const span = range === undefined ? "" : ` from ${min ?? "any"} to ${max ?? "any"}`;
  const expected = integer ? `a whole number${span}` : "a decimal number such as 12.50";
  const base = { name, family: "decimal", whiteSpace: "collapse", test, expected, length: undefined, canonical: canonicalDecimal } as const;
  table.set(name, range === undefined ? base : { ...base, range });
}
number("decimal");
number("integer");
number("long", ["-9223372036854775808", "9223372036854775807"]);
number("int", ["-2147483648", "2147483647"]);
number("short", ["-32768", "32767"]);
number("byte", ["-128", "127"]);
number("nonNegativeInteger", ["0", undefined]);
number("positiveInteger", ["1", undefined]);
number("nonPositiveInteger", [undefined, "0"]);
number("negativeInteger", [undefined, "-1"]);
number("unsignedLong", ["0", "18446744073709551615"]);
number("unsignedInt", ["0", "4294967295"]);
number("unsignedShort", ["0", "65535"]);
number("unsignedByte", ["0", "255"]);

/** A float's text as a number. */
export function floatValue(value: string): number {
  return value === "INF" ? Infinity : value === "-INF" ? -Infinity : Number(value);
}
for (const name of ["float", "double"]) {
  table.set(name, {
    name,
    family: "float",
    whiteSpace: "collapse",
    test: (value) => FLOAT.test(value),
    expected: "a number such as 1.5E3, INF or NaN",
    length: undefined,
    canonical: (value) => String(floatValue(value)),
  });
}
table.set("boolean", {
  name: "boolean",
  family: "boolean",
  whiteSpace: "collapse",
  test: (value) => value === "true" || value === "false" || value === "1" || value === "0",
  expected: "true or false",
  length: undefined,
  canonical: (value) => (value === "1" ? "true" : value === "0" ? "false" : value),
});

/** The plain forms are looked at without a regular expression; all others by the rules above. */
function isDate(value: string): boolean {
  return (value.length === 10 && daysFromDate(value) !== undefined) || moment("date", value) !== undefined;
}

function isDateTime(value: string): boolean {
  const plain = value.charCodeAt(value.length - 1) === 90 && value.charCodeAt(10) === 84;
  return (plain && millisFromInstant(value) !== undefined) || moment("dateTime", value) !== undefined;
}

const SAMPLES: Readonly<Record<string, string>> = {
  dateTime: "2026-01-31T08:00:00Z",
  date: "2026-01-31",
  time: "08:00:00",
  gYear: "2026",
  gYearMonth: "2026-01",
  gMonth: "--01",
  gDay: "---31",
  gMonthDay: "--01-31",
};
for (const [name, sample] of Object.entries(SAMPLES)) {
  table.set(name, {
    name,
    family: "time",
    whiteSpace: "collapse",
    test: name === "date" ? isDate : name === "dateTime" ? isDateTime : (value) => moment(name, value) !== undefined,
    expected: `${name} such as ${sample}`,
    length: undefined,
    canonical: (value) => {
      const point = moment(name, value);
      return point === undefined ? value : `${point.seconds}${point.zoned ? "Z" : ""}`;
    },
  });
}
table.set("duration", {
  name: "duration",
  family: "duration",
  whiteSpace: "collapse",
  test: (value) => DURATION.test(value),
  expected: "a duration such as P1DT2H",
  length: undefined,
  canonical: same,
});
table.set("base64Binary", {
  name: "base64Binary",
  family: "binary",
  whiteSpace: "collapse",
  test: isBase64,
  expected: "base64",
  length: (value) => Math.floor((value.replace(/[ =]/g, "").length * 3) / 4),
  canonical: (value) => value.replaceAll(" ", ""),
});
table.set("hexBinary", {
  name: "hexBinary",
  family: "binary",
  whiteSpace: "collapse",
  test: (value) => value.length % 2 === 0 && /^[0-9a-fA-F]*$/.test(value),
  expected: "hexadecimal digits, two for each byte",
  length: (value) => value.length / 2,
  canonical: (value) => value.toUpperCase(),
});

/** Undefined for names that are no built-in type, or that need a DTD or the document's prefixes (ENTITY, NOTATION, QName, IDREF). */
export function builtin(name: string): Builtin | undefined {
  return table.get(name);
}
