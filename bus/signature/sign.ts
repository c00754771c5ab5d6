/**
 * Signs the envelopes that the bus writes. The writer's own text is taken apart where it is known, ids are put in, and one walk of the
 * parser gives the canonical forms; what the bus adds itself (Timestamp, addressing, SignedInfo) is written in canonical form at once.
 */
import { hash, randomUUID } from "node:crypto";
import type { SignatureStyle } from "../edge/signatures.ts";
import { BusError } from "../errors.ts";
import { knowEnvelope } from "../contract/xml/envelope.ts";
import { advance, closeTag, openDocument, openRoot } from "../contract/xml/cursor.ts";
import { newVocabulary } from "../contract/xml/names.ts";
import { ECDSA_SHA256, RSA_SHA256, SHA256 } from "./algorithms.ts";
import { canonicalise, escapeText } from "./c14n.ts";
import { BASE64, DS, EXCLUSIVE, WSA, WSSE, WSU, X509_V3 } from "./names.ts";

/** The bus's key for messages; the signature is raw bytes, for ECDSA r and s after one another. */
export type MessageKey = Readonly<{
  algorithm: "RSA-SHA256" | "ECDSA-SHA256";
  /** DER, base64. */
  certificate: string;
  /** SHA-256 of the certificate, base64url. */
  thumbprint: string;
  sign(text: string): Promise<Uint8Array>;
}>;

export type Signing = Readonly<{
  key: MessageKey;
  style: SignatureStyle;
  /** Milliseconds: when, and how long it counts. */
  now: number;
  life: number;
  /** wsa:MessageID of the message that this one answers. */
  relatesTo?: string | undefined;
}>;

const BODY = "<soap:Body>";
const HEADER = /<soap:Header( [^>]*)?>/;
const METHODS = { "RSA-SHA256": RSA_SHA256, "ECDSA-SHA256": ECDSA_SHA256 } as const;
/** Words of envelopes; names of payloads are resolved in each document, which bounds what a vocabulary holds. */
const vocabulary = knowEnvelope(newVocabulary());

/** The same envelope with a Security header whose signature covers Body, Timestamp and every header block. */
export async function signEnvelope(envelope: Uint8Array, signing: Signing): Promise<Uint8Array> {
  const { style, key } = signing;
  const unique = randomUUID();
  const idOf = (name: string): string =>
    style.ids === "plain" ? ` Id="${name}-${unique}"` : ` xmlns:wsu="${WSU}" wsu:Id="${name}-${unique}"`;
  const { before, after, names } = withIds(envelope, idOf, addressing(signing, idOf));
  const bare = before + after;
  const digests = digestsOf(
    Buffer.from(bare, "latin1"),
    [...names, "B"].map((name) => `${name}-${unique}`),
  );
  const timestamp = timestampOf(signing, idOf("T"));
  digests.push([`T-${unique}`, hash("sha256", timestamp, "base64")]);
  const signedInfo = signedInfoOf(METHODS[key.algorithm], digests);
  const value = Buffer.from(await key.sign(signedInfo)).toString("base64");
  const token =
    style.key === "token"
      ? `<wsse:BinarySecurityToken xmlns:wsu="${WSU}" EncodingType="${BASE64}" ValueType="${X509_V3}" wsu:Id="X-${unique}">${key.certificate}</wsse:BinarySecurityToken>`
      : "";
  const keyInfo =
    style.key === "token"
      ? `<wsse:SecurityTokenReference><wsse:Reference URI="#X-${unique}" ValueType="${X509_V3}"/></wsse:SecurityTokenReference>`
      : `<ds:X509Data><ds:X509Certificate>${key.certificate}</ds:X509Certificate></ds:X509Data>`;
  const security =
    `<wsse:Security xmlns:wsse="${WSSE}" soap:mustUnderstand="1">${token}${timestamp}<ds:Signature xmlns:ds="${DS}">${signedInfo}` +
    `<ds:SignatureValue>${value}</ds:SignatureValue><ds:KeyInfo>${keyInfo}</ds:KeyInfo></ds:Signature></wsse:Security>`;
  return Buffer.from(before + security + after, "latin1");
}

type Prepared = Readonly<{ before: string; after: string; names: readonly string[] }>;

/** The envelope's text up to behind the Header's start tag, and the rest, with an id in each block and in the Body. */
function withIds(envelope: Uint8Array, idOf: (name: string) => string, more: readonly string[]): Prepared {
  const src = Buffer.from(envelope.buffer, envelope.byteOffset, envelope.byteLength).toString("latin1");
  const bodyAt = src.indexOf(BODY);
  if (bodyAt === -1) throw new BusError("unexpected", "an envelope that the bus did not write cannot be signed");
  const rest = `<soap:Body${idOf("B")}>${src.slice(bodyAt + BODY.length)}`;
  const head = src.slice(0, bodyAt);
  const header = HEADER.exec(head);
  const names = more.map((_, i) => `A${i}`);
  if (header === null) return { before: `${head}<soap:Header>`, after: `${more.join("")}</soap:Header>${rest}`, names };
  const end = header.index + header[0].length;
  const blocks = head.slice(end).replace(/<(mcon:[A-Za-z]+)>/g, (_, name: string) => {
    const id = `H${names.length}`;
    names.push(id);
    return `<${name}${idOf(id)}>`;
  });
  return { before: head.slice(0, end), after: more.join("") + blocks + rest, names };
}

/** wsa:RelatesTo and wsa:MessageID, where the message that is answered had an id. */
function addressing({ relatesTo }: Signing, idOf: (name: string) => string): readonly string[] {
  if (relatesTo === undefined) return [];
  const block = (local: string, id: string, text: string): string =>
    `<wsa:${local} xmlns:wsa="${WSA}"${idOf(id)}>${escapeText(text)}</wsa:${local}>`;
  return [block("RelatesTo", "A0", relatesTo), block("MessageID", "A1", `urn:uuid:${randomUUID()}`)];
}

/** Header blocks and Body in the order of the document, each with its digest. */
function digestsOf(bytes: Uint8Array, ids: readonly string[]): [string, string][] {
  const c = openDocument(vocabulary, bytes);
  const digests: [string, string][] = [];
  const add = (): void => void digests.push([ids[digests.length] ?? "", hash("sha256", canonicalise(c), "base64")]);
  openRoot(c);
  advance(c);
  while (advance(c) !== undefined) add();
  closeTag(c);
  advance(c);
  add();
  return digests;
}

/** In canonical form already. */
function timestampOf({ style, now, life }: Signing, id: string): string {
  const times = `<wsu:Created>${new Date(now).toISOString()}</wsu:Created><wsu:Expires>${new Date(now + life).toISOString()}</wsu:Expires>`;
  const tag = style.ids === "plain" ? `<wsu:Timestamp xmlns:wsu="${WSU}"${id}>` : `<wsu:Timestamp${id}>`;
  return `${tag}${times}</wsu:Timestamp>`;
}

function signedInfoOf(method: string, digests: readonly (readonly [string, string])[]): string {
  const references = digests.map(
    ([id, value]) =>
      `<ds:Reference URI="#${id}"><ds:Transforms><ds:Transform Algorithm="${EXCLUSIVE}"></ds:Transform></ds:Transforms>` +
      `<ds:DigestMethod Algorithm="${SHA256}"></ds:DigestMethod><ds:DigestValue>${value}</ds:DigestValue></ds:Reference>`,
  );
  return (
    `<ds:SignedInfo xmlns:ds="${DS}"><ds:CanonicalizationMethod Algorithm="${EXCLUSIVE}"></ds:CanonicalizationMethod>` +
    `<ds:SignatureMethod Algorithm="${method}"></ds:SignatureMethod>${references.join("")}</ds:SignedInfo>`
  );
}
