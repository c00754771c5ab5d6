/**
 * Checks a file of evidence offline, with nothing of the bus and no library: the archive, the signature over its manifest, every file's
 * digest, each entry's place in the log, and that the messages are those of the entries.
 */
import { createHash, X509Certificate } from "node:crypto";
import { readArchive, Refused } from "./archive.ts";
import { checkProof, readLogKey, type Place } from "./log.ts";
import { checkSignature } from "./signature.ts";
import { checkStamp } from "./stamp.ts";

export type Entry = Readonly<Record<string, unknown> & { position: number; step: string; outcome: string; time: number; id: string }>;

export type Verdict = Readonly<{
  /** Subject of the seal's certificate. */
  sealedBy: string;
  /** When the evidence was sealed. */
  sealedAt: string;
  authority: Readonly<{ subject: string; sha256: string; trusted: boolean }>;
  log: Readonly<{ name: string; size: number; root: string }>;
  /** When all entries existed, by the word of a time-stamping authority; undefined = only by the bus's own. */
  stamp: Readonly<{ at: string; by: string; authority: Verdict["authority"] }> | undefined;
  entries: readonly Entry[];
  messages: number;
}>;

const MEDIA_TYPE = "application/vnd.etsi.asic-e+zip";
const REFERENCE =
  /^<asic:DataObjectReference URI="([A-Za-z0-9._/-]+)"><ds:DigestMethod Algorithm="http:\/\/www\.w3\.org\/2001\/04\/xmlenc#sha256"\/><ds:DigestValue>([A-Za-z0-9+/=]{44})<\/ds:DigestValue><\/asic:DataObjectReference>$/u;

/** `authority`: the certificates that are trusted, PEM, of the seal's authority and the time-stamps'; without it the verdict says whose it is and leaves trust to the reader. Throws Refused. */
export function verifyEvidence(bytes: Buffer, authority: string | undefined): Verdict {
  const files = readArchive(bytes);
  const file = (name: string): Buffer => {
    const found = files.get(name);
    if (!found) throw new Refused(`the container has no file \`${name}\``);
    return found;
  };
  if ([...files.keys()][0] !== "mimetype" || file("mimetype").toString() !== MEDIA_TYPE)
    throw new Refused("the file is no ASiC-E container");
  const manifest = file("META-INF/ASiCManifest.xml");
  const signed = checkSignature(file("META-INF/signature.p7s"), manifest, file("certificates.pem"));
  checkManifest(manifest.toString(), files);
  const anchors = (authority?.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/gu) ?? []).map(
    (pem) => new X509Certificate(pem),
  );
  const told = (certificate: X509Certificate): Verdict["authority"] => ({
    subject: certificate.subject.replaceAll("\n", ", "),
    sha256: certificate.fingerprint256,
    trusted: anchors.some((anchor) => anchor.fingerprint256 === certificate.fingerprint256),
  });
  if (authority !== undefined && !told(signed.authority).trusted)
    throw new Refused("the seal was not issued by the authority that you trust");
  const key = readLogKey(file("log.vkey").toString());
  const stamped = files.get("stamp/checkpoint.txt");
  const stamp = stamped && checkStamp(file("stamp/token.tst"), stamped, file("stamp/authority.pem"));
  const entries: Entry[] = [];
  let place: Place | undefined;
  for (const [name, entry] of files) {
    const position = /^entries\/(\d+)\.json$/u.exec(name)?.[1];
    if (position === undefined) continue;
    const proof = file(`proofs/${position}.tlog-proof`).toString();
    place = checkProof(proof, entry, key);
    if (stamped !== undefined && !proof.endsWith(`\n\n${stamped.toString()}`))
      throw new Refused("a proof leads to another checkpoint than the stamped one");
    const read = JSON.parse(entry.toString()) as Entry;
    if (String(read.position) !== position) throw new Refused(`\`${name}\` is the entry of position ${read.position}`);
    checkPayloads(read, files);
    entries.push(read);
  }
  if (!place) throw new Refused("the container has no entry of the log");
  return {
    sealedBy: signed.by,
    sealedAt: signed.at.toISOString(),
    authority: told(signed.authority),
    log: { name: key.name, size: place.size, root: place.root },
    stamp: stamp && { at: stamp.at.toISOString(), by: stamp.by, authority: told(stamp.authority) },
    entries: entries.toSorted((a, b) => a.position - b.position),
    messages: [...files.keys()].filter((name) => name.startsWith("messages/")).length,
  };
}

/** The manifest names every file but its own two and the media type, each once, with its digest. */
function checkManifest(manifest: string, files: ReadonlyMap<string, Buffer>): void {
  const named = new Set(["mimetype", "META-INF/ASiCManifest.xml", "META-INF/signature.p7s"]);
  for (const line of manifest.split("\n").filter((each) => each.startsWith("<asic:DataObjectReference"))) {
    const [, name = "", digest] = REFERENCE.exec(line) ?? [];
    const file = files.get(name);
    if (!file || named.has(name)) throw new Refused(`the manifest names \`${name}\`, which the container does not hold, or holds twice`);
    if (sha256(file, "base64") !== digest) throw new Refused(`\`${name}\` is not the file that was sealed`);
    named.add(name);
  }
  for (const name of files.keys()) if (!named.has(name)) throw new Refused(`the container holds \`${name}\`, which was not sealed`);
}

function checkPayloads(entry: Entry, files: ReadonlyMap<string, Buffer>): void {
  const envelope = entry["envelope"] as Readonly<{ body?: string }> | undefined;
  for (const [name, digest] of [
    [`messages/${entry.position}.avro`, envelope?.body],
    [`originals/${entry.position}.bin`, entry["original"]],
  ] as const) {
    const file = files.get(name);
    if (digest === undefined && file) throw new Refused(`\`${name}\` belongs to no entry`);
    if (digest === undefined) continue;
    if (!file) throw new Refused(`the entry of position ${entry.position} speaks of \`${name}\`, which is missing`);
    if (sha256(file, "hex") !== digest) throw new Refused(`\`${name}\` is not the message of its entry`);
  }
}

const sha256 = (bytes: Buffer, form: "base64" | "hex"): string => createHash("sha256").update(bytes).digest(form);
