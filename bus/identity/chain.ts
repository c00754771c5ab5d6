/** Who issued a certificate, among the authorities that the operator named: the trusted roots, and those between. */
import type { X509Certificate } from "node:crypto";
import { fingerprintOf } from "./certificate.ts";

/** A certificate and the one that signed it. */
export type Link = Readonly<{ certificate: X509Certificate; issuer: X509Certificate }>;

export interface Authorities {
  /** From the certificate up to a root, which itself nobody can revoke; undefined = some issuer is not known here. */
  chainOf(certificate: X509Certificate): readonly Link[] | undefined;
}

const DEEPEST = 8;

export function createAuthorities(known: readonly X509Certificate[]): Authorities {
  const fingerprints = new Set(known.map(fingerprintOf));
  const chains = new WeakMap<X509Certificate, readonly Link[] | undefined>();
  const issuerOf = (certificate: X509Certificate): X509Certificate | undefined =>
    known.find((one) => one.ca && certificate.checkIssued(one) && certificate.verify(one.publicKey));
  const walk = (certificate: X509Certificate): readonly Link[] | undefined => {
    const links: Link[] = [];
    for (let at = certificate; links.length < DEEPEST;) {
      if (fingerprints.has(fingerprintOf(at)) && at.checkIssued(at)) return links;
      const issuer = issuerOf(at);
      if (issuer === undefined) return undefined;
      links.push({ certificate: at, issuer });
      at = issuer;
    }
    return undefined;
  };
  return {
    chainOf(certificate) {
      if (!chains.has(certificate)) chains.set(certificate, walk(certificate));
      return chains.get(certificate);
    },
  };
}
