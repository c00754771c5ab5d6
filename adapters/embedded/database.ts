/** The one SQLite file of a data folder: settings, tables, and the errors that mean "stop". Runs in the worker. */
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import type { Fault } from "./protocol.ts";

/** Below this, several connections could corrupt the WAL (the WAL-reset race). */
const OLDEST_SQLITE = [3, 51, 3];
/** Format 1 kept the bytes of a block in its row; since format 2 they lie in files of the log. */
export const SCHEMA_VERSION = 2;

const TABLES = `
CREATE TABLE IF NOT EXISTS block(first INTEGER PRIMARY KEY, count INTEGER NOT NULL, time REAL NOT NULL, last REAL NOT NULL, crc INTEGER NOT NULL, bytes BLOB NOT NULL, file INTEGER NOT NULL DEFAULT 0, at INTEGER NOT NULL DEFAULT 0, size INTEGER NOT NULL DEFAULT 0);
CREATE TABLE IF NOT EXISTS topic(id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE);
CREATE TABLE IF NOT EXISTS queue(topic INTEGER, first INTEGER, before INTEGER NOT NULL, count INTEGER NOT NULL, offsets BLOB NOT NULL, PRIMARY KEY(topic, first)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS run(id INTEGER PRIMARY KEY, state INTEGER NOT NULL, level INTEGER NOT NULL, first INTEGER NOT NULL, last INTEGER NOT NULL, time REAL NOT NULL, chunks INTEGER NOT NULL, fences BLOB, bloom BLOB);
CREATE TABLE IF NOT EXISTS chunk(id INTEGER PRIMARY KEY, bytes BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS consumer(id INTEGER PRIMARY KEY, topic INTEGER NOT NULL, name TEXT NOT NULL, scan INTEGER NOT NULL, pending BLOB NOT NULL, UNIQUE(topic, name));
CREATE TABLE IF NOT EXISTS retry(consumer INTEGER, position INTEGER, attempt INTEGER NOT NULL, next REAL NOT NULL, first REAL NOT NULL, PRIMARY KEY(consumer, position)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS collection(id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, members TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS document(collection INTEGER NOT NULL, id TEXT NOT NULL, version INTEGER NOT NULL, value TEXT NOT NULL, UNIQUE(collection, id));
CREATE TABLE IF NOT EXISTS member(collection INTEGER, name TEXT, value, id TEXT, PRIMARY KEY(collection, name, value, id)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS blob(id TEXT PRIMARY KEY, time REAL NOT NULL, bytes BLOB NOT NULL);
CREATE INDEX IF NOT EXISTS blob_time ON blob(time);
`;

export class EngineFault extends Error {
  override readonly name = "EngineFault";
  readonly fault: Fault;
  constructor(code: string, message: string) {
    super(message);
    this.fault = { code, message };
  }
}

function assertVersion(): void {
  const version = process.versions["sqlite"] ?? "0.0.0";
  const parts = version.split(".").map(Number);
  for (let i = 0; i < OLDEST_SQLITE.length; i++) {
    const have = parts[i] ?? 0;
    const need = OLDEST_SQLITE[i] ?? 0;
    if (have > need) return;
    if (have < need)
      throw new EngineFault(
        "configuration",
        `SQLite ${version} can corrupt its WAL; use a Node.js with SQLite ${OLDEST_SQLITE.join(".")} or later`,
      );
  }
}

/** Opens and locks the folder. A second opener is refused and told the process id of the first. */
export function openDatabase(dataDir: string): DatabaseSync {
  assertVersion();
  mkdirSync(dataDir, { recursive: true });
  const owner = join(dataDir, "owner.pid");
  const db = new DatabaseSync(join(dataDir, "engine.db"), { timeout: 250 });
  try {
    // Exclusive before the first read: no shared-memory file, and the lock is held until the process ends.
    db.exec(
      "PRAGMA page_size=8192; PRAGMA locking_mode=EXCLUSIVE; PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA temp_store=MEMORY",
    );
    // No checkpoint within a commit: it would stand before an answer, and SQLite keeps its errors to itself there.
    db.exec("PRAGMA wal_autocheckpoint=0; PRAGMA journal_size_limit=67108864; PRAGMA cache_size=-32768");
    db.exec("BEGIN IMMEDIATE; COMMIT");
    prepareSchema(db, dataDir);
  } catch (error) {
    db.close();
    if (isBusy(error))
      throw new EngineFault(
        "configuration",
        `the data folder ${dataDir} is in use by process ${readOwner(owner)}; stop it or choose another folder`,
      );
    throw error;
  }
  writeFileSync(owner, `${process.pid}\n`);
  return db;
}

function prepareSchema(db: DatabaseSync, dataDir: string): void {
  const version = Number(db.prepare("PRAGMA user_version").get()?.["user_version"] ?? 0);
  if (version > SCHEMA_VERSION) {
    throw new EngineFault(
      "configuration",
      `the data folder ${dataDir} was written by a newer version (format ${version}, this one reads ${SCHEMA_VERSION})`,
    );
  }
  if (version === SCHEMA_VERSION) return;
  db.exec("BEGIN IMMEDIATE");
  if (version === 1) {
    for (const column of ["file", "at", "size"]) db.exec(`ALTER TABLE block ADD COLUMN ${column} INTEGER NOT NULL DEFAULT 0`);
  }
  db.exec(TABLES);
  db.exec(`PRAGMA user_version=${SCHEMA_VERSION}; COMMIT`);
}

/** Moves the write-ahead log into the file when it holds `pages` that are not there yet. Between transactions; throws as a commit does. */
export function checkpoint(db: DatabaseSync, pages: number): boolean {
  const row = db.prepare("PRAGMA wal_checkpoint(NOOP)").get();
  if (Number(row?.["log"]) - Number(row?.["checkpointed"]) < pages) return false;
  db.exec("PRAGMA wal_checkpoint(PASSIVE)");
  return true;
}

function readOwner(path: string): string {
  try {
    return readFileSync(path, "utf8").trim() || "unknown";
  } catch {
    return "unknown";
  }
}

function sqliteCode(error: unknown): number {
  if (typeof error !== "object" || error === null || !("errcode" in error)) return 0;
  return Number(error.errcode) & 0xff;
}

function isBusy(error: unknown): boolean {
  const code = sqliteCode(error);
  return code === 5 || code === 6;
}

/** A full disk undoes cleanly and may pass; every other engine error leaves the file's state unknown. */
export function isDiskFull(error: unknown): boolean {
  if (error instanceof Error && "code" in error && (error.code === "ENOSPC" || error.code === "EDQUOT")) return true;
  return sqliteCode(error) === 13;
}

/** Commits without a flush, for what the log would give again: rows and index. The next full commit flushes them along. */
export function relaxed<T>(db: DatabaseSync, work: () => T): T {
  db.exec("PRAGMA synchronous=NORMAL");
  try {
    return work();
  } finally {
    db.exec("PRAGMA synchronous=FULL");
  }
}
