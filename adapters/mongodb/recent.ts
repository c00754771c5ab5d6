/**
 * The newest of the log in memory, without gaps: what this node wrote itself or has just read to see how far the log is final. Who tails
 * the log takes it from here and costs the server no second question. Bounded by bytes and rows; the oldest goes first.
 */
import { Binary } from "mongodb";
import type { Row } from "./rows.ts";

export type RecentLimits = Readonly<{ bytes: number; rows: number }>;

export type Recent = Readonly<{
  /** The row of the next position. Any other position begins anew with it. */
  add(row: Row): void;
  /** Nothing is here any more. */
  restart(): void;
  /** What lies up to here is gone by age. */
  forget(floor: number): void;
  /** Rows from a position up to the last, at most `limit` of those that `wanted` accepts; undefined = they are not all here. */
  rows(from: number, last: number, limit: number, wanted: (row: Row) => boolean): readonly Row[] | undefined;
}>;

/** Bytes of a row in memory beside its record, about. */
const ROW = 200;

/** Bytes that a row takes in memory, about. */
export const bytesOf = ({ r, k }: Row): number => ROW + 8 * (k?.length ?? 0) + (r instanceof Binary ? r.position : (r?.length ?? 0));

export function openRecent(limits: RecentLimits): Recent {
  let kept: (Row | undefined)[] = [];
  /** Index in `kept` of the first row, and its position. */
  let head = 0;
  let first = 0;
  let bytes = 0;
  const count = (): number => kept.length - head;

  const restart = (): void => {
    kept = [];
    head = 0;
    bytes = 0;
  };
  const dropFirst = (): void => {
    const row = kept[head];
    if (row !== undefined) bytes -= bytesOf(row);
    kept[head] = undefined;
    head++;
    first++;
    if (head > 1_024 && head * 2 > kept.length) {
      kept = kept.slice(head);
      head = 0;
    }
  };

  return {
    restart,
    add(row) {
      if (count() === 0 || row._id !== first + count()) {
        restart();
        first = row._id;
      }
      kept.push(row);
      bytes += bytesOf(row);
      while (count() > 0 && (bytes > limits.bytes || count() > limits.rows)) dropFirst();
    },
    forget(floor) {
      for (let gone = Math.min(floor - first + 1, count()); gone > 0; gone--) dropFirst();
    },
    rows(from, last, limit, wanted) {
      if (from > last) return [];
      if (count() === 0 || from < first || last > first + count() - 1) return undefined;
      const found: Row[] = [];
      for (let position = from; position <= last && found.length < limit; position++) {
        const row = kept[head + position - first];
        if (row !== undefined && wanted(row)) found.push(row);
      }
      return found;
    },
  };
}
