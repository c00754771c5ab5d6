/** Makes keys (P-256, or RSA where old clients must verify) and X.509 v3 certificates (RFC 5280) with node:crypto. */
import {
  createHash,
  createPrivateKey,
  createPublicKey,
  generateKeyPair,
  randomBytes,
  sign,
  X509Certificate,
  type KeyObject,
} from "node:crypto";
import { promisify } from "node:util";
import { bits, boolean, explicit, implicit, integer, octets, oid, sequence, set, time, utf8, type Der } from "./der.ts";

/** PEM of a certificate and of its PKCS#8 key. */
export type KeyPair = Readonly<{ cert: string; key: string }>;

/** Who a certificate is for. `names` are DNS names and IP addresses; without `issuer` it signs itself. */
export type CertificateFor = Readonly<{
  /** CN and O of the subject. */
  name: string;
  organization: string;
  use: "authority" | "server" | "client" | "seal" | "stamp";
  names?: readonly string[];
  /** Default: P-256. */
  key?: "P-256" | "RSA-3072";
  days: number;
  issuer?: KeyPair;
}>;

const ECDSA_SHA256 = sequence(oid("1.2.840.10045.4.3.2"));
const DAY = 86_400_000;
/** keyCertSign and cRLSign; digitalSignature; digitalSignature and nonRepudiation (RFC 5280 §4.2.1.3). */
const KEY_USAGE: Readonly<Record<CertificateFor["use"], Der>> = {
  authority: bits(Buffer.of(0x06), 1),
  server: bits(Buffer.of(0x80), 7),
  client: bits(Buffer.of(0x80), 7),
  seal: bits(Buffer.of(0xc0), 6),
  stamp: bits(Buffer.of(0xc0), 6),
};
const generate = promisify(generateKeyPair);

export async function issueCertificate(wanted: CertificateFor): Promise<KeyPair> {
  const { publicKey, privateKey } =
    wanted.key === "RSA-3072" ? await generate("rsa", { modulusLength: 3072 }) : await generate("ec", { namedCurve: "P-256" });
  const subject = nameOf(wanted.name, wanted.organization);
  const issuer = wanted.issuer === undefined ? { name: subject, key: privateKey, publicKey } : issuerOf(wanted.issuer);
  // Clocks of machines differ: a certificate that begins in the future is refused.
  const from = Date.now() - 300_000;
  const body = sequence(
    explicit(0, integer(Buffer.from([2]))),
    integer(serial()),
    ECDSA_SHA256,
    issuer.name,
    sequence(time(new Date(from)), time(new Date(from + wanted.days * DAY))),
    subject,
    spki(publicKey),
    explicit(3, sequence(...extensions(wanted, publicKey, issuer.publicKey))),
  );
  const certificate = sequence(body, ECDSA_SHA256, bits(sign("sha256", body, issuer.key)));
  return { cert: pem("CERTIFICATE", certificate), key: privateKey.export({ type: "pkcs8", format: "pem" }).toString() };
}

function issuerOf(pair: KeyPair): Readonly<{ name: Der; key: KeyObject; publicKey: KeyObject }> {
  const certificate = new X509Certificate(pair.cert);
  const field = (key: string): string => new RegExp(`^${key}=(.*)$`, "m").exec(certificate.subject)?.[1] ?? "";
  return { name: nameOf(field("CN"), field("O")), key: createPrivateKey(pair.key), publicKey: createPublicKey(pair.cert) };
}

function nameOf(name: string, organization: string): Der {
  const part = (type: string, value: string): Der => set(sequence(oid(type), utf8(value)));
  return sequence(part("2.5.4.3", name), part("2.5.4.10", organization));
}

function extensions(wanted: CertificateFor, publicKey: KeyObject, issuerKey: KeyObject): Der[] {
  const authority = wanted.use === "authority";
  const list = [
    extension("2.5.29.19", authority ? sequence(boolean(true), integer(Buffer.from([0]))) : sequence(), true),
    extension("2.5.29.15", KEY_USAGE[wanted.use], true),
    extension("2.5.29.14", octets(keyId(publicKey))),
    extension("2.5.29.35", sequence(implicit(0, keyId(issuerKey)))),
  ];
  const purpose = wanted.use === "server" ? 1 : wanted.use === "client" ? 2 : undefined;
  if (purpose !== undefined) list.push(extension("2.5.29.37", sequence(oid(`1.3.6.1.5.5.7.3.${purpose}`))));
  if (wanted.use === "stamp") list.push(extension("2.5.29.37", sequence(oid("1.3.6.1.5.5.7.3.8")), true)); // RFC 3161 §2.3
  if (wanted.names !== undefined) list.push(extension("2.5.29.17", sequence(...wanted.names.map(generalName))));
  return list;
}

function extension(id: string, value: Der, critical = false): Der {
  return critical ? sequence(oid(id), boolean(true), octets(value)) : sequence(oid(id), octets(value));
}

/** dNSName [2] or iPAddress [7]. */
function generalName(name: string): Der {
  if (/^[0-9.]+$/.test(name)) return implicit(7, Buffer.from(name.split(".").map(Number)));
  if (name === "::1") return implicit(7, Buffer.concat([Buffer.alloc(15), Buffer.from([1])]));
  return implicit(2, Buffer.from(name, "ascii"));
}

function spki(key: KeyObject): Buffer {
  return key.export({ type: "spki", format: "der" });
}

/** RFC 5280 §4.2.1.2 leaves the method free, and 20 bytes of SHA-256 name a key well (RFC 7093). */
function keyId(key: KeyObject): Buffer {
  return createHash("sha256").update(spki(key)).digest().subarray(0, 20);
}

/** 16 random bytes, positive and never short, so that serial numbers are unique and of one length. */
function serial(): Buffer {
  const bytes = randomBytes(16);
  bytes[0] = ((bytes[0] ?? 0) & 0x3f) | 0x40;
  return bytes;
}

function pem(label: string, der: Buffer): string {
  const lines = der.toString("base64").match(/.{1,64}/g) ?? [];
  return `-----BEGIN ${label}-----\n${lines.join("\n")}\n-----END ${label}-----\n`;
}
