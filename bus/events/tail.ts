/**
 * The newest published records of the journal, read once for all groups that have caught up with them; a group that lags reads the
 * journal itself. Bounded in records and bytes.
 */
import type { StoredRecord } from "../journal/record.ts";
import type { Clock, Journal } from "../ports.ts";

/** `next`: everything below it was looked at. */
export type TailPage = Readonly<{ records: readonly StoredRecord[]; next: number }>;

export interface Tail {
  /** Published records from a position upward; an empty page that goes no further = there is nothing new. */
  read(from: number): Promise<TailPage>;
  /** Resolves when there may be something new from `next` on: an append of this process, or a look for those of others. */
  more(next: number, signal: AbortSignal): Promise<void>;
  /** Records with a topic were appended. */
  appended(): void;
}

const PAGE = 512;
const MOST = 4_096;
const MOST_BYTES = 8 * 1024 * 1024;
/** Milliseconds between looks for what other processes append. */
const LOOK = 500;

export function createTail(journal: Journal, clock: Clock): Tail {
  let ring: StoredRecord[] = [];
  let bytes = 0;
  /** The ring holds every published record from `from` up to `next`. */
  let from = -1;
  let next = -1;
  let fetching: Promise<void> | undefined;
  /** Something was appended since the last look. */
  let fresh = false;
  let waiters = new Set<() => void>();

  // Alone, this process reads all rows, to get past those without a topic; among others, the engine knows where the published ones end.
  const page = async (at: number): Promise<TailPage> => {
    const all = await journal.read(at, PAGE, ...(journal.writers === "many" ? (["published"] as const) : []));
    const last = all.at(-1)?.position;
    return { records: all.filter(({ topic }) => topic !== undefined), next: last === undefined ? at : last + 1 };
  };

  const wake = (): void => {
    const woken = waiters;
    waiters = new Set();
    for (const each of woken) each();
  };

  const fetch = async (): Promise<void> => {
    fresh = false;
    const got = await page(next);
    // whoever looked just before and found nothing waits already
    if (got.next > next) wake();
    next = got.next;
    for (const record of got.records) {
      ring.push(record);
      bytes += record.envelope?.body.length ?? 0;
    }
    let drop = 0;
    while (ring.length - drop > MOST || bytes > MOST_BYTES) bytes -= ring[drop++]?.envelope?.body.length ?? 0;
    if (drop === 0) return;
    ring = ring.slice(drop);
    from = ring[0]?.position ?? next;
  };

  const begin = async (at: number): Promise<void> => {
    const newest = (await journal.find({ limit: 1 })).records[0]?.position ?? 0;
    from = next = Math.max(at, newest - PAGE);
  };

  /** Looks until the ring has come past a position, or there is no more. */
  const catchUp = async (at: number): Promise<void> => {
    if (next > at) return;
    const before = next;
    await (fetching ??= fetch().finally(() => (fetching = undefined)));
    if (next > before) await catchUp(at);
  };

  return {
    async read(at) {
      if (from < 0) await (fetching ??= begin(at).finally(() => (fetching = undefined)));
      await catchUp(at);
      if (at < from) return page(at);
      if (at >= next) return { records: [], next: at };
      const records = ring.slice(firstFrom(ring, at), firstFrom(ring, at) + PAGE);
      const last = records.at(-1)?.position;
      return { records, next: records.length === PAGE && last !== undefined ? last + 1 : next };
    },
    async more(at, signal) {
      if (next > at || fresh || signal.aborted) return;
      const waits = new AbortController();
      const done = Promise.withResolvers<void>();
      waiters.add(done.resolve);
      const stop = (): void => done.resolve();
      signal.addEventListener("abort", stop, { once: true });
      clock.sleep(LOOK, waits.signal).then(done.resolve, () => undefined);
      await done.promise;
      waits.abort();
      waiters.delete(done.resolve);
      signal.removeEventListener("abort", stop);
    },
    appended() {
      fresh = true;
      wake();
    },
  };
}

/** Index of the first record at or above a position. */
function firstFrom(records: readonly StoredRecord[], position: number): number {
  let low = 0;
  let high = records.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((records[middle]?.position ?? 0) < position) low = middle + 1;
    else high = middle;
  }
  return low;
}
