/** OCSP (RFC 6960): the question for one certificate, and what a signed answer says of it. Getting it over is the caller's business. */
import { createHash, X509Certificate } from "node:crypto";
import {
  all,
  BITS,
  constructed,
  each,
  elementAt,
  ENUMERATED,
  expected,
  OCTETS,
  oidText,
  only,
  primitive,
  SEQUENCE,
  timeOf,
  wholeBits,
  wrap,
  type Element,
} from "../edge/der.ts";
import { outOfDate } from "./certificate.ts";
import { DIGITAL_SIGNATURE, extensionsOf, OCSP_SIGNING, partsOf } from "./parts.ts";
import { signedParts, verifies } from "./signed.ts";

/** Milliseconds that clocks may differ. */
export const SKEW = 300_000;
const MOST = 65_536;

/** SHA-1 names the issuer here, as every responder expects it (RFC 5019 §2.1.1); nothing is trusted for it. */
const SHA1 = Buffer.from("300906052b0e03021a0500", "hex");
const NONCE = "1.3.6.1.5.5.7.48.1.2";
const BASIC = "1.3.6.1.5.5.7.48.1.1";
const oidOfNonce = Buffer.from("06092b0601050507300102", "hex");
const sha1 = (bytes: Uint8Array): Buffer => createHash("sha1").update(bytes).digest();

export type Question = Readonly<{ certificate: X509Certificate; issuer: X509Certificate; /** 16 random bytes. */ nonce: Uint8Array }>;
/** `until`: the responder says something newer after it; undefined = it may say something newer at any time. */
export type Answer =
  | Readonly<{ state: "good" | "revoked"; until: number | undefined }>
  /** Nothing can be concluded, and why. */
  | Readonly<{ state: "unknown"; why: string }>;

/** DER of the CertID that names the certificate. */
function certId({ certificate, issuer }: Question): Buffer {
  const { subject, key } = partsOf(issuer);
  return wrap(SEQUENCE, SHA1, wrap(OCTETS, sha1(subject)), wrap(OCTETS, sha1(key)), partsOf(certificate).serialDer);
}

export function writeQuestion(question: Question): Buffer {
  const nonce = wrap(SEQUENCE, oidOfNonce, wrap(OCTETS, wrap(OCTETS, question.nonce)));
  const extensions = wrap(constructed(2), wrap(SEQUENCE, nonce));
  return wrap(SEQUENCE, wrap(SEQUENCE, wrap(SEQUENCE, wrap(SEQUENCE, certId(question))), extensions));
}

const STATUS = [
  "successful",
  "the question was malformed",
  "the responder failed",
  "the responder is busy",
  "",
  "the responder wants signed questions",
  "the responder does not serve us",
];

/** Never throws: what is no sound answer to this question is `unknown`. */
export function readAnswer(bytes: Buffer, question: Question, now: number): Answer {
  try {
    if (bytes.length > MOST) return unknown("its answer is too long");
    const [status, held] = all(only(bytes, SEQUENCE));
    const code = expected(status, ENUMERATED).content[0] ?? 0;
    if (code !== 0) return unknown(STATUS[code] ?? `it answered with status ${code}`);
    const [type, response] = all(expected(elementAt(expected(held, constructed(0)).content), SEQUENCE));
    if (oidText(type) !== BASIC) return unknown("its answer is of a kind that is not known here");
    return basic(only(expected(response, OCTETS).content, SEQUENCE), question, now);
  } catch (error) {
    return unknown(`its answer cannot be read: ${error instanceof Error ? error.message : String(error)}`);
  }
}

const unknown = (why: string): Answer => ({ state: "unknown", why });

function basic(response: Element, question: Question, now: number): Answer {
  const { body, algorithm, signature } = signedParts(response);
  const sent = all(response)[3];
  const fields = all(expected(body, SEQUENCE)).filter(({ tag }) => tag !== constructed(0));
  const [responder, , singles, last] = fields;
  const signer = signerOf(expected(responder, responder?.tag ?? 0), sent, question.issuer, now);
  if (signer === undefined) return unknown("its answer is signed by nobody who may answer for this authority");
  if (!verifies(body.whole, algorithm, wholeBits(expected(signature, BITS)), signer.publicKey))
    return unknown("the signature of its answer does not verify");
  const extensions = last?.tag === constructed(1) ? extensionsOf(elementAt(last.content)) : undefined;
  const nonce = extensions?.get(NONCE)?.value;
  if (nonce !== undefined && !only(nonce, OCTETS).content.equals(question.nonce))
    return unknown("its answer is to another question (nonce)");
  const wanted = elementAt(certId(question));
  for (const single of each(expected(singles, SEQUENCE).content)) {
    const [id, state, thisUpdate, next] = all(single);
    if (id && sameId(id, wanted)) return said(state, timeOf(thisUpdate), next, now);
  }
  return unknown("its answer does not speak of this certificate");
}

/** The algorithm's parameter may be NULL or left out; the rest must be the same bytes. */
function sameId(id: Element, wanted: Element): boolean {
  const [algorithm, ...rest] = all(id);
  const [own, ...others] = all(wanted);
  if (!algorithm || !own || rest.length !== others.length || oidText(all(algorithm)[0]) !== oidText(all(own)[0])) return false;
  return rest.every((part, at) => others[at]?.whole.equals(part.whole) === true);
}

function said(state: Element | undefined, thisUpdate: number, next: Element | undefined, now: number): Answer {
  const until = next?.tag === constructed(0) ? timeOf(elementAt(next.content)) : undefined;
  if (thisUpdate > now + SKEW) return unknown("its answer is of the future");
  if (until !== undefined && until < now - SKEW) return unknown(`its answer ended on ${new Date(until).toISOString()}`);
  // without an end an answer is of its moment, and an old one proves nothing
  if (until === undefined && thisUpdate < now - 2 * SKEW) return unknown("its answer is old and does not say how long it holds");
  if (state?.tag === primitive(0)) return { state: "good", until };
  if (state?.tag === constructed(1)) return { state: "revoked", until };
  return unknown("the responder does not know this certificate");
}

/** The authority itself, or one that the authority certified for this and nothing above it (RFC 6960 §4.2.2.2). */
function signerOf(responder: Element, sent: Element | undefined, issuer: X509Certificate, now: number): X509Certificate | undefined {
  const named = (certificate: X509Certificate): boolean => {
    const { subject, key } = partsOf(certificate);
    if (responder.tag === constructed(1)) return elementAt(responder.content).whole.equals(subject);
    return responder.tag === constructed(2) && only(responder.content, OCTETS).content.equals(sha1(key));
  };
  if (named(issuer)) return issuer;
  if (sent?.tag !== constructed(0)) return undefined;
  for (const one of all(elementAt(sent.content)).slice(0, 8)) {
    const certificate = new X509Certificate(one.whole);
    if (named(certificate) && delegated(certificate, issuer, now)) return certificate;
  }
  return undefined;
}

function delegated(certificate: X509Certificate, issuer: X509Certificate, now: number): boolean {
  const { purposes, usage } = partsOf(certificate);
  if (!purposes.includes(OCSP_SIGNING) || (usage !== undefined && usage[DIGITAL_SIGNATURE] !== true)) return false;
  if (outOfDate(certificate, now) !== undefined || !certificate.checkIssued(issuer)) return false;
  const { body, algorithm, signature } = signedParts(only(certificate.raw, SEQUENCE));
  return verifies(body.whole, algorithm, wholeBits(signature), issuer.publicKey);
}
