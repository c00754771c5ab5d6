/** What the schema registry can do besides the Registry port, and the words it uses (Confluent REST API). */
import type { CompatibilityLevel, Registry } from "#bus/ports.ts";

/**
 * Rules that a new schema breaks against the versions before it, oldest first; empty = compatible. Throws a BusError where
 * the schema is unsound, at every level and also without history.
 */
export type CompatibilityCheck = (schema: string, history: readonly string[], level: CompatibilityLevel) => readonly string[];

export type SchemaVersion = Readonly<{ subject: string; version: number; id: number; schema: string; guid: string }>;
export type VersionName = number | "latest";

/** `deleted: true` shows soft-deleted versions too. */
export type Seen = Readonly<{ deleted?: boolean }>;

/**
 * Subjects, versions and levels. A subject's versions grow from 1; a soft-deleted version is hidden but keeps its number; a
 * permanently deleted one is gone. Ids of schemas never go: old messages stay readable. Failures are RegistryFaults.
 */
export interface RegistryAdmin {
  subjects(options?: Seen & Readonly<{ prefix?: string }>): Promise<readonly string[]>;
  versions(subject: string, options?: Seen): Promise<readonly number[]>;
  version(subject: string, version: VersionName, options?: Seen): Promise<SchemaVersion>;
  /** The version of a subject that holds this schema. */
  lookup(subject: string, schema: string, options?: Seen): Promise<SchemaVersion>;
  /** Where a schema is used. Throws 40403 where nobody registered it. */
  usages(id: number, options?: Seen): Promise<readonly SchemaVersion[]>;
  byGuid(guid: string): Promise<Readonly<{ id: number; schema: string }>>;
  all(options?: Seen & Readonly<{ prefix?: string; latestOnly?: boolean }>): Promise<readonly SchemaVersion[]>;
  /** Broken rules against one version or against all that the level looks at. */
  check(subject: string, schema: string, against: VersionName | "all"): Promise<readonly string[]>;
  deleteSubject(subject: string, permanent: boolean): Promise<readonly number[]>;
  deleteVersion(subject: string, version: VersionName, permanent: boolean): Promise<number>;
  /** Level of a subject, or the global one; undefined = the subject has none of its own. */
  level(subject: string | undefined): Promise<CompatibilityLevel | undefined>;
  setLevel(subject: string | undefined, level: CompatibilityLevel): Promise<void>;
  /** Gives the level that was removed; the global one goes back to BACKWARD. */
  clearLevel(subject: string | undefined): Promise<CompatibilityLevel>;
}

export type SchemaRegistry = Registry & RegistryAdmin;
