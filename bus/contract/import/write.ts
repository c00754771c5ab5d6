/** The YAML documents of an import. Written by hand, so that they read like those of a careful colleague. */
import type { ImportedMessage, ImportedOperation } from "./operation.ts";
import type { ImportOptions, Layout } from "./options.ts";
import { kebab, quoted, routeId } from "./names.ts";

/** Where the provider's service is called. */
export type Target = Readonly<{ path: string; version: "1.1" | "1.2" }>;

const MAX_TITLE = 160;

function titleOf({ operation }: ImportedOperation, options: ImportOptions): string {
  const said = operation.doc.replace(/\s+/g, " ").trim();
  return (said === "" ? `${operation.name} of ${options.system}` : said).slice(0, MAX_TITLE);
}

const grantId = ({ operation }: ImportedOperation, options: ImportOptions): string =>
  `${options.consumer.split("/").map(kebab).join("-")}-${routeId(options.system, operation.name)}`;

export function writeContracts(kept: readonly ImportedOperation[], options: ImportOptions, layout: Layout): string {
  const up = upFrom(layout);
  const documents = kept.map((imported) => {
    const { request, reply, subject } = imported;
    const file = ({ id }: ImportedMessage): string => quoted(`${up}${layout.contracts}/${id}.avsc`);
    return [
      "bus: contract/v1",
      `id: ${request.id}`,
      `title: ${quoted(titleOf(imported, options))}`,
      `owner: ${quoted(options.owner)}`,
      `pattern: ${reply === undefined ? "command" : "query"}`,
      `schema: ${file(request)}`,
      ...(reply === undefined ? [] : [`reply: { id: ${reply.id}, schema: ${file(reply)} }`]),
      "compatibility: backward",
      "requires: [user, entity, basis, reason]",
      ...(subject === undefined ? [] : [`subject: ${subject}`]),
    ].join("\n");
  });
  return `# Contracts of ${options.system}, imported from its WSDL. Say which fields are personal in the schemas: "personal": true.\n${documents.join("\n---\n")}\n`;
}

export function writeGrants(kept: readonly ImportedOperation[], options: ImportOptions): string {
  const documents = kept.map((imported) => {
    const { request, reply } = imported;
    const allow = reply === undefined || reply.fields.length === 0 ? [] : [`reply: { allow: [${reply.fields.join(", ")}] }`];
    return [
      "bus: grant/v1",
      `id: ${grantId(imported, options)}`,
      "owner: data-protection-officer",
      `consumer: ${options.consumer}`,
      `contract: ${request.id}`,
      `legalBasis: { act: "to be named", section: "to be named", purpose: "trial of an imported service" }`,
      ...allow,
      `valid: { from: ${options.valid.from}, until: ${options.valid.until} }`,
      "quota: 1000/day",
    ].join("\n");
  });
  return `# For a trial only: the data protection officer names the law, cuts the fields and sets the dates.\n${documents.join("\n---\n")}\n`;
}

export function writeRoute(imported: ImportedOperation, options: ImportOptions, layout: Layout, target: Target, tested: boolean): string {
  const { operation, request, reply } = imported;
  const wsdl = quoted(`${upFrom(layout)}${layout.wsdl}`);
  const version = target.version === "1.1" ? "" : `, version: "${target.version}"`;
  const name = kebab(operation.name);
  return [
    `# ${operation.name} of ${options.system}: its callers change the address only; others ask by REST.`,
    "bus: route/v1",
    `id: ${routeId(options.system, operation.name)}`,
    `title: ${quoted(titleOf(imported, options))}`,
    `owner: ${quoted(options.owner)}`,
    "state: active",
    reply === undefined ? `contract: { command: ${request.id} }` : `contract: { request: ${request.id}, reply: ${reply.id} }`,
    "",
    "from:",
    "  - name: rest",
    `    system: ${options.consumer}`,
    "    http: {}",
    "  - name: soap",
    `    system: ${options.consumer}`,
    `    soap: { wsdl: ${wsdl}, operation: ${operation.name}, path: ${quoted(`/mconnect/soap/${options.system}/${operation.name}`)} }`,
    "",
    "access:",
    `  grant: ${grantId(imported, options)}`,
    "",
    // nothing says that the provider knows a repeated message, so the bus lets each id through once
    ...(reply === undefined ? ["steps:", "  - dedupe: { key: $id, window: 1d }", ""] : []),
    "to:",
    `  system: ${options.system}`,
    `  soap: { wsdl: ${wsdl}, operation: ${operation.name}, path: ${quoted(target.path)}${version} }`,
    "",
    "journal: { payload: hash, keep: 7y }",
    ...(tested ? [`tests: ./tests/${name}.test.yaml`] : []),
    "",
  ].join("\n");
}

/** What a test expects of the answer. Bytes have no form in a test's JSON. */
const answerOf = ({ sample, json }: ImportedMessage): string =>
  json === undefined || holdsBytes(sample) ? "{ ok: true }" : `{ json: ${json} }`;

const holdsBytes = (value: unknown): boolean =>
  value instanceof Uint8Array || (typeof value === "object" && value !== null && Object.values(value).some(holdsBytes));

/** Undefined where no sample message is known. */
export function writeTest(imported: ImportedOperation, options: ImportOptions): string | undefined {
  const { operation, request, reply } = imported;
  if (request.json === undefined || (reply !== undefined && reply.json === undefined)) return undefined;
  const name = kebab(operation.name);
  const call = `call: { user: "2004100020188", entity: "${options.entity}", basis: "to be named", reason: trial }`;
  return [
    "bus: test/v1",
    `route: ${routeId(options.system, operation.name)}`,
    "cases:",
    `  - name: ${quoted(reply === undefined ? `${operation.name} is delivered` : `${operation.name} is answered`)}`,
    `    at: ${options.valid.from}T09:00:00Z`,
    "    given:",
    "      from: rest",
    `      json: ${request.json}`,
    `      ${call}`,
    `    mocks: { to: { reply: ${reply === undefined ? "{}" : `./mock/${name}.xml`} } }`,
    `    expect: { sent: { to: { count: 1 } }, ${reply === undefined ? "" : `reply: ${answerOf(reply)}, `}journal: { outcome: ok } }`,
    "",
  ].join("\n");
}

export function writeSystem(options: ImportOptions, register: NonNullable<ImportOptions["register"]>, origin: string | undefined): string {
  return [
    "# The provider of the imported service. What is not registered can neither send nor receive.",
    "bus: system/v1",
    `id: ${options.system}`,
    `title: ${quoted(`System ${options.system}`)}`,
    `institution: { idno: "${register.idno}", name: ${quoted(register.institution)} }`,
    `addresses: [${quoted(origin ?? "http://service.example")}]`,
    "",
  ].join("\n");
}

/** From the folder of the routes to the root of the files. */
function upFrom(layout: Layout): string {
  return "../".repeat(layout.routes.split("/").length);
}
