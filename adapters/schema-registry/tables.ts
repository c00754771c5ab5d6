/** The registry's collections on the Store port: schemas by id, versions by subject, levels. */
import { createHash } from "node:crypto";
import { BusError } from "#bus/errors.ts";
import type { Collection, Store, Stored } from "#bus/ports.ts";
import { badSchema, badSubject, noSchema } from "./faults.ts";

export type SchemaRow = { readonly id: number; readonly schema: string; readonly hash: string; readonly guid: string };
export type VersionRow = { readonly subject: string; readonly version: number; readonly schemaId: number; readonly deleted: boolean };
export type SettingRow = { readonly value: string };

export type Tables = Readonly<{ schemas: Collection<SchemaRow>; versions: Collection<VersionRow>; settings: Collection<SettingRow> }>;

const MAX_SCHEMA = 262_144;
const SUBJECT = /^[A-Za-z0-9][A-Za-z0-9._:/-]{0,199}$/;

export async function openTables(store: Store): Promise<Tables> {
  return {
    schemas: await store.collection<SchemaRow>("registry-schemas", { unique: ["hash"], index: ["guid"] }),
    versions: await store.collection<VersionRow>("registry-versions", { index: ["subject", "schemaId"] }),
    settings: await store.collection<SettingRow>("registry-settings"),
  };
}

export function checkedSubject(subject: string): string {
  if (!SUBJECT.test(subject)) throw badSubject(subject);
  return subject;
}

/** The text that identity is decided by: JSON without its white space. */
export function normalised(schema: string): string {
  if (schema.length > MAX_SCHEMA) throw badSchema(`it is longer than ${MAX_SCHEMA} characters`);
  try {
    return JSON.stringify(JSON.parse(schema));
  } catch (error) {
    // A bare type name is how some clients write a primitive schema.
    if (/^[A-Za-z_.][A-Za-z0-9_.]*$/.test(schema)) return JSON.stringify(schema);
    throw badSchema(error instanceof RangeError ? "it is nested too deeply" : "it is not JSON");
  }
}

/** Document ids keep their numbers in order. */
const schemaKey = (id: number): string => String(id).padStart(10, "0");
const versionKey = (subject: string, version: number): string => `${encodeURIComponent(subject)}!${String(version).padStart(8, "0")}`;
const PAGE = 500;

/** All documents that match, page by page. */
export async function findAll<T>(
  collection: Collection<T>,
  where?: Readonly<Record<string, string | number | boolean>>,
): Promise<readonly Stored<T>[]> {
  const found: Stored<T>[] = [];
  for (;;) {
    const after = found.at(-1)?.id;
    const page = await collection.find({
      ...(where === undefined ? {} : { where }),
      ...(after === undefined ? {} : { after }),
      limit: PAGE,
    });
    found.push(...page);
    if (page.length < PAGE) return found;
  }
}

const isCode = (error: unknown, code: string): boolean => error instanceof BusError && error.code === code;

/** The next global id. A counter document, so that an id is never given twice even between processes. */
async function nextId({ settings }: Tables): Promise<number> {
  for (;;) {
    const last = await settings.get("counter");
    const next = last === undefined ? 1 : Number(last.value.value) + 1;
    try {
      if (last === undefined) await settings.insert("counter", { value: String(next) });
      else await settings.update("counter", last.version, { value: String(next) });
      return next;
    } catch (error) {
      if (!isCode(error, "store-conflict") && !isCode(error, "store-duplicate")) throw error;
    }
  }
}

export async function schemaById(tables: Tables, id: number): Promise<SchemaRow> {
  const row = Number.isSafeInteger(id) && id > 0 ? await tables.schemas.get(schemaKey(id)) : undefined;
  if (row === undefined) throw noSchema(id);
  return row.value;
}

function hashOf(text: string): string {
  return createHash("sha256").update(text).digest("hex");
}

export async function findSchema(tables: Tables, text: string): Promise<SchemaRow | undefined> {
  const [row] = await tables.schemas.find({ where: { hash: hashOf(text) }, limit: 1 });
  return row?.value;
}

/** The schema's row, made where it is new. One text has one id, whoever registers it. */
export async function ensureSchema(tables: Tables, text: string): Promise<SchemaRow> {
  const known = await findSchema(tables, text);
  if (known !== undefined) return known;
  const hash = hashOf(text);
  const guid = `${hash.slice(0, 8)}-${hash.slice(8, 12)}-${hash.slice(12, 16)}-${hash.slice(16, 20)}-${hash.slice(20, 32)}`;
  const row = { id: await nextId(tables), schema: text, hash, guid };
  try {
    await tables.schemas.insert(schemaKey(row.id), row);
    return row;
  } catch (error) {
    // Another process was faster; its id counts.
    const other = isCode(error, "store-duplicate") ? await findSchema(tables, text) : undefined;
    if (other === undefined) throw error;
    return other;
  }
}

export async function putVersion(tables: Tables, row: VersionRow): Promise<void> {
  await tables.versions.insert(versionKey(row.subject, row.version), row);
}

export async function removeVersion(tables: Tables, row: VersionRow): Promise<void> {
  await tables.versions.remove(versionKey(row.subject, row.version));
}

export async function hideVersion(tables: Tables, row: VersionRow): Promise<void> {
  const key = versionKey(row.subject, row.version);
  const stored = await tables.versions.get(key);
  if (stored !== undefined) await tables.versions.update(key, stored.version, { ...stored.value, deleted: true });
}

/** Versions of a subject, oldest first. */
export async function versionsOf(tables: Tables, subject: string, deleted: boolean): Promise<readonly VersionRow[]> {
  const rows = await findAll(tables.versions, { subject: checkedSubject(subject) });
  return rows.map((row) => row.value).filter((row) => deleted || !row.deleted);
}

const levelKey = (subject: string | undefined): string => (subject === undefined ? "level" : `level!${encodeURIComponent(subject)}`);

export async function readLevel(tables: Tables, subject: string | undefined): Promise<string | undefined> {
  return (await tables.settings.get(levelKey(subject)))?.value.value;
}

export async function writeLevel(tables: Tables, subject: string | undefined, level: string): Promise<void> {
  const key = levelKey(subject);
  const stored = await tables.settings.get(key);
  if (stored === undefined) await tables.settings.insert(key, { value: level });
  else await tables.settings.update(key, stored.version, { value: level });
}

export async function removeLevel(tables: Tables, subject: string | undefined): Promise<void> {
  await tables.settings.remove(levelKey(subject));
}
