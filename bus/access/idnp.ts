/**
 * State identifiers of Moldova: IDNP (person), IDNO (legal entity), IDNV (vehicle). Thirteen digits; the last one is the
 * sum of the first twelve times 7, 3, 1, 7, 3, 1, … modulo 10. Official samples fail the check digit, so on the wire only
 * the form is always demanded and the check digit where a rule says so.
 */

export type IdentifierKind = "IDNP" | "IDNO" | "IDNV";
export type IdentifierOptions = Readonly<{ checkDigit: boolean }>;

const WEIGHTS = [7, 3, 1];

/** First digits by kind: IDNP 2 or 09 (idnp.js: any 0), IDNO 1, IDNV 3. */
const PREFIXES: Readonly<Record<IdentifierKind, RegExp>> = { IDNP: /^[02]/, IDNO: /^1/, IDNV: /^3/ };

/** Check digit of twelve digits; undefined where they are not twelve digits. */
export function checkDigitOf(twelve: string): number | undefined {
  if (!/^[0-9]{12}$/.test(twelve)) return undefined;
  let sum = 0;
  for (let i = 0; i < 12; i++) sum += (twelve.charCodeAt(i) - 48) * (WEIGHTS[i % 3] ?? 0);
  return sum % 10;
}

/** Twelve digits and their check digit. Throws RangeError where they are not twelve digits. */
export function withCheckDigit(twelve: string): string {
  const digit = checkDigitOf(twelve);
  if (digit === undefined) throw new RangeError("an identifier without its check digit has exactly 12 digits");
  return `${twelve}${digit}`;
}

/**
 * What is wrong with an identifier, or undefined where nothing is. Without `checkDigit` any thirteen digits are good, as
 * the official services take them; with it, prefix and check digit must be those of the kind.
 */
export function identifierFault(kind: IdentifierKind, text: string, options: IdentifierOptions): string | undefined {
  if (!/^[0-9]{13}$/.test(text)) return `an ${kind} has exactly 13 digits`;
  if (!options.checkDigit) return undefined;
  if (!PREFIXES[kind].test(text)) return `this is no ${kind}: its first digit belongs to another kind of identifier`;
  return checkDigitOf(text.slice(0, 12)) === text.charCodeAt(12) - 48
    ? undefined
    : `the check digit of this ${kind} is wrong; look for a typing error`;
}

export function isIdnp(text: string, options: IdentifierOptions): boolean {
  return identifierFault("IDNP", text, options) === undefined;
}

export function isIdno(text: string, options: IdentifierOptions): boolean {
  return identifierFault("IDNO", text, options) === undefined;
}

export function isIdnv(text: string, options: IdentifierOptions): boolean {
  return identifierFault("IDNV", text, options) === undefined;
}
