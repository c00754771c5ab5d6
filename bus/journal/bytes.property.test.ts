/** The primitives of the journal format as properties: what is put is taken, whatever stands before it, and nothing is read past the end. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { asBusError } from "../errors.ts";
import {
  newSink,
  putByte,
  putBytes,
  putCount,
  putMap,
  putNumber,
  putText,
  reserve,
  takeByte,
  takeBytes,
  takeCount,
  takeMap,
  takeNumber,
  takeText,
  type Sink,
  type Source,
} from "./bytes.ts";

const sourceOf = (sink: Sink, end = sink.at): Source => ({ buf: sink.buf, at: 0, end });
const bytesOf = (put: (sink: Sink) => void): number[] => {
  const sink = newSink(1);
  put(sink);
  return [...sink.buf.subarray(0, sink.at)];
};
const fault = (run: () => unknown): string => {
  try {
    run();
  } catch (error) {
    return `${asBusError(error).code}: ${asBusError(error).message}`;
  }
  return "nothing was thrown";
};
const CUT = "journal-failed: a journal record ends before its last field: the record is damaged";
const text = fc.string({ unit: "grapheme", maxLength: 120 });

type Part = Readonly<{ put: (sink: Sink) => void; take: (source: Source) => unknown; value: unknown }>;
const part: fc.Arbitrary<Part> = fc.oneof(
  fc.nat(255).map((value): Part => ({ put: (sink) => putByte(sink, value), take: takeByte, value })),
  fc.maxSafeNat().map((value): Part => ({ put: (sink) => putCount(sink, value), take: takeCount, value })),
  fc.double({ noNaN: true }).map((value): Part => ({ put: (sink) => putNumber(sink, value), take: takeNumber, value })),
  text.map((value): Part => ({ put: (sink) => putText(sink, value), take: takeText, value })),
  fc.uint8Array({ maxLength: 200 }).map((value): Part => ({ put: (sink) => putBytes(sink, value), take: takeBytes, value })),
  fc
    .dictionary(text, text, { maxKeys: 5, noNullPrototype: true })
    .map((value): Part => ({ put: (sink) => putMap(sink, value), take: takeMap, value })),
);

describe("any parts, one after the other", () => {
  it("come back as they were put, and use up their bytes exactly", () => {
    fc.assert(
      fc.property(fc.array(part, { maxLength: 20 }), fc.integer({ min: 1, max: 64 }), (parts, room) => {
        const sink = newSink(room);
        for (const { put } of parts) put(sink);
        const source = sourceOf(sink);
        for (const { take, value } of parts) expect(take(source)).toEqual(value);
        expect(source.at).toBe(source.end);
      }),
      { numRuns: 300 },
    );
  });

  it("cut anywhere are an error of the journal, never another value of the last part", () => {
    fc.assert(
      fc.property(part, fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }), ({ put, take }, share) => {
        const sink = newSink(8);
        put(sink);
        const end = Math.floor(sink.at * share);
        expect(fault(() => take(sourceOf(sink, end)))).toBe(CUT);
      }),
      { numRuns: 300 },
    );
  });

  it("of random bytes are values or errors of the journal, and never lie past the end", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 60 }), part, (bytes, { take }) => {
        const source: Source = { buf: Buffer.from(bytes), at: 0, end: bytes.length };
        const result = fault(() => take(source));
        expect(result === "nothing was thrown" || result.startsWith("journal-failed")).toBe(true);
        expect(source.at).toBeLessThanOrEqual(source.end);
      }),
      { numRuns: 300 },
    );
  });
});

describe("counts", () => {
  it.each([
    [0, [0]],
    [1, [1]],
    [127, [0x7f]],
    [128, [0x80, 1]],
    [300, [0xac, 2]],
    [16_383, [0xff, 0x7f]],
    [16_384, [0x80, 0x80, 1]],
  ])("%d is %j, and stays so: logs are read for years", (value, bytes) => {
    expect(bytesOf((sink) => putCount(sink, value))).toEqual(bytes);
  });

  it("of more than eight bytes are damage", () => {
    const buf = Buffer.alloc(20, 0xff);
    expect(fault(() => takeCount({ buf, at: 0, end: 20 }))).toBe(
      "journal-failed: a journal record holds a number longer than eight bytes: the record is damaged",
    );
  });
});

describe("texts", () => {
  it.each([
    ["", [0]],
    ["abc", [3, 97, 98, 99]],
    ["ă", [2, 0xc4, 0x83]],
    ["aă", [3, 97, 0xc4, 0x83]],
  ])("%j is its length in bytes and its UTF-8: %j", (value, bytes) => {
    expect(bytesOf((sink) => putText(sink, value))).toEqual(bytes);
  });

  it.each([47, 48, 49, 127, 128, 129, 16_384])("of %d letters, plain or not, come back from both writers", (length) => {
    for (const letter of ["a", "ă", "😀"]) {
      const value = letter.repeat(length);
      const sink = newSink(1);
      putText(sink, value);
      expect(takeText(sourceOf(sink))).toBe(value);
    }
  });

  it("with one letter beyond ASCII at any place come back", () => {
    for (let at = 0; at < 47; at++) {
      const value = `${"a".repeat(at)}ș${"b".repeat(46 - at)}`;
      const sink = newSink(1);
      putText(sink, value);
      expect(takeText(sourceOf(sink))).toBe(value);
    }
  });
});

describe("bytes", () => {
  it("are a view of what was read, so that a record costs no copy", () => {
    const sink = newSink(16);
    putBytes(sink, Uint8Array.of(1, 2, 3));
    const view = takeBytes(sourceOf(sink));
    sink.buf[1] = 9;
    expect([...view]).toEqual([9, 2, 3]);
  });
});

describe("maps", () => {
  it("keep a name that every object has as a member of their own", () => {
    for (const name of ["__proto__", "constructor", "toString"]) {
      const map = JSON.parse(`{"${name}":"x"}`) as Record<string, string>;
      const sink = newSink(1);
      putMap(sink, map);
      const taken = takeMap(sourceOf(sink));
      expect([Object.keys(taken), Object.getPrototypeOf(taken)]).toEqual([[name], Object.prototype]);
      expect(Object.getOwnPropertyDescriptor(taken, name)?.value).toBe("x");
    }
  });

  it("that claim more members than there are end as damage, at once", () => {
    const sink = newSink(16);
    putCount(sink, Number.MAX_SAFE_INTEGER);
    expect(fault(() => takeMap(sourceOf(sink)))).toBe(CUT);
  });
});

describe("a sink", () => {
  it("grows without losing what it holds, at least by half of it", () => {
    const sink = newSink(4);
    putByte(sink, 1);
    putByte(sink, 2);
    reserve(sink, 100);
    expect([...sink.buf.subarray(0, 2), sink.at]).toEqual([1, 2, 2]);
    expect(sink.buf.length).toBeGreaterThanOrEqual(102);
    const { buf } = sink;
    reserve(sink, 100);
    expect(sink.buf).toBe(buf);
  });
});
