/**
 * Verifies the WS-Security signature of a SOAP message: walks the document once with a cursor of its own, over the same bytes that the
 * codec reads, canonicalises Body and header blocks on the way, and says what exactly the signature vouches for. The order: shape, key,
 * coverage, signature, digests, time; whatever fails, nothing of the message was read yet.
 */
import { hash } from "node:crypto";
import { BusError } from "../errors.ts";
import { advance, closeTag, openRoot } from "../contract/xml/cursor.ts";
import type { Cursor } from "../contract/xml/state.ts";
import type { SignatureCheck, Signed } from "../edge/signatures.ts";
import { digest, digestMethod, signatureMethod, verifies } from "./algorithms.ts";
import { canonicalise } from "./c14n.ts";
import { nameClaim, selectCertificates, type CertificateFacts } from "./certificates.ts";
import { collectIds, type Ids } from "./ids.ts";
import { GUARDED, WSSE, WSU } from "./names.ts";
import { comeBack, readNode, spotOf, type Node, type Spot } from "./node.ts";
import { readSecurityHeader, type Reference, type SecurityHeader } from "./security-header.ts";
import { checkTimes, rememberFor } from "./time.ts";

/** Says whether a header block is for this receiver, from the attributes of the element that was just opened. */
export type ForUs = (c: Cursor) => boolean;

/** Something of the message that a Reference may name. */
type Part = Spot & Readonly<{ name: string; ids: readonly string[]; guarded: boolean }> & { form?: string };
type Walk = Readonly<{ security: SecurityHeader; body: Part & Readonly<{ plain: boolean }>; parts: readonly Part[]; ids: Ids }>;

/**
 * `c` stands before the root element of a document whose envelope has a Security header. Gives what was signed, with the place where the
 * verified Body begins. Throws signature-* and xml-*.
 */
export function verifyEnvelope(c: Cursor, check: SignatureCheck, forUs: ForUs): Signed & Readonly<{ bodyAt: number }> {
  const walk = walkEnvelope(c, forUs);
  const { security, body } = walk;
  const method = signatureMethod(security.methodUri, check.sha1);
  for (const { digestUri } of security.references) digestMethod(digestUri, check.sha1);
  const candidates = candidatesOf(security, check);
  const named = namedParts(walk);
  checkCoverage(walk, named, check);
  comeBack(c, security.signedInfo);
  const signedInfo = canonicalise(c, security.inclusive);
  const signer = candidates.find(({ key }) => verifies(method, key, signedInfo, security.signature));
  if (signer === undefined) throw new BusError("signature-wrong", "the signature does not fit SignedInfo under the key that it names");
  for (const [reference, part] of named) checkDigest(c, reference, part, check);
  checkTimes(security.created, security.expires, check.now, check.window);
  return {
    certificate: signer.sha256,
    algorithm: method.name,
    created: security.created,
    seen: hash("sha256", signedInfo),
    remember: rememberFor(check.window),
    covers: check.covers,
    style: { ids: body.plain ? "plain" : "wsu", key: security.keyForm },
    bodyAt: body.at,
  };
}

/** The whole document, from root to the end of the Body: ids, header blocks, the Security header for us, the Body's canonical form. */
function walkEnvelope(c: Cursor, forUs: ForUs): Walk {
  const ids = collectIds();
  const note = (cursor: Cursor): void => void ids.note(cursor);
  openRoot(c);
  ids.note(c);
  advance(c);
  ids.note(c);
  const parts: Part[] = [];
  let security: Node | undefined;
  for (;;) {
    const name = advance(c);
    if (name === undefined) break;
    if (name.ns === WSSE && name.local === "Security" && forUs(c)) {
      if (security !== undefined) throw new BusError("signature-shape", "two Security headers are for this receiver; send one");
      security = readNode(c, note);
      continue;
    }
    const spot = spotOf(c);
    const own = idsOf(c);
    const part: Part = { ...spot, name: name.local, ids: own, guarded: GUARDED.has(name.ns) };
    part.form = canonicalise(c, [], note);
    parts.push(part);
  }
  closeTag(c);
  if (security === undefined) throw new BusError("signature-missing", "the message has no Security header for this receiver");
  const header = readSecurityHeader(security);
  for (const node of header.beside) parts.push({ ...node, name: node.local, ids: idsOfNode(node), guarded: false });
  advance(c);
  const plain = c.attributeNames.slice(0, c.attributes).some((name) => name.ns === "" && name.local === "Id");
  const body: Walk["body"] = { ...spotOf(c), name: "Body", ids: idsOf(c), guarded: true, plain };
  const reference = header.references.find(({ id }) => body.ids.includes(id));
  if (reference === undefined) throw new BusError("signature-coverage", "the Body of the message is not signed");
  const form = canonicalise(c, reference.inclusive, note);
  if (reference.inclusive.length === 0) body.form = form;
  parts.push(body);
  return { security: header, body, parts, ids };
}

/** Ids of the element just opened; which of them count is the business of ids.ts. */
function idsOf(c: Cursor): readonly string[] {
  const found: string[] = [];
  for (let i = 0; i < c.attributes; i++) {
    const { ns = "", local = "" } = c.attributeNames[i] ?? {};
    if ((ns === "" || ns === WSU) && (local === "Id" || local === "ID")) found.push(c.attributeValues[i] ?? "");
  }
  return found;
}

function idsOfNode(node: Node): readonly string[] {
  return ["Id", "ID", `{${WSU}}Id`, `{${WSU}}ID`].flatMap((name) => node.attributes.get(name) ?? []);
}

function candidatesOf(security: SecurityHeader, check: SignatureCheck): readonly CertificateFacts[] {
  const candidates = selectCertificates(check.certificates, security.claims);
  if (candidates.length > 0) return candidates;
  const names = security.claims.map(nameClaim).join(" and ").slice(0, 300) || "no certificate";
  throw new BusError(
    "signature-key",
    check.certificates.length === 0
      ? "no certificate of the sender is registered, so nothing that it signs can be believed"
      : `the signature names ${names}, which is none of the sender's registered ones`,
  );
}

/** Each Reference with the part it names. */
function namedParts({ security, parts, ids }: Walk): readonly (readonly [Reference, Part])[] {
  return security.references.map((reference) => {
    ids.unambiguous(reference.id);
    const part = parts.find((each) => each.ids.includes(reference.id));
    if (part === undefined)
      throw new BusError(
        "signature-coverage",
        `the Reference #${reference.id.slice(0, 60)} names neither Body, Timestamp nor a block of the header: only these may be signed`,
      );
    if (part.ids.length > 1) throw new BusError("signature-shape", `<${part.name}> has two ids`);
    return [reference, part] as const;
  });
}

function checkCoverage({ security, parts }: Walk, named: readonly (readonly [Reference, Part])[], check: SignatureCheck): void {
  const covered = new Set(named.map(([, part]) => part));
  if (!named.some(([, part]) => part.at === security.timestamp.at)) throw new BusError("signature-coverage", "the Timestamp is not signed");
  if (check.covers === "body") return;
  const bare = parts.filter((part) => part.guarded && !covered.has(part)).map(({ name }) => name);
  if (bare.length === 0) return;
  const all = [...new Set(bare)].join(", ").slice(0, 200);
  throw new BusError("signature-coverage", `the signature must cover the header blocks that it comes with too; not signed: ${all}`);
}

function checkDigest(c: Cursor, reference: Reference, part: Part, check: SignatureCheck): void {
  let form = reference.inclusive.length === 0 ? part.form : undefined;
  if (form === undefined) {
    comeBack(c, part);
    form = canonicalise(c, reference.inclusive);
  }
  if (form !== "" && digest(digestMethod(reference.digestUri, check.sha1), form) === reference.digest.toString("base64")) return;
  throw new BusError("signature-wrong", `<${part.name}> is not what was signed: its digest is another one`);
}
