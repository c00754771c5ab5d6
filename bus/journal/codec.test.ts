import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { anyRecord, text } from "#test/harness/record-arbitrary.ts";
import { messageOf } from "#test/harness/message.ts";
import { newSink } from "./bytes.ts";
import { readRecord, RECORD_FORMAT, writeRecord } from "./codec.ts";
import type { JournalRecord } from "./record.ts";
import { dedupeKey, eachKey, hash53, matches, queryKeys } from "./search.ts";

function encode(record: JournalRecord): Buffer {
  const sink = newSink(8);
  writeRecord(sink, record);
  return Buffer.from(sink.buf.subarray(0, sink.at));
}
const small: JournalRecord = { step: "act", outcome: "ok", time: 5, id: "i", correlationId: "c", detail: "d", index: { a: "b" } };

describe("a journal record as bytes", () => {
  it("is read back as it was written, whatever it holds", () => {
    const back = (record: JournalRecord): void => {
      const read = readRecord(encode(record));
      expect(read).toEqual(record);
    };
    fc.assert(fc.property(anyRecord, back), { numRuns: 500 });
  });
  it("is an error when it is cut anywhere, never a shorter record", () => {
    const whole = encode({ ...small, original: Uint8Array.of(1, 2, 3), dedupe: { key: "k", window: 1 } });
    for (let end = 0; end < whole.length; end++)
      expect(() => readRecord(whole.subarray(0, end))).toThrow(/damaged|knows? not|does not know/);
  });
  it("with any byte changed is another record or an error of the journal, never another failure", () => {
    const whole = encode({ ...small, original: new Uint8Array(40) });
    fc.assert(
      fc.property(fc.nat(whole.length - 1), fc.integer({ min: 1, max: 255 }), (at, flip) => {
        const damaged = Buffer.from(whole);
        damaged[at] = (damaged[at] ?? 0) ^ flip;
        try {
          readRecord(damaged);
        } catch (error) {
          expect(error).toMatchObject({ code: "journal-failed" });
        }
      }),
    );
  });
  it("of an unknown format is refused with what to do", () => {
    const newer = encode(small);
    newer[0] = RECORD_FORMAT + 1;
    expect(() => readRecord(newer)).toThrow("has format 2; this version reads format 1. Start the version that wrote it");
  });
  it("keeps format 1 byte for byte: logs of earlier versions stay readable", () => {
    expect(encode(small).toString("hex")).toBe(
      ["01", "00090000", "08", "00", "0000000000001440", "0169", "0163", "0164", "01", "0161", "0162"].join(""),
    );
  });
  it("adds who asked behind all that earlier versions wrote, with a bit of its own", () => {
    const asked = encode({ ...small, call: { entity: "e", reason: "r" } });
    const plain = encode(small);
    expect(asked.subarray(5, plain.length)).toEqual(plain.subarray(5));
    expect(asked.readUInt32LE(1)).toBe(plain.readUInt32LE(1) | (1 << 17));
    expect(asked.subarray(plain.length).toString("hex")).toBe(["0a", "0165", "0172"].join(""));
    expect(readRecord(encode({ ...small, call: {} })).call).toEqual({});
  });
  it("reads a member named __proto__ as a member", () => {
    const index = JSON.parse('{"__proto__":"x"}') as Record<string, string>;
    const read = readRecord(encode({ ...small, index }));
    expect(Object.keys(read.index ?? {})).toEqual(["__proto__"]);
  });
});

describe("search keys", () => {
  const keysOf = (record: JournalRecord): number[] => {
    const keys: number[] = [];
    eachKey(record, (key) => keys.push(key));
    return keys;
  };
  it("of a query are keys of every record that it matches", () => {
    const record: JournalRecord = { ...small, route: "r", system: "s", contract: "k", branch: "b", topic: "t" };
    const query = {
      id: "i",
      correlationId: "c",
      route: "r",
      system: "s",
      contract: "k",
      branch: "b",
      topic: "t",
      step: "act",
      outcome: "ok",
      index: { a: "b" },
    } as const;
    expect(queryKeys(query)).toHaveLength(10);
    expect(keysOf(record)).toEqual(expect.arrayContaining(queryKeys(query)));
    expect(matches(query, record)).toBe(true);
    for (const member of ["id", "route", "topic"] as const) expect(matches({ ...query, [member]: "other" }, record)).toBe(false);
    expect(matches({ index: { a: "c" } }, record)).toBe(false);
    expect(matches({ index: { toString: "x" } }, record)).toBe(false);
  });
  it("find who asked for whom, in the record or in the message that it is", () => {
    const { envelope } = messageOf({}, { call: { entity: "1007601008122" } });
    const query = { entity: "1007601008122" };
    for (const record of [
      { ...small, call: { entity: "1007601008122" } },
      { ...small, envelope },
    ]) {
      expect(keysOf(record)).toEqual(expect.arrayContaining(queryKeys(query)));
      expect(matches(query, record)).toBe(true);
    }
    for (const record of [small, { ...small, envelope, call: {} }]) expect(matches(query, record)).toBe(false);
  });
  it("of fields are even, of de-duplication odd, all within 53 bits", () => {
    fc.assert(
      fc.property(text, (value) => {
        expect(hash53("id", value) % 2).toBe(0);
        expect(dedupeKey(value) % 2).toBe(1);
        expect(Number.isSafeInteger(dedupeKey(value))).toBe(true);
      }),
    );
  });
  it("of a hundred thousand ids are all different, and spread evenly", () => {
    const keys = new Set<number>();
    const quarters = [0, 0, 0, 0];
    for (let n = 0; n < 100_000; n++) {
      const key = hash53("id", `0192f3c4-0000-7000-8000-${n.toString(16).padStart(12, "0")}`);
      keys.add(key);
      quarters[Math.floor(key / 2 ** 51)] = (quarters[Math.floor(key / 2 ** 51)] ?? 0) + 1;
    }
    expect(keys.size).toBe(100_000);
    for (const quarter of quarters) expect(quarter).toBeGreaterThan(20_000);
  });
  it("tell the same value of two fields apart", () => expect(hash53("id", "x")).not.toBe(hash53("route", "x")));
});
