/** A splitter of one record per line, strict enough to have bad records and unreadable files. */
import { BusError } from "#bus/errors.ts";
import type { Piece, Splitter } from "#bus/wire.ts";

/** A line that begins with "bad" breaks its contract; one that begins with "END" makes the file unreadable. */
export const lines: Splitter = {
  async *split(chunks) {
    let rest = "";
    let index = 0;
    for await (const chunk of chunks) {
      const parts = (rest + Buffer.from(chunk).toString("utf8")).split("\n");
      rest = parts.pop() ?? "";
      for (const part of parts) yield pieceOf(part, ++index);
    }
    if (rest !== "") yield pieceOf(rest, ++index);
  },
};

function pieceOf(text: string, index: number): Piece {
  if (text.startsWith("END")) throw new BusError("xml-malformed", "the file breaks off", { places: [{ line: index, text: "breaks off" }] });
  return {
    index,
    line: index,
    bytes: Buffer.from(text),
    read() {
      if (!text.startsWith("bad")) return { text };
      throw new BusError("csv-violation", "a column breaks its contract", {
        places: [{ line: index, path: "text", rule: "pattern", text: `is ${text}` }],
      });
    },
  };
}
