/** The paths of the Confluent REST API, each with what it answers. Subjects may hold slashes, so patterns take them greedily. */
import { LEVELS, type CompatibilityLevel } from "#bus/ports.ts";
import type { WebRequest } from "#bus/wire.ts";
import { badLevel, badMode, badSchema, badVersion, noLevel, noMode, noSchema, noVersion, notPermitted } from "./faults.ts";
import type { SchemaRegistry, SchemaVersion, VersionName } from "./model.ts";

/** The parts a pattern found, the query, and the JSON body (an empty object where there is none). */
export type Call = Readonly<{ parts: readonly string[]; query: WebRequest["query"]; body: Readonly<Record<string, unknown>> }>;
type Answer = (registry: SchemaRegistry, call: Call) => Promise<unknown>;
/** `writes`: the caller must own the subject that is the pattern's first part. */
export type Path = Readonly<{ method: string; pattern: RegExp; answer: Answer; writes?: true }>;

/** An answer that is already text, such as a bare schema. */
export class RawText {
  readonly text: string;
  constructor(text: string) {
    this.text = text;
  }
}

const flag = ({ query }: Call, name: string): boolean => query.get(name) === "true";
const seen = (call: Call): { deleted: boolean } => ({ deleted: flag(call, "deleted") });
const subjectOf = (call: Call): string => call.parts[0] ?? "";

function idOf(text: string): number {
  const id = /^[0-9]{1,10}$/.test(text) ? Number(text) : 0;
  if (id === 0 || id > 0x7fffffff) throw noSchema(text.slice(0, 20));
  return id;
}

function versionOf(text: string): VersionName {
  if (text === "latest" || text === "-1") return "latest";
  const version = /^[0-9]{1,10}$/.test(text) ? Number(text) : 0;
  if (version < 1 || version > 0x7fffffff) throw badVersion(text.slice(0, 20));
  return version;
}

/** The schema of a request body; this registry keeps Avro without references. */
function schemaOf({ body }: Call): string {
  const { schema, schemaType, references } = body;
  if (schemaType !== undefined && schemaType !== null && schemaType !== "AVRO")
    throw badSchema("this registry keeps schemas of the type AVRO");
  if (Array.isArray(references) && references.length > 0)
    throw badSchema("references to other schemas are not supported; write the types inside");
  if (typeof schema !== "string" || schema.trim() === "") throw badSchema("`schema` must be the schema as text");
  return schema;
}

function levelOf({ body }: Call): CompatibilityLevel {
  const wanted = String(body["compatibility"]).toUpperCase();
  const level = LEVELS.find((candidate) => candidate === wanted);
  if (level === undefined) throw badLevel(wanted.slice(0, 40));
  return level;
}

const shown = ({ subject, version, id, guid, schema }: SchemaVersion): object => ({
  subject,
  version,
  id,
  guid,
  schemaType: "AVRO",
  schema,
});

async function compatibility(registry: SchemaRegistry, call: Call, against: VersionName | "all"): Promise<object> {
  const messages = await registry.check(subjectOf(call), schemaOf(call), against);
  return { is_compatible: messages.length === 0, ...(flag(call, "verbose") ? { messages } : {}) };
}

async function config(registry: SchemaRegistry, call: Call, subject: string | undefined): Promise<object> {
  const own = await registry.level(subject);
  const level = own ?? (flag(call, "defaultToGlobal") ? await registry.level(undefined) : undefined);
  if (level === undefined) throw noLevel(subject ?? "");
  return { compatibilityLevel: level };
}

async function setConfig(registry: SchemaRegistry, call: Call, subject: string | undefined): Promise<object> {
  const level = levelOf(call);
  await registry.setLevel(subject, level);
  return { compatibility: level };
}

async function setMode({ body }: Call): Promise<object> {
  if (!["READWRITE", "READONLY", "READONLY_OVERRIDE", "IMPORT"].includes(String(body["mode"]))) throw badMode();
  if (body["mode"] !== "READWRITE") throw notPermitted("This registry is always in mode READWRITE");
  return { mode: "READWRITE" };
}

const get = (pattern: RegExp, answer: Answer): Path => ({ method: "GET", pattern, answer });
const write = (method: string, pattern: RegExp, answer: Answer): Path => ({ method, pattern, answer, writes: true });

/** First match wins, so a longer path stands before the one it begins with. */
export const PATHS: readonly Path[] = [
  get(/^\/$/, async () => ({})),
  get(/^\/contexts$/, async () => ["."]),
  get(/^\/v1\/metadata\/id$/, async () => ({ scope: { path: [], clusters: {} }, id: "" })),
  get(/^\/v1\/metadata\/version$/, async () => ({ version: "1", commitId: "" })),
  get(/^\/mode$/, async () => ({ mode: "READWRITE" })),
  get(/^\/mode\/(.+)$/, async (_, call) => {
    if (!flag(call, "defaultToGlobal")) throw noMode(subjectOf(call));
    return { mode: "READWRITE" };
  }),
  { method: "PUT", pattern: /^\/mode(?:\/(.+))?$/, answer: (_, call) => setMode(call) },

  get(/^\/schemas\/types$/, async () => ["AVRO"]),
  get(/^\/schemas\/ids\/([^/]+)$/, async (registry, { parts }) => ({
    schema: await registry.schema(idOf(parts[0] ?? "")),
    schemaType: "AVRO",
  })),
  get(/^\/schemas\/ids\/([^/]+)\/schema$/, async (registry, { parts }) => new RawText(await registry.schema(idOf(parts[0] ?? "")))),
  get(/^\/schemas\/ids\/([^/]+)\/subjects$/, async (registry, call) => {
    const used = await registry.usages(idOf(subjectOf(call)), seen(call));
    return [...new Set(used.map((version) => version.subject))];
  }),
  get(/^\/schemas\/ids\/([^/]+)\/versions$/, async (registry, call) =>
    (await registry.usages(idOf(subjectOf(call)), seen(call))).map(({ subject, version }) => ({ subject, version })),
  ),
  get(/^\/schemas\/guids\/([^/]+)$/, async (registry, { parts }) => ({
    schema: (await registry.byGuid(parts[0] ?? "")).schema,
    schemaType: "AVRO",
  })),
  get(/^\/schemas$/, async (registry, call) => {
    const found = await registry.all({
      ...seen(call),
      prefix: call.query.get("subjectPrefix") ?? "",
      latestOnly: flag(call, "latestOnly"),
    });
    return found.map(shown);
  }),

  get(/^\/subjects$/, (registry, call) => registry.subjects({ ...seen(call), prefix: call.query.get("subjectPrefix") ?? "" })),
  get(/^\/subjects\/(.+)\/metadata$/, async (registry, call) => {
    await registry.versions(subjectOf(call));
    throw noVersion("with these metadata");
  }),
  get(/^\/subjects\/(.+)\/versions$/, (registry, call) => registry.versions(subjectOf(call), seen(call))),
  get(/^\/subjects\/(.+)\/versions\/([^/]+)$/, async (registry, call) =>
    shown(await registry.version(subjectOf(call), versionOf(call.parts[1] ?? ""), seen(call))),
  ),
  get(
    /^\/subjects\/(.+)\/versions\/([^/]+)\/schema$/,
    async (registry, call) => new RawText((await registry.version(subjectOf(call), versionOf(call.parts[1] ?? ""), seen(call))).schema),
  ),
  get(/^\/subjects\/(.+)\/versions\/([^/]+)\/referencedby$/, async (registry, call) => {
    await registry.version(subjectOf(call), versionOf(call.parts[1] ?? ""));
    return [];
  }),
  write("POST", /^\/subjects\/(.+)\/versions$/, async (registry, call) => ({
    id: await registry.register(subjectOf(call), schemaOf(call)),
  })),
  {
    method: "POST",
    pattern: /^\/subjects\/(.+)$/,
    answer: async (registry, call) => shown(await registry.lookup(subjectOf(call), schemaOf(call), seen(call))),
  },
  write("DELETE", /^\/subjects\/(.+)\/versions\/([^/]+)$/, (registry, call) =>
    registry.deleteVersion(subjectOf(call), versionOf(call.parts[1] ?? ""), flag(call, "permanent")),
  ),
  write("DELETE", /^\/subjects\/(.+)$/, (registry, call) => registry.deleteSubject(subjectOf(call), flag(call, "permanent"))),

  {
    method: "POST",
    pattern: /^\/compatibility\/subjects\/(.+)\/versions$/,
    answer: (registry, call) => compatibility(registry, call, "all"),
  },
  {
    method: "POST",
    pattern: /^\/compatibility\/subjects\/(.+)\/versions\/([^/]+)$/,
    answer: (registry, call) => compatibility(registry, call, versionOf(call.parts[1] ?? "")),
  },

  get(/^\/config$/, (registry, call) => config(registry, call, undefined)),
  get(/^\/config\/(.+)$/, (registry, call) => config(registry, call, subjectOf(call))),
  write("PUT", /^\/config$/, (registry, call) => setConfig(registry, call, undefined)),
  write("PUT", /^\/config\/(.+)$/, (registry, call) => setConfig(registry, call, subjectOf(call))),
  write("DELETE", /^\/config$/, async (registry) => ({ compatibilityLevel: await registry.clearLevel(undefined) })),
  write("DELETE", /^\/config\/(.+)$/, async (registry, call) => ({ compatibilityLevel: await registry.clearLevel(subjectOf(call)) })),
];
