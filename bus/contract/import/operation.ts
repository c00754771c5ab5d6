/** One operation of a WSDL as contract: Avro schemas that its XSD fits, sample messages, and what of it Avro says less exactly. */
import type { AvroRecord } from "../../envelope.ts";
import { compileType } from "../avro.ts";
import { jsonCodec } from "../json.ts";
import { xsdToAvro } from "../xml/derive.ts";
import type { Tell } from "../xml/derive.ts";
import { compileMessage } from "../xml/codec.ts";
import type { AvroSchemaJson } from "../xml/codec.ts";
import { newVocabulary } from "../xml/names.ts";
import type { Name } from "../xml/names.ts";
import type { Wsdl, WsdlOperation } from "../xml/wsdl.ts";
import type { ContractNames } from "./names.ts";
import { markPersonal } from "./personal.ts";
import { sampleOf } from "./sample.ts";
import { SAMPLE_IDNP } from "./sample-text.ts";

export type ImportedMessage = Readonly<{
  id: string;
  schema: AvroSchemaJson;
  /** Fields of the message itself. */
  fields: readonly string[];
  /** A message that the XSD accepts; undefined where none was found. */
  sample: AvroRecord | undefined;
  /** The same as the contract's JSON. */
  json: string | undefined;
}>;

export type ImportedOperation = Readonly<{
  operation: WsdlOperation;
  request: ImportedMessage;
  /** Undefined = one-way. */
  reply: ImportedMessage | undefined;
  /** Field of the request with the IDNP. */
  subject: string | undefined;
}>;

/** Throws `configuration` where XSD and Avro cannot say the same. */
export function importOperation(wsdl: Wsdl, operation: WsdlOperation, names: ContractNames, tell: Tell): ImportedOperation {
  const request = importMessage(wsdl, operation.input, names.request, tell);
  const reply = operation.output === undefined ? undefined : importMessage(wsdl, operation.output, names.reply, tell);
  const { idnp } = request;
  const subject = idnp !== undefined && at(request.message.sample, idnp) === SAMPLE_IDNP ? idnp : undefined;
  return { operation, request: request.message, reply: reply?.message, subject };
}

function importMessage(wsdl: Wsdl, element: Name, id: string, tell: Tell): { message: ImportedMessage; idnp: string | undefined } {
  const { schema, idnp } = markPersonal(xsdToAvro(wsdl.schemas, element, tell));
  const { plan } = compileMessage(newVocabulary(), wsdl.schemas, element, schema);
  const type = compileType({ id, schemaText: JSON.stringify(schema), schemaId: 0 });
  const codec = jsonCodec(type);
  const sample = sampleOf(plan);
  const json = sample === undefined ? undefined : new TextDecoder().decode(codec.write(sample));
  return { message: { id, schema, fields: type.shape.fields.map(({ name }) => name), sample, json }, idnp };
}

function at(value: unknown, path: string): unknown {
  let found: unknown = value;
  for (const part of path.split(".")) {
    if (typeof found !== "object" || found === null) return undefined;
    found = (found as Readonly<Record<string, unknown>>)[part];
  }
  return found;
}
