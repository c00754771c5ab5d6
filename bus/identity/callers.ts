/**
 * Who calls: the system of a client certificate, or of the headers that a trusted proxy sends. Judged anew every few seconds while a
 * connection is used, so that a certificate that is revoked or taken out of the files stops counting on connections that stand.
 */
import type { X509Certificate } from "node:crypto";
import { fingerprintOf, outOfDate } from "./certificate.ts";
import type { Identified, Registry } from "./registry.ts";
import type { Revocation } from "./revocation.ts";

/** Whom a proxy names; at most one of the two counts, and both must name the same system. */
export type Ingress = Readonly<{ id?: string; serial?: string }>;
export type CallerFacts = Readonly<{
  /** Verified up to a trusted authority by the TLS handshake. */
  certificate?: X509Certificate;
  /** IP address of the other side. */
  address?: string;
  ingress?: Ingress;
}>;

/** Proxies that may name callers, by the SHA-256 of their certificate or by their address. */
export type TrustedProxies = Readonly<{ fingerprints: ReadonlySet<string>; addresses: ReadonlySet<string> }>;

export type CallerParts = Readonly<{
  registry(): Registry;
  revocation: Revocation;
  proxies: TrustedProxies;
  now(): number;
  /** Told of each refusal, once per judgement. */
  onRefused(reason: Refusal, why: string, certificate: X509Certificate | undefined): void;
}>;
export type Refusal = "certificate" | "proxy-header";

/** Milliseconds for which one judgement holds. */
const HOLDS = 5_000;

export type Judge = (facts: CallerFacts) => Identified | undefined | Promise<Identified | undefined>;

/** Undefined = a caller without certificate and without a proxy's word. */
export function createJudge(parts: CallerParts): Judge {
  const judged = new WeakMap<X509Certificate, Readonly<{ registry: Registry; until: number; said: Identified }>>();
  const refuse = (reason: Refusal, refused: string, certificate?: X509Certificate): Identified => {
    parts.onRefused(reason, refused, certificate);
    return { refused };
  };

  const judge = async (certificate: X509Certificate): Promise<Identified> => {
    await parts.revocation.check(parts.registry().registered(certificate) ?? certificate);
    const registry = parts.registry();
    const said = registry.identify(certificate);
    if ("refused" in said) refuse("certificate", said.refused, certificate);
    judged.set(certificate, { registry, until: parts.now() + HOLDS, said });
    return said;
  };

  const ofCertificate = (certificate: X509Certificate): Identified | Promise<Identified> => {
    const before = judged.get(certificate);
    if (before && before.registry === parts.registry() && parts.now() < before.until) return before.said;
    return judge(certificate);
  };

  const ofProxy = async ({ certificate, address, ingress = {} }: CallerFacts): Promise<Identified> => {
    const registry = parts.registry();
    const known = certificate !== undefined && parts.proxies.fingerprints.has(fingerprintOf(certificate));
    if (!known && (address === undefined || !parts.proxies.addresses.has(address)))
      return refuse(
        "proxy-header",
        "the headers X-MPass-Client-ID and X-MPass-Client-Cert-Serial count only from a trusted proxy; call with your own certificate and without them",
        certificate,
      );
    if (certificate !== undefined) {
      const status = await parts.revocation.check(certificate);
      const against = outOfDate(certificate, parts.now()) ?? (status.state === "revoked" ? status.why : undefined);
      if (against !== undefined) return refuse("certificate", `the proxy's certificate does not count: ${against}`, certificate);
    }
    const said = [
      ...(ingress.id === undefined ? [] : [registry.byGuid(ingress.id)]),
      ...(ingress.serial === undefined ? [] : [registry.bySerial(ingress.serial)]),
    ];
    const refused = said.find((one) => "refused" in one);
    if (refused !== undefined) return refuse("proxy-header", refused.refused);
    const [first, second] = said.flatMap((one) => ("system" in one ? [one.system] : []));
    if (first === undefined || (second !== undefined && second !== first))
      return refuse("proxy-header", "the proxy's two headers name two systems");
    return { system: first };
  };

  return (facts) => {
    if (facts.ingress !== undefined) return ofProxy(facts);
    return facts.certificate === undefined ? undefined : ofCertificate(facts.certificate);
  };
}
