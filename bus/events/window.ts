/** Offsets of one session: what was handed out and is not confirmed. Confirmation is cumulative. */
import { BusError } from "../errors.ts";

export interface Window<T> {
  /** Takes one in and gives its offset; offsets grow by one, from 1. */
  add(item: T, bytes: number): number;
  /** What this offset confirms, in order; nothing when it was confirmed before. Throws http-request for one that was never given. */
  confirm(offset: number): readonly T[];
  /** May another one be handed out? */
  room(): boolean;
  /** What is unconfirmed, in order. */
  open(): readonly T[];
}

/** The bounds hold memory; one event always fits. */
export function createWindow<T>(most: number, mostBytes: number): Window<T> {
  const held: { item: T; bytes: number }[] = [];
  let head = 0;
  let last = 0;
  let bytes = 0;
  return {
    add(item, size) {
      held.push({ item, bytes: size });
      bytes += size;
      return ++last;
    },
    confirm(offset) {
      if (!Number.isSafeInteger(offset) || offset < 0 || offset > last)
        throw new BusError("http-request", `offset ${offset} was not handed out in this session; the last one was ${last}`);
      const first = last - (held.length - head) + 1;
      const count = Math.max(0, offset - first + 1);
      const done = held.slice(head, head + count);
      head += count;
      for (const each of done) bytes -= each.bytes;
      if (head > 1024 && head * 2 > held.length) {
        held.splice(0, head);
        head = 0;
      }
      return done.map(({ item }) => item);
    },
    room: () => held.length === head || (held.length - head < most && bytes < mostBytes),
    open: () => held.slice(head).map(({ item }) => item),
  };
}
