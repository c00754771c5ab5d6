/**
 * Order of xs:duration (XML Schema 1.0 part 2 §3.2.6.2): months have no fixed length, so two durations are compared by what they
 * add to four chosen moments, and only where all four agree is one the greater.
 */
const PARTS = /^(-)?P(?:(\d+)Y)?(?:(\d+)M)?(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?(?:(\d+)(?:\.(\d*))?S)?)?$/;
/** Longer numbers than this in a duration are compared as far as they go; no honest one has them. */
const MAX_TEXT = 200;
/** Decimals of a second that count. */
const DIGITS = 12;

type Duration = Readonly<{ months: bigint; units: bigint }>;

/** September 1696, February 1697, March 1903 and July 1903, as months since the year 0. */
const MOMENTS: readonly bigint[] = [1696n * 12n + 8n, 1697n * 12n + 1n, 1903n * 12n + 2n, 1903n * 12n + 6n];

/** Below, at or above 0 as a is less than, equal to or greater than b; NaN where the order is not determined. */
export function compareDurations(a: string, b: string): number {
  const [left, right] = [read(a), read(b)];
  if (left === undefined || right === undefined) return Number.NaN;
  const orders = new Set(MOMENTS.map((moment) => sign(after(moment, left) - after(moment, right))));
  const [order = Number.NaN] = orders;
  return orders.size === 1 ? order : Number.NaN;
}

function read(text: string): Duration | undefined {
  const match = text.length > MAX_TEXT ? null : PARTS.exec(text);
  if (match === null) return undefined;
  const [, minus, years, months, days, hours, minutes, seconds, fraction] = match;
  const count = (digits: string | undefined): bigint => BigInt(digits ?? "0");
  const whole = ((count(days) * 24n + count(hours)) * 60n + count(minutes)) * 60n + count(seconds);
  const units = whole * 10n ** BigInt(DIGITS) + count((fraction ?? "").slice(0, DIGITS).padEnd(DIGITS, "0"));
  const all = { months: count(years) * 12n + count(months), units };
  return minus === undefined ? all : { months: -all.months, units: -all.units };
}

/** The moment (first day of a month) and the duration behind it, in the smallest units. */
function after(moment: bigint, { months, units }: Duration): bigint {
  return daysBefore(moment + months) * 86_400n * 10n ** BigInt(DIGITS) + units;
}

/** Days before the first of a month in the proleptic Gregorian calendar. */
function daysBefore(month: bigint): bigint {
  const cycle = 400n * 12n;
  const cycles = (month >= 0n ? month : month - cycle + 1n) / cycle;
  const [year, rest] = [Number(month - cycles * cycle) / 12, Number((month - cycles * cycle) % 12n)];
  const date = new Date(0);
  date.setUTCFullYear(2000 + Math.floor(year), rest, 1);
  return cycles * 146_097n + BigInt(Math.round(date.getTime() / 86_400_000));
}

function sign(value: bigint): number {
  return value === 0n ? 0 : value > 0n ? 1 : -1;
}
