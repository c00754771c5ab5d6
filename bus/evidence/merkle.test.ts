import { createHash } from "node:crypto";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { checkConsistency, checkProof, readLogKey } from "#verifier/log.ts";
import { noteSigner } from "#test/harness/evidence.ts";
import { consistency, inclusion, leafHash, nodeHash, rootOf, type Node } from "./merkle.ts";
import { proofText, signCheckpoint, verifierKey } from "./note.ts";

/** Entries of the test vectors of Certificate Transparency, and the roots of their first 1 … 8. */
const ENTRIES = ["", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f"];
const ROOTS = new Map([
  [1, "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d"],
  [2, "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125"],
  [7, "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c"],
  [8, "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328"],
]);

const leaves = (count: number): Uint8Array[] => Array.from({ length: count }, (_, n) => leafHash(Buffer.from(`entry ${n}`)));

/** Hashes of complete subtrees, by the definition. */
function nodesIn(hashes: readonly Uint8Array[]): Node {
  const at = (level: number, index: number): Uint8Array =>
    level === 0 ? (hashes[index] ?? new Uint8Array(0)) : nodeHash(at(level - 1, index * 2), at(level - 1, index * 2 + 1));
  return (level, index) => Promise.resolve(at(level, index));
}

/** MTH of RFC 6962 §2.1, word for word. */
function naive(hashes: readonly Uint8Array[]): Uint8Array {
  if (hashes.length === 0) return createHash("sha256").digest();
  if (hashes.length === 1) return hashes[0] ?? new Uint8Array(0);
  let k = 1;
  while (k * 2 < hashes.length) k *= 2;
  return nodeHash(naive(hashes.slice(0, k)), naive(hashes.slice(k)));
}

const buffer = (bytes: Uint8Array): Buffer => Buffer.from(bytes);
const sized = fc.integer({ min: 1, max: 200 });

describe("the tree of RFC 6962", () => {
  it.each([...ROOTS])("has the published root for the first %i entries of the test vectors", async (size, root) => {
    const hashes = ENTRIES.map((hex) => leafHash(Buffer.from(hex, "hex")));
    expect(buffer(await rootOf(size, nodesIn(hashes))).toString("hex")).toBe(root);
  });

  it("has the hash of nothing as the root of nothing", async () => {
    expect(buffer(await rootOf(0, nodesIn([]))).toString("hex")).toBe("e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  });

  it("has the root that the definition gives, for every size", () =>
    fc.assert(
      fc.asyncProperty(sized, async (size) => {
        const hashes = leaves(size);
        expect(buffer(await rootOf(size, nodesIn(hashes)))).toEqual(buffer(naive(hashes)));
      }),
    ));

  it("keeps a leaf from passing for a node: two leaves and their parent's bytes as an entry hash differently", () => {
    const [left, right] = leaves(2) as [Uint8Array, Uint8Array];
    expect(buffer(leafHash(Buffer.concat([left, right])))).not.toEqual(buffer(nodeHash(left, right)));
  });

  it("differs from a tree whose last leaf stands there twice", async () => {
    const hashes = leaves(3);
    const doubled = [...hashes, hashes[2] ?? new Uint8Array(0)];
    expect(buffer(await rootOf(3, nodesIn(hashes)))).not.toEqual(buffer(await rootOf(4, nodesIn(doubled))));
  });
});

const signer = noteSigner();
const key = readLogKey(`${verifierKey(signer)}\n`);

async function proofOf(index: number, size: number): Promise<Readonly<{ path: readonly Uint8Array[]; checkpoint: string }>> {
  const node = nodesIn(leaves(size));
  return { path: await inclusion(index, size, node), checkpoint: await signCheckpoint(signer, size, await rootOf(size, node)) };
}

describe("proofs of inclusion", () => {
  const chosen = sized.chain((size) => fc.tuple(fc.nat(size - 1), fc.constant(size)));
  const entry = (index: number): Buffer => Buffer.from(`entry ${index}`);

  it("convince the verifier for every entry of every tree", () =>
    fc.assert(
      fc.asyncProperty(chosen, async ([index, size]) => {
        const { path, checkpoint } = await proofOf(index, size);
        expect(checkProof(proofText(index, path, checkpoint), entry(index), key)).toMatchObject({ index, size });
      }),
    ));

  it("convince of no other entry, and of no other place", () =>
    fc.assert(
      fc.asyncProperty(chosen, fc.nat(300), async ([index, size], other) => {
        fc.pre(other !== index);
        const { path, checkpoint } = await proofOf(index, size);
        expect(() => checkProof(proofText(index, path, checkpoint), entry(other), key)).toThrow();
        expect(() => checkProof(proofText(other, path, checkpoint), entry(index), key)).toThrow();
      }),
    ));

  it("are refused with a sibling more, with one less, and with one changed", async () => {
    const { path, checkpoint } = await proofOf(5, 11);
    const changed = path.map((each, at) => (at === 1 ? leafHash(each) : each));
    for (const wrong of [[...path, leafHash(Buffer.of(1))], path.slice(1), path.slice(0, -1), changed, []])
      expect(() => checkProof(proofText(5, wrong, checkpoint), entry(5), key)).toThrow(/siblings|root/u);
  });

  it("have no siblings in a tree of one entry", async () => {
    const { path, checkpoint } = await proofOf(0, 1);
    expect(path).toEqual([]);
    expect(checkProof(proofText(0, path, checkpoint), entry(0), key).size).toBe(1);
  });
});

describe("proofs of consistency", () => {
  const pair = sized.chain((newer) => fc.tuple(fc.integer({ min: 1, max: newer }), fc.constant(newer)));

  it("convince the verifier that the log only grew, from every size to every later one", () =>
    fc.assert(
      fc.asyncProperty(pair, async ([older, newer]) => {
        const node = nodesIn(leaves(newer));
        const proof = (await consistency(older, newer, node)).map(buffer);
        const at = async (size: number) => ({ size, root: buffer(await rootOf(size, node)) });
        checkConsistency(await at(older), await at(newer), proof);
      }),
    ));

  it("convince nobody when an older entry was changed", () =>
    fc.assert(
      fc.asyncProperty(pair, fc.nat(), async ([older, newer], which) => {
        const hashes = leaves(newer);
        const rewritten = hashes.map((each, at) => (at === which % older ? leafHash(each) : each));
        const proof = (await consistency(older, newer, nodesIn(rewritten))).map(buffer);
        const before = { size: older, root: buffer(await rootOf(older, nodesIn(hashes))) };
        const after = { size: newer, root: buffer(await rootOf(newer, nodesIn(rewritten))) };
        expect(() => checkConsistency(before, after, proof)).toThrow(/rewritten/u);
      }),
    ));

  it("are refused from a later size to an earlier one, from nothing, and with anything added", async () => {
    const node = nodesIn(leaves(9));
    const at = async (size: number) => ({ size, root: buffer(await rootOf(size, node)) });
    const proof = (await consistency(4, 9, node)).map(buffer);
    const [four, nine] = [await at(4), await at(9)];
    expect(() => checkConsistency(nine, four, proof)).toThrow(/rewritten/u);
    expect(() => checkConsistency({ size: 0, root: four.root }, nine, proof)).toThrow(/rewritten/u);
    expect(() => checkConsistency(four, nine, [...proof, four.root])).toThrow(/rewritten/u);
    expect(() => checkConsistency(nine, nine, [four.root])).toThrow(/rewritten/u);
  });
});
