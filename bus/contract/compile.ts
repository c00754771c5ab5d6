/** From a contract file (`bus: contract/v1`) and its schema texts to the Contract the bus works with. */
import { BusError } from "../errors.ts";
import type { CallContext } from "../envelope.ts";
import { AUDIT_KINDS, type Contract, type Pattern } from "./contract.ts";
import { compileType } from "./avro.ts";
import type { CompiledType, SchemaLookup } from "./avro.ts";
import { eachPath } from "./marks.ts";
import { meant } from "../near.ts";
import { LEVELS } from "../ports.ts";

/** `person.request.v1`: domain, name (one or more parts), version; lower-case ASCII letters, digits and inner hyphens. */
const PART = "[a-z][a-z0-9]*(?:-[a-z0-9]+)*";
const ID = new RegExp(`^(${PART})\\.((?:${PART}\\.)*${PART})\\.v([1-9][0-9]{0,3})$`);
const MAX_ID = 120;

export type ContractId = Readonly<{ id: string; domain: string; name: string; version: number }>;

/** The parts of a contract id, or undefined where it is none. */
export function parseContractId(id: string): ContractId | undefined {
  const match = id.length <= MAX_ID ? ID.exec(id) : null;
  const [, domain, name, version] = match ?? [];
  if (domain === undefined || name === undefined || version === undefined) return undefined;
  return { id, domain, name, version: Number(version) };
}

/** `person-lookup.request` to `PersonLookupRequest`. */
export function pascalCase(name: string): string {
  return name.replaceAll(/(?:^|[.-])([a-z0-9])/g, (_, first: string) => first.toUpperCase());
}

export type CompiledContract = Contract & Readonly<{ request: CompiledType; reply: CompiledType | undefined }>;

type Json = Readonly<Record<string, unknown>>;

function refuse(path: string, text: string): never {
  throw new BusError("configuration", `contract: \`${path}\` ${text}`, { places: [{ path, text }] });
}

function known(json: Json, path: string, names: readonly string[]): void {
  for (const key of Object.keys(json))
    if (!names.includes(key)) refuse(path === "" ? key : `${path}.${key}`, `is not known here${meant(key, names)}`);
}

function object(value: unknown, path: string): Json {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return refuse(path, "must be a map");
  return value as Json;
}

function text(json: Json, key: string, path = key): string {
  const value = json[key];
  if (typeof value !== "string" || value === "" || value.length > 300) return refuse(path, "must be text of 1 to 300 characters");
  return value;
}

function contractId(json: Json, path: string): ContractId {
  const id = text(json, "id", path);
  return (
    parseContractId(id) ?? refuse(path, `is \`${id}\`; a contract id reads <domain>.<name>.v<N> in lower case, such as person.request.v1`)
  );
}

function oneOf<T extends string>(value: string, allowed: readonly T[], path: string): T {
  const found = allowed.find((candidate) => candidate === value);
  return found ?? refuse(path, `is \`${value}\`; it must be one of ${allowed.join(", ")}${meant(value, allowed)}`);
}

const PATTERNS: readonly Pattern[] = ["query", "command", "event"];
const CALL_VALUES: readonly (keyof CallContext)[] = ["user", "entity", "basis", "reason"];

function requires(json: Json): readonly (keyof CallContext)[] {
  const list = json["requires"] ?? [];
  if (!Array.isArray(list)) return refuse("requires", `must be a list of ${CALL_VALUES.join(", ")}`);
  return [...new Set(list.map((entry) => oneOf(String(entry), CALL_VALUES, "requires")))];
}

function soapOf(json: Json, { domain, name, version }: ContractId): Contract["soap"] {
  const soap = json["soap"] === undefined ? {} : object(json["soap"], "soap");
  known(soap, "soap", ["namespace", "service", "operation"]);
  const given = (key: string, fallback: string): string => (soap[key] === undefined ? fallback : text(soap, key, `soap.${key}`));
  const named = (key: string): string => {
    const value = given(key, pascalCase(`${domain}.${name}`));
    return /^[A-Za-z_][A-Za-z0-9_.-]*$/.test(value) ? value : refuse(`soap.${key}`, `is \`${value}\`, which is no XML name`);
  };
  return {
    namespace: given("namespace", `urn:mconnect:${domain}:${name}:v${version}`),
    service: named("service"),
    operation: named("operation"),
  };
}

function subjectOf(json: Json, request: CompiledType): string | undefined {
  if (json["subject"] === undefined) return undefined;
  const subject = text(json, "subject");
  const paths: string[] = [];
  eachPath(request.shape, (path) => paths.push(path));
  if (!paths.includes(subject)) refuse("subject", `names \`${subject}\`, which is no field of the schema${meant(subject, paths)}`);
  return subject;
}

const MEMBERS = [
  "bus",
  "id",
  "title",
  "owner",
  "pattern",
  "schema",
  "reply",
  "compatibility",
  "state",
  "requires",
  "subject",
  "audit",
  "soap",
  "description",
];

/**
 * Compiles a contract. `document` is the parsed YAML, `schemas` the texts of the files it names, `ids` their Confluent ids,
 * `lookup` finds the schemas of other versions by id. Throws `configuration` with the path of what is wrong.
 */
export function compileContract(
  document: unknown,
  schemas: Readonly<{ request: string; reply?: string }>,
  ids: Readonly<{ request: number; reply?: number }>,
  lookup?: SchemaLookup,
): CompiledContract {
  const json = object(document, "contract");
  known(json, "", MEMBERS);
  if (json["bus"] !== undefined && json["bus"] !== "contract/v1") refuse("bus", "must be contract/v1");
  const id = contractId(json, "id");
  const pattern = oneOf(text(json, "pattern"), PATTERNS, "pattern");
  if (json["compatibility"] !== undefined) oneOf(text(json, "compatibility"), LEVELS, "compatibility");
  const reply = replyOf(json, pattern);
  const request = compileType({ id: id.id, schemaText: schemas.request, schemaId: ids.request, lookup });
  return {
    id: id.id,
    name: id.name,
    version: id.version,
    title: text(json, "title"),
    owner: text(json, "owner"),
    pattern,
    ...(json["compatibility"] === undefined ? {} : { compatibility: text(json, "compatibility") }),
    ...(json["state"] === undefined ? {} : { state: text(json, "state") }),
    request,
    reply: reply === undefined ? undefined : compileReply(reply, schemas.reply, ids.reply, lookup),
    requires: requires(json),
    subject: subjectOf(json, request),
    soap: soapOf(json, id),
    ...(json["audit"] === undefined ? undefined : { audit: oneOf(text(json, "audit"), AUDIT_KINDS, "audit") }),
  };
}

function replyOf(json: Json, pattern: Pattern): ContractId | undefined {
  if (json["reply"] === undefined) return pattern === "query" ? refuse("reply", "is missing: a query has a reply") : undefined;
  if (pattern === "event") refuse("reply", "is not allowed: an event has no reply");
  const reply = object(json["reply"], "reply");
  known(reply, "reply", ["id", "schema"]);
  return contractId(reply, "reply.id");
}

function compileReply(
  id: ContractId,
  schemaText: string | undefined,
  schemaId: number | undefined,
  lookup: SchemaLookup | undefined,
): CompiledType {
  if (schemaText === undefined || schemaId === undefined) return refuse("reply.schema", "was not found: its text and id are needed");
  return compileType({ id: id.id, schemaText, schemaId, lookup });
}
