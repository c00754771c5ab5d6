/** Dates, instants and decimals between their text in memory and their numbers on the wire. Shared by all codecs; each returns undefined for what does not fit. */

const two = (value: number): string => (value < 10 ? `0${value}` : String(value));
const three = (value: number): string => (value < 10 ? `00${value}` : value < 100 ? `0${value}` : String(value));
const four = (value: number): string => String(value).padStart(4, "0");

/** Days from 1970-01-01 to a civil date of the proleptic Gregorian calendar, and back (Hinnant's algorithms). */
function daysFromCivil(year: number, month: number, day: number): number {
  const y = month <= 2 ? year - 1 : year;
  const era = Math.floor(y / 400);
  const yearOfEra = y - era * 400;
  const dayOfYear = Math.floor((153 * (month + (month > 2 ? -3 : 9)) + 2) / 5) + day - 1;
  return era * 146_097 + yearOfEra * 365 + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100) + dayOfYear - 719_468;
}

function daysInMonth(year: number, month: number): number {
  if (month === 2) return year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0) ? 29 : 28;
  return month === 4 || month === 6 || month === 9 || month === 11 ? 30 : 31;
}

/** Days of 0001-01-01 and 9999-12-31. */
const FIRST_DAY = -719_162;
const LAST_DAY = 2_932_896;
const DAY = 86_400_000;

export function dateFromDays(days: number): string | undefined {
  if (days < FIRST_DAY || days > LAST_DAY) return undefined;
  const z = days + 719_468;
  const era = Math.floor(z / 146_097);
  const dayOfEra = z - era * 146_097;
  const yearOfEra = Math.floor(
    (dayOfEra - Math.floor(dayOfEra / 1460) + Math.floor(dayOfEra / 36_524) - Math.floor(dayOfEra / 146_096)) / 365,
  );
  const dayOfYear = dayOfEra - (365 * yearOfEra + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100));
  const shifted = Math.floor((5 * dayOfYear + 2) / 153);
  const day = dayOfYear - Math.floor((153 * shifted + 2) / 5) + 1;
  const month = shifted < 10 ? shifted + 3 : shifted - 9;
  const year = yearOfEra + era * 400 + (month <= 2 ? 1 : 0);
  return `${four(year)}-${two(month)}-${two(day)}`;
}

/** `count` decimal digits of `text` at `from`, or NaN. */
function number(text: string, from: number, count: number): number {
  let value = 0;
  for (let i = from; i < from + count; i++) {
    const digit = text.charCodeAt(i) - 48;
    if (!(digit >= 0 && digit <= 9)) return Number.NaN;
    value = value * 10 + digit;
  }
  return value;
}

/** Days of the ten characters `YYYY-MM-DD` at the start of `text`. */
function leadingDays(text: string): number | undefined {
  const year = number(text, 0, 4);
  const month = number(text, 5, 2);
  const day = number(text, 8, 2);
  if (!(year >= 1 && month >= 1 && month <= 12 && day >= 1) || text.charCodeAt(4) !== 45 || text.charCodeAt(7) !== 45) return undefined;
  return day > daysInMonth(year, month) ? undefined : daysFromCivil(year, month, day);
}

export function daysFromDate(text: string): number | undefined {
  return text.length === 10 ? leadingDays(text) : undefined;
}

export function instantFromMillis(millis: number): string | undefined {
  const days = Math.floor(millis / DAY);
  const date = dateFromDays(days);
  if (date === undefined) return undefined;
  const rest = millis - days * DAY;
  const second = Math.floor(rest / 1000);
  const hour = Math.floor(second / 3600);
  return `${date}T${two(hour)}:${two(Math.floor(second / 60) % 60)}:${two(second % 60)}.${three(rest % 1000)}Z`;
}

/**
 * RFC 3339 instant to milliseconds: `Z` or an offset is required, one to nine decimals of a second are allowed and cut to
 * three (legacy systems write seven). No leap second, no 24:00.
 */
export function millisFromInstant(text: string): number | undefined {
  if (text.length < 20 || text.length > 35 || (text.charCodeAt(10) | 32) !== 116) return undefined;
  const days = leadingDays(text);
  const hour = number(text, 11, 2);
  const minute = number(text, 14, 2);
  const second = number(text, 17, 2);
  if (days === undefined || !(hour < 24 && minute < 60 && second < 60)) return undefined;
  if (text.charCodeAt(13) !== 58 || text.charCodeAt(16) !== 58) return undefined;
  let at = 19;
  let fraction = 0;
  if (text.charCodeAt(at) === 46) {
    let weight = 100;
    const from = ++at;
    for (; at - from < 9; at++) {
      const digit = text.charCodeAt(at) - 48;
      if (!(digit >= 0 && digit <= 9)) break;
      fraction += digit * weight;
      weight = weight >= 1 ? Math.floor(weight / 10) : 0;
    }
    if (at === from) return undefined;
  }
  const offset = offsetMinutes(text, at);
  if (offset === undefined) return undefined;
  const millis = days * DAY + (hour * 60 + minute - offset) * 60_000 + second * 1000 + fraction;
  // An offset may lead out of the years that can be written.
  return millis < FIRST_DAY * DAY || millis >= (LAST_DAY + 1) * DAY ? undefined : millis;
}

function offsetMinutes(text: string, at: number): number | undefined {
  const sign = text.charCodeAt(at);
  if ((sign | 32) === 122) return text.length === at + 1 ? 0 : undefined;
  if ((sign !== 43 && sign !== 45) || text.length !== at + 6 || text.charCodeAt(at + 3) !== 58) return undefined;
  const hours = number(text, at + 1, 2);
  const minutes = number(text, at + 4, 2);
  if (!(hours < 24 && minutes < 60)) return undefined;
  return (sign === 43 ? 1 : -1) * (hours * 60 + minutes);
}

const DECIMAL = /^-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?$/;

/** Decimal text to its unscaled integer; zeros beyond the scale may be cut, other digits may not. */
export function unscaled(text: string, precision: number, scale: number): bigint | undefined {
  if (text.length > 160 || !DECIMAL.test(text)) return undefined;
  const dot = text.indexOf(".");
  const whole = dot === -1 ? text : text.slice(0, dot);
  let decimals = dot === -1 ? "" : text.slice(dot + 1);
  if (decimals.length > scale) {
    if (!/^0*$/.test(decimals.slice(scale))) return undefined;
    decimals = decimals.slice(0, scale);
  }
  const digits = whole + decimals.padEnd(scale, "0");
  const value = BigInt(digits);
  const limit = 10n ** BigInt(precision);
  return value < limit && value > -limit ? value : undefined;
}

export function decimalText(value: bigint, scale: number): string {
  const negative = value < 0n;
  const digits = (negative ? -value : value).toString().padStart(scale + 1, "0");
  const whole = scale === 0 ? digits : `${digits.slice(0, -scale)}.${digits.slice(-scale)}`;
  return negative ? `-${whole}` : whole;
}

/** Two's complement, big-endian, shortest (or of `size` bytes); undefined when it does not fit `size`. */
export function twosComplement(value: bigint, size: number | undefined): Uint8Array | undefined {
  let bits = 8;
  while (BigInt.asIntN(bits, value) !== value) bits += 8;
  if (size !== undefined) {
    if (bits > size * 8) return undefined;
    bits = size * 8;
  }
  const bytes = Buffer.alloc(bits / 8);
  let rest = BigInt.asUintN(bits, value);
  for (let i = bytes.length - 1; i >= 0; i--) {
    bytes[i] = Number(rest & 0xffn);
    rest >>= 8n;
  }
  return bytes;
}

/** Reads the bytes at once: shifting a bigint for each byte would take time by the square of their number. */
export function fromTwosComplement(bytes: Uint8Array): bigint {
  if (bytes.length === 0) return 0n;
  return BigInt.asIntN(bytes.length * 8, BigInt(`0x${Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString("hex")}`));
}

/** Has 32 bits a place for this number? Infinity and NaN have theirs; a finite number may not become infinite on the way. */
export function fitsFloat(value: number): boolean {
  return !Number.isFinite(value) || Number.isFinite(Math.fround(value));
}
