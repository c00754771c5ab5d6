/**
 * Values of columns as the JSON twin of a contract writes them: dates and instants as ISO text, numeric as text, bytes as base64, whole
 * numbers beyond 2^53 as text. A timestamp without time zone is taken as UTC.
 */
type Parser = (text: string) => unknown;

const ISO_INSTANT = /^(\d{4}-\d\d-\d\d) (\d\d:\d\d:\d\d(?:\.\d+)?)(?:\+00)?$/u;
const instant: Parser = (text) => {
  const parts = ISO_INSTANT.exec(text);
  return parts ? `${parts[1]}T${parts[2]}Z` : text;
};
const whole: Parser = (text) => (Number.isSafeInteger(Number(text)) ? Number(text) : text);
const bytes: Parser = (text) => Buffer.from(text.slice(2), "hex").toString("base64");

/** By type id of the catalogue (pg_type.dat); every other type is its text. */
const PARSERS: Readonly<Record<number, Parser>> = {
  16: (text) => text === "t",
  17: bytes,
  20: whole,
  21: Number,
  23: Number,
  114: (text) => JSON.parse(text) as unknown,
  700: Number,
  701: Number,
  1114: instant,
  1184: instant,
  3802: (text) => JSON.parse(text) as unknown,
};

const asIs: Parser = (text) => text;

/** For the queries of the driver. */
export const types = { getTypeParser: (oid: number): Parser => PARSERS[oid] ?? asIs };

/** A field of a message as a parameter: what JSON has no form for is text, lists and records are JSON. */
export function parameterOf(value: unknown): string | number | boolean | Buffer | null {
  if (value === undefined || value === null) return null;
  if (typeof value === "string" || typeof value === "number" || typeof value === "boolean") return value;
  if (typeof value === "bigint") return value.toString();
  if (value instanceof Uint8Array) return Buffer.from(value.buffer, value.byteOffset, value.byteLength);
  return JSON.stringify(value, (_, inner: unknown) => (typeof inner === "bigint" ? inner.toString() : inner));
}
