/** Contract documents to contracts, with schemas registered. A faulty contract is left out with its finding. */
import type { CompiledType, SchemaLookup } from "../contract/avro.ts";
import { compileContract, type CompiledContract } from "../contract/compile.ts";
import type { EventType } from "../contract/event-type.ts";
import { asBusError } from "../errors.ts";
import type { ContractDoc, ParsedSet } from "./documents.ts";
import { eventTypeOf, type EventsDoc } from "./documents-events.ts";
import { CompileFault, createTools, type Contracts, type MapCache, type Tools } from "./compile-tools.ts";
import type { Files, Finding } from "./findings.ts";

export type ContractParts = Readonly<{
  files: Files;
  /** Registers a schema under a subject (the type's id), or finds it; gives its Confluent id. Throws on incompatibility. */
  schemaIds(subject: string, schemaText: string): Promise<number>;
  /** Schemas of other versions, for frames written under them. */
  lookup?: SchemaLookup;
  /** Throws where a text is no JSON Schema; undefined = nobody looks deeper than lint does. */
  jsonSchema?: (text: string) => unknown;
}>;

export async function compileContracts(
  set: ParsedSet,
  parts: ContractParts,
  maps: MapCache,
): Promise<Contracts & { findings: readonly Finding[] }> {
  const contracts = new Map<string, CompiledContract>();
  const types = new Map<string, CompiledType>();
  const findings: Finding[] = [];
  for (const document of set.contracts.values()) {
    try {
      const contract = await compileOne(document, parts, maps);
      contracts.set(contract.id, contract);
      types.set(contract.request.id, contract.request);
      if (contract.reply !== undefined) types.set(contract.reply.id, contract.reply);
    } catch (error) {
      if (error instanceof CompileFault) findings.push(...error.findings);
      else findings.push({ ...document.source.place([]), severity: "error", rule: "contract", text: asBusError(error).message });
    }
  }
  return { contracts, types, findings };
}

function eventType(document: ContractDoc, events: EventsDoc, parts: ContractParts, tools: Tools): EventType {
  const { schema } = events;
  const text = schema === undefined ? undefined : tools.file(schema, ["events", "schema"]);
  if (text !== undefined) tools.at(["events", "schema"], () => parts.jsonSchema?.(text));
  return eventTypeOf(events, text, document.subject);
}

async function compileOne(document: ContractDoc, parts: ContractParts, maps: MapCache): Promise<CompiledContract> {
  const tools = createTools(document, parts.files, maps);
  const { id, title, owner, pattern, requires, subject, soap, reply, state } = document;
  const request = tools.file(document.schema, ["schema"]);
  const replyText = reply === undefined ? undefined : tools.file(reply.schema, ["reply", "schema"]);
  const plain = {
    id,
    title,
    owner,
    pattern,
    state,
    compatibility: document.compatibility.toUpperCase(),
    requires: [...requires],
    schema: document.schema,
    ...(subject === undefined ? {} : { subject }),
    ...(soap === undefined ? {} : { soap }),
    ...(document.audit === undefined ? {} : { audit: document.audit }),
    ...(reply === undefined ? {} : { reply }),
  };
  // Compiled once without ids first: a broken schema must not be registered.
  const texts = { request, ...(replyText === undefined ? {} : { reply: replyText }) };
  tools.at(["schema"], () => compileContract(plain, texts, { request: 0, ...(replyText === undefined ? {} : { reply: 0 }) }));
  const ids = {
    request: await parts.schemaIds(id, request),
    ...(reply === undefined || replyText === undefined ? {} : { reply: await parts.schemaIds(reply.id, replyText) }),
  };
  const contract = tools.at(["schema"], () => compileContract(plain, texts, ids, parts.lookup));
  return document.events === undefined ? contract : { ...contract, events: eventType(document, document.events, parts, tools) };
}
