/**
 * Time-stamp tokens (RFC 3161 §2.4.2): the token is CMS signed data over a TSTInfo. What it says counts only when its signer is the
 * certificate that it names, made for time-stamping and issued, at that time, under an authority that is trusted here.
 */
import { hash, verify, X509Certificate } from "node:crypto";
import { BusError } from "#bus/errors.ts";
import { integerOf, listOf, oidOf, onlyOf, readDer, smallOf, tagged as valueOf, timeOf, type Value } from "./der-read.ts";

export const OID = {
  signedData: "1.2.840.113549.1.7.2",
  stampInfo: "1.2.840.113549.1.9.16.1.4",
  contentType: "1.2.840.113549.1.9.3",
  digest: "1.2.840.113549.1.9.4",
  signerSha1: "1.2.840.113549.1.9.16.2.12",
  signer: "1.2.840.113549.1.9.16.2.47",
  sha256: "2.16.840.1.101.3.4.2.1",
  purposes: "2.5.29.37",
  stamping: "1.3.6.1.5.5.7.3.8",
} as const;

const DIGESTS: Readonly<Record<string, string>> = {
  [OID.sha256]: "sha256",
  "2.16.840.1.101.3.4.2.2": "sha384",
  "2.16.840.1.101.3.4.2.3": "sha512",
};
/** Signature algorithms and the digest each brings along; undefined = the one that the signer info names. RSA is PKCS #1 v1.5. */
const SIGNATURES: Readonly<Record<string, Readonly<{ digest?: string; key: "rsa" | "ec" }>>> = {
  "1.2.840.113549.1.1.1": { key: "rsa" },
  "1.2.840.113549.1.1.11": { digest: "sha256", key: "rsa" },
  "1.2.840.113549.1.1.12": { digest: "sha384", key: "rsa" },
  "1.2.840.113549.1.1.13": { digest: "sha512", key: "rsa" },
  "1.2.840.10045.4.3.2": { digest: "sha256", key: "ec" },
  "1.2.840.10045.4.3.3": { digest: "sha384", key: "ec" },
  "1.2.840.10045.4.3.4": { digest: "sha512", key: "ec" },
};
const MOST_CERTIFICATES = 16;
const LONGEST_CHAIN = 5;
const LEAST_RSA = 2048;

export type StampFacts = Readonly<{
  /** When the authority signed, milliseconds since the epoch. */
  at: number;
  /** Subject of its certificate. */
  by: string;
  policy: string;
  serial: string;
  /** The trusted certificate that it was issued under, PEM. */
  authority: string;
  /** Of the request; undefined = the token has none. */
  nonce: Buffer | undefined;
}>;

/** Reads a token over bytes and trusts it only under one of these certificates (PEM). Throws stamp-invalid and der-invalid. */
export function readToken(token: Uint8Array, over: Uint8Array, trusted: readonly string[]): StampFacts {
  const content = listOf(readDer(token), 0x30);
  need(oidOf(content[0]) === OID.signedData && content.length === 2, "it is no CMS signed data");
  const data = listOf(onlyOf(content[1], 0xa0), 0x30);
  smallOf(data[0]);
  const [kind, wrapped] = listOf(data[2], 0x30);
  need(oidOf(kind) === OID.stampInfo, "what it signs is no time-stamp");
  const info = valueOf(onlyOf(wrapped, 0xa0), 0x04).content;
  const certificates = certificatesOf(data.find((part) => part.tag === 0xa0));
  const signers = listOf(data.at(-1), 0x31);
  need(signers.length === 1, `it has ${signers.length} signers, not one`);
  const signer = checkSigner(listOf(signers[0], 0x30), info, certificates);
  const facts = readInfo(info, over);
  checkPurpose(signer);
  const authority = anchorOf(signer, certificates, trusted, facts.at);
  return { ...facts, by: signer.subject.replaceAll("\n", ", "), authority: authority.toString() };
}

function certificatesOf(set: Value | undefined): readonly X509Certificate[] {
  if (!set) return [];
  const found = listOf(set, 0xa0);
  need(found.length <= MOST_CERTIFICATES, `it brings ${found.length} certificates`);
  return found.map(({ whole }) => {
    try {
      return new X509Certificate(whole);
    } catch (cause) {
      throw new BusError("stamp-invalid", "the time-stamp is refused: a certificate in it cannot be read", { cause });
    }
  });
}

/** The certificate whose key signed; it is the one that the signed attributes name, whatever else lies beside it. */
function checkSigner(parts: readonly Value[], info: Buffer, certificates: readonly X509Certificate[]): X509Certificate {
  const [version, , digestAlgorithm, attributes, signatureAlgorithm, signature] = parts;
  smallOf(version);
  const digest = DIGESTS[oidOf(listOf(digestAlgorithm, 0x30)[0])];
  const scheme = SIGNATURES[oidOf(listOf(signatureAlgorithm, 0x30)[0])];
  if (digest === undefined || scheme === undefined)
    throw refused("its algorithms are not among those accepted here (SHA-256 or longer; RSA or ECDSA)");
  const signed = attributesOf(valueOf(attributes, 0xa0));
  need(oidOf(signed.get(OID.contentType)) === OID.stampInfo, "its signed attributes speak of another kind of content");
  const imprint = valueOf(signed.get(OID.digest), 0x04).content;
  need(imprint.equals(hash(digest, info, "buffer")), "its signed attributes have the digest of something else");
  const named = certificates.find((certificate) => isNamed(certificate, signed));
  if (!named) throw refused("it does not bring the certificate that its signed attributes name");
  const key = named.publicKey;
  need(key.asymmetricKeyType === scheme.key, "its certificate has another kind of key than its signature");
  need(
    key.asymmetricKeyType !== "rsa" || (key.asymmetricKeyDetails?.modulusLength ?? 0) >= LEAST_RSA,
    `its RSA key has fewer than ${LEAST_RSA} bits`,
  );
  const bytes = Buffer.concat([Buffer.of(0x31), valueOf(attributes, 0xa0).whole.subarray(1)]);
  need(verify(scheme.digest ?? digest, bytes, key, valueOf(signature, 0x04).content), "its signature does not verify");
  return named;
}

/** Each attribute once, with one value. */
function attributesOf(set: Value): ReadonlyMap<string, Value> {
  const found = new Map<string, Value>();
  for (const attribute of listOf(set, 0xa0)) {
    const [name, values] = listOf(attribute, 0x30);
    const id = oidOf(name);
    need(!found.has(id), "it has a signed attribute twice");
    found.set(id, onlyOf(values, 0x31));
  }
  return found;
}

/** ESSCertID (RFC 2634, SHA-1 and so never alone enough to find a certificate by) or ESSCertIDv2 (RFC 5816). */
function isNamed(certificate: X509Certificate, signed: ReadonlyMap<string, Value>): boolean {
  const modern = signed.get(OID.signer);
  const [id] = listOf(listOf(modern ?? signed.get(OID.signerSha1), 0x30)[0], 0x30);
  const parts = listOf(id, 0x30);
  const algorithm = modern && parts[0]?.tag === 0x30 ? DIGESTS[oidOf(listOf(parts[0], 0x30)[0])] : modern ? "sha256" : "sha1";
  const value = parts.find((part) => part.tag === 0x04);
  return algorithm !== undefined && value !== undefined && value.content.equals(hash(algorithm, certificate.raw, "buffer"));
}

function readInfo(info: Buffer, over: Uint8Array): Omit<StampFacts, "by" | "authority"> {
  const [version, policy, imprint, serial, time, ...rest] = listOf(readDer(info), 0x30);
  need(smallOf(version) === 1, "its version is not 1");
  const [algorithm, digest] = listOf(imprint, 0x30);
  const name = DIGESTS[oidOf(listOf(algorithm, 0x30)[0])];
  if (name === undefined) throw refused("its digest is not SHA-256 or longer");
  need(valueOf(digest, 0x04).content.equals(hash(name, over, "buffer")), "it was made over other bytes");
  const nonce = rest.find((part) => part.tag === 0x02);
  return {
    at: timeOf(valueOf(time, 0x18)),
    policy: oidOf(policy),
    serial: integerOf(serial).toString("hex"),
    nonce: nonce && integerOf(nonce),
  };
}

/** RFC 3161 §2.3: the one purpose of the key, and marked critical. */
function checkPurpose(certificate: X509Certificate): void {
  need(!certificate.ca, "its signer is an authority's certificate");
  const body = listOf(listOf(readDer(certificate.raw), 0x30)[0], 0x30);
  const extensions = body.find((part) => part.tag === 0xa3);
  const found = extensions && listOf(onlyOf(extensions, 0xa3), 0x30).find((each) => oidOf(listOf(each, 0x30)[0]) === OID.purposes);
  const parts = found ? listOf(found, 0x30) : [];
  const purposes = parts.length === 3 ? listOf(readDer(valueOf(parts[2], 0x04).content), 0x30).map(oidOf) : [];
  need(
    purposes.length === 1 && purposes[0] === OID.stamping,
    "its certificate is not for time-stamping only, or does not say so critically",
  );
}

/** From the signer up to a certificate that is trusted, each valid at the time of the stamp; gives that one. */
function anchorOf(
  signer: X509Certificate,
  certificates: readonly X509Certificate[],
  trusted: readonly string[],
  at: number,
): X509Certificate {
  const anchors = trusted.map((pem) => new X509Certificate(pem));
  let current = signer;
  for (let length = 0; length < LONGEST_CHAIN; length++) {
    need(
      current.validFromDate.getTime() <= at && at <= current.validToDate.getTime(),
      `the certificate of ${current.subject.replaceAll("\n", ", ")} was not valid at its time`,
    );
    const anchor = anchors.find((each) => each.fingerprint256 === current.fingerprint256);
    if (anchor) return anchor;
    const issued = (issuer: X509Certificate): boolean => issuer.ca && current.checkIssued(issuer) && current.verify(issuer.publicKey);
    const above = anchors.find(issued) ?? certificates.find(issued);
    if (!above) break;
    current = above;
  }
  throw refused(`${signer.subject.replaceAll("\n", ", ")} was not issued under a trusted authority`);
}

const refused = (why: string): BusError => new BusError("stamp-invalid", `the time-stamp is refused: ${why}`);

function need(holds: boolean, otherwise: string): asserts holds {
  if (!holds) throw refused(otherwise);
}
