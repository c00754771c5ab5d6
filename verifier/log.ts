/** Checks that an entry stands in a log: C2SP tlog-proof and signed-note with Ed25519, inclusion by RFC 6962 (RFC 9162 §2.1.3.2). */
import { createHash, createPublicKey, verify } from "node:crypto";
import { Refused } from "./archive.ts";

export type LogKey = Readonly<{ name: string; id: Buffer; key: Buffer }>;

const sha256 = (...parts: readonly Uint8Array[]): Buffer => {
  const hash = createHash("sha256");
  for (const part of parts) hash.update(part);
  return hash.digest();
};

/** `<name>+<key id>+<base64 of 0x01 and the key>`. */
export function readLogKey(text: string): LogKey {
  const [, name = "", id = "", encoded = ""] = /^([^+\s]+)\+([0-9a-f]{8})\+([A-Za-z0-9+/=]+)\n$/u.exec(text) ?? [];
  const bytes = base64(encoded, "the log's key");
  const key = bytes.subarray(1);
  const wanted = sha256(Buffer.from(`${name}\n`), bytes).subarray(0, 4);
  if (bytes.length !== 33 || bytes[0] !== 1 || wanted.toString("hex") !== id) throw new Refused("log.vkey is no Ed25519 key of a log");
  return { name, id: wanted, key };
}

export type Place = Readonly<{ index: number; size: number; root: string }>;

/** Throws Refused unless the proof puts the entry under a checkpoint that the key signed. */
export function checkProof(text: string, entry: Uint8Array, key: LogKey): Place {
  const [head = "", ...rest] = text.split("\n\n");
  const [title, place = "", ...siblings] = head.split("\n");
  if (title !== "c2sp.org/tlog-proof@v1") throw new Refused("a proof is no C2SP tlog-proof");
  const index = whole(/^index (0|[1-9]\d*)$/u.exec(place)?.[1]);
  const { size, root } = checkCheckpoint(rest.join("\n\n"), key);
  const path = siblings.map((line) => base64(line, "a sibling in a proof"));
  if (!rootFrom(index, size, sha256(Buffer.of(0), entry), path).equals(root))
    throw new Refused(`the proof of entry ${index} does not lead to the log's root`);
  return { index, size, root: root.toString("base64") };
}

/** Size and root of a checkpoint that the key signed. */
export function checkCheckpoint(note: string, key: LogKey): Readonly<{ size: number; root: Buffer }> {
  const [, text = "", name, signature = ""] = /^([^\n]+\n[^\n]+\n[^\n]+\n)\n— ([^\n ]+) ([^\n ]+)\n$/u.exec(note) ?? [];
  const [origin, size, root = ""] = text.split("\n");
  if (origin !== key.name || name !== key.name) throw new Refused("a checkpoint is of another log");
  const bytes = base64(signature, "a checkpoint's signature");
  const spki = Buffer.concat([Buffer.from("302a300506032b6570032100", "hex"), key.key]);
  const publicKey = createPublicKey({ key: spki, format: "der", type: "spki" });
  if (!bytes.subarray(0, 4).equals(key.id) || !verify(null, Buffer.from(text), publicKey, bytes.subarray(4)))
    throw new Refused("the signature of a checkpoint does not verify");
  return { size: whole(size), root: base64(root, "a checkpoint's root") };
}

function rootFrom(index: number, size: number, leaf: Buffer, path: readonly Buffer[]): Buffer {
  let hash = leaf;
  let [at, last] = [index, size - 1];
  if (index >= size) throw new Refused("a proof is of an entry beyond the log's end");
  for (const sibling of path) {
    if (last === 0) throw new Refused("a proof has more siblings than its tree has levels");
    if (at % 2 === 1 || at === last) {
      hash = sha256(Buffer.of(1), sibling, hash);
      while (at % 2 === 0 && at !== 0) [at, last] = [half(at), half(last)];
    } else hash = sha256(Buffer.of(1), hash, sibling);
    [at, last] = [half(at), half(last)];
  }
  if (last !== 0) throw new Refused("a proof has fewer siblings than its tree has levels");
  return hash;
}

/** Throws Refused unless the tree of the newer checkpoint begins with that of the older one (RFC 9162 §2.1.4.2). */
export function checkConsistency(
  older: Readonly<{ size: number; root: Buffer }>,
  newer: Readonly<{ size: number; root: Buffer }>,
  proof: readonly Buffer[],
): void {
  const refuse = (): never => {
    throw new Refused("the newer checkpoint does not go on from the older one: the log was rewritten");
  };
  if (older.size === newer.size) return older.root.equals(newer.root) && proof.length === 0 ? undefined : refuse();
  if (older.size > newer.size || older.size === 0) return refuse();
  let [at, last] = [older.size - 1, newer.size - 1];
  while (at % 2 === 1) [at, last] = [half(at), half(last)];
  const path = at === 0 ? [older.root, ...proof] : proof;
  const [first, ...rest] = path;
  if (!first) return refuse();
  let [from, to] = [first, first];
  for (const sibling of rest) {
    if (last === 0) return refuse();
    if (at % 2 === 1 || at === last) {
      from = sha256(Buffer.of(1), sibling, from);
      to = sha256(Buffer.of(1), sibling, to);
      while (at % 2 === 0 && at !== 0) [at, last] = [half(at), half(last)];
    } else to = sha256(Buffer.of(1), to, sibling);
    [at, last] = [half(at), half(last)];
  }
  if (!from.equals(older.root) || !to.equals(newer.root) || last !== 0) refuse();
}

const half = (value: number): number => Math.floor(value / 2);

function whole(text: string | undefined): number {
  if (text === undefined || !/^(0|[1-9]\d{0,14})$/u.test(text)) throw new Refused("a proof or checkpoint has a number that is none");
  return Number(text);
}

/** Only the one way to write it: base64 that decodes to the same bytes and reads otherwise is refused. */
function base64(text: string, what: string): Buffer {
  const bytes = Buffer.from(text, "base64");
  if (bytes.toString("base64") !== text) throw new Refused(`${what} is no base64`);
  return bytes;
}
