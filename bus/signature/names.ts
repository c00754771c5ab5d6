/** Namespaces and identifiers of WS-Security 1.0/1.1, its X.509 token profile, and XML Signature. */
const OASIS = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-";

export const WSSE = `${OASIS}wssecurity-secext-1.0.xsd`;
export const WSU = `${OASIS}wssecurity-utility-1.0.xsd`;
export const WSSE11 = "http://docs.oasis-open.org/wss/oasis-wss-wssecurity-secext-1.1.xsd";
export const DS = "http://www.w3.org/2000/09/xmldsig#";
export const EXCLUSIVE = "http://www.w3.org/2001/10/xml-exc-c14n#";
export const WSA = "http://www.w3.org/2005/08/addressing";
export const MCONNECT = "https://mconnect.gov.md";

export const X509_V3 = `${OASIS}x509-token-profile-1.0#X509v3`;
export const SKI_TYPE = `${OASIS}x509-token-profile-1.0#X509SubjectKeyIdentifier`;
export const BASE64 = `${OASIS}soap-message-security-1.0#Base64Binary`;
export const THUMBPRINT = "http://docs.oasis-open.org/wss/oasis-wss-soap-message-security-1.1#ThumbprintSHA1";

/** Header blocks that say who asks, for whom, what and where to answer: a whole message's signature covers them. */
export const GUARDED: ReadonlySet<string> = new Set([
  MCONNECT,
  WSA,
  "http://schemas.xmlsoap.org/ws/2004/08/addressing",
  "http://schemas.microsoft.com/ws/2005/05/addressing/none",
]);

/** Names of the security header that every reader of envelopes knows, so that they are resolved once. */
export const SECURITY_NAMES: Readonly<Record<string, readonly string[]>> = {
  [WSSE]: ["Security", "BinarySecurityToken", "SecurityTokenReference", "Reference", "KeyIdentifier"],
  [WSU]: ["Timestamp", "Created", "Expires", "Id"],
  [DS]: [
    "Signature",
    "SignedInfo",
    "CanonicalizationMethod",
    "SignatureMethod",
    "Reference",
    "Transforms",
    "Transform",
    "DigestMethod",
    "DigestValue",
    "SignatureValue",
    "KeyInfo",
    "X509Data",
    "X509Certificate",
    "X509IssuerSerial",
    "X509IssuerName",
    "X509SerialNumber",
    "X509SKI",
  ],
  [EXCLUSIVE]: ["InclusiveNamespaces"],
  "": ["Id", "URI", "Algorithm", "ValueType", "EncodingType", "PrefixList"],
};
