import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { HASH, leafHash, nodeHash, rootOf } from "./merkle.ts";
import { grow, nodesOf, WIDTH, type Edge } from "./tiles.ts";

const leaf = (n: number): Uint8Array => leafHash(Buffer.from(String(n)));

/** A log that took its leaves in these portions. */
function build(portions: readonly number[]) {
  const tiles = new Map<string, Uint8Array>();
  const written: string[] = [];
  let edge: Edge = [];
  let size = 0;
  for (const portion of portions) {
    const grown = grow(
      size,
      edge,
      Array.from({ length: portion }, (_, at) => leaf(size + at)),
    );
    for (const { level, number, hashes } of grown.full) {
      written.push(`${level}/${number}`);
      tiles.set(`${level}/${number}`, hashes);
    }
    edge = grown.edge;
    size += portion;
  }
  const read = (level: number, number: number): Promise<Uint8Array> => {
    const found = tiles.get(`${level}/${number}`);
    return found ? Promise.resolve(found) : Promise.reject(new Error(`tile ${level}/${number} was never full`));
  };
  return { tiles, written, edge, size, node: nodesOf(size, edge, read) };
}

const portions = fc.array(fc.integer({ min: 1, max: 700 }), { minLength: 1, maxLength: 6 });

describe("tiles of the log", () => {
  it("are the same however the leaves came", () =>
    fc.assert(
      fc.property(portions, (given) => {
        const slowly = build(given);
        const atOnce = build([slowly.size]);
        expect(slowly.tiles).toEqual(atOnce.tiles);
        expect(slowly.edge.map((each) => Buffer.from(each))).toEqual(atOnce.edge.map((each) => Buffer.from(each)));
      }),
      { numRuns: 40 },
    ));

  it("are written once each, full, and the edge is always shorter than a tile", () =>
    fc.assert(
      fc.property(portions, (given) => {
        const { written, tiles, edge } = build(given);
        expect(new Set(written).size).toBe(written.length);
        for (const hashes of tiles.values()) expect(hashes.length).toBe(WIDTH * HASH);
        for (const each of edge) expect(each.length).toBeLessThan(WIDTH * HASH);
      }),
      { numRuns: 40 },
    ));

  it("give the node of every complete subtree", () =>
    fc.assert(
      fc.asyncProperty(portions, fc.integer({ min: 0, max: 11 }), fc.nat(), async (given, level, pick) => {
        const { node, size } = build(given);
        const count = Math.floor(size / 2 ** level);
        fc.pre(count > 0);
        const index = pick % count;
        const below = level === 0 ? leaf(index) : nodeHash(await node(level - 1, index * 2), await node(level - 1, index * 2 + 1));
        expect(Buffer.from(await node(level, index))).toEqual(Buffer.from(below));
      }),
      { numRuns: 60 },
    ));

  it("refuse a node that is not complete yet", async () => {
    const { node } = build([300]);
    await expect(node(0, 300)).rejects.toThrow(/no node/u);
    await expect(node(3, 37)).rejects.toThrow(/no node/u);
    await expect(node(8, 1)).rejects.toThrow(/no node/u);
  });

  it("hold three levels for more than 65,536 leaves, with a root that is the fold of the level below", async () => {
    const { node, size, edge, tiles } = build([65_536, 256, 3]);
    expect(edge.map((each) => each.length / HASH)).toEqual([3, 1, 1]);
    expect(tiles.has("1/0")).toBe(true);
    const root = Buffer.from(await rootOf(size, node));
    expect(root).toEqual(
      Buffer.from(nodeHash(await node(16, 0), nodeHash(await node(8, 256), nodeHash(nodeHash(leaf(65_792), leaf(65_793)), leaf(65_794))))),
    );
  });
});
