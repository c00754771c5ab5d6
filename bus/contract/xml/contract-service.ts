/**
 * The SOAP service of a contract that has no WSDL of its own: request element `<Operation>`, reply `<OperationResponse>`. An
 * event, or a command without a reply, is answered by `<OperationResponse><Accepted><Id/><CorrelationId/></Accepted>…`.
 */
import type { SoapService } from "../../wire.ts";
import type { Contract } from "../contract.ts";
import { parseShape } from "../parse.ts";
import type { RecordShape } from "../shape.ts";
import { BusError } from "../../errors.ts";
import type { AvroSchemaJson } from "./codec.ts";
import { avroToXsd } from "./generate.ts";
import { loadSchemas } from "./schema.ts";
import { serviceOf } from "./soap.ts";
import type { OperationSchemas } from "./soap.ts";
import type { Wsdl, WsdlOperation } from "./wsdl.ts";

/** What a sender gets back when its message is durable. */
export const ACKNOWLEDGEMENT: AvroSchemaJson = {
  type: "record",
  name: "Acknowledgement",
  namespace: "mbus",
  fields: [
    {
      name: "accepted",
      type: {
        type: "record",
        name: "Accepted",
        fields: [
          { name: "id", type: "string", doc: "Id of the message in the bus" },
          { name: "correlationId", type: "string", doc: "Id that all messages of this exchange carry" },
        ],
      },
    },
  ],
};

/** Contracts of one service; their operations, and so their request elements, differ. Throws `configuration`. */
export function contractSoapService(contract: Contract, ...more: readonly Contract[]): SoapService {
  const contracts = [contract, ...more];
  const { namespace, service } = contract.soap;
  const stranger = more.find((other) => other.soap.namespace !== namespace || other.soap.service !== service);
  if (stranger !== undefined)
    throw new BusError("configuration", `${stranger.id} has another SOAP namespace or service than ${contract.id}`);
  const elements: { name: string; shape: RecordShape }[] = [];
  const operations: WsdlOperation[] = [];
  const schemas = new Map<string, OperationSchemas>();
  for (const each of contracts) {
    const { operation } = each.soap;
    if (schemas.has(operation))
      throw new BusError("configuration", `two contracts of the service ${service} have the operation ${operation}`);
    const reply = each.reply?.schema ?? ACKNOWLEDGEMENT;
    elements.push({ name: operation, shape: rootOf(each.request.schema) }, { name: `${operation}Response`, shape: rootOf(reply) });
    const input = { ns: namespace, local: operation };
    operations.push({
      name: operation,
      action: operation,
      input,
      output: { ns: namespace, local: `${operation}Response` },
      doc: each.title,
    });
    schemas.set(operation, { request: each.request.schema, reply });
  }
  const file = `${contract.id}.xsd`;
  const set = loadSchemas([{ file, text: avroToXsd(namespace, elements) }], { resolve: () => undefined });
  const wsdl: Wsdl = { namespace, service, portType: `${service}Port`, operations, schemas: set };
  const acknowledged = new Set(contracts.filter((each) => each.reply === undefined).map((each) => each.soap.operation));
  return {
    ...serviceOf(wsdl, schemas),
    acknowledgement: (operation, accepted) =>
      acknowledged.has(operation) ? { accepted: { id: accepted.id, correlationId: accepted.correlationId } } : undefined,
  };
}

function rootOf(schema: AvroSchemaJson): RecordShape {
  const shape = parseShape(schema);
  if (shape.kind !== "record") throw new BusError("configuration", "a message's Avro schema is a record");
  return shape;
}
