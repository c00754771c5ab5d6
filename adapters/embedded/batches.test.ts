import fc from "fast-check";
import { crc32 } from "node:zlib";
import { describe, expect, it } from "vitest";
import { announced, decodeHead, encodeHead, HEAD_BYTES, headBytes, type Entry } from "./batches.ts";

const SALT = Buffer.from("0123456789abcdef", "latin1");

const entries = fc
  .tuple(
    fc.integer({ min: 1, max: 2 ** 50 }),
    fc.array(
      fc.record({
        count: fc.integer({ min: 1, max: 70_000 }),
        size: fc.integer({ min: 1, max: 2 ** 20 }),
        crc: fc.integer({ min: 0, max: 2 ** 32 - 1 }),
        time: fc.double({ noNaN: true }),
        last: fc.double({ noNaN: true }),
      }),
      { minLength: 1, maxLength: 20 },
    ),
  )
  .map(([first, rows]) => {
    let next = first;
    return rows.map((row): Entry => {
      const entry = { first: next, ...row };
      next += row.count;
      return entry;
    });
  });

describe("the head of a batch", () => {
  it("gives back every block of any table, and how many bytes follow", () => {
    fc.assert(
      fc.property(entries, (table) => {
        const buf = encodeHead(SALT, table);
        expect(buf).toHaveLength(headBytes(table.length));
        expect(announced(buf, SALT)).toBe(buf.length);
        expect(decodeHead(buf, SALT)).toEqual({
          first: table[0]?.first,
          entries: table,
          bytes: buf.length,
          size: table.reduce((sum, entry) => sum + entry.size, 0),
        });
      }),
    );
  });
  it("is none when any of its bits is another", () => {
    fc.assert(
      fc.property(entries, fc.nat(), fc.integer({ min: 0, max: 7 }), (table, place, bit) => {
        const buf = encodeHead(SALT, table);
        const at = place % buf.length;
        buf[at] = (buf[at] ?? 0) ^ (1 << bit);
        expect(decodeHead(buf, SALT)).toBeUndefined();
      }),
      { numRuns: 500 },
    );
  });
  it("is none when it is cut short anywhere", () => {
    const buf = encodeHead(SALT, [
      { first: 1, count: 2, size: 3, crc: 4, time: 5, last: 6 },
      { first: 3, count: 1, size: 9, crc: 7, time: 8, last: 9 },
    ]);
    for (let length = 0; length < buf.length; length++) expect(decodeHead(buf.subarray(0, length), SALT)).toBeUndefined();
    expect(decodeHead(Buffer.concat([buf, Buffer.alloc(100)]), SALT)?.entries).toHaveLength(2);
  });
  it("of another file is none of this one", () => {
    const buf = encodeHead(SALT, [{ first: 1, count: 1, size: 1, crc: 1, time: 1, last: 1 }]);
    const other = Buffer.from(SALT);
    other[15] = 0x21;
    expect(announced(buf, other)).toBeUndefined();
    expect(decodeHead(buf, other)).toBeUndefined();
  });
  it("announces no table for zeros, nor more blocks than a batch may have", () => {
    expect(announced(Buffer.alloc(HEAD_BYTES), SALT)).toBeUndefined();
    const buf = encodeHead(SALT, [{ first: 1, count: 1, size: 1, crc: 1, time: 1, last: 1 }]);
    for (const blocks of [0, 2 ** 20 + 1, 2 ** 32 - 1]) {
      buf.writeUInt32LE(blocks, 32);
      expect(announced(buf, SALT)).toBeUndefined();
    }
  });
  it("whose table and sum of bytes differ is none, though its checksum fits", () => {
    const buf = encodeHead(SALT, [{ first: 1, count: 1, size: 10, crc: 1, time: 1, last: 1 }]);
    buf.writeUInt32LE(11, 36);
    buf.writeUInt32LE(crc32(buf.subarray(8)), 4);
    expect(decodeHead(buf, SALT)).toBeUndefined();
  });
});
