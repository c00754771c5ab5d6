import fc from "fast-check";
import {
  appendFileSync,
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { crc32 } from "node:zlib";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { encodeHead, HEAD_BYTES, headBytes, type Entry } from "./batches.ts";
import { appendLog, bytesFrom, closeLog, dropFiles, openLog, readBlock, segmentAt, type Log, type Placed } from "./log.ts";
import { recover, type Known } from "./recover.ts";
import { appendBatch, baseOf, closeSegment, createSegment, FILE_HEAD, openSegment, segmentName } from "./segment.ts";

const FILE = 67_108_864;
const NOTHING: Known = { last: 0, file: 0, end: 0 };

let folder = "";
const logs: Log[] = [];
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "mbus-log-"));
});
afterEach(() => {
  for (const log of logs.splice(0)) closeLog(log);
  rmSync(folder, { recursive: true, force: true });
});

/** Opens and recovers; gives the log and every block that it had beyond what is known. */
function open(dataDir = folder, known = NOTHING, fileBytes = FILE): Readonly<{ log: Log; found: Placed[]; batches: number }> {
  const log = openLog(dataDir, fileBytes);
  logs.push(log);
  const found: Placed[] = [];
  let batches = 0;
  recover(log, known, (blocks) => {
    found.push(...blocks);
    batches++;
  });
  return { log, found, batches };
}

/** Entries of blocks of one record each. */
function entriesOf(first: number, blocks: readonly Uint8Array[]): Entry[] {
  return blocks.map((bytes, i) => ({
    first: first + i,
    count: 1,
    size: bytes.length,
    crc: crc32(bytes),
    time: first + i,
    last: first + i,
  }));
}
const append = (log: Log, first: number, ...blocks: readonly Uint8Array[]): Placed[] => appendLog(log, blocks, entriesOf(first, blocks));
const bytesOf = (n: number, size: number): Uint8Array => new Uint8Array(size).fill(n);
const pathOf = (base: number, dataDir = folder): string => join(dataDir, "log", segmentName(base));
const firsts = (blocks: readonly Placed[]): number[] => blocks.map((block) => block.first);
function faultOf(work: () => unknown): string {
  try {
    work();
    return "";
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

describe("the log", () => {
  it("gives back after a restart what was appended, block by block, whatever the sizes and batches", () => {
    const batch = fc.array(fc.uint8Array({ minLength: 1, maxLength: 3_000 }), { minLength: 1, maxLength: 5 });
    fc.assert(
      fc.property(fc.array(batch, { maxLength: 12 }), fc.integer({ min: 100, max: 6_000 }), (batches, fileBytes) => {
        const dataDir = mkdtempSync(join(folder, "one-"));
        const { log } = open(dataDir, NOTHING, fileBytes);
        const all: Uint8Array[] = [];
        const placed: Placed[] = [];
        for (const blocks of batches) {
          placed.push(...append(log, all.length + 1, ...blocks));
          all.push(...blocks);
        }
        placed.forEach((block, i) => expect(readBlock(log, block, block.size, block.crc)).toEqual(Buffer.from(all[i] ?? [])));
        closeLog(log);
        const again = open(dataDir, NOTHING, fileBytes);
        expect(again.found.map((block) => Buffer.from(block.bytes))).toEqual(all.map((bytes) => Buffer.from(bytes)));
        const places = (blocks: readonly Placed[]): unknown => blocks.map((block) => ({ ...block, bytes: undefined }));
        expect(places(again.found)).toEqual(places(placed));
        expect(again.batches).toBe(batches.length);
        closeLog(again.log);
      }),
      { numRuns: 40 },
    );
  });
  it("reads on from what the index knows, and no block twice", () => {
    const { log } = open();
    const placed = [1, 2, 3, 4].flatMap((n) => append(log, n, bytesOf(n, 500)));
    closeLog(log);
    for (const known of placed) {
      const { log: again, found } = open(folder, { last: known.first, file: known.file, end: known.at + known.size });
      expect(firsts(found)).toEqual([1, 2, 3, 4].filter((n) => n > known.first));
      closeLog(again);
    }
  });
  it("goes on in a new file from the size on, and reads from all of them", () => {
    const { log } = open(folder, NOTHING, 1_000);
    const placed = Array.from({ length: 9 }, (_, i) => append(log, i + 1, bytesOf(i + 1, 400))).flat();
    expect(readdirSync(join(folder, "log")).sort()).toEqual([1, 3, 5, 7, 9].map(segmentName).sort());
    for (const block of placed) expect(readBlock(log, block, block.size, block.crc)).toEqual(Buffer.from(block.bytes));
  });
  it("keeps a bounded number of files open, and reads the others all the same", () => {
    const { log } = open(folder, NOTHING, 1);
    const placed = Array.from({ length: 80 }, (_, i) => append(log, i + 1, bytesOf(i, 10))).flat();
    expect(log.open.size).toBe(64);
    for (const block of placed) expect(readBlock(log, block, block.size, block.crc)).toEqual(Buffer.from(block.bytes));
    expect(log.open.size).toBe(64);
    expect(segmentAt(log, 80)).toBe(log.newest);
  });
  it("tells a block that is another than its checksum says", () => {
    const { log } = open();
    const [block] = append(log, 1, bytesOf(7, 100));
    if (block === undefined) throw new Error("nothing was placed");
    const bytes = readFileSync(pathOf(1));
    bytes[block.at + 50] = 8;
    writeFileSync(pathOf(1), bytes);
    expect(readBlock(log, block, block.size, block.crc)).toBeUndefined();
    expect(readBlock(log, block, block.size + FILE, block.crc)).toBeUndefined();
  });
  it("removes files below the oldest block's, never the newest, and counts the bytes that are left", () => {
    const { log } = open(folder, NOTHING, 1);
    const placed = Array.from({ length: 5 }, (_, i) => append(log, i + 1, bytesOf(i, 1_000))).flat();
    const one = FILE_HEAD + headBytes(1) + 1_000;
    const bytes = (i: number): number => bytesFrom(log, placed[i] ?? { file: 0, at: 0 });
    expect(bytes(0)).toBe(5 * one - FILE_HEAD - headBytes(1));
    expect(bytes(4)).toBe(1_000);
    dropFiles(log, 3);
    expect(readdirSync(join(folder, "log")).sort()).toEqual([3, 4, 5].map(segmentName).sort());
    dropFiles(log, 100);
    expect(readdirSync(join(folder, "log"))).toEqual([segmentName(5)]);
    append(log, 6, bytesOf(1, 10));
    closeLog(log);
    expect(firsts(open(folder, { last: 4, file: 0, end: 0 }).found)).toEqual([5, 6]);
  });
  it("overwrites zeros with small batches, so that their flush has no new size to record, and pays for large ones at once", () => {
    const { log } = open();
    append(log, 1, bytesOf(1, 1_000));
    const { size } = statSync(pathOf(1));
    for (let n = 2; n <= 200; n++) append(log, n, bytesOf(1, 1_000));
    expect(statSync(pathOf(1)).size).toBe(size);
    const end = log.newest?.end ?? 0;
    append(log, 201, bytesOf(1, size));
    expect(statSync(pathOf(1)).size).toBe(end + headBytes(1) + size);
  });
});

describe("a crash", () => {
  const SIZES = [[40], [1], [300, 5], [77]];
  /** A log of four batches, and where each ends. */
  function four(): Readonly<{ bytes: Buffer; ends: readonly number[] }> {
    const { log } = open();
    let first = 1;
    const ends: number[] = [];
    for (const sizes of SIZES) {
      append(log, first, ...sizes.map((size, i) => bytesOf(first + i, size)));
      first += sizes.length;
      ends.push(log.newest?.end ?? 0);
    }
    closeLog(log);
    return { bytes: readFileSync(pathOf(1)), ends };
  }
  const POSITIONS = [1, 2, 4, 5];

  it("at any byte of the last batch leaves all batches before it, and the log goes on and is read again", () => {
    const { bytes, ends } = four();
    const before = ends[2] ?? 0;
    for (let cut = before; cut < (ends[3] ?? 0); cut++) {
      const rest = cut % 2 === 0 ? Buffer.alloc(0) : Buffer.alloc(500);
      writeFileSync(pathOf(1), Buffer.concat([bytes.subarray(0, cut), rest]));
      const { log, found } = open();
      expect(firsts(found)).toEqual([1, 2, 3, 4]);
      expect(statSync(pathOf(1)).size).toBe(before);
      append(log, 5, bytesOf(99, 20));
      closeLog(log);
      const again = open();
      expect(again.found.at(-1)).toMatchObject({ first: 5, bytes: Buffer.from(bytesOf(99, 20)) });
      closeLog(again.log);
    }
  }, 120_000);
  it("that cut the log anywhere leaves exactly the batches that are whole", () => {
    const { bytes, ends } = four();
    fc.assert(
      fc.property(fc.integer({ min: FILE_HEAD, max: ends[3] ?? 0 }), (cut) => {
        writeFileSync(pathOf(1), bytes.subarray(0, cut));
        const { log, found } = open();
        const whole = ends.filter((end) => end <= cut).length;
        expect(found.at(-1)?.first).toBe(whole === 0 ? undefined : POSITIONS[whole - 1]);
        closeLog(log);
      }),
      { numRuns: 100 },
    );
  }, 60_000);
  it("that left other bytes where the last batch should be leaves all before it, whatever they are", () => {
    const { bytes, ends } = four();
    fc.assert(
      fc.property(fc.nat(), fc.integer({ min: 1, max: 255 }), (place, change) => {
        const torn = Buffer.from(bytes.subarray(0, ends[3]));
        const from = ends[2] ?? 0;
        const at = from + (place % (torn.length - from));
        torn[at] = (torn[at] ?? 0) ^ change;
        // The table's four spare bytes are covered as well: no byte of a batch is free.
        writeFileSync(pathOf(1), torn);
        const { log, found } = open();
        expect(firsts(found)).toEqual([1, 2, 3, 4]);
        closeLog(log);
      }),
      { numRuns: 100 },
    );
  }, 60_000);
  it("while a file was being made leaves no trace of it", () => {
    const { log } = open();
    append(log, 1, bytesOf(1, 10));
    closeLog(log);
    writeFileSync(`${pathOf(2)}.new`, Buffer.alloc(10));
    expect(firsts(open().found)).toEqual([1]);
    expect(readdirSync(join(folder, "log"))).toEqual([segmentName(1)]);
  });
  it("after a file was made and before anything stood in it is no damage", () => {
    const { log } = open(folder, NOTHING, 1);
    append(log, 1, bytesOf(1, 10));
    closeLog(log);
    closeSegment(createSegment(join(folder, "log"), 2));
    const again = open();
    expect(firsts(again.found)).toEqual([1]);
    append(again.log, 2, bytesOf(2, 10));
    closeLog(again.log);
    expect(firsts(open().found)).toEqual([1, 2]);
  });
  it("between two files, before the older one gave up its zeros, is no damage", () => {
    const { log } = open(folder, NOTHING, 200);
    append(log, 1, bytesOf(1, 200));
    append(log, 2, bytesOf(2, 10));
    closeLog(log);
    appendFileSync(pathOf(1), Buffer.alloc(10_000));
    expect(firsts(open().found)).toEqual([1, 2]);
  });
});

describe("damage", () => {
  const filled = (fileBytes = FILE): Placed[] => {
    const { log } = open(folder, NOTHING, fileBytes);
    const placed = [1, 2, 3, 4].flatMap((n) => append(log, n, bytesOf(n, 300)));
    closeLog(log);
    return placed;
  };
  const damaged = /^the journal is damaged: .*restore the data folder from a backup$/u;

  it("of any batch but the last is never taken for a torn end: acknowledged batches lie behind it", () => {
    const placed = filled();
    const bytes = readFileSync(pathOf(1));
    const last = (placed[3]?.at ?? 0) - headBytes(1);
    fc.assert(
      fc.property(fc.integer({ min: FILE_HEAD, max: last - 1 }), fc.integer({ min: 1, max: 255 }), (at, change) => {
        const hurt = Buffer.from(bytes);
        hurt[at] = (hurt[at] ?? 0) ^ change;
        writeFileSync(pathOf(1), hurt);
        expect(faultOf(() => open())).toMatch(damaged);
        expect(readFileSync(pathOf(1)).equals(hurt)).toBe(true);
      }),
      { numRuns: 100 },
    );
  });
  it("is a file of the log that is gone, whichever it is", () => {
    for (const gone of [1, 2, 3]) {
      rmSync(join(folder, "log"), { recursive: true, force: true });
      filled(1);
      rmSync(pathOf(gone));
      expect(faultOf(() => open())).toMatch(damaged);
    }
    const known = { last: 2, file: 2, end: FILE_HEAD + headBytes(1) + 300 };
    rmSync(join(folder, "log"), { recursive: true, force: true });
    filled(1);
    rmSync(pathOf(2));
    expect(faultOf(() => open(folder, known))).toMatch(/log file 2 is missing/u);
  });
  it("is a log that ends before what the index knows", () => {
    const placed = filled();
    const { at, size } = placed[3] ?? { at: 0, size: 0 };
    truncateSync(pathOf(1), at + size - 1);
    expect(faultOf(() => open(folder, { last: 4, file: 1, end: at + size }))).toMatch(damaged);
  });
  it("is a log that goes on elsewhere than the index ends", () => {
    const placed = filled();
    const [one] = placed;
    const end = (one?.at ?? 0) + (one?.size ?? 0);
    expect(faultOf(() => open(folder, { last: 2, file: 1, end }))).toMatch(/has position 2 .* where 3 was expected/u);
  });
  it("of a file's head is told with its path, for reading and for writing", () => {
    filled();
    const bytes = readFileSync(pathOf(1));
    for (const at of [0, 8, 24, 60]) {
      const hurt = Buffer.from(bytes);
      hurt[at] = (hurt[at] ?? 0) ^ 1;
      writeFileSync(pathOf(1), hurt);
      expect(faultOf(() => open())).toContain(`${pathOf(1)} has no valid head`);
    }
    copyFileSync(pathOf(1), pathOf(2));
    writeFileSync(pathOf(1), bytes);
    writeFileSync(pathOf(2), bytes);
    expect(faultOf(() => openSegment(join(folder, "log"), 2, "r"))).toContain("has no valid head");
    expect(faultOf(() => openSegment(join(folder, "log"), 3, "r"))).toContain("is missing");
  });
});

describe("what a message carries", () => {
  it("never becomes a batch, though it is the very copy of one", () => {
    const { log } = open();
    append(log, 1, bytesOf(1, 100));
    const copy = readFileSync(pathOf(1)).subarray(FILE_HEAD, FILE_HEAD + headBytes(1) + 100);
    // A copy with another number: the file's own is on its disk only.
    const forged = Buffer.concat([encodeHead(Buffer.alloc(16, 7), entriesOf(3, [bytesOf(1, 100)])), bytesOf(1, 100)]);
    append(log, 2, Buffer.concat([forged, copy.subarray(0, HEAD_BYTES - 30)]));
    const end = log.newest?.end ?? 0;
    closeLog(log);
    truncateSync(pathOf(1), end - 5);
    const { log: again, found } = open();
    expect(firsts(found)).toEqual([1]);
    append(again, 2, bytesOf(2, 10));
    closeLog(again);
    expect(firsts(open().found)).toEqual([1, 2]);
  });
});

describe("a file of the log", () => {
  it("is named by its first position, and other names are none", () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 2 ** 53 - 1 }), (base) => {
        expect(baseOf(segmentName(base))).toBe(base);
      }),
    );
    for (const name of ["1.log", "0000000000000001.log.new", "0000000000000001.txt", "000000000000000x.log", ""])
      expect(baseOf(name)).toBeUndefined();
    const names = [9, 10, 99, 100, 123_456_789].map(segmentName);
    expect([...names].sort()).toEqual(names);
  });
  it("has a number of its own", () => {
    mkdirSync(join(folder, "log"));
    const files = [1, 2].map((base) => createSegment(join(folder, "log"), base));
    expect(files[0]?.salt.equals(files[1]?.salt ?? Buffer.alloc(0))).toBe(false);
    for (const file of files) closeSegment(file);
  });
  it("keeps nothing of a batch that could not be written whole", () => {
    mkdirSync(join(folder, "log"));
    const file = createSegment(join(folder, "log"), 1);
    const blocks = [bytesOf(1, 100)];
    appendBatch(file, entriesOf(1, blocks), blocks);
    const { end } = file;
    closeSegment(file);
    const readOnly = { ...openSegment(join(folder, "log"), 1, "r"), end };
    expect(() => appendBatch(readOnly, entriesOf(2, blocks), blocks)).toThrow();
    expect(readOnly.end).toBe(end);
    closeSegment(readOnly);
  });
});
