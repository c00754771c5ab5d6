/**
 * How far the log is final: up to the first hole. Reads end here, so what they returned never gets a new record below it. A hole that is
 * seen for as long as the lease is closed. What this node wrote itself it need not look at; of the others it reads the rows themselves.
 */
import { setTimeout as sleep } from "node:timers/promises";
import type { ClientSession } from "mongodb";
import type { Connection } from "./connection.ts";
import type { Log } from "./log.ts";
import { bytesOf, openRecent, type Recent } from "./recent.ts";
import type { Row } from "./rows.ts";

/** Positions of one question; rows with their records, which who tails the log reads next; and their bytes. */
const PAGE = 4_096;
const ROWS = 1_000;
const BYTES = 16_777_216;
/** Who is further behind only looks where the holes are. */
const FAR = 8_192;
/** Ranges of this node's own above a hole. */
const OWN = 1_000;
/** What this node is just writing is waited for so long, then looked for at the server. */
const ANSWER = 1_000;
const PAUSE = 20;

export type Horizon = Readonly<{
  /** Last position that is known to be final. */
  at(): number;
  /** Looks how far it is now: never less than what was final when it was called. */
  look(): Promise<number>;
  /** This node is about to reserve positions and fill them; to be ended when it did, or gave up. */
  begin(): Filling;
  /** Waits until the position is final, at most so long. */
  reach(position: number, ms: number): Promise<void>;
  /** What is final and still in memory. */
  recent: Recent;
}>;

export type Filling = Readonly<{
  /** What was reserved. */
  placed(first: number, last: number): void;
  /** These rows stand for good, at each of the positions; one that does not count is a void. */
  filled(rows: readonly Row[]): void;
  /** Nothing more is known of those that were not filled: who reads looks for itself. */
  end(): void;
}>;

/** `first` and `last` are Infinity until they are known; then `turn` is another promise, of the end. */
type Under = { first: number; last: number; turn: Promise<void> };
/** One look: up to the last position that was given out when it began, so that it ends while others go on writing. */
type Asking = { upTo: number | undefined; readonly waited: Set<Promise<void>> };
type Range = Readonly<{ first: number; last: number; bytes: number; rows: readonly Row[] | undefined }>;

export function openHorizon(
  connection: Pick<Connection, "run" | "inOrder">,
  log: Pick<Log, "counter" | "above" | "close">,
  lease: number,
): Horizon {
  const recent = openRecent({ bytes: BYTES, rows: FAR });
  let at = 0;
  /** Filled by this node, above a hole; in order. */
  const own: Range[] = [];
  const under = new Set<Under>();
  let hole: { position: number; since: number } | undefined;
  let running: Promise<number> | undefined;
  let waiting: Promise<number> | undefined;

  const advance = (row: Row): void => {
    at = row._id;
    recent.add(row);
  };
  const raise = (position: number): void => {
    if (position <= at) return;
    at = position;
    recent.restart();
  };
  /** Takes this node's own ranges that the hole below them is closed of. */
  const absorb = (): void => {
    for (let [range] = own; range !== undefined && range.first <= at + 1; [range] = own) {
      own.shift();
      if (range.rows === undefined) raise(range.last);
      else for (const row of range.rows) if (row._id > at) advance(row);
    }
  };

  const filled = (rows: readonly Row[]): void => {
    const first = rows[0]?._id;
    const last = rows.at(-1)?._id;
    if (first === undefined || last === undefined || last <= at || own.length >= OWN) return;
    const held = own.reduce((sum, range) => sum + range.bytes, 0);
    const bytes = rows.reduce((sum, row) => sum + bytesOf(row), 0);
    own.push(held + bytes > BYTES ? { first, last, bytes: 0, rows: undefined } : { first, last, bytes, rows });
    own.sort((a, b) => a.first - b.first);
    absorb();
  };

  /** One page of positions after the last final one. True = look again. */
  const step = async (asking: Asking, session: ClientSession | undefined): Promise<boolean> => {
    const { next, stable, floor } = await log.counter(session);
    asking.upTo ??= next;
    recent.forget(floor);
    raise(floor);
    if (at === 0 || stable - at > FAR) raise(stable);
    absorb();
    if (at >= asking.upTo) {
      if (at >= next) hole = undefined;
      return false;
    }
    const mine = [...under].find(
      ({ first, last, turn }) => (first === Infinity || (first <= at + 1 && last > at)) && !asking.waited.has(turn),
    );
    if (mine !== undefined) {
      asking.waited.add(mine.turn);
      await within(mine.turn, ANSWER);
      return true;
    }
    const above = Math.min(...[...own, ...under].map(({ first }) => first).filter((first) => first > at + 1));
    const end = above === Infinity ? undefined : above;
    const far = next - at > FAR;
    const { page, more } = await log.above(at, end, far ? { rows: PAGE, bare: true } : { rows: ROWS, bytes: BYTES }, session);
    for (const row of page) {
      if (row._id <= at) continue;
      if (row._id !== at + 1) return patch(at + 1, row._id);
      if (far) raise(row._id);
      else advance(row);
      absorb();
    }
    if (!more && end !== undefined && end > at + 1) return patch(at + 1, end);
    hole = undefined;
    return more || end !== undefined; // what is above its own comes next
  };

  const patch = async (first: number, end: number): Promise<boolean> => {
    const now = performance.now();
    if (hole?.position !== first) hole = { position: first, since: now };
    if (now - hole.since < lease) return false;
    hole = undefined;
    await log.close(Array.from({ length: Math.min(end - first, PAGE) }, (_, n) => first + n));
    return true;
  };

  const run = async (): Promise<number> => {
    try {
      await connection.run("journal-failed", "read the journal", () =>
        connection.inOrder(async (session) => {
          const asking: Asking = { upTo: undefined, waited: new Set() };
          while (await step(asking, session));
        }),
      );
      return at;
    } catch (error) {
      // While the server is away nobody can write: the time does not count against the hole's writer.
      hole = undefined;
      throw error;
    }
  };
  const begin = (): Promise<number> => {
    waiting = undefined;
    const mine = run().finally(() => {
      if (running === mine) running = undefined;
    });
    running = mine;
    return mine;
  };

  const look = (): Promise<number> => {
    if (running === undefined) return begin();
    // One that began earlier may have looked too early: all who come now share the next.
    waiting ??= running.then(begin, begin);
    return waiting;
  };
  return {
    at: () => at,
    recent,
    look,
    begin() {
      const [known, over] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
      const range: Under = { first: Infinity, last: Infinity, turn: known.promise };
      under.add(range);
      return {
        placed(first, last) {
          Object.assign(range, { first, last, turn: over.promise });
          known.resolve();
        },
        filled,
        end() {
          under.delete(range);
          known.resolve();
          over.resolve();
        },
      };
    },
    async reach(position, ms) {
      const until = performance.now() + ms;
      for (let final = at; final < position && performance.now() < until;) {
        final = await look();
        if (final < position) await sleep(PAUSE);
      }
    },
  };
}

/** Resolves when it does, at the latest after so many milliseconds. */
async function within(turn: Promise<void>, ms: number): Promise<void> {
  const enough = new AbortController();
  await Promise.race([turn, sleep(ms, undefined, { signal: enough.signal }).catch(() => undefined)]);
  enough.abort();
}
