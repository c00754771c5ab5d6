/**
 * Is a certificate revoked? From revocation lists, from OCSP responders, or the one where the other is silent, as the policy says.
 * What nobody can tell is `unknown`; whether that is refused is the policy's to say, never an accident.
 */
import type { X509Certificate } from "node:crypto";
import { fingerprintOf } from "./certificate.ts";
import type { Authorities, Link } from "./chain.ts";
import { covers, isFrom, type Crl } from "./crl.ts";
import { SKEW } from "./ocsp.ts";
import { partsOf } from "./parts.ts";
import type { Responders } from "./responders.ts";

export const SOURCES = ["off", "crl", "ocsp", "crl-or-ocsp"] as const;
export type RevocationPolicy = Readonly<{ use: (typeof SOURCES)[number]; onUnknown: "refuse" | "accept" }>;
export type Status = Readonly<{ state: "good" }> | Readonly<{ state: "revoked" | "unknown"; why: string }>;

export type RevocationParts = Readonly<{
  use: RevocationPolicy["use"];
  authorities: Authorities;
  /** Lists as they are on disk now. */
  crls(): readonly Crl[];
  responders: Responders;
  /** Certificates of the development authority, which withdraws them itself. */
  exempt(certificate: X509Certificate): boolean;
  now(): number;
}>;

export interface Revocation {
  /** From what is known at this moment; asks again behind the scenes what has grown old. */
  readonly known: (certificate: X509Certificate) => Status;
  /** After every responder was asked whose last answer is older than a minute. */
  readonly check: (certificate: X509Certificate) => Promise<Status>;
}

const GOOD: Status = { state: "good" };
const nobody = (why: string): Status => ({ state: "unknown", why });

export function createRevocation(parts: RevocationParts): Revocation {
  const { use, authorities, responders } = parts;
  const signed = new WeakMap<Crl, Map<string, boolean>>();
  const isSigned = (crl: Crl, issuer: X509Certificate): boolean => {
    const fingerprint = fingerprintOf(issuer);
    let tried = signed.get(crl);
    if (tried === undefined) signed.set(crl, (tried = new Map<string, boolean>()));
    let good = tried.get(fingerprint);
    if (good === undefined) tried.set(fingerprint, (good = isFrom(crl, issuer)));
    return good;
  };

  const fromLists = ({ certificate, issuer }: Link): Status => {
    const now = parts.now();
    const lists = parts
      .crls()
      .filter((crl) => covers(crl, certificate, issuer) && crl.thisUpdate <= now + SKEW && isSigned(crl, issuer))
      .toSorted((a, b) => b.thisUpdate - a.thisUpdate);
    const [newest] = lists;
    if (newest === undefined) return nobody(`there is no revocation list of \`${nameOf(issuer)}\` that speaks of it`);
    // an old list does not prove that a certificate is good, but what it revokes stays revoked
    if (newest.revoked.has(partsOf(certificate).serial))
      return { state: "revoked", why: `\`${nameOf(issuer)}\` revoked it (revocation list)` };
    if (newest.nextUpdate >= now) return GOOD;
    return nobody(`the revocation list of \`${nameOf(issuer)}\` ended on ${new Date(newest.nextUpdate).toISOString()}`);
  };

  const level = (link: Link): Status => {
    const listed = use === "ocsp" ? undefined : fromLists(link);
    if (listed !== undefined && (use === "crl" || listed.state !== "unknown")) return listed;
    return responders.known(link);
  };

  const linksOf = (certificate: X509Certificate): readonly Link[] | undefined =>
    use === "off" || parts.exempt(certificate) ? [] : authorities.chainOf(certificate);

  const known = (certificate: X509Certificate): Status => {
    const links = linksOf(certificate);
    if (links === undefined)
      return nobody("its issuer stands not among the trusted authorities and those between, so nobody can say whether it was revoked");
    const said = links.map(level);
    return said.find(({ state }) => state === "revoked") ?? said.find(({ state }) => state === "unknown") ?? GOOD;
  };

  return {
    known,
    async check(certificate) {
      if (use === "ocsp" || use === "crl-or-ocsp") {
        const links = linksOf(certificate) ?? [];
        await Promise.all(
          links.filter((link) => use === "ocsp" || fromLists(link).state === "unknown").map((link) => responders.ask(link)),
        );
      }
      return known(certificate);
    },
  };
}

/** First name of a subject that says something. */
export function nameOf(certificate: X509Certificate): string {
  return (/^CN=(.+)$/m.exec(certificate.subject)?.[1] ?? certificate.subject.replaceAll("\n", ", ")).slice(0, 120);
}
