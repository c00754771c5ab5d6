import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { newSink, putCount, putText, takeText } from "./bytes.ts";

/** The format, written the plain way: length in bytes, then UTF-8. */
function plain(text: string): Buffer {
  const bytes = Buffer.from(text, "utf8");
  const sink = newSink(8);
  putCount(sink, bytes.length);
  return Buffer.concat([sink.buf.subarray(0, sink.at), bytes]);
}
function written(text: string, room: number): Buffer {
  const sink = newSink(room);
  putText(sink, text);
  return sink.buf.subarray(0, sink.at);
}

describe("a text as bytes", () => {
  const LENGTHS = [0, 1, 7, 8, 31, 32, 42, 43, 63, 64, 126, 127, 128, 129, 300];
  it.each(["a", "é", "ț", "€", "😀", "\ud800"])("is its length and its UTF-8 at every length near a boundary: %j", (letter) => {
    for (const length of LENGTHS) {
      const text = letter.repeat(length);
      expect(written(text, 4), `${length} letters`).toEqual(plain(text));
      expect(written(`${text}x`, 4_096), `${length} letters and one`).toEqual(plain(`${text}x`));
    }
  });
  it("comes back as it was, whatever was written before it", () => {
    const texts = fc.array(fc.oneof(fc.string({ unit: "grapheme", maxLength: 200 }), fc.string({ maxLength: 12 })), { maxLength: 20 });
    const back = (all: readonly string[]): void => {
      const sink = newSink(1);
      for (const text of all) putText(sink, text);
      const source = { buf: sink.buf, at: 0, end: sink.at };
      expect(all.map(() => takeText(source))).toEqual(all);
      expect(source.at).toBe(sink.at);
    };
    fc.assert(fc.property(texts, back));
  });
});
