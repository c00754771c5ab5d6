/**
 * The Merkle tree of RFC 6962 §2.1 over leaf hashes: roots, inclusion and consistency proofs. A leaf is SHA-256(0x00 ‖ entry), an inner
 * node SHA-256(0x01 ‖ left ‖ right), so that no node passes for a leaf. Hashes of complete subtrees come from whoever keeps them.
 */
import { createHash, hash } from "node:crypto";

/** Bytes of a hash. */
export const HASH = 32;

/** Hash of the complete subtree of 2^`level` leaves that begins at leaf `index` · 2^`level`. */
export type Node = (level: number, index: number) => Promise<Uint8Array>;

const LEAF = Buffer.of(0);
const INNER = Buffer.of(1);

export function leafHash(entry: Uint8Array): Uint8Array {
  return sha256(Buffer.concat([LEAF, entry]));
}

export function nodeHash(left: Uint8Array, right: Uint8Array): Uint8Array {
  return sha256(Buffer.concat([INNER, left, right]));
}

/** By way of text: a buffer that the platform makes for the digest costs more than the digest. */
function sha256(bytes: Uint8Array): Uint8Array {
  return Buffer.from(hash("sha256", bytes, "binary"), "latin1");
}

/** Root of the empty tree. */
const EMPTY: Uint8Array = createHash("sha256").digest();

/** Root of the tree of the first `size` leaves. */
export function rootOf(size: number, node: Node): Promise<Uint8Array> {
  return size === 0 ? Promise.resolve(EMPTY) : range(0, size, node);
}

/** Siblings from the leaf to the root, RFC 6962 §2.1.1. `index` < `size`. */
export async function inclusion(index: number, size: number, node: Node): Promise<readonly Uint8Array[]> {
  const path: Uint8Array[] = [];
  let [from, to] = [0, size];
  while (to - from > 1) {
    const middle = from + split(to - from);
    const left = index < middle;
    path.push(await (left ? range(middle, to, node) : range(from, middle, node)));
    [from, to] = left ? [from, middle] : [middle, to];
  }
  return path.toReversed();
}

/** Proof that the tree of `older` leaves is a beginning of the tree of `newer` ones, RFC 6962 §2.1.2. 0 < `older` ≤ `newer`. */
export async function consistency(older: number, newer: number, node: Node): Promise<readonly Uint8Array[]> {
  const path: Uint8Array[] = [];
  let [from, to] = [0, newer];
  let whole = true; // the part that is left is the older tree itself, whose root the reader has
  while (older < to) {
    const middle = from + split(to - from);
    if (older <= middle) {
      path.push(await range(middle, to, node));
      to = middle;
    } else {
      path.push(await range(from, middle, node));
      from = middle;
      whole = false;
    }
  }
  if (!whole) path.push(await range(from, to, node));
  return path.toReversed();
}

/** Largest power of two below `size` (> 1). */
function split(size: number): number {
  let half = 1;
  while (half * 2 < size) half *= 2;
  return half;
}

/** Root of the leaves from `from` up to `to`, where `from` is a multiple of the largest power of two in the range. */
async function range(from: number, to: number, node: Node): Promise<Uint8Array> {
  const length = to - from;
  const level = Math.log2(length);
  if (Number.isInteger(level)) return node(level, from / length);
  const middle = from + split(length);
  const [left, right] = await Promise.all([range(from, middle, node), range(middle, to, node)]);
  return nodeHash(left, right);
}
