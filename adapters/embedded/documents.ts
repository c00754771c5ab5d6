/** Collections and blobs in the worker. A write checks everything before it changes anything, so a refusal leaves no trace. */
import type { DatabaseSync, SQLInputValue } from "node:sqlite";
import { EngineFault } from "./database.ts";
import type { Plain, ReadOp, WriteOp } from "./protocol.ts";

export type DocumentRow = Readonly<{ id: string; version: number; value: string }>;
type Members = Readonly<{ name: string; unique: readonly string[]; index: readonly string[] }>;
type OpOf<K> = Extract<WriteOp | ReadOp, { op: K }>;

export type Documents = Readonly<{
  collection(op: OpOf<"collection">): number;
  insert(op: OpOf<"insert">): void;
  update(op: OpOf<"update">): void;
  remove(op: OpOf<"remove">): boolean;
  get(op: OpOf<"get">): DocumentRow | undefined;
  find(op: OpOf<"documents">): DocumentRow[];
  putBlob(op: OpOf<"blob">): void;
  readBlob(id: string): Uint8Array | undefined;
  removeBlob(id: string): boolean;
}>;

/** Strings and numbers keep SQLite's own order; booleans become one-byte blobs, so that true never equals 1. */
function sqlValue(value: Plain): SQLInputValue {
  return typeof value === "boolean" ? Uint8Array.of(value ? 1 : 0) : value;
}

function plainMember(document: unknown, member: string): Plain | undefined {
  if (typeof document !== "object" || document === null || !Object.hasOwn(document, member)) return undefined;
  const value: unknown = Reflect.get(document, member);
  return typeof value === "string" || typeof value === "number" || typeof value === "boolean" ? value : undefined;
}

export function openDocuments(db: DatabaseSync): Documents {
  const members = new Map<number, Members>();
  for (const row of db.prepare("SELECT id, members FROM collection").iterate())
    members.set(Number(row["id"]), JSON.parse(String(row["members"])));
  const one = db.prepare("SELECT id, version, value FROM document WHERE collection = ? AND id = ?");
  const put = db.prepare("INSERT INTO document(collection, id, version, value) VALUES(?, ?, 1, ?)");
  const change = db.prepare("UPDATE document SET version = version + 1, value = ? WHERE collection = ? AND id = ?");
  const drop = db.prepare("DELETE FROM document WHERE collection = ? AND id = ?");
  const taken = db.prepare("SELECT id FROM member WHERE collection = ? AND name = ? AND value = ? AND id <> ? LIMIT 1");
  const note = db.prepare("INSERT OR IGNORE INTO member(collection, name, value, id) VALUES(?, ?, ?, ?)");
  const forget = db.prepare("DELETE FROM member WHERE collection = ? AND name = ? AND value = ? AND id = ?");
  const blobPut = db.prepare("INSERT OR REPLACE INTO blob(id, time, bytes) VALUES(?, ?, ?)");
  const blobGet = db.prepare("SELECT bytes FROM blob WHERE id = ?");
  const blobDrop = db.prepare("DELETE FROM blob WHERE id = ?");

  const rowOf = (row: Record<string, unknown> | undefined): DocumentRow | undefined =>
    row === undefined ? undefined : { id: String(row["id"]), version: Number(row["version"]), value: String(row["value"]) };

  const checkUnique = (collection: number, id: string, document: unknown): void => {
    for (const name of members.get(collection)?.unique ?? []) {
      const value = plainMember(document, name);
      if (value === undefined) continue;
      const other = taken.get(collection, name, sqlValue(value), id);
      if (other !== undefined) {
        throw new EngineFault(
          "store-duplicate",
          `collection ${members.get(collection)?.name}: another document already has this ${name}; it must be unique`,
        );
      }
    }
  };
  const eachMember = (collection: number, id: string, document: unknown, statement: typeof note): void => {
    const { unique = [], index = [] } = members.get(collection) ?? {};
    for (const name of [...unique, ...index]) {
      const value = plainMember(document, name);
      if (value !== undefined) statement.run(collection, name, sqlValue(value), id);
    }
  };
  const reindex = (collection: number): void => {
    db.prepare("DELETE FROM member WHERE collection = ?").run(collection);
    for (const row of db.prepare("SELECT id, value FROM document WHERE collection = ? ORDER BY id").iterate(collection)) {
      const id = String(row["id"]);
      const document: unknown = JSON.parse(String(row["value"]));
      checkUnique(collection, id, document);
      eachMember(collection, id, document, note);
    }
  };

  return {
    collection(op) {
      const wanted: Members = { name: op.name, unique: op.unique, index: op.index };
      const text = JSON.stringify(wanted);
      const row = db.prepare("SELECT id, members FROM collection WHERE name = ?").get(op.name);
      if (row === undefined) {
        const id = Number(db.prepare("INSERT INTO collection(name, members) VALUES(?, ?) RETURNING id").get(op.name, text)?.["id"]);
        members.set(id, wanted);
        return id;
      }
      const id = Number(row["id"]);
      if (row["members"] === text) return id;
      const before = members.get(id);
      db.exec("SAVEPOINT members");
      try {
        members.set(id, wanted);
        db.prepare("UPDATE collection SET members = ? WHERE id = ?").run(text, id);
        reindex(id);
        db.exec("RELEASE members");
      } catch (error) {
        db.exec("ROLLBACK TO members; RELEASE members");
        if (before !== undefined) members.set(id, before);
        throw error;
      }
      return id;
    },
    insert(op) {
      if (one.get(op.collection, op.id) !== undefined) {
        throw new EngineFault(
          "store-duplicate",
          `collection ${members.get(op.collection)?.name}: a document with id ${op.id} exists already`,
        );
      }
      const document: unknown = JSON.parse(op.value);
      checkUnique(op.collection, op.id, document);
      put.run(op.collection, op.id, op.value);
      eachMember(op.collection, op.id, document, note);
    },
    update(op) {
      const before = rowOf(one.get(op.collection, op.id));
      const name = members.get(op.collection)?.name;
      if (before === undefined) throw new EngineFault("not-found", `collection ${name}: no document has id ${op.id}`);
      if (before.version !== op.version) {
        throw new EngineFault(
          "store-conflict",
          `collection ${name}: document ${op.id} has version ${before.version}, not ${op.version}; read it again`,
        );
      }
      const document: unknown = JSON.parse(op.value);
      checkUnique(op.collection, op.id, document);
      eachMember(op.collection, op.id, JSON.parse(before.value), forget);
      change.run(op.value, op.collection, op.id);
      eachMember(op.collection, op.id, document, note);
    },
    remove(op) {
      const before = rowOf(one.get(op.collection, op.id));
      if (before === undefined) return false;
      eachMember(op.collection, op.id, JSON.parse(before.value), forget);
      return Number(drop.run(op.collection, op.id).changes) > 0;
    },
    get: (op) => rowOf(one.get(op.collection, op.id)),
    find: (op) => findDocuments(db, members.get(op.collection), op).map((row) => rowOf(row) as DocumentRow),
    putBlob: (op) => void blobPut.run(op.id, op.time, op.bytes),
    readBlob: (id) => blobGet.get(id)?.["bytes"] as Uint8Array | undefined,
    removeBlob: (id) => Number(blobDrop.run(id).changes) > 0,
  };
}

/** Indexed members through their table, others through JSON; always in order of id. */
function findDocuments(db: DatabaseSync, members: Members | undefined, op: OpOf<"documents">): Record<string, unknown>[] {
  const indexed = new Set([...(members?.unique ?? []), ...(members?.index ?? [])]);
  const conditions = ["d.collection = ?", "d.id > ?"];
  const values: SQLInputValue[] = [op.collection, op.after];
  const lookIn = (name: string, test: string, ...bound: SQLInputValue[]): void => {
    conditions.push(`d.id IN (SELECT m.id FROM member m WHERE m.collection = ? AND m.name = ? AND ${test})`);
    values.push(op.collection, name, ...bound);
  };
  const path = (name: string): string => `$.${JSON.stringify(name)}`;
  for (const [name, value] of op.where) {
    if (indexed.has(name)) lookIn(name, "m.value = ?", sqlValue(value));
    else if (typeof value === "boolean") {
      conditions.push("json_type(d.value, ?) = ?");
      values.push(path(name), String(value));
    } else {
      conditions.push(
        `json_type(d.value, ?) IN (${typeof value === "string" ? "'text'" : "'integer', 'real'"}) AND json_extract(d.value, ?) = ?`,
      );
      values.push(path(name), path(name), value);
    }
  }
  const { range } = op;
  if (range !== undefined) {
    const bounds = [range.from, range.to];
    const texts = bounds.some((bound) => typeof bound === "string");
    const column = indexed.has(range.member) ? "m.value" : "json_extract(d.value, ?)";
    const extra = indexed.has(range.member) ? [] : [path(range.member)];
    const tests: string[] = [];
    const bound: SQLInputValue[] = [];
    const add = (test: string, ...given: SQLInputValue[]): void => {
      tests.push(test);
      bound.push(...extra, ...given);
    };
    add(`typeof(${column}) IN (${texts ? "'text'" : "'integer', 'real'"})`);
    if (range.from !== undefined) add(`${column} >= ?`, range.from);
    if (range.to !== undefined) add(`${column} < ?`, range.to);
    if (indexed.has(range.member)) lookIn(range.member, tests.join(" AND "), ...bound);
    else {
      conditions.push(...tests);
      values.push(...bound);
    }
  }
  const sql = `SELECT d.id, d.version, d.value FROM document d WHERE ${conditions.join(" AND ")} ORDER BY d.id LIMIT ?`;
  return db.prepare(sql).all(...values, op.limit);
}
