/**
 * The store port over MongoDB. A document is its JSON text with a version, the indexed members beside it, and the mark of its last write,
 * by which a writer whose connection broke finds out whether it was the one.
 */
import { createHash, randomUUID } from "node:crypto";
import type { Collection as Rows, Db } from "mongodb";
import { BusError } from "#bus/errors.ts";
import type { Clock, Collection, FindOptions, Json, Store, Stored } from "#bus/ports.ts";
import { openBlobs, type BlobStore } from "./blobs.ts";
import { isDuplicate, type Connection } from "./connection.ts";
import { fieldOf, filterOf, fits, searchFields, uniqueFields, type Fields } from "./members.ts";

export type StoreLimits = Readonly<{ documentBytes: number; blobBytes: number }>;
export type MongoStore = Store & Readonly<{ blobs: BlobStore }>;

const DEFAULT_LIMIT = 10_000;
const LONGEST_ID = 512;

/** Version, mark of the last write, JSON text, searchable and unique members. */
type Row = { _id: string; v: number; n: string; d: string; m: Fields; u: Fields };
type Members = Readonly<{ unique: readonly string[]; index: readonly string[] }>;

export function openStore(connection: Connection, clock: Clock, limits: StoreLimits): MongoStore {
  let closed = false;
  const open = (): void => {
    if (closed) throw new BusError("bus-stopping", "the store is closed");
  };
  return {
    async collection<T extends Json>(name: string, options: Readonly<{ unique?: readonly string[]; index?: readonly string[] }> = {}) {
      open();
      checkId("a collection", name);
      const members = { unique: options.unique ?? [], index: options.index ?? [] };
      const rows = await connection.run("store-unavailable", "open a collection", () => prepare(connection.db, name, members));
      return openCollection<T>(connection, name, rows, members, limits.documentBytes, open);
    },
    blobs: openBlobs(connection, clock, limits.blobBytes, open),
    close() {
      closed = true;
      return Promise.resolve();
    },
  };
}

function checkId(kind: string, id: string): void {
  if (id.length === 0 || id.length > LONGEST_ID || !id.isWellFormed())
    throw new BusError("configuration", `${kind} id has ${id.length} characters; it needs 1 to ${LONGEST_ID} of well-formed text`);
}

/** Names of collections that the server would not take stand as their hash. */
function rowsName(name: string): string {
  return /^[\w-]{1,100}$/u.test(name) ? `doc_${name}` : `dox_${createHash("sha256").update(name).digest("hex").slice(0, 40)}`;
}

/** Makes members that are declared for the first time searchable in the documents that are there. Repeated after a crash. */
async function prepare(db: Db, name: string, { unique, index }: Members): Promise<Rows<Row>> {
  const rows = db.collection<Row>(rowsName(name));
  const known = db.collection<{ _id: string; unique: string[]; index: string[] }>("collections");
  const before = await known.findOne({ _id: name });
  const newUnique = unique.filter((member) => !(before?.unique ?? []).includes(member));
  const newIndex = [...unique, ...index].filter((member) => !(before?.index ?? []).includes(member));
  if (before !== null && newUnique.length + newIndex.length === 0) return rows;
  for await (const row of rows.find({}, { projection: { _id: 1, d: 1, v: 1 } })) {
    const document: unknown = JSON.parse(row.d);
    const fields: Record<string, unknown> = {};
    for (const [field, value] of Object.entries(searchFields(document, newIndex))) fields[`m.${field}`] = value;
    for (const [field, value] of Object.entries(uniqueFields(row._id, document, newUnique))) fields[`u.${field}`] = value;
    // A document that changes meanwhile gets its members by that change.
    if (Object.keys(fields).length > 0) await rows.updateOne({ _id: row._id, v: row.v }, { $set: fields });
  }
  for (const member of newIndex) await rows.createIndex({ [`m.${fieldOf(member)}`]: 1 });
  for (const member of newUnique) {
    await rows.createIndex({ [`u.${fieldOf(member)}`]: 1 }, { unique: true }).catch((error: unknown) => {
      if (!isDuplicate(error)) throw error;
      throw new BusError("store-duplicate", `collection ${name}: two documents have the same ${member}; it must be unique`, {
        cause: error,
      });
    });
  }
  const more = { unique: { $each: newUnique }, index: { $each: newIndex } };
  await known.updateOne({ _id: name }, { $addToSet: more }, { upsert: true });
  return rows;
}

function openCollection<T extends Json>(
  connection: Connection,
  name: string,
  rows: Rows<Row>,
  { unique, index }: Members,
  maxBytes: number,
  open: () => void,
): Collection<T> {
  const searchable = [...unique, ...index];
  const indexed = new Set(searchable);
  const run = async <R>(what: string, work: (again: boolean) => Promise<R>): Promise<R> => {
    open();
    return connection.run("store-unavailable", what, work);
  };
  const content = (id: string, value: T): Pick<Row, "n" | "d" | "m" | "u"> => {
    checkId("a document", id);
    const d = JSON.stringify(value);
    if (d === undefined) throw new BusError("configuration", `document ${id} is not a JSON value`);
    if (d.length > maxBytes) throw new BusError("message-too-large", `document ${id} has ${d.length} characters; the limit is ${maxBytes}`);
    const document: unknown = JSON.parse(d);
    return { n: randomUUID(), d, m: searchFields(document, searchable), u: uniqueFields(id, document, unique) };
  };
  /** Asked by a write that changes nothing: its answer waits until a majority holds what the lost try wrote. */
  const wasMine = async (again: boolean, id: string, mark: string): Promise<boolean> =>
    again && (await rows.updateOne({ _id: id, n: mark }, { $set: { n: mark } })).matchedCount > 0;
  const duplicate = (id: string, cause: unknown): BusError =>
    new BusError("store-duplicate", `collection ${name}: a document with id ${id} or with one of its unique values exists already`, {
      cause,
    });

  return {
    async insert(id, value) {
      const row: Row = { _id: id, v: 1, ...content(id, value) };
      await run("insert a document", async (again) => {
        try {
          await rows.insertOne(row);
        } catch (error) {
          if (!isDuplicate(error)) throw error;
          if (!(await wasMine(again, id, row.n))) throw duplicate(id, error);
        }
      });
    },
    get: (id) =>
      run("read a document", async () => {
        const row = await rows.findOne({ _id: id });
        return row === null ? undefined : stored<T>(row);
      }),
    async update(id, version, value) {
      const change = content(id, value);
      await run("update a document", async (again) => {
        const { matchedCount } = await rows
          .updateOne({ _id: id, v: version }, { $set: { ...change, v: version + 1 } })
          .catch((error: unknown) => {
            throw isDuplicate(error) ? duplicate(id, error) : error;
          });
        if (matchedCount > 0 || (await wasMine(again, id, change.n))) return;
        const present = await rows.findOne({ _id: id }, { projection: { v: 1 } });
        if (present === null) throw new BusError("not-found", `collection ${name}: no document has id ${id}`);
        throw new BusError("store-conflict", `collection ${name}: document ${id} has version ${present.v}, not ${version}; read it again`);
      });
    },
    find: (options: FindOptions = {}) =>
      run("find documents", async () => {
        const limit = options.limit ?? DEFAULT_LIMIT;
        const { filter, whole } = filterOf(options, indexed);
        const cursor = rows.find(filter).sort({ _id: 1 });
        if (whole) cursor.limit(limit);
        const found: Stored<T>[] = [];
        for await (const row of cursor) {
          if (found.length >= limit) break;
          const one = stored<T>(row);
          if (fits(one.value, options)) found.push(one);
        }
        return found;
      }),
    remove: (id) =>
      run("remove a document", async (again) => {
        const { deletedCount } = await rows.deleteOne({ _id: id });
        if (deletedCount === 0 && again)
          throw new BusError("store-unavailable", `collection ${name}: whether document ${id} was removed is not known; look again`);
        return deletedCount > 0;
      }),
  };
}

function stored<T>(row: Row): Stored<T> {
  return { id: row._id, version: row.v, value: JSON.parse(row.d) as T };
}
