/** A Bloom filter over 53-bit keys: says "surely not here" for all but about one in a hundred absent keys. */

/** Power-of-two number of words; the first look-up of an absent key almost always ends here, without a page read. */
export type Bloom = Uint32Array;

const BITS_PER_KEY = 10;
const PROBES = 5;

export function newBloom(keys: number): Bloom {
  let words = 2;
  while (words * 32 < keys * BITS_PER_KEY) words *= 2;
  return new Uint32Array(words);
}

export function addToBloom(bloom: Bloom, key: number): void {
  const mask = bloom.length * 32 - 1;
  const step = Math.imul(Math.floor(key / 0x1_0000_0000) ^ 0x5bd1e995, 0x9e3779b1) | 1;
  let bit = Math.imul(key >>> 1, 0x85ebca6b);
  for (let i = 0; i < PROBES; i++) {
    const at = (bit ^ (bit >>> 15)) & mask;
    bloom[at >>> 5] = (bloom[at >>> 5] ?? 0) | (1 << (at & 31));
    bit = (bit + step) | 0;
  }
}

export function mayHold(bloom: Bloom, key: number): boolean {
  const mask = bloom.length * 32 - 1;
  const step = Math.imul(Math.floor(key / 0x1_0000_0000) ^ 0x5bd1e995, 0x9e3779b1) | 1;
  let bit = Math.imul(key >>> 1, 0x85ebca6b);
  for (let i = 0; i < PROBES; i++) {
    const at = (bit ^ (bit >>> 15)) & mask;
    if (((bloom[at >>> 5] ?? 0) & (1 << (at & 31))) === 0) return false;
    bit = (bit + step) | 0;
  }
  return true;
}
