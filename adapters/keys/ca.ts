/**
 * The development authority: a CA, a server certificate for this machine, and system certificates, under `<dataDir>/keys`.
 * For trying and testing; production brings certificates of the state's authority.
 */
import { createPrivateKey, X509Certificate } from "node:crypto";
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { BusError } from "#bus/errors.ts";
import type { Signer } from "#bus/ports.ts";
import { issueCertificate, type KeyPair } from "./issue.ts";
import { readPair, writePair } from "./files.ts";
import { openMessageSigner, type MessageSigner } from "./message.ts";
import { noteIssued, readIssued, withdraw, type Issued } from "./issued.ts";
import { openLogKey, openSeal, type LogKey } from "./seal.ts";

export type { KeyPair } from "./issue.ts";

export type Keys = Readonly<{
  /** Certificate of the authority, PEM. */
  ca: string;
  server: KeyPair;
  /** Signs evidence. */
  seal: Signer;
  /** Signs the checkpoints of the evidence log. */
  log: LogKey;
  /** Key of the time-stamping authority for development, made when it is first asked for. */
  stamps(): Promise<KeyPair>;
  /** Opens the key that signs messages; RSA, or P-256 where all clients know ECDSA. */
  messages(kind: "rsa" | "ecdsa"): Promise<MessageSigner>;
  /** A system certificate: CN = system id, O = the institution's IDNO. Each one has a serial number of its own. */
  /** A system certificate: CN = system id, O = the institution's IDNO. Each one has a serial number of its own, and is remembered. */
  issue(systemId: string, institutionIdno: string): Promise<KeyPair>;
  /** System id of a certificate that this authority issued and that is valid now; undefined otherwise. */
  identify(certificate: X509Certificate): string | undefined;
  /** Every certificate that was issued, those too that were withdrawn. */
  issued(): Promise<readonly Issued[]>;
  /** Takes a certificate back, by its SHA-256 in hex; false when it was not issued here. */
  withdraw(fingerprint: string): Promise<boolean>;
}>;

/** Clients refuse `*.localhost`, a wildcard under a single label, so each service's name stands there too. */
const SERVICES = ["mconnect", "mconnect-events", "mpass", "msign", "mpower", "mnotify", "mdelivery", "mlog", "mdocs"];
const SERVER_NAMES = ["localhost", "*.localhost", ...SERVICES.map((service) => `${service}.localhost`), "127.0.0.1", "::1"];
/** `<institution>/<system>`. */
const SYSTEM_ID = /^[a-z0-9][a-z0-9._-]{0,62}\/[a-z0-9][a-z0-9._-]{0,62}$/;

/** Reads the keys, or makes what is missing. Files are readable by their owner only. Throws `configuration`. */
export async function openKeys(dataDir: string): Promise<Keys> {
  const directory = join(dataDir, "keys");
  await mkdir(directory, { recursive: true, mode: 0o700 });
  const authority =
    (await readPair(directory, "ca")) ??
    (await keep(directory, "ca", { name: "MConnect Bus development CA", organization: "Development only", use: "authority", days: 3650 }));
  const root = readRoot(authority, directory);
  const stored = await readPair(directory, "server");
  const server =
    stored !== undefined && issuedBy(root, stored)
      ? stored
      : await keep(directory, "server", {
          name: "localhost",
          organization: "Development only",
          use: "server",
          names: SERVER_NAMES,
          days: 825,
          issuer: authority,
        });
  return {
    ca: authority.cert,
    server,
    seal: await openSeal(directory, authority),
    log: await openLogKey(directory),
    async stamps() {
      const known = await readPair(directory, "stamps");
      if (known !== undefined && issuedBy(root, known)) return known;
      return keep(directory, "stamps", {
        name: "MConnect Bus development time-stamps",
        organization: "Development only",
        use: "stamp",
        days: 825,
        issuer: authority,
      });
    },
    messages: (kind) => openMessageSigner(directory, authority, kind),
    async issue(systemId, institutionIdno) {
      if (!SYSTEM_ID.test(systemId))
        throw new BusError("configuration", `"${systemId}" is no system id; write <institution>/<system> in lower case`);
      if (!/^\d{13}$/.test(institutionIdno)) throw new BusError("configuration", `the institution's IDNO must have 13 digits`);
      const pair = await issueCertificate({ name: systemId, organization: institutionIdno, use: "client", days: 825, issuer: authority });
      await noteIssued(directory, systemId, pair.cert);
      return pair;
    },
    issued: () => readIssued(directory),
    withdraw: (fingerprint) => withdraw(directory, fingerprint),
    identify: (certificate) => systemOf(root, certificate),
  };
}

async function keep(directory: string, name: string, wanted: Parameters<typeof issueCertificate>[0]): Promise<KeyPair> {
  const pair = await issueCertificate(wanted);
  await writePair(directory, name, pair);
  return pair;
}

function readRoot(authority: KeyPair, directory: string): X509Certificate {
  let root: X509Certificate;
  try {
    root = new X509Certificate(authority.cert);
  } catch (error) {
    throw new BusError("configuration", `${join(directory, "ca.cert.pem")} is no certificate; remove the folder to have new keys made`, {
      cause: error,
    });
  }
  if (belongs(root, authority.key)) return root;
  // Nothing that it would sign could be verified.
  throw new BusError(
    "configuration",
    `${join(directory, "ca.key.pem")} is not the key of ca.cert.pem beside it; put the right one back, or remove the folder to have new keys made`,
  );
}

function belongs(certificate: X509Certificate, key: string): boolean {
  try {
    return certificate.checkPrivateKey(createPrivateKey(key));
  } catch {
    return false;
  }
}

/** A server certificate of another authority or key (a crash can come between the two files), or one that ends within a month, is made anew. */
function issuedBy(root: X509Certificate, { cert, key }: KeyPair): boolean {
  try {
    const certificate = new X509Certificate(cert);
    return (
      certificate.verify(root.publicKey) && belongs(certificate, key) && certificate.validToDate.getTime() > Date.now() + 30 * 86_400_000
    );
  } catch {
    return false;
  }
}

function systemOf(root: X509Certificate, certificate: X509Certificate): string | undefined {
  const now = Date.now();
  if (certificate.validFromDate.getTime() > now || certificate.validToDate.getTime() < now) return undefined;
  if (certificate.ca || !certificate.checkIssued(root) || !certificate.verify(root.publicKey)) return undefined;
  // the whole subject as it was issued: a second CN, or one inside another name, must not choose the system
  const name = /^CN=([^\n]+)\nO=\d{13}$/.exec(certificate.subject)?.[1];
  return name !== undefined && SYSTEM_ID.test(name) ? name : undefined;
}
