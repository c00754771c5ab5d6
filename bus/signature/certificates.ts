/** What a signature may say of its key, and which of the sender's registered certificates that is. It only selects; it never brings a key. */
import type { KeyObject, X509Certificate } from "node:crypto";
import { digestOf } from "../ids.ts";

export type KeyClaim =
  | Readonly<{ kind: "certificate"; der: Buffer }>
  /** Serial number; the issuer's name has too many spellings to compare, and the key is a registered one anyway. */
  | Readonly<{ kind: "serial"; serial: bigint }>
  | Readonly<{ kind: "ski" | "sha1" | "sha256"; bytes: Buffer }>;

export type CertificateFacts = Readonly<{
  key: KeyObject;
  der: Buffer;
  serial: bigint;
  /** Subject key identifier, where the certificate has one. */
  ski: Buffer | undefined;
  sha1: Buffer;
  /** SHA-256 of the certificate, lower-case hex: its name in journal and logs. */
  sha256: string;
}>;

// reading a certificate costs more than verifying with it
const known = new WeakMap<X509Certificate, CertificateFacts>();

export function factsOf(certificate: X509Certificate): CertificateFacts {
  const before = known.get(certificate);
  if (before !== undefined) return before;
  const der = certificate.raw;
  const facts = {
    key: certificate.publicKey,
    der,
    serial: BigInt(`0x${certificate.serialNumber}`),
    ski: subjectKeyId(der),
    sha1: Buffer.from(certificate.fingerprint.replaceAll(":", ""), "hex"),
    sha256: digestOf(der),
  };
  known.set(certificate, facts);
  return facts;
}

/** Id-ce-subjectKeyIdentifier (RFC 5280 §4.2.1.2) of a certificate that was read before: OCTET STRING in an OCTET STRING. */
function subjectKeyId(der: Buffer): Buffer | undefined {
  const at = der.indexOf(Buffer.from([0x06, 0x03, 0x55, 0x1d, 0x0e, 0x04]));
  const size = at === -1 ? undefined : der[at + 8];
  return size === undefined || der[at + 7] !== 0x04 ? undefined : der.subarray(at + 9, at + 9 + size);
}

/** The registered certificates that every claim fits; several `certificate` claims are a chain, of which one must be registered. */
export function selectCertificates(certificates: readonly X509Certificate[], claims: readonly KeyClaim[]): readonly CertificateFacts[] {
  const chain = claims.filter((claim) => claim.kind === "certificate");
  const others = claims.filter((claim) => claim.kind !== "certificate");
  return certificates.map(factsOf).filter((facts) => {
    if (chain.length > 0 && !chain.some(({ der }) => der.equals(facts.der))) return false;
    return others.every((claim) => fits(facts, claim));
  });
}

function fits(facts: CertificateFacts, claim: Exclude<KeyClaim, { kind: "certificate" }>): boolean {
  switch (claim.kind) {
    case "serial":
      return claim.serial === facts.serial;
    case "ski":
      return facts.ski?.equals(claim.bytes) ?? false;
    case "sha1":
      return facts.sha1.equals(claim.bytes);
    default:
      return facts.sha256 === claim.bytes.toString("hex");
  }
}

export function nameClaim(claim: KeyClaim): string {
  switch (claim.kind) {
    case "certificate":
      return `the certificate with SHA-256 ${digestOf(claim.der)}`;
    case "serial":
      return `the certificate with serial number ${claim.serial}`;
    default:
      return `the certificate with ${claim.kind} ${claim.bytes.toString("hex").slice(0, 80)}`;
  }
}
