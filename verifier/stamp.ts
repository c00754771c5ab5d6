/** Checks the time-stamp over the log's checkpoint: RFC 3161, one RSA or ECDSA signer, its certificate up to the one that goes with it. */
import { createHash, verify, X509Certificate } from "node:crypto";
import { Refused } from "./archive.ts";
import { body, der, list, oid, timeOf } from "./signature.ts";

const INFO = der(0x06, Buffer.from("2a864886f70d0109100104", "hex"));
const STAMPING = der(0x30, oid("2b06010505070308"));
const DIGESTS: Readonly<Record<string, string>> = {
  "608648016503040201": "sha256",
  "608648016503040202": "sha384",
  "608648016503040203": "sha512",
};

/** Throws Refused unless the token says when `checkpoint` existed, under the certificate that lies with it. */
export function checkStamp(token: Buffer, checkpoint: Buffer, pem: Buffer): Readonly<{ at: Date; by: string; authority: X509Certificate }> {
  const authority = new X509Certificate(pem);
  const [, wrapped] = list(token, 0x30);
  const data = list(list(wrapped, 0xa0)[0], 0x30);
  const [kind, content] = list(data[2], 0x30);
  const info = body(list(content, 0xa0)[0] ?? Buffer.alloc(0));
  const [signer, another] = list(data.at(-1), 0x31);
  const [, , digestAlgorithm, attributes, , signature] = list(signer, 0x30);
  const digest = nameOf(digestAlgorithm);
  if (!kind?.equals(INFO) || another || !attributes || !signature) throw new Refused("the time-stamp is none");
  const values = new Map(
    list(attributes, 0xa0).map((each) => [body(list(each, 0x30)[0] ?? each).toString("hex"), list(list(each, 0x30)[1], 0x31)[0]]),
  );
  if (!values.get("2a864886f70d010904")?.equals(der(0x04, hash(digest, info))))
    throw new Refused("the time-stamp's signature is over something else");
  const certificates = list(
    data.find((each) => each[0] === 0xa0),
    0xa0,
  ).map((each) => new X509Certificate(each));
  const name = list(list(list(values.get("2a864886f70d010910022f"), 0x30)[0], 0x30)[0], 0x30);
  const [algorithm, fingerprint] = name[0]?.[0] === 0x30 ? [nameOf(name[0]), name[1]] : ["sha256", name[0]];
  const by = certificates.find((each) => fingerprint?.equals(der(0x04, hash(algorithm, each.raw))));
  if (!by || by.ca || !by.raw.includes(Buffer.concat([der(0x01, Buffer.of(0xff)), der(0x04, STAMPING)])))
    throw new Refused("the time-stamp was not made with a certificate for time-stamping");
  const toVerify = Buffer.concat([Buffer.of(0x31), attributes.subarray(1)]);
  if (!verify(digest, toVerify, by.publicKey, body(signature))) throw new Refused("the time-stamp's signature does not verify");
  const [, , imprint, , time] = list(info, 0x30);
  const [used, stamped] = list(imprint, 0x30);
  if (!stamped?.equals(der(0x04, hash(nameOf(used), checkpoint)))) throw new Refused("the time-stamp is over another checkpoint");
  const at = timeOf(time);
  if (!holds(by, [authority, ...certificates], at))
    throw new Refused("the time-stamp was not issued under the authority in the container at its time");
  return { at, by: by.subject.replaceAll("\n", ", "), authority };
}

/** `known`: the authority first. */
function holds(current: X509Certificate, known: readonly X509Certificate[], at: Date, left = 5): boolean {
  if (left === 0 || at < current.validFromDate || at > current.validToDate) return false;
  if (current.fingerprint256 === known[0]?.fingerprint256) return true;
  const above = known.find((each) => each.ca && current.checkIssued(each) && current.verify(each.publicKey));
  return above !== undefined && holds(above, known, at, left - 1);
}

function nameOf(algorithm: Buffer | undefined): string {
  const name = DIGESTS[body(list(algorithm, 0x30)[0] ?? Buffer.alloc(2)).toString("hex")];
  if (name === undefined) throw new Refused("the time-stamp's digest is not SHA-256 or longer");
  return name;
}

const hash = (name: string, bytes: Uint8Array): Buffer => createHash(name).update(bytes).digest();
