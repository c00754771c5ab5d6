/**
 * Signs SOAP messages as a client of another make: canonical forms by libxml2, signatures by OpenSSL, nothing of the bus. Every part of
 * the signature can be made wrong, for tests of what must be refused.
 */
import { createHash, randomUUID, sign, X509Certificate } from "node:crypto";
import { XmlC14NMode, XmlDocument } from "libxml2-wasm";

const OASIS = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-";
export const WSSE = `${OASIS}wssecurity-secext-1.0.xsd`;
export const WSU = `${OASIS}wssecurity-utility-1.0.xsd`;
export const DS = "http://www.w3.org/2000/09/xmldsig#";
export const EXC = "http://www.w3.org/2001/10/xml-exc-c14n#";
export const SOAP11 = "http://schemas.xmlsoap.org/soap/envelope/";
const NAMESPACES = { wsse: WSSE, wsu: WSU, ds: DS };

export type Signing = Readonly<{ cert: string; key: string }>;

export type Wanted = Readonly<{
  by: Signing;
  /** Content of the Body. */
  body: string;
  /** Header blocks besides Security; the ids of those that are signed too. */
  headers?: string;
  alsoSign?: readonly string[];
  soap?: string;
  /** `wsu`: wsu:Id; `plain`: Id, as older .NET software writes. */
  ids?: "wsu" | "plain";
  keyInfo?: string | ((by: Signing) => string);
  created?: number;
  expires?: number | null;
  timestamp?: string;
  method?: string;
  hash?: string;
  digestMethod?: string;
  digestHash?: string;
  c14n?: string;
  transforms?: string;
  prefixes?: string;
  bodyId?: string;
  timestampId?: string;
  /** Ids that the signature covers, instead of Body and Timestamp and `alsoSign`. */
  signs?: readonly string[];
  /** URI of each Reference, from its id. */
  uri?: (id: string) => string;
  mustUnderstand?: boolean;
  security?: (inner: string) => string;
  /** A last hand on the whole, signed document. */
  after?: (document: string) => string;
}>;

const iso = (time: number): string => new Date(time).toISOString();
const base64 = (pem: string): string => pem.replace(/-----[^-]+-----|\s/g, "");

export const x509Data = (by: Signing): string => `<ds:X509Data><ds:X509Certificate>${base64(by.cert)}</ds:X509Certificate></ds:X509Data>`;
export const str = (inner: string): string => `<wsse:SecurityTokenReference>${inner}</wsse:SecurityTokenReference>`;
export const token = (by: Signing, id: string): string =>
  `<wsse:BinarySecurityToken wsu:Id="${id}" ValueType="${OASIS}x509-token-profile-1.0#X509v3" EncodingType="${OASIS}soap-message-security-1.0#Base64Binary">${base64(by.cert)}</wsse:BinarySecurityToken>`;
export const tokenReference = (id: string): string =>
  str(`<wsse:Reference URI="#${id}" ValueType="${OASIS}x509-token-profile-1.0#X509v3"/>`);
export const issuerSerial = (by: Signing): string => {
  const { serialNumber } = new X509Certificate(by.cert);
  return `<ds:X509Data><ds:X509IssuerSerial><ds:X509IssuerName>CN=whoever</ds:X509IssuerName><ds:X509SerialNumber>${BigInt(`0x${serialNumber}`)}</ds:X509SerialNumber></ds:X509IssuerSerial></ds:X509Data>`;
};
export const keyIdentifier = (value: string, type: string): string =>
  str(
    `<wsse:KeyIdentifier ValueType="${type}" EncodingType="${OASIS}soap-message-security-1.0#Base64Binary">${value}</wsse:KeyIdentifier>`,
  );
export const SKI_TYPE = `${OASIS}x509-token-profile-1.0#X509SubjectKeyIdentifier`;
export const THUMBPRINT_TYPE = "http://docs.oasis-open.org/wss/oasis-wss-soap-message-security-1.1#ThumbprintSHA1";

/** Canonical form of the one element that an XPath names. */
export function canonical(source: string, xpath: string, prefixes: readonly string[] = []): string {
  using document = XmlDocument.fromString(source);
  const node = document.get(xpath, NAMESPACES);
  if (node === null) throw new Error(`nothing at ${xpath}`);
  return node.canonicalizeToString({
    mode: XmlC14NMode.XML_C14N_EXCLUSIVE_1_0,
    inclusiveNamespacePrefixes: [...prefixes],
    withComments: false,
  });
}

const MORE = "http://www.w3.org/2001/04/xmldsig-more#";

/** A signed envelope. */
export function signedEnvelope(wanted: Wanted): string {
  const { by, soap = SOAP11, ids = "wsu", prefixes } = wanted;
  const now = wanted.created ?? Date.now();
  const bodyId = wanted.bodyId ?? `MS-${randomUUID()}`;
  const timestampId = wanted.timestampId ?? `TS-${randomUUID()}`;
  const idOf = (id: string): string => (ids === "wsu" ? `wsu:Id="${id}"` : `Id="${id}"`);
  const expires = wanted.expires === null ? "" : `<wsu:Expires>${iso(wanted.expires ?? now + 300_000)}</wsu:Expires>`;
  const timestamp =
    wanted.timestamp ?? `<wsu:Timestamp ${idOf(timestampId)}><wsu:Created>${iso(now)}</wsu:Created>${expires}</wsu:Timestamp>`;
  const must = wanted.mustUnderstand === false ? "" : ` soap:mustUnderstand="1"`;
  const inner = `${timestamp}%SIGNATURE%`;
  const document =
    `<soap:Envelope xmlns:soap="${soap}" xmlns:wsse="${WSSE}" xmlns:wsu="${WSU}"><soap:Header>` +
    `<wsse:Security${must}>${wanted.security?.(inner) ?? inner}</wsse:Security>${wanted.headers ?? ""}</soap:Header>` +
    `<soap:Body ${idOf(bodyId)}>${wanted.body}</soap:Body></soap:Envelope>`;
  const list = prefixes === undefined ? [] : prefixes.split(" ").map((prefix) => (prefix === "#default" ? "" : prefix));
  const more = prefixes === undefined ? "" : `<ec:InclusiveNamespaces xmlns:ec="${EXC}" PrefixList="${prefixes}"/>`;
  const digestUri = wanted.digestMethod ?? "http://www.w3.org/2001/04/xmlenc#sha256";
  const bare = document.replace("%SIGNATURE%", "");
  const reference = (id: string): string => {
    const found = `//*[@wsu:Id="${id}" or @Id="${id}"]`;
    const value = createHash(wanted.digestHash ?? "sha256")
      .update(canonical(bare, found, list))
      .digest("base64");
    const transforms = wanted.transforms ?? `<ds:Transform Algorithm="${EXC}">${more}</ds:Transform>`;
    return `<ds:Reference URI="${wanted.uri?.(id) ?? `#${id}`}"><ds:Transforms>${transforms}</ds:Transforms><ds:DigestMethod Algorithm="${digestUri}"/><ds:DigestValue>${value}</ds:DigestValue></ds:Reference>`;
  };
  const signs = wanted.signs ?? [bodyId, timestampId, ...(wanted.alsoSign ?? [])];
  const rsa = by.key.includes("BEGIN RSA") || isRsa(by);
  const method = wanted.method ?? `${MORE}${rsa ? "rsa" : "ecdsa"}-sha256`;
  const signedInfo =
    `<ds:SignedInfo><ds:CanonicalizationMethod Algorithm="${wanted.c14n ?? EXC}"/><ds:SignatureMethod Algorithm="${method}"/>` +
    `${signs.map(reference).join("")}</ds:SignedInfo>`;
  const info = typeof wanted.keyInfo === "string" ? wanted.keyInfo : (wanted.keyInfo ?? x509Data)(by);
  const signature = `<ds:Signature xmlns:ds="${DS}">${signedInfo}<ds:SignatureValue>%VALUE%</ds:SignatureValue><ds:KeyInfo>${info}</ds:KeyInfo></ds:Signature>`;
  const whole = document.replace("%SIGNATURE%", () => signature);
  const form = canonical(whole, "//ds:SignedInfo");
  const value = sign(wanted.hash ?? "sha256", Buffer.from(form), { key: by.key, dsaEncoding: "ieee-p1363" }).toString("base64");
  const done = whole.replace("%VALUE%", () => value);
  return wanted.after?.(done) ?? done;
}

function isRsa(by: Signing): boolean {
  return new X509Certificate(by.cert).publicKey.asymmetricKeyType === "rsa";
}
