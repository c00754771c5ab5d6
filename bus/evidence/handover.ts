/**
 * Leaves of records that this process has just appended, so that the log need not read them back. Only a help: what is missing here,
 * after a start or because it did not fit, is read from the journal.
 */
import type { JournalRecord, StoredRecord } from "../journal/record.ts";
import type { Appended, Journal } from "../ports.ts";

/** Leaves kept at most. */
const KEPT = 65_536;
/** Records whose leaves are made in one go: one after the other they cost a fraction of what they cost between other work. */
const BATCH = 64;

export interface Handover {
  /** The journal to append to. */
  readonly journal: Journal;
  /** The leaves of the positions that follow `position` without a gap, at most `limit`; what is at or below it is forgotten. */
  readonly take: (position: number, limit: number) => readonly Uint8Array[];
}

/** `leaf` makes the hash of a record. A journal with other writers gives no leaves: between two of ours may be one of theirs. */
export function createHandover(journal: Journal, leaf: (record: StoredRecord) => Uint8Array): Handover {
  const leaves = new Map<number, Uint8Array>();
  const waiting: StoredRecord[] = [];
  let below = 0;
  const make = (): void => {
    for (const record of waiting.splice(0)) if (record.position > below && leaves.size < KEPT) leaves.set(record.position, leaf(record));
  };
  const note = (records: readonly JournalRecord[], appended: readonly Appended[]): void => {
    for (const [at, { position, duplicateOf }] of appended.entries()) {
      const record = records[at];
      if (record === undefined || duplicateOf !== undefined || position <= below || leaves.size >= KEPT) continue;
      waiting.push({ ...record, position });
    }
    if (waiting.length >= BATCH) make();
  };
  if (journal.writers === "many") return { journal, take: () => [] };
  return {
    journal: {
      writers: "one",
      append(records) {
        const appending = journal.append(records);
        appending.then((appended) => note(records, appended)).catch(() => undefined); // whoever appended hears of it
        return appending;
      },
      read: (from, limit, only) => journal.read(from, limit, only),
      find: (query) => journal.find(query),
      close: () => journal.close(),
    },
    take(position, limit) {
      below = position;
      make();
      for (const each of leaves.keys()) {
        if (each > position) break; // they come in order but for a few
        leaves.delete(each);
      }
      const taken: Uint8Array[] = [];
      for (let next = position + 1; taken.length < limit; next++) {
        const hash = leaves.get(next);
        if (hash === undefined) break;
        leaves.delete(next);
        taken.push(hash);
      }
      return taken;
    },
  };
}
