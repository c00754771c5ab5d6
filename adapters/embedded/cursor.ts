/**
 * What a consumer group has finished. Finished = at or below `scan`, not pending and not waiting for a retry; so the state's
 * size follows what is unfinished, never the backlog, and one stuck message holds up nobody. Pure: no clock, no disk.
 */
import type { GroupRow, RetryRow } from "./protocol.ts";

/** `attempt` = attempts made so far; `firstAt` = time of the first, 0 before it. */
export type Tries = { attempt: number; firstAt: number };

export type Cursor = {
  /** Everything of the topic up to here was taken from the log. */
  scan: number;
  readonly pending: Map<number, Tries>;
  readonly retries: Map<number, RetryRow>;
  /** Retry rows that changed since the last `changes`. */
  readonly changed: Set<number>;
  dirty: boolean;
};

export type CursorChanges = Readonly<{ scan: number; pending: Float64Array; upsert: Float64Array; drop: Float64Array }>;

export function newCursor(row: Pick<GroupRow, "scan" | "pending" | "retries">): Cursor {
  const pending = new Map<number, Tries>();
  for (let i = 0; i < row.pending.length; i += 3) {
    pending.set(row.pending[i] ?? 0, { attempt: row.pending[i + 1] ?? 0, firstAt: row.pending[i + 2] ?? 0 });
  }
  return {
    scan: row.scan,
    pending,
    retries: new Map(row.retries.map((retry) => [retry.position, retry])),
    changed: new Set(),
    dirty: false,
  };
}

/** A message was taken from the log. */
export function taken(cursor: Cursor, position: number): void {
  cursor.pending.set(position, { attempt: 0, firstAt: 0 });
  cursor.scan = Math.max(cursor.scan, position);
  cursor.dirty = true;
}

/** The log has no message of the topic up to `position` that was not taken. */
export function scanned(cursor: Cursor, position: number): void {
  if (position <= cursor.scan) return;
  cursor.scan = position;
  cursor.dirty = true;
}

/** An attempt begins; gives its number and the time of the first. */
export function started(cursor: Cursor, position: number, now: number): Tries {
  const tries = cursor.pending.get(position) ?? { attempt: 0, firstAt: 0 };
  const next = { attempt: tries.attempt + 1, firstAt: tries.attempt === 0 ? now : tries.firstAt };
  cursor.pending.set(position, next);
  cursor.dirty = true;
  return next;
}

export function finished(cursor: Cursor, position: number): void {
  cursor.pending.delete(position);
  cursor.dirty = true;
}

/** The message waits until `nextAt`. `sameAttempt`: the attempt that just ended does not count. */
export function waits(cursor: Cursor, position: number, nextAt: number, sameAttempt: boolean): void {
  const tries = cursor.pending.get(position) ?? { attempt: 1, firstAt: 0 };
  cursor.pending.delete(position);
  const attempt = sameAttempt ? tries.attempt - 1 : tries.attempt;
  cursor.retries.set(position, { position, attempt, nextAt, firstAt: tries.firstAt });
  cursor.changed.add(position);
  cursor.dirty = true;
}

/** The wait is over: the message is pending again. False when it was not waiting. */
export function due(cursor: Cursor, position: number): boolean {
  const retry = cursor.retries.get(position);
  if (retry === undefined) return false;
  cursor.retries.delete(position);
  cursor.changed.add(position);
  cursor.pending.set(position, { attempt: retry.attempt, firstAt: retry.firstAt });
  cursor.dirty = true;
  return true;
}

/** First position not finished. */
export function floorOf(cursor: Cursor): number {
  let floor = cursor.scan + 1;
  for (const position of cursor.pending.keys()) if (position < floor) floor = position;
  for (const position of cursor.retries.keys()) if (position < floor) floor = position;
  return floor;
}

/** What must be written to make the present state durable; the state counts as written from now on. */
export function changes(cursor: Cursor): CursorChanges {
  const pending = new Float64Array(cursor.pending.size * 3);
  let at = 0;
  for (const [position, tries] of cursor.pending) {
    pending[at++] = position;
    pending[at++] = tries.attempt;
    pending[at++] = tries.firstAt;
  }
  const upsert: number[] = [];
  const drop: number[] = [];
  for (const position of cursor.changed) {
    const retry = cursor.retries.get(position);
    if (retry === undefined) drop.push(position);
    else upsert.push(position, retry.attempt, retry.nextAt, retry.firstAt);
  }
  cursor.changed.clear();
  cursor.dirty = false;
  return { scan: cursor.scan, pending, upsert: Float64Array.from(upsert), drop: Float64Array.from(drop) };
}

/** Takes `changes` back: they could not be written. */
export function unwritten(cursor: Cursor, lost: CursorChanges): void {
  for (const position of lost.drop) cursor.changed.add(position);
  for (let i = 0; i < lost.upsert.length; i += 4) cursor.changed.add(lost.upsert[i] ?? 0);
  cursor.dirty = true;
}
