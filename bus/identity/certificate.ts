/** System certificates as files and as keys: how one is read, and what one must be like to stand for a system. */
import { X509Certificate } from "node:crypto";

/** Bytes of a certificate file; a certificate with a long chain of names has a few thousand. */
const MOST = 65_536;
const LEAST_RSA = 2048;
const CURVES: readonly (string | undefined)[] = ["prime256v1", "secp384r1", "secp521r1"];
export const CLIENT_AUTH = "1.3.6.1.5.5.7.3.2";

export type ReadCertificate = Readonly<{ certificate: X509Certificate }> | Readonly<{ fault: string }>;

/** One certificate, PEM (text) or DER (bytes). A fault says what is wrong with the file and what to write. */
export function readCertificate(content: string | Uint8Array | undefined): ReadCertificate {
  if (content === undefined || content.length === 0) return { fault: "the file is empty" };
  if (content.length > MOST) return { fault: `the file has more than ${MOST} bytes; a certificate has a few thousand` };
  if (typeof content === "string") {
    if (content.includes("PRIVATE KEY"))
      return { fault: "the file holds a private key; take it out and keep it where the system runs, here stands only its certificate" };
    const count = content.split("-----BEGIN CERTIFICATE-----").length - 1;
    if (count > 1) return { fault: `the file holds ${count} certificates; write each system certificate into a file of its own` };
  }
  try {
    return { certificate: new X509Certificate(content) };
  } catch {
    return { fault: "the file is no X.509 certificate; export it as PEM or DER (.cer)" };
  }
}

/** What a system does with its certificate: call over TLS, or sign its messages. */
export type Use = "caller" | "signature";

/** Why a certificate cannot stand for a system at any time; undefined = it can. Chain, dates and revocation are judged elsewhere. */
export function unfitFor(certificate: X509Certificate, use: Use): string | undefined {
  if (certificate.ca) return "it is the certificate of an authority (CA:TRUE), not of a system";
  return weakKey(certificate) ?? (use === "caller" ? otherPurpose(certificate) : undefined);
}

function otherPurpose(certificate: X509Certificate): string | undefined {
  const uses: readonly string[] | undefined = certificate.keyUsage;
  if (!uses?.includes(CLIENT_AUTH)) return `its extended key usage does not allow TLS client authentication (${CLIENT_AUTH})`;
  return undefined;
}

/** Elliptic keys of the three NIST curves, Edwards keys, and RSA from 2048 bits. */
function weakKey(certificate: X509Certificate): string | undefined {
  const { asymmetricKeyType: type, asymmetricKeyDetails: details } = certificate.publicKey;
  if (type === "rsa" || type === "rsa-pss") {
    const bits = details?.modulusLength ?? 0;
    return bits >= LEAST_RSA ? undefined : `its RSA key has ${bits} bits; ${LEAST_RSA} or more are needed`;
  }
  if (type === "ec")
    return CURVES.includes(details?.namedCurve)
      ? undefined
      : `its key is on the curve ${details?.namedCurve ?? "?"}; use P-256, P-384 or P-521`;
  return type === "ed25519" || type === "ed448" ? undefined : `its key is of the kind ${type ?? "?"}; use RSA, P-256, P-384 or P-521`;
}

/** Why a certificate is not valid at a time (milliseconds since the epoch); undefined = it is. */
export function outOfDate(certificate: X509Certificate, now: number): string | undefined {
  const from = certificate.validFromDate.getTime();
  const to = certificate.validToDate.getTime();
  if (Number.isNaN(from) || Number.isNaN(to)) return "its dates cannot be read";
  if (now < from) return `it is valid only from ${new Date(from).toISOString()}`;
  return now > to ? `it ended on ${new Date(to).toISOString()}` : undefined;
}

/** SHA-256 of the certificate's DER, lower-case hex without colons. */
export function fingerprintOf(certificate: X509Certificate): string {
  return certificate.fingerprint256.replaceAll(":", "").toLowerCase();
}
