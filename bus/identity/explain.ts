/** Why a certificate did not verify, in words, where the TLS library gives a code without a name. It explains a refusal and decides none. */
import type { X509Certificate } from "node:crypto";
import { outOfDate, unfitFor } from "./certificate.ts";
import { partsOf } from "./parts.ts";

/** Extensions that the TLS library judges (RFC 5280 §4.2): a critical one beside them is refused by it. */
const KNOWN = new Set(["14", "15", "17", "18", "19", "30", "31", "32", "33", "35", "36", "37", "54"].map((last) => `2.5.29.${last}`));
const NAME_CONSTRAINTS = "2.5.29.30";

/** `above`: the authorities that were sent with it. Undefined where nothing is found that would explain it. */
export function explainRefusal(certificate: X509Certificate, above: readonly X509Certificate[], now: number): string | undefined {
  try {
    return own(certificate, now) ?? fromAbove(above);
  } catch {
    return "its parts cannot be read";
  }
}

function own(certificate: X509Certificate, now: number): string | undefined {
  const unknown = [...partsOf(certificate).extensions].find(([id, { critical }]) => critical && !KNOWN.has(id));
  if (unknown) return `its critical extension ${unknown[0]} is not known here`;
  if (/sha-?1|md5/i.test(certificate.signatureAlgorithm ?? ""))
    return `it is signed with ${certificate.signatureAlgorithm}, which counts no more`;
  return outOfDate(certificate, now) ?? unfitFor(certificate, "caller");
}

function fromAbove(above: readonly X509Certificate[]): string | undefined {
  for (const one of above) {
    const name = one.subject.replaceAll("\n", ", ").slice(0, 120);
    if (!one.ca) return `it was issued by \`${name}\`, which is no authority (CA:FALSE)`;
    if (partsOf(one).extensions.has(NAME_CONSTRAINTS))
      return `a name in it lies outside of what \`${name}\` may certify (name constraints)`;
  }
  return undefined;
}
