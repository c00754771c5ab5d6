/** The embedded schema registry on the Store port: the same answers as a Confluent registry. */
import { asBusError } from "#bus/errors.ts";
import { LEVELS, type CompatibilityLevel, type Store } from "#bus/ports.ts";
import {
  badSchema,
  incompatible,
  noLevel,
  noSchema,
  noSubject,
  noVersion,
  RegistryFault,
  subjectNotSoftDeleted,
  subjectSoftDeleted,
  versionNotSoftDeleted,
  versionSoftDeleted,
} from "./faults.ts";
import type { CompatibilityCheck, SchemaRegistry, SchemaVersion, VersionName } from "./model.ts";
import {
  checkedSubject,
  ensureSchema,
  findAll,
  findSchema,
  hideVersion,
  normalised,
  openTables,
  putVersion,
  readLevel,
  removeLevel,
  removeVersion,
  schemaById,
  versionsOf,
  writeLevel,
} from "./tables.ts";
import type { Tables, VersionRow } from "./tables.ts";

const DEFAULT_LEVEL: CompatibilityLevel = "BACKWARD";
/** Schema texts kept in memory; they never change. */
const MAX_CACHED = 2_000;

/** One writer at a time in this process, so that a version number is not given twice. */
function serial(): <T>(work: () => Promise<T>) => Promise<T> {
  let last: Promise<unknown> = Promise.resolve();
  return (work) => {
    const next = last.then(work, work);
    last = next.catch(() => undefined);
    return next;
  };
}

function asLevel(text: string | undefined): CompatibilityLevel | undefined {
  return LEVELS.find((level) => level === text);
}

/** The version that a name means. A subject whose versions are all hidden does not exist for those who do not look for them. */
function pick(rows: readonly VersionRow[], subject: string, version: VersionName): VersionRow {
  if (rows.length === 0) throw noSubject(subject);
  const row = version === "latest" ? rows.at(-1) : rows.find((candidate) => candidate.version === version);
  if (row === undefined) throw noVersion(version);
  return row;
}

async function described(tables: Tables, row: VersionRow): Promise<SchemaVersion> {
  const { id, schema, guid } = await schemaById(tables, row.schemaId);
  return { subject: row.subject, version: row.version, id, schema, guid };
}

type Part = Pick<SchemaRegistry, "register" | "compatibility" | "check">;

/** Registering and checking: what must not happen twice at once. */
function gate(tables: Tables, check: CompatibilityCheck, one: ReturnType<typeof serial>): Part {
  const levelOf = async (subject: string): Promise<CompatibilityLevel> =>
    asLevel(await readLevel(tables, subject)) ?? asLevel(await readLevel(tables, undefined)) ?? DEFAULT_LEVEL;

  function rules(schema: string, history: readonly string[], level: CompatibilityLevel): readonly string[] {
    try {
      return check(schema, history, level);
    } catch (error) {
      throw error instanceof RegistryFault ? error : badSchema(asBusError(error).message);
    }
  }

  async function against(subject: string, text: string, rows: readonly VersionRow[]): Promise<readonly string[]> {
    const history = await Promise.all(rows.map(async (row) => (await schemaById(tables, row.schemaId)).schema));
    return rules(text, history, await levelOf(subject));
  }

  async function register(subject: string, schema: string): Promise<number> {
    const text = normalised(schema);
    const every = await versionsOf(tables, subject, true);
    const rows = every.filter((row) => !row.deleted);
    const known = await findSchema(tables, text);
    if (known !== undefined && rows.some((row) => row.schemaId === known.id)) return known.id;
    const broken = await against(subject, text, rows);
    if (broken.length > 0) throw incompatible(subject, broken);
    const { id } = known ?? (await ensureSchema(tables, text));
    await putVersion(tables, { subject, version: (every.at(-1)?.version ?? 0) + 1, schemaId: id, deleted: false });
    return id;
  }

  return {
    register: (subject, schema) => one(() => register(subject, schema)),
    async compatibility(subject, schema) {
      return against(subject, normalised(schema), await versionsOf(tables, subject, false));
    },
    async check(subject, schema, version) {
      const text = normalised(schema);
      const rows = await versionsOf(tables, subject, false);
      if (version === "all" || (version === "latest" && rows.length === 0)) return against(subject, text, rows);
      return against(subject, text, [pick(rows, subject, version)]);
    },
  };
}

type Removal = Pick<SchemaRegistry, "deleteSubject" | "deleteVersion">;

function removal(tables: Tables, one: ReturnType<typeof serial>): Removal {
  async function deleteSubject(subject: string, permanent: boolean): Promise<readonly number[]> {
    const every = await versionsOf(tables, subject, true);
    const alive = every.filter((row) => !row.deleted);
    if (every.length === 0) throw noSubject(subject);
    if (permanent && alive.length > 0) throw subjectNotSoftDeleted(subject);
    if (!permanent && alive.length === 0) throw subjectSoftDeleted(subject);
    for (const row of permanent ? every : alive) await (permanent ? removeVersion : hideVersion)(tables, row);
    await removeLevel(tables, subject);
    return (permanent ? every : alive).map((row) => row.version);
  }

  async function deleteVersion(subject: string, version: VersionName, permanent: boolean): Promise<number> {
    const every = await versionsOf(tables, subject, true);
    const alive = every.filter((row) => !row.deleted);
    const row = pick(version === "latest" && !permanent ? alive : every, subject, version);
    if (permanent && !row.deleted) throw versionNotSoftDeleted(subject, row.version);
    if (!permanent && row.deleted) throw versionSoftDeleted(subject, row.version);
    await (permanent ? removeVersion : hideVersion)(tables, row);
    return row.version;
  }

  return {
    deleteSubject: (subject, permanent) => one(() => deleteSubject(subject, permanent)),
    deleteVersion: (subject, version, permanent) => one(() => deleteVersion(subject, version, permanent)),
  };
}

type Reading = Pick<SchemaRegistry, "schema" | "subjects" | "versions" | "version" | "lookup" | "usages" | "byGuid" | "all">;

function reading(tables: Tables): Reading {
  const texts = new Map<number, string>();
  const rowsOf = async (deleted: boolean, prefix = ""): Promise<readonly VersionRow[]> =>
    (await findAll(tables.versions)).map((row) => row.value).filter((row) => (deleted || !row.deleted) && row.subject.startsWith(prefix));

  return {
    async schema(id) {
      const cached = texts.get(id);
      if (cached !== undefined) return cached;
      const { schema } = await schemaById(tables, id);
      if (texts.size < MAX_CACHED) texts.set(id, schema);
      return schema;
    },
    async subjects(options = {}) {
      const rows = await rowsOf(options.deleted === true, options.prefix);
      return [...new Set(rows.map((row) => row.subject))].sort();
    },
    async versions(subject, options = {}) {
      const rows = await versionsOf(tables, subject, options.deleted === true);
      if (rows.length === 0) throw noSubject(subject);
      return rows.map((row) => row.version);
    },
    async version(subject, version, options = {}) {
      return described(tables, pick(await versionsOf(tables, subject, options.deleted === true), subject, version));
    },
    async lookup(subject, schema, options = {}) {
      const rows = await versionsOf(tables, subject, options.deleted === true);
      if (rows.length === 0) throw noSubject(subject);
      const known = await findSchema(tables, normalised(schema));
      const row = rows.findLast((candidate) => candidate.schemaId === known?.id);
      if (row === undefined) throw noSchema("");
      return described(tables, row);
    },
    async usages(id, options = {}) {
      await schemaById(tables, id);
      const rows = (await findAll(tables.versions, { schemaId: id })).map((row) => row.value);
      return Promise.all(rows.filter((row) => options.deleted === true || !row.deleted).map((row) => described(tables, row)));
    },
    async byGuid(guid) {
      const [row] = await tables.schemas.find({ where: { guid }, limit: 1 });
      if (row === undefined) throw noSchema(guid.slice(0, 60));
      return { id: row.value.id, schema: row.value.schema };
    },
    async all(options = {}) {
      const rows = await rowsOf(options.deleted === true, options.prefix);
      const wanted = options.latestOnly === true ? rows.filter((row, i) => rows[i + 1]?.subject !== row.subject) : rows;
      return Promise.all(wanted.map((row) => described(tables, row)));
    },
  };
}

/** Opens the registry on a store. `check` decides on compatibility and soundness. The store is closed by whoever opened it. */
export async function createEmbeddedRegistry(store: Store, check: CompatibilityCheck): Promise<SchemaRegistry> {
  const tables = await openTables(store);
  const one = serial();
  const own = (subject: string | undefined): string | undefined => (subject === undefined ? undefined : checkedSubject(subject));
  const level = async (subject: string | undefined): Promise<CompatibilityLevel | undefined> =>
    asLevel(await readLevel(tables, own(subject))) ?? (subject === undefined ? DEFAULT_LEVEL : undefined);
  return {
    ...gate(tables, check, one),
    ...removal(tables, one),
    ...reading(tables),
    level,
    setLevel: (subject, value) => one(() => writeLevel(tables, own(subject), value)),
    clearLevel: (subject) =>
      one(async () => {
        const former = await level(subject);
        if (former === undefined) throw noLevel(subject ?? "");
        await removeLevel(tables, own(subject));
        return former;
      }),
    close: () => one(async () => undefined),
  };
}
