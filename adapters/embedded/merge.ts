/** Merges neighbouring runs into one, a few milliseconds at a time, reading and writing chunks in order. */
import { finishRun, putKey, readChunk, readGroup, startRun, type Run, type RunTable, type RunWriter } from "./runs.ts";

type Reader = { readonly run: Run; chunk: Buffer | undefined; number: number; at: number; key: number };

export type Merge = Readonly<{ table: RunTable; sources: readonly Run[]; readers: Reader[]; writer: RunWriter }>;

/** Upper bound of odd keys in a run: what its filter was made for. */
const dedupesOf = (run: Run): number => Math.floor((run.bloom.length * 32) / 10);

export function startMerge(table: RunTable, id: number, sources: readonly Run[]): Merge {
  const first = sources[0];
  const last = sources.at(-1);
  if (first === undefined || last === undefined) throw new RangeError("a merge needs runs");
  const dedupes = sources.reduce((sum, run) => sum + dedupesOf(run), 0);
  const writer = startRun(table, { id, level: first.level + 1, first: first.first, last: last.last, time: last.time }, dedupes);
  const readers = sources.map((run): Reader => ({ run, chunk: undefined, number: -1, at: 0, key: 0 }));
  for (const reader of readers) advance(table, reader);
  return { table, sources, readers, writer };
}

/** Moves a reader to its next group; `key` is Infinity at the end. */
function advance(table: RunTable, reader: Reader): void {
  while (reader.chunk === undefined || reader.at >= reader.chunk.length) {
    reader.number++;
    reader.at = 0;
    reader.chunk = reader.number < reader.run.fences.length ? readChunk(table, reader.run, reader.number) : undefined;
    if (reader.chunk === undefined) {
      reader.key = Infinity;
      return;
    }
  }
  reader.key = reader.chunk.readDoubleLE(reader.at);
}

/** Works until `until` (performance.now()); gives the new run when it is whole. */
export function stepMerge(merge: Merge, until: number): Run | undefined {
  const { readers, table, writer } = merge;
  for (let round = 0; ; round++) {
    if (round % 256 === 255 && performance.now() > until) return undefined;
    let key = Infinity;
    for (const reader of readers) if (reader.key < key) key = reader.key;
    if (key === Infinity) return finishRun(writer);
    // Sources are neighbours in order of position, so their lists simply follow each other.
    for (const reader of readers) {
      while (reader.key === key && reader.chunk !== undefined) {
        const positions: number[] = [];
        reader.at = readGroup(reader.chunk, reader.at, reader.run.first, positions);
        putKey(writer, key, positions);
        advance(table, reader);
      }
    }
  }
}
