/** A text that an XSD simple type accepts, for the test skeleton of an imported service. Always the same one for the same type. */
import type { Facets, Scalar, SimpleType } from "../xml/facets.ts";
import { patternSample } from "./sample-pattern.ts";

const PLAIN: readonly string[] = [
  "text",
  "1",
  "1.00",
  "true",
  "2026-01-31",
  "2026-01-31T08:00:00.000Z",
  "08:00:00",
  "P1D",
  "2026",
  "2026-01",
  "--01-31",
  "YQ==",
  "61",
  "https://institution.example/",
  "ro",
  "2000000000008",
  "31.01.2026",
  "AB123456",
  "00000000-0000-4000-8000-000000000001",
];
/** A personal number whose check digit is right. */
export const SAMPLE_IDNP = "2004100423789";
const MAX_LENGTH = 10_000;

/** The first of several candidates that the type's own check accepts; undefined where none does. */
export function sampleText(scalar: Scalar): string | undefined {
  return candidates(scalar.type).find((text) => scalar.check?.(text) === undefined);
}

function candidates(type: SimpleType): readonly string[] {
  if (type.variety === "list" && type.item !== undefined) {
    const [first = ""] = candidates(type.item);
    return [first, `${first} ${first}`, ...PLAIN];
  }
  if (type.variety === "union") return type.members.flatMap(candidates);
  const found: string[] = [];
  for (let step: SimpleType | undefined = type; step !== undefined; step = step.base) found.push(...ofFacets(step.facets));
  return [...found, ...PLAIN];
}

function ofFacets(facets: Facets): readonly string[] {
  const { enumeration, patterns, length, minLength, maxLength, minInclusive, maxInclusive, minExclusive, maxExclusive } = facets;
  const wanted = length ?? minLength;
  const filled = wanted === undefined || wanted > MAX_LENGTH ? [] : ["1".repeat(wanted), "a".repeat(wanted), bytesOf(wanted)];
  return [
    ...(enumeration ?? []),
    ...(patterns.length > 0 || wanted === 13 ? [SAMPLE_IDNP] : []),
    ...patterns.flatMap(({ source }) => patternSample(source) ?? []),
    ...(minInclusive === undefined ? [] : [minInclusive]),
    ...(maxInclusive === undefined ? [] : [maxInclusive]),
    ...[minExclusive, maxExclusive].flatMap((bound) => (bound === undefined ? [] : beside(bound))),
    ...filled,
    ...(maxLength === undefined || maxLength > MAX_LENGTH ? [] : ["a".repeat(Math.min(maxLength, 4)), "1".repeat(Math.min(maxLength, 4))]),
  ];
}

/** Base64 of so many bytes, for binary types with a length. */
const bytesOf = (count: number): string => Buffer.alloc(count, 97).toString("base64");

/** Whole numbers next to a bound that is itself excluded. */
function beside(bound: string): readonly string[] {
  return /^-?\d{1,15}$/.test(bound) ? [String(Number(bound) + 1), String(Number(bound) - 1)] : [];
}
