/** State identifiers of the Republic of Moldova: IDNP (persons), IDNO (legal entities), IDNV (vehicles); 13 digits each. */

const WEIGHTS = [7, 3, 1] as const;

/** The 13th digit: the sum of the first twelve, weighted 7, 3, 1 in turn, modulo 10. */
export function checkDigit(twelve: string): string {
  let sum = 0;
  for (let at = 0; at < 12; at += 1) sum += Number(twelve[at]) * (WEIGHTS[at % 3] ?? 1);
  return String(sum % 10);
}

export function isIdentifier(text: string): boolean {
  return /^\d{13}$/u.test(text) && checkDigit(text) === text[12];
}

/** First four digits of what this world makes. IDNPs begin with 2, IDNVs with 3. */
const SERIES = { idnp: "2004", idnv: "3004" } as const;
/** Neighbouring numbers lie this far apart, so that most numbers belong to nobody. */
const STRIDE = 1_009;
const FIRST = 10_000_000;

export type Series = keyof typeof SERIES;

/** Indexes go from 0 to one below. */
export const IDENTIFIERS = Math.floor((99_999_999 - FIRST) / STRIDE) + 1;

/** The identifier with this index. */
export function identifierOf(series: Series, index: number): string {
  if (!Number.isInteger(index) || index < 0 || index >= IDENTIFIERS) throw new RangeError(`no identifier has index ${index}`);
  const twelve = SERIES[series] + String(FIRST + index * STRIDE).padStart(8, "0");
  return twelve + checkDigit(twelve);
}

/** Index of an identifier that `identifierOf` made; undefined for any other. */
export function indexOf(series: Series, identifier: string): number | undefined {
  if (!isIdentifier(identifier) || !identifier.startsWith(SERIES[series])) return undefined;
  const index = (Number(identifier.slice(4, 12)) - FIRST) / STRIDE;
  return Number.isInteger(index) && index >= 0 ? index : undefined;
}
