/**
 * The semantic catalogue: contracts with the meaning of their fields, classifiers, and the systems that provide them. It is public:
 * no personal data, no addresses of systems, no grants; of grants only the laws that they rest on.
 */
import type { Contract, ContractType } from "../contract/contract.ts";
import { eachPath } from "../contract/marks.ts";
import { parseShape } from "../contract/parse.ts";
import { withoutNull } from "../contract/shape.ts";
import type { Shape } from "../contract/shape.ts";
import { classifiersOf } from "./classifiers.ts";
import type { Code } from "./classifiers.ts";
import { providersOf, topicOfBranch, topicOfSource } from "./described.ts";
import type { Described } from "./described.ts";

export type Institution = Readonly<{ idno: string; name: string }>;
export type FieldEntry = Readonly<{
  path: string;
  /** In words: `text`, `date`, `decimal(10,2)`, `list of record Address`. */
  type: string;
  optional: boolean;
  doc?: string;
  personal?: true;
  sensitivity?: string;
  key?: true;
  classifier?: string;
}>;
export type TypeEntry = Readonly<{
  role: "request" | "command" | "event" | "reply";
  id: string;
  schemaId: number;
  fields: readonly FieldEntry[];
}>;
export type EndpointEntry = Readonly<{ kind: "rest" | "soap" | "nats" | "amqp"; address: string }>;
export type LegalBasis = Readonly<{ act: string; section: string; purpose: string }>;

export type ContractEntry = Readonly<{
  kind: "contract";
  id: string;
  title: string;
  version: number;
  pattern: string;
  owner: string;
  state: string;
  compatibility: string;
  /** Values of the call context that each message brings. */
  requires: readonly string[];
  subject?: string;
  /** Does a message of it hold personal data? */
  personal: boolean;
  providers: readonly Readonly<{ system: string; title: string; institution: Institution }>[];
  legalBases: readonly LegalBasis[];
  endpoints: readonly EndpointEntry[];
  types: readonly TypeEntry[];
}>;
export type ClassifierEntry = Readonly<{
  kind: "classifier";
  id: string;
  title: string;
  codes: readonly Code[];
  usedBy: readonly string[];
}>;
export type SystemEntry = Readonly<{ kind: "system"; id: string; title: string; institution: Institution; provides: readonly string[] }>;
export type CatalogueEntry = ContractEntry | ClassifierEntry | SystemEntry;

/** All entries, in order of kind and id. */
export function catalogueOf(described: Described): readonly CatalogueEntry[] {
  const contracts = [...described.contracts.values()].map((contract) => contractEntry(described, contract));
  const systems = [...described.systems.values()].map(({ id, title, institution }): SystemEntry => {
    const provides = contracts.flatMap((one) => (one.providers.some(({ system }) => system === id) ? [one.id] : [])).toSorted();
    return { kind: "system", id, title, institution, provides };
  });
  const entries: CatalogueEntry[] = [...classifierEntries(described), ...contracts, ...systems];
  return entries.toSorted((a, b) => (keyOfEntry(a) < keyOfEntry(b) ? -1 : 1));
}

export const keyOfEntry = ({ kind, id }: CatalogueEntry): string => `${kind}/${id}`;

const typesOf = (contract: Contract): readonly ContractType[] => [
  contract.request,
  ...(contract.reply === undefined ? [] : [contract.reply]),
];

function contractEntry(described: Described, contract: Contract): ContractEntry {
  const { id, title, version, pattern, owner, requires, subject, state = "active", compatibility = "BACKWARD" } = contract;
  const types = typesOf(contract).map((type): TypeEntry => {
    const role = type === contract.request ? (pattern === "query" ? "request" : pattern) : "reply";
    return { role, id: type.id, schemaId: type.schemaId, fields: fieldsOf(type) };
  });
  return {
    kind: "contract",
    id,
    title,
    version,
    pattern,
    owner,
    state,
    compatibility,
    requires,
    ...(subject === undefined ? {} : { subject }),
    personal: types.some(({ fields }) => fields.some((field) => field.personal === true)),
    providers: providersOf(described, id).flatMap((system) => {
      const found = described.systems.get(system);
      return found === undefined ? [] : [{ system, title: found.title, institution: found.institution }];
    }),
    legalBases: legalBasesOf(described, id),
    endpoints: endpointsOf(described, id),
    types,
  };
}

/** The laws that grants of the contract rest on, each once and without who holds them. */
function legalBasesOf({ grants }: Described, contract: string): readonly LegalBasis[] {
  const found = new Map<string, LegalBasis>();
  for (const { contract: of, legalBasis } of grants) {
    const { act, section, purpose } = legalBasis;
    if (of === contract) found.set(`${act}\n${section}\n${purpose}`, { act, section, purpose });
  }
  return [...found].toSorted(([a], [b]) => (a < b ? -1 : 1)).map(([, basis]) => basis);
}

function endpointsOf(described: Described, contract: string): readonly EndpointEntry[] {
  const endpoints = described.routes
    .filter((route) => route.contract.id === contract)
    .flatMap((route) => [
      ...route.sources.flatMap((source): EndpointEntry[] => {
        const path = described.pathOf(route, source);
        const { kind } = source.binding;
        if (path !== undefined && kind === "http") return [{ kind: "rest", address: path }];
        if (path !== undefined && kind === "soap") return [{ kind: "soap", address: path }];
        const end = topicOfSource(route, source);
        return end === undefined ? [] : [{ kind: end.broker, address: end.topic }];
      }),
      // what a system receives is where an event can be had; where a provider is called is its own business
      ...(route.contract.pattern === "event" ? route.branches : []).flatMap((branch): EndpointEntry[] => {
        const end = topicOfBranch(route, branch);
        return end === undefined ? [] : [{ kind: end.broker, address: end.topic }];
      }),
    ]);
  const kept = endpoints.filter((one, i) => endpoints.findIndex((other) => other.kind === one.kind && other.address === one.address) === i);
  return kept.toSorted((a, b) => (`${a.kind} ${a.address}` < `${b.kind} ${b.address}` ? -1 : 1));
}

function fieldsOf(type: ContractType): readonly FieldEntry[] {
  const shape = parseShape(type.schema);
  if (shape.kind !== "record") return [];
  const fields: FieldEntry[] = [];
  eachPath(shape, (path, field) => {
    const marks = type.marks.get(path);
    const { doc } = field.source;
    const classifier = enumIn(field.type);
    fields.push({
      path,
      type: say(withoutNull(field.type)),
      optional: withoutNull(field.type) !== field.type || field.default !== undefined,
      ...(typeof doc === "string" ? { doc } : {}),
      ...(marks?.personal === true ? { personal: true as const } : {}),
      ...(marks?.sensitivity === undefined ? {} : { sensitivity: marks.sensitivity }),
      ...(marks?.key === true ? { key: true as const } : {}),
      ...(classifier === undefined ? {} : { classifier }),
    });
  });
  return fields;
}

function enumIn(shape: Shape): string | undefined {
  const target = withoutNull(shape);
  if (target.kind === "array") return enumIn(target.items);
  return target.kind === "enum" ? target.name : undefined;
}

const short = (name: string): string => name.slice(name.lastIndexOf(".") + 1);

function say(shape: Shape): string {
  switch (shape.kind) {
    case "string":
      return "text";
    case "int":
    case "long":
      return "whole number";
    case "float":
    case "double":
      return "number";
    case "timestamp":
      return "instant";
    case "decimal":
      return `decimal(${shape.precision},${shape.scale})`;
    case "array":
      return `list of ${say(withoutNull(shape.items))}`;
    case "map":
      return `map of ${say(withoutNull(shape.values))}`;
    case "record":
      return `record ${short(shape.name)}`;
    case "enum":
      return `code of ${short(shape.name)}`;
    case "union":
      return shape.branches.map(say).join(" or ");
    default:
      return shape.kind;
  }
}

function classifierEntries(described: Described): readonly ClassifierEntry[] {
  const found = new Map<string, { title: string; codes: Map<string, Code>; usedBy: Set<string> }>();
  for (const type of [...described.contracts.values()].flatMap(typesOf)) {
    for (const { id, doc, codes } of classifiersOf(type)) {
      const entry = found.get(id) ?? { title: short(id), codes: new Map(), usedBy: new Set() };
      if (doc !== undefined) entry.title = doc;
      // two versions of a contract may know different codes of one classifier: all of them are told
      for (const code of codes) if (code.meaning !== undefined || !entry.codes.has(code.code)) entry.codes.set(code.code, code);
      entry.usedBy.add(type.id);
      found.set(id, entry);
    }
  }
  return [...found].map(([id, { title, codes, usedBy }]) => ({
    kind: "classifier",
    id,
    title,
    codes: [...codes.values()],
    usedBy: [...usedBy].toSorted(),
  }));
}
