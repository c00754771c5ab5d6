/** Converts of map files: text and numbers of legacy systems into the values of contracts, and back. */

/** Undefined = the value cannot be converted; the caller names target and place, never the value. */
export type Convert = Readonly<{ name: string; result: "text" | "number" | "boolean"; run(value: unknown): unknown }>;

export const CONVERTS_TEXT =
  "trim, upper, lower, digits, text, number, integer, decimal, decimal-comma, boolean, date(dd.mm.yyyy), date(yyyy-mm-dd to dd.mm.yyyy)";

const textual = (run: (text: string) => unknown) => (value: unknown) => (typeof value === "string" ? run(value) : scalar(value, run));

function scalar(value: unknown, run: (text: string) => unknown): unknown {
  return typeof value === "number" || typeof value === "bigint" || typeof value === "boolean" ? run(String(value)) : undefined;
}

const DECIMAL = /^[+-]?\d{1,77}(?:\.\d{1,77})?$/;
const INTEGER = /^[+-]?\d{1,18}$/;

function toNumber(text: string): number | undefined {
  const number = DECIMAL.test(text.trim()) || /^[+-]?\d+(\.\d+)?[eE][+-]?\d{1,3}$/.test(text.trim()) ? Number(text) : Number.NaN;
  return Number.isFinite(number) ? number : undefined;
}

function toInteger(text: string): number | bigint | undefined {
  const trimmed = text.trim();
  if (!INTEGER.test(trimmed)) return undefined;
  const number = Number(trimmed);
  return Number.isSafeInteger(number) ? number : BigInt(trimmed);
}

/** `+1.50` and `1.50` to `1.50`; exact, never through a binary number. */
function toDecimal(text: string): string | undefined {
  const trimmed = text.trim();
  return DECIMAL.test(trimmed) ? trimmed.replace(/^\+/, "") : undefined;
}

/** `1 234,50` and `1.234,50` to `1234.50`. */
function fromComma(text: string): string | undefined {
  const trimmed = text.trim().replaceAll(/[\s\u00A0]/g, "");
  return /^[+-]?\d{1,3}(?:\.\d{3})*(?:,\d+)?$|^[+-]?\d+(?:,\d+)?$/.test(trimmed)
    ? toDecimal(trimmed.replaceAll(".", "").replace(",", "."))
    : undefined;
}

const WORDS = new Map([
  ["true", true],
  ["1", true],
  ["false", false],
  ["0", false],
]);

const PLAIN: ReadonlyMap<string, Convert> = new Map(
  (
    [
      { name: "trim", result: "text", run: textual((text) => text.trim()) },
      { name: "upper", result: "text", run: textual((text) => text.toUpperCase()) },
      { name: "lower", result: "text", run: textual((text) => text.toLowerCase()) },
      { name: "digits", result: "text", run: textual((text) => text.replaceAll(/\D/g, "")) },
      { name: "text", result: "text", run: textual((text) => text) },
      { name: "number", result: "number", run: textual(toNumber) },
      { name: "integer", result: "number", run: textual(toInteger) },
      { name: "decimal", result: "text", run: textual(toDecimal) },
      { name: "decimal-comma", result: "text", run: textual(fromComma) },
      { name: "boolean", result: "boolean", run: textual((text) => WORDS.get(text.trim().toLowerCase())) },
    ] satisfies Convert[]
  ).map((convert) => [convert.name, convert]),
);

/** A convert by the text of the map file; undefined = there is none of that name. */
export function parseConvert(text: string): Convert | undefined {
  const plain = PLAIN.get(text);
  if (plain !== undefined) return plain;
  const dated = /^date\((.+?)(?: to (.+))?\)$/.exec(text);
  if (dated === null) return undefined;
  const [, from = "", to = "yyyy-mm-dd"] = dated;
  const read = datePattern(from);
  return read === undefined || datePattern(to) === undefined
    ? undefined
    : { name: text, result: "text", run: textual((given) => write(to, read(given.trim()))) };
}

type Day = Readonly<{ yyyy: string; mm: string; dd: string }>;

/** Reads a day by a pattern of `dd`, `mm`, `yyyy` (each once) and any other characters as themselves. */
function datePattern(pattern: string): ((text: string) => Day | undefined) | undefined {
  const tokens = pattern.match(/dd|mm|yyyy/g) ?? [];
  if (tokens.length !== 3 || new Set(tokens).size !== 3 || /[a-z]/i.test(pattern.replaceAll(/dd|mm|yyyy/g, ""))) return undefined;
  const source = pattern
    .replaceAll(/[.*+?^${}()|[\]\\]/g, String.raw`\$&`)
    .replaceAll(/dd|mm|yyyy/g, (token) => `(?<${token}>\\d{${token.length}})`);
  const expression = new RegExp(`^${source}$`);
  return (text) => {
    const groups = expression.exec(text)?.groups as Day | undefined;
    return groups !== undefined && isDay(groups) ? groups : undefined;
  };
}

/** A day of the calendar: no 30 February. */
function isDay({ yyyy, mm, dd }: Day): boolean {
  const [year, month, day] = [Number(yyyy), Number(mm), Number(dd)];
  if (year < 1 || month < 1 || month > 12 || day < 1) return false;
  const leap = year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0);
  return day <= ([31, leap ? 29 : 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31][month - 1] ?? 0);
}

function write(pattern: string, day: Day | undefined): string | undefined {
  return day === undefined ? undefined : pattern.replace("yyyy", day.yyyy).replace("mm", day.mm).replace("dd", day.dd);
}
