/** From the text of an XSD simple type to the value of an Avro type and back, where the two fit together. */
import { describe } from "../shape.ts";
import type { Shape } from "../shape.ts";
import { daysFromDate, instantFromMillis, millisFromInstant, unscaled, decimalText } from "../values.ts";
import { canonicalDecimal, floatValue } from "./builtins.ts";
import { compileScalar, splitList } from "./facets.ts";
import type { SimpleType } from "./facets.ts";
import type { Conversion, ScalarPlan } from "./plan.ts";

/** The plan of a simple type on an Avro type (without null), or a sentence why they do not fit. */
export function planScalar(type: SimpleType, shape: Shape): ScalarPlan | string {
  const conversion = type.variety === "list" ? listConversion(type, shape) : convert(type, shape);
  return typeof conversion === "string" ? conversion : { kind: "scalar", scalar: compileScalar(type), conversion };
}

function listConversion(type: SimpleType, shape: Shape): Conversion | string {
  if (shape.kind !== "array" || type.item === undefined)
    return shape.kind === "string" ? text(describe(shape)) : "a list needs an Avro array";
  const item = convert(type.item, shape.items);
  if (typeof item === "string") return item;
  return {
    expected: "a list",
    safe: false,
    parse: (source) => allOrNone(splitList(source).map(item.parse)),
    print: (value) => (Array.isArray(value) ? allOrNone(value.map(item.print))?.join(" ") : undefined),
  };
}

function allOrNone<T>(values: (T | undefined)[]): T[] | undefined {
  const kept = values.filter((value) => value !== undefined);
  return kept.length === values.length ? kept : undefined;
}

function text(expected: string): Conversion {
  return { expected, safe: false, parse: (source) => source, print: (value) => (typeof value === "string" ? value : undefined) };
}

const INTEGERS = /^(?:integer|long|int|short|byte|(?:unsigned|non|positive|negative)\w*)$/;

function convert(type: SimpleType, shape: Shape): Conversion | string {
  const expected = describe(shape);
  const { family, name } = type.builtin;
  const union = type.variety === "union";
  const wrong = `xs:${union ? "union" : name} does not fit ${expected}`;
  if (shape.kind === "string") return text(expected);
  if (union) return `${wrong}; use string`;
  switch (shape.kind) {
    case "boolean":
      return family === "boolean" ? booleans(expected) : wrong;
    case "int":
    case "long":
      return INTEGERS.test(name) || name === "gYear" ? integers(expected, shape.kind === "int") : `${wrong}; use a decimal or string`;
    case "float":
    case "double":
      return family === "float" || family === "decimal" ? floats(expected, family === "float") : wrong;
    case "decimal":
      return family === "decimal" ? decimals(expected, shape.precision, shape.scale) : wrong;
    case "bytes":
    case "fixed":
      return family === "binary"
        ? binary(expected, name === "hexBinary" ? "hex" : "base64", shape.kind === "fixed" ? shape.size : undefined)
        : wrong;
    case "date":
      return name === "date" ? dates(expected) : wrong;
    case "timestamp":
      return name === "dateTime" ? instants(expected) : wrong;
    case "enum":
      return family === "text" ? symbols(type, shape.symbols, expected) : `${wrong}; use string`;
    default:
      return `${wrong}; a single text value cannot be ${expected}`;
  }
}

function booleans(expected: string): Conversion {
  return {
    expected,
    safe: true,
    parse: (source) => source === "true" || source === "1",
    print: (value) => (typeof value === "boolean" ? String(value) : undefined),
  };
}

function integers(expected: string, small: boolean): Conversion {
  const fits = (value: number | bigint): boolean =>
    small ? Number(value) === (Number(value) | 0) : BigInt.asIntN(64, BigInt(value)) === BigInt(value);
  return {
    expected,
    safe: true,
    parse: (source) => {
      const number = Number(source);
      if (Number.isSafeInteger(number)) return small && number !== (number | 0) ? undefined : number === 0 ? 0 : number;
      if (small || !/^[+-]?[0-9]{1,40}$/.test(source)) return undefined;
      const big = BigInt(source.replace("+", ""));
      return fits(big) ? big : undefined;
    },
    print: (value) => {
      if (typeof value === "bigint") return !small && fits(value) ? value.toString() : undefined;
      return Number.isSafeInteger(value) && fits(value as number) ? String(value) : undefined;
    },
  };
}

/** `special`: INF, NaN and exponents may be written. */
function floats(expected: string, special: boolean): Conversion {
  return {
    expected,
    safe: true,
    parse: floatValue,
    print: (value) => {
      if (typeof value !== "number") return undefined;
      if (Number.isFinite(value)) return special ? (Object.is(value, -0) ? "-0" : String(value)) : plainDigits(value);
      if (!special) return undefined;
      return Number.isNaN(value) ? "NaN" : value > 0 ? "INF" : "-INF";
    },
  };
}

/** A number without an exponent. */
function plainDigits(value: number): string {
  const short = String(value);
  const match = /^(-?)(\d)(?:\.(\d+))?e([+-]\d+)$/.exec(short);
  if (match === null) return short;
  const digits = `${match[2]}${match[3] ?? ""}`;
  const power = Number(match[4]);
  const sign = match[1] ?? "";
  return power < 0 ? `${sign}0.${"0".repeat(-power - 1)}${digits}` : `${sign}${digits.padEnd(power + 1, "0")}`;
}

function decimals(expected: string, precision: number, scale: number): Conversion {
  const fit = (source: string): string | undefined => {
    const value = unscaled(canonicalDecimal(source), precision, scale);
    return value === undefined ? undefined : decimalText(value, scale);
  };
  return {
    expected,
    safe: true,
    parse: fit,
    print: (value) => {
      const fitted = typeof value === "string" ? fit(value) : undefined;
      return fitted === undefined ? undefined : canonicalDecimal(fitted);
    },
  };
}

function binary(expected: string, encoding: "hex" | "base64", size: number | undefined): Conversion {
  const fits = (bytes: Uint8Array): boolean => size === undefined || bytes.length === size;
  return {
    expected,
    safe: true,
    parse: (source) => {
      const bytes = Buffer.from(source, encoding);
      return fits(bytes) ? bytes : undefined;
    },
    print: (value) =>
      value instanceof Uint8Array && fits(value)
        ? Buffer.from(value.buffer, value.byteOffset, value.byteLength).toString(encoding)
        : undefined,
  };
}

/** A date's time zone is dropped: the contract knows civil dates. */
function dates(expected: string): Conversion {
  const fit = (source: string): string | undefined => (daysFromDate(source) === undefined ? undefined : source);
  return {
    expected,
    safe: true,
    parse: (source) => fit(source.length > 10 ? source.slice(0, 10) : source),
    print: (value) => (typeof value === "string" ? fit(value) : undefined),
  };
}

/** A dateTime without zone counts as UTC; what is finer than a millisecond is cut. */
function instants(expected: string): Conversion {
  const fit = (source: string): string | undefined => {
    const millis = millisFromInstant(source);
    return millis === undefined ? undefined : instantFromMillis(millis);
  };
  return {
    expected,
    safe: true,
    parse: (source) => fit(/(?:Z|[+-]\d\d:\d\d)$/.test(source.slice(19)) ? trimFraction(source) : `${trimFraction(source)}Z`),
    print: (value) => (typeof value === "string" ? fit(value) : undefined),
  };
}

/** At most nine decimals of a second. */
function trimFraction(source: string): string {
  return source.length <= 35 ? source : source.replace(/(\.\d{9})\d+/, "$1");
}

function symbols(type: SimpleType, known: readonly string[], expected: string): Conversion | string {
  const set = new Set(known);
  let step: SimpleType | undefined = type;
  while (step !== undefined && step.facets.enumeration === undefined) step = step.base;
  const foreign = step?.facets.enumeration?.filter((value) => !set.has(value)) ?? [];
  if (foreign.length > 0)
    return `the enumeration has values that the Avro enum lacks: ${foreign.slice(0, 8).join(", ")}; add them, or use string`;
  const fit = (value: unknown): string | undefined => (typeof value === "string" && set.has(value) ? value : undefined);
  return { expected, safe: true, parse: fit, print: fit };
}
