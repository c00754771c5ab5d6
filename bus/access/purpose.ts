/** Does a call say the legal basis and the reason that a grant was given for? What is compared is read once per grant. */
import type { CallContext } from "../envelope.ts";
import { BusError } from "../errors.ts";
import type { Grant } from "../route/runtime.ts";

type Wanted = Readonly<{ basis: ((text: string) => boolean) | undefined; reasons: readonly string[] | undefined }>;

const wanted = new WeakMap<Grant, Wanted>();

/** Undefined = it fits; else which value of the call does not. Without `check` and `reasons` any basis and reason fit. */
export function misfit(grant: Grant, call: CallContext): "basis" | "reason" | undefined {
  const { check, reasons } = grant.legalBasis;
  if ((check === undefined || check === "any") && reasons === undefined) return undefined;
  let rule = wanted.get(grant);
  if (!rule) wanted.set(grant, (rule = wantedBy(grant)));
  if (rule.basis && (call.basis === undefined || !rule.basis(plain(call.basis)))) return "basis";
  if (!rule.reasons) return undefined;
  const reason = call.reason === undefined ? "" : plain(call.reason);
  return rule.reasons.some((each) => beginsWith(reason, each)) ? undefined : "reason";
}

function wantedBy({ legalBasis }: Grant): Wanted {
  const { act, section, check, reasons } = legalBasis;
  const whole = plain(`${act} ${section}`);
  const name = plain(act);
  const basis =
    check === "exact"
      ? (text: string): boolean => text === whole
      : check === "prefix"
        ? (text: string): boolean => beginsWith(text, name)
        : undefined;
  return { basis, reasons: reasons?.map(plain) };
}

/** Case, line breaks, commas and the number of spaces are how people write, not what they say. */
const plain = (text: string): string =>
  text
    .normalize("NFC")
    .toLowerCase()
    .replace(/[\s,;]+/gu, " ")
    .trim();

/** Whole words only: `Law 1/20` is not the beginning of `Law 1/2000`. */
function beginsWith(text: string, beginning: string): boolean {
  return text.startsWith(beginning) && !/^[\p{L}\p{N}]/u.test(text.slice(beginning.length));
}

/** The denial: which rule of which grant, and what would be let through. What the caller wrote is not repeated. */
export function misfitError(grant: Grant, value: "basis" | "reason"): BusError {
  const { act, section, check, reasons } = grant.legalBasis;
  const named = `grant \`${grant.id}\` (${grant.place})`;
  const owner = `or its owner \`${grant.owner}\` can change \`legalBasis\``;
  if (value === "reason") {
    const text = `CallReason is none of the reasons of ${named}, \`legalBasis.reasons\`: begin it with ${(reasons ?? []).map((each) => `\`${each}\``).join(" or ")}, ${owner}`;
    return new BusError("purpose-mismatch", text, { places: [{ path: "CallReason", rule: "legalBasis.reasons", text }] });
  }
  const write = check === "exact" ? `write \`${act}, ${section}\`` : `begin it with \`${act}\``;
  const text = `CallBasis is not the legal basis of ${named}, \`legalBasis.check: ${check ?? "any"}\`: ${write}, ${owner}`;
  return new BusError("legal-basis-mismatch", text, { places: [{ path: "CallBasis", rule: `legalBasis.check: ${check ?? "any"}`, text }] });
}
