/**
 * A receiver's ledger, in an SQLite file: each effect once, by the sender's message id, with the answer it was given. A message
 * that comes again finds its first answer and is counted, nothing else. Survives the end of the process at any moment.
 */
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";

export type Entry = Readonly<{ number: number; key: string; kind: string; at: string; content: unknown; answer: unknown }>;
export type Counts = Readonly<{ effects: number; duplicates: number; kinds: Readonly<Record<string, number>> }>;

export interface Ledger {
  /** Makes the effect if the key is new. `answer` is called with the entry's number, and only then. */
  enter<T>(key: string, kind: string, content: unknown, answer: (number: number) => T): Readonly<{ first: boolean; answer: T }>;
  counts(): Counts;
  /** Newest first. */
  last(limit: number): readonly Entry[];
  close(): void;
}

const TABLES = `
  PRAGMA journal_mode = WAL;
  PRAGMA synchronous = NORMAL;
  CREATE TABLE IF NOT EXISTS entry (
    number INTEGER PRIMARY KEY, key TEXT UNIQUE NOT NULL, kind TEXT NOT NULL, at TEXT NOT NULL, content TEXT NOT NULL, answer TEXT NOT NULL,
    repeats INTEGER NOT NULL DEFAULT 0);`;

type Row = Readonly<{ number: number; key: string; kind: string; at: string; content: string; answer: string }>;

export function openLedger(folder: string): Ledger {
  mkdirSync(folder, { recursive: true });
  const db = new DatabaseSync(join(folder, "ledger.sqlite"));
  db.exec(TABLES);
  const find = db.prepare("SELECT answer FROM entry WHERE key = ?");
  const next = db.prepare("SELECT coalesce(max(number), 0) + 1 AS number FROM entry");
  const add = db.prepare("INSERT INTO entry (number, key, kind, at, content, answer) VALUES (?, ?, ?, ?, ?, ?)");
  const repeat = db.prepare("UPDATE entry SET repeats = repeats + 1 WHERE key = ?");
  const kinds = db.prepare("SELECT kind, count(*) AS effects, sum(repeats) AS duplicates FROM entry GROUP BY kind ORDER BY kind");
  const last = db.prepare("SELECT number, key, kind, at, content, answer FROM entry ORDER BY number DESC LIMIT ?");
  return {
    enter(key, kind, content, answer) {
      const known = find.get(key) as { answer: string } | undefined;
      if (known) {
        repeat.run(key);
        return { first: false, answer: JSON.parse(known.answer) as ReturnType<typeof answer> };
      }
      const { number } = next.get() as { number: number };
      const given = answer(number);
      add.run(number, key, kind, new Date().toISOString(), JSON.stringify(content), JSON.stringify(given ?? null));
      return { first: true, answer: given };
    },
    counts() {
      const rows = kinds.all() as { kind: string; effects: number; duplicates: number }[];
      const sum = (of: (row: (typeof rows)[number]) => number): number => rows.reduce((total, row) => total + of(row), 0);
      return {
        effects: sum((row) => row.effects),
        duplicates: sum((row) => row.duplicates),
        kinds: Object.fromEntries(rows.map((row) => [row.kind, row.effects])),
      };
    },
    last: (limit) =>
      (last.all(limit) as Row[]).map((row) => ({
        ...row,
        content: JSON.parse(row.content) as unknown,
        answer: JSON.parse(row.answer) as unknown,
      })),
    close: () => db.close(),
  };
}
