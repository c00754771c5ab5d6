/** The Security header in the one shape that is taken: one Timestamp, one Signature, tokens for its key, and what is signed along. */
import { BusError } from "../errors.ts";
import { strictBase64 } from "./algorithms.ts";
import type { KeyClaim } from "./certificates.ts";
import { BASE64, DS, EXCLUSIVE, SKI_TYPE, THUMBPRINT, WSSE, WSSE11, WSU, X509_V3 } from "./names.ts";
import { isNode, only, textOf, type Node } from "./node.ts";
import { readTime } from "./time.ts";

export type Reference = Readonly<{ id: string; inclusive: readonly string[]; digestUri: string | undefined; digest: Buffer }>;

export type SecurityHeader = Readonly<{
  timestamp: Node;
  created: number;
  expires: number | undefined;
  signedInfo: Node;
  /** Inclusive prefixes of SignedInfo's own canonical form. */
  inclusive: readonly string[];
  methodUri: string | undefined;
  references: readonly Reference[];
  signature: Buffer;
  claims: readonly KeyClaim[];
  /** How KeyInfo says it. */
  keyForm: "token" | "x509";
  /** Elements beside the Signature, which it may sign too. */
  beside: readonly Node[];
}>;

const MAX_REFERENCES = 32;
const MAX_PREFIXES = 32;
const MAX_SERIAL_DIGITS = 60;

const shape = (text: string): BusError => new BusError("signature-shape", text);

/** Throws signature-shape and signature-algorithm; what it gives is read, not yet believed. */
export function readSecurityHeader(security: Node): SecurityHeader {
  for (const child of security.children) {
    const known =
      isNode(child, WSU, "Timestamp") ||
      isNode(child, DS, "Signature") ||
      isNode(child, WSSE, "BinarySecurityToken") ||
      isNode(child, WSSE11, "SignatureConfirmation");
    if (!known) throw shape(`the Security header holds <${child.local}>, which is not taken here`);
  }
  const timestamp = only(security, WSU, "Timestamp");
  const signature = only(security, DS, "Signature");
  expectChildren(signature, ["SignedInfo", "SignatureValue", "KeyInfo"]);
  const signedInfo = only(signature, DS, "SignedInfo");
  const method = only(signedInfo, DS, "SignatureMethod");
  if (method.children.length > 0) throw shape("the SignatureMethod has parameters");
  return {
    timestamp,
    ...timesOf(timestamp),
    signedInfo,
    inclusive: canonicalMethod(only(signedInfo, DS, "CanonicalizationMethod")),
    methodUri: method.attributes.get("Algorithm"),
    references: referencesOf(signedInfo),
    signature: strictBase64(textOf(only(signature, DS, "SignatureValue")), "SignatureValue"),
    claims: claimsOf(only(signature, DS, "KeyInfo"), security),
    keyForm: security.children.some((child) => isNode(child, WSSE, "BinarySecurityToken")) ? "token" : "x509",
    beside: security.children.filter((child) => child !== signature),
  };
}

/** Exactly these children, in this order. */
function expectChildren(node: Node, locals: readonly string[]): void {
  const found = node.children.map((child) => (child.ns === DS ? child.local : `{${child.ns}}${child.local}`));
  if (found.length !== locals.length || found.some((local, i) => local !== locals[i]))
    throw shape(`<${node.local}> must hold ${locals.join(", ")} and nothing else, it holds ${found.join(", ").slice(0, 200) || "nothing"}`);
}

function timesOf(timestamp: Node): Readonly<{ created: number; expires: number | undefined }> {
  for (const child of timestamp.children)
    if (child.ns !== WSU || (child.local !== "Created" && child.local !== "Expires")) throw shape(`the Timestamp holds <${child.local}>`);
  const expires = timestamp.children.some((child) => child.local === "Expires") ? only(timestamp, WSU, "Expires") : undefined;
  return {
    created: readTime(textOf(only(timestamp, WSU, "Created")), "Created"),
    expires: expires && readTime(textOf(expires), "Expires"),
  };
}

/** The one canonical form that is taken; gives its inclusive prefixes. */
function canonicalMethod(node: Node): readonly string[] {
  const uri = node.attributes.get("Algorithm");
  if (uri !== EXCLUSIVE)
    throw new BusError(
      "signature-algorithm",
      `the canonical form or transform "${(uri ?? "").slice(0, 100)}" is not taken; use ${EXCLUSIVE}`,
    );
  if (node.children.length === 0) {
    if (node.text.trim() !== "") throw shape(`<${node.local}> holds text`);
    return [];
  }
  const list = only(node, EXCLUSIVE, "InclusiveNamespaces");
  if (node.children.length > 1 || list.children.length > 0) throw shape(`<${node.local}> holds more than InclusiveNamespaces`);
  const prefixes = (list.attributes.get("PrefixList") ?? "").split(/[ \t\r\n]+/).filter((prefix) => prefix !== "");
  if (prefixes.length > MAX_PREFIXES) throw shape(`a PrefixList may name at most ${MAX_PREFIXES} prefixes`);
  return prefixes.map((prefix) => (prefix === "#default" ? "" : prefix));
}

function referencesOf(signedInfo: Node): readonly Reference[] {
  const list = signedInfo.children.slice(2);
  if (list.length === 0 || list.length > MAX_REFERENCES) throw shape(`SignedInfo must hold 1 to ${MAX_REFERENCES} References`);
  expectChildren(signedInfo, ["CanonicalizationMethod", "SignatureMethod", ...list.map(() => "Reference")]);
  const references = list.map(referenceOf);
  if (new Set(references.map(({ id }) => id)).size !== references.length) throw shape("two References name the same element");
  return references;
}

function referenceOf(node: Node): Reference {
  expectChildren(node, ["Transforms", "DigestMethod", "DigestValue"]);
  const uri = node.attributes.get("URI") ?? "";
  if (!/^#[A-Za-z_][\w.-]*$/.test(uri)) throw shape(`a Reference must name one element by its id, not "${uri.slice(0, 60)}"`);
  const transforms = only(node, DS, "Transforms");
  expectChildren(transforms, ["Transform"]);
  const method = only(node, DS, "DigestMethod");
  if (method.children.length > 0) throw shape("the DigestMethod has parameters");
  return {
    id: uri.slice(1),
    inclusive: canonicalMethod(only(transforms, DS, "Transform")),
    digestUri: method.attributes.get("Algorithm"),
    digest: strictBase64(textOf(only(node, DS, "DigestValue")), "DigestValue"),
  };
}

/** KeyInfo holds either X509Data itself or one SecurityTokenReference. */
function claimsOf(keyInfo: Node, security: Node): readonly KeyClaim[] {
  const [form] = keyInfo.children;
  if (form === undefined || keyInfo.children.length > 1)
    throw shape("KeyInfo must hold exactly one of X509Data and SecurityTokenReference");
  if (isNode(form, DS, "X509Data")) return x509Claims(form);
  if (!isNode(form, WSSE, "SecurityTokenReference")) throw shape(`KeyInfo holds <${form.local}>; use X509Data or SecurityTokenReference`);
  const [inner] = form.children;
  if (inner === undefined || form.children.length > 1) throw shape("SecurityTokenReference must hold exactly one reference");
  if (isNode(inner, DS, "X509Data")) return x509Claims(inner);
  if (isNode(inner, WSSE, "Reference")) return [tokenClaim(inner, security)];
  if (isNode(inner, WSSE, "KeyIdentifier")) return [identifierClaim(inner)];
  throw shape(`SecurityTokenReference holds <${inner.local}>; use Reference, KeyIdentifier or X509Data`);
}

function x509Claims(data: Node): readonly KeyClaim[] {
  if (data.children.length === 0) throw shape("X509Data is empty");
  return data.children.flatMap((child): KeyClaim[] => {
    if (isNode(child, DS, "X509Certificate")) return [{ kind: "certificate", der: strictBase64(textOf(child), "X509Certificate") }];
    if (isNode(child, DS, "X509IssuerSerial")) {
      if (child.children.length === 0 && child.text.trim() === "") return []; // a template that xmlsec left unfilled
      const digits = textOf(only(child, DS, "X509SerialNumber"));
      if (!/^\d+$/.test(digits) || digits.length > MAX_SERIAL_DIGITS) throw shape("X509SerialNumber is no whole number");
      return [{ kind: "serial", serial: BigInt(digits) }];
    }
    if (isNode(child, DS, "X509SKI")) return [{ kind: "ski", bytes: strictBase64(textOf(child), "X509SKI") }];
    if (isNode(child, DS, "X509SubjectName")) return [];
    throw shape(`X509Data holds <${child.local}>, which is not taken here`);
  });
}

function tokenClaim(reference: Node, security: Node): KeyClaim {
  const id = (reference.attributes.get("URI") ?? "").slice(1);
  const token = security.children.find(
    (child) => isNode(child, WSSE, "BinarySecurityToken") && [child.attributes.get(`{${WSU}}Id`), child.attributes.get("Id")].includes(id),
  );
  if (token === undefined || !(reference.attributes.get("URI") ?? "").startsWith("#"))
    throw shape("the SecurityTokenReference names no BinarySecurityToken of this Security header");
  const type = token.attributes.get("ValueType");
  if (type !== undefined && type !== X509_V3) throw shape(`a BinarySecurityToken of type "${type.slice(0, 100)}" is not taken; use X509v3`);
  expectBase64(token);
  return { kind: "certificate", der: strictBase64(textOf(token), "BinarySecurityToken") };
}

function identifierClaim(identifier: Node): KeyClaim {
  expectBase64(identifier);
  const type = identifier.attributes.get("ValueType");
  const bytes = strictBase64(textOf(identifier), "KeyIdentifier");
  if (type === SKI_TYPE) return { kind: "ski", bytes };
  if (type === THUMBPRINT) return { kind: "sha1", bytes };
  if (type === X509_V3) return { kind: "certificate", der: bytes };
  throw shape(`a KeyIdentifier of type "${(type ?? "").slice(0, 100)}" is not taken here`);
}

function expectBase64(node: Node): void {
  const type = node.attributes.get("EncodingType");
  if (type !== undefined && type !== BASE64) throw shape(`<${node.local}> is in an encoding that is not taken; use ${BASE64}`);
}
