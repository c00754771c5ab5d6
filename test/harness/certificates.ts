/** Certificates that OpenSSL makes, each with one thing about it that a test is about. Needs the program `openssl`. */
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** An authority or a system certificate, with its files. */
export type Made = Readonly<{ cert: string; key: string; certFile: string; keyFile: string }>;

export type Wanted = Readonly<{
  /** Subject as OpenSSL writes it: `/CN=…/O=…`. */
  subject: string;
  issuer?: Made;
  /** Lines of the x509v3 section. */
  extensions?: readonly string[];
  /** Key as `openssl genpkey` takes it; default a P-256 key. */
  key?: readonly string[];
  /** Validity in whole days from now; both default to a year around now. */
  from?: number;
  until?: number;
  digest?: string;
  serial?: string;
}>;

export const CLIENT = ["basicConstraints=critical,CA:FALSE", "keyUsage=critical,digitalSignature", "extendedKeyUsage=clientAuth"];
export const AUTHORITY = ["basicConstraints=critical,CA:TRUE", "keyUsage=critical,keyCertSign,cRLSign", "subjectKeyIdentifier=hash"];
const EC = ["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"];
export const RSA = (bits: number): readonly string[] => ["-algorithm", "RSA", "-pkeyopt", `rsa_keygen_bits:${bits}`];

export type Workshop = Readonly<{
  dir: string;
  path(name: string): string;
  openssl(...args: string[]): Buffer;
  make(name: string, wanted: Wanted): Made;
  /** A CRL of an authority in DER: serials that are revoked (hex), valid for so many days. */
  crl(name: string, authority: Made, revoked: readonly string[], days?: number): string;
  /**
   * What OpenSSL answers to an OCSP question (DER) of this authority. `revoked`: serials; `by`: the signer (default the authority);
   * `more`: further options of `openssl ocsp`, for example how long the answer holds.
   */
  ocsp(
    authority: Made,
    question: Uint8Array,
    options?: Readonly<{ revoked?: readonly string[]; good?: readonly string[]; by?: Made; more?: readonly string[] }>,
  ): Buffer;
  close(): void;
}>;

export function createWorkshop(): Workshop {
  const dir = mkdtempSync(join(tmpdir(), "certificates-"));
  const path = (name: string): string => join(dir, name);
  const openssl = (...args: string[]): Buffer => execFileSync("openssl", args, { cwd: dir, stdio: ["ignore", "pipe", "pipe"] });
  let serials = 4096;
  const make = (name: string, wanted: Wanted): Made => {
    const [keyFile, csr, certFile, ext] = [path(`${name}.key`), path(`${name}.csr`), path(`${name}.pem`), path(`${name}.ext`)];
    openssl("genpkey", ...(wanted.key ?? EC), "-out", keyFile);
    openssl("req", "-new", "-utf8", "-key", keyFile, "-subj", wanted.subject, "-out", csr);
    writeFileSync(ext, `[v3]\n${(wanted.extensions ?? CLIENT).join("\n")}\n`);
    const database = path(`${name}.db`);
    writeFileSync(database, "");
    writeFileSync(path(`${name}.serial`), wanted.serial ?? (serials += 1).toString(16));
    writeFileSync(path(`${name}.cnf`), config(dir, name, wanted.digest ?? "sha256"));
    const signer = wanted.issuer
      ? ["-cert", wanted.issuer.certFile, "-keyfile", wanted.issuer.keyFile]
      : ["-selfsign", "-keyfile", keyFile];
    const dates = ["-startdate", stamp(wanted.from ?? -180), "-enddate", stamp(wanted.until ?? 180)];
    const files = ["-in", csr, "-out", certFile, "-extfile", ext, "-extensions", "v3"];
    openssl("ca", "-batch", "-notext", "-utf8", "-config", path(`${name}.cnf`), ...signer, ...dates, ...files);
    return { cert: readFileSync(certFile, "utf8"), key: readFileSync(keyFile, "utf8"), certFile, keyFile };
  };
  const crl = (name: string, authority: Made, revoked: readonly string[], days = 1): string => {
    const row = (serial: string): string => `R\t${year(2)}\t${year(0)}\t${serial.toUpperCase()}\tunknown\t/CN=revoked-${serial}\n`;
    writeFileSync(path(`${name}.db`), revoked.map(row).join(""));
    writeFileSync(path(`${name}.crlnumber`), (serials += 1).toString(16).padStart(8, "0"));
    writeFileSync(path(`${name}.cnf`), config(dir, name, "sha256"));
    const sure = ["-config", path(`${name}.cnf`), "-cert", authority.certFile, "-keyfile", authority.keyFile];
    const dates = ["-crl_lastupdate", stamp(Math.min(-1, days - 2)), "-crl_nextupdate", stamp(days)];
    openssl("ca", "-gencrl", ...sure, ...dates, "-out", path(`${name}.crl.pem`));
    openssl("crl", "-in", path(`${name}.crl.pem`), "-outform", "DER", "-out", path(`${name}.crl`));
    return path(`${name}.crl`);
  };
  let asked = 0;
  const ocsp: Workshop["ocsp"] = (authority, question, { revoked = [], good = [], by = authority, more = [] } = {}) => {
    const name = `ocsp-${(asked += 1)}`;
    const rows = [
      ...revoked.map((serial) => `R\t${year(2)}\t${year(0)}\t${serial.toUpperCase()}\tunknown\t/CN=revoked-${serial}\n`),
      ...good.map((serial) => `V\t${year(2)}\t\t${serial.toUpperCase()}\tunknown\t/CN=good-${serial}\n`),
    ];
    writeFileSync(path(`${name}.db`), rows.join(""));
    writeFileSync(path(`${name}.req`), question);
    const signer = ["-CA", authority.certFile, "-rsigner", by.certFile, "-rkey", by.keyFile];
    openssl("ocsp", "-index", path(`${name}.db`), ...signer, "-reqin", path(`${name}.req`), "-respout", path(`${name}.resp`), ...more);
    return readFileSync(path(`${name}.resp`));
  };
  return { dir, path, openssl, make, crl, ocsp, close: () => rmSync(dir, { recursive: true, force: true }) };
}

/** `YYYYMMDDHHMMSSZ`, so many days from now. */
const stamp = (days: number): string => `${new Date(Date.now() + days * 86_400_000).toISOString().replace(/[-:T]|\.\d+Z/g, "")}Z`;
const year = (more: number): string => stamp(more * 365 - 1).slice(2);

const config = (dir: string, name: string, digest: string): string => `
[ca]
default_ca = it
[it]
database = ${dir}/${name}.db
new_certs_dir = ${dir}
serial = ${dir}/${name}.serial
crlnumber = ${dir}/${name}.crlnumber
default_md = ${digest}
default_crl_days = 1
policy = any
unique_subject = no
x509_extensions = none
copy_extensions = none
[any]
commonName = optional
organizationName = optional
organizationalUnitName = optional
countryName = optional
[none]
`;
