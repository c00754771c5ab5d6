/** Wire side of sources and targets: codecs and SOAP services; compile-files.ts has the splitters, compiled once. */
import { jsonCodec } from "../contract/json.ts";
import { parseShape } from "../contract/parse.ts";
import type { RecordShape } from "../contract/shape.ts";
import { contractSoapService } from "../contract/xml/contract-service.ts";
import { joinPath } from "../contract/xml/schema.ts";
import { serviceOf, type OperationSchemas } from "../contract/xml/soap.ts";
import { loadWsdl } from "../contract/xml/wsdl.ts";
import { looseJson } from "./compile-json.ts";
import { fileWire } from "./compile-files.ts";
import { isTopicEdge, topicWire } from "./compile-topics.ts";
import type { SourceWire, TargetWire, Both, Wire } from "./compile-wire-types.ts";
import type { AdapterDoc } from "./documents.ts";
import { isFileEdge, speaksJson } from "./edge-kinds.ts";

/** Throws CompileFault, or `configuration` from the compilers of WSDL, XSD and contract. */
export function sourceBinding(wire: SourceWire): Wire {
  const { adapter } = wire.document;
  if (speaksJson(adapter.name)) return jsonWire(wire, adapter);
  if (adapter.name === "soap") return adapter.options["wsdl"] === undefined ? ownSoap(wire, adapter) : soapWire(wire, adapter);
  if (isTopicEdge(adapter.name)) return topicWire(wire, adapter);
  return isFileEdge(adapter.name) ? fileWire(wire) : plainWire(adapter);
}

export function targetBinding(wire: TargetWire): Wire {
  const { adapter } = wire.document;
  if (speaksJson(adapter.name) || isFileEdge(adapter.name)) return jsonWire(wire, adapter);
  if (isTopicEdge(adapter.name)) return topicWire(wire, adapter);
  return adapter.name === "soap" ? soapWire(wire, adapter) : plainWire(adapter);
}

/** A topic carries the contract's own Avro; nothing is to be compiled. */
function plainWire({ name: kind, options }: AdapterDoc): Wire {
  return { binding: { kind, options }, request: undefined, reply: undefined };
}

/** Without a map the contract's own JSON; with one any object, since nothing describes what the other side speaks. */
function jsonWire(wire: Both, { name: kind, options }: AdapterDoc): Wire {
  const { contract, reply, mapped, answered } = wire;
  const codec = mapped ? looseJson : jsonCodec(contract.request);
  const replyCodec = reply === undefined ? undefined : answered ? looseJson : jsonCodec(reply);
  return { binding: { kind, options, codec, ...(replyCodec === undefined ? {} : { replyCodec }) }, request: undefined, reply: undefined };
}

/** The operation of a WSDL, bound to the contract, or to the shape of its own XSD where a map stands between. */
function soapWire(wire: Both, adapter: AdapterDoc): Wire {
  const { contract, reply, tools } = wire;
  const options = adapter.options as { wsdl: string; service?: string; operation?: string };
  const file = tools.reference(options.wsdl, [...adapter.path, "wsdl"]);
  tools.file(file, [...adapter.path, "wsdl"]);
  const source = {
    wsdl: file,
    ...(options.service === undefined ? {} : { service: options.service }),
    resolve: (location: string, base: string | undefined) => tools.text(joinPath(base, location)),
  };
  const wsdl = loadWsdl(source);
  const known = wsdl.operations.map((one) => one.name);
  const operation = options.operation ?? known[0] ?? "";
  if (options.operation === undefined && known.length > 1) {
    return tools.fail(
      adapter.path,
      "operation-missing",
      `${file} has several operations; add \`operation:\` with one of ${known.join(", ")}`,
    );
  }
  const schemas: OperationSchemas = {
    request: wire.mapped ? "derive" : contract.request.schema,
    reply: wire.answered || reply === undefined ? "derive" : reply.schema,
  };
  if (!known.includes(operation)) {
    return tools.fail(
      [...adapter.path, "operation"],
      "operation-unknown",
      `${file} has no operation \`${operation}\`; it has ${known.join(", ")}`,
    );
  }
  const service = serviceOf(
    { ...wsdl, operations: wsdl.operations.filter((one) => one.name === operation) },
    new Map([[operation, schemas]]),
  );
  const derived = service.derived[operation];
  return {
    binding: { kind: adapter.name, options: adapter.options, service, operation },
    request: wire.mapped ? shapeOf(derived?.request) : undefined,
    reply: wire.answered ? shapeOf(derived?.reply) : undefined,
  };
}

function shapeOf(schema: Readonly<Record<string, unknown>> | undefined): RecordShape | undefined {
  const shape = schema === undefined ? undefined : parseShape(schema);
  return shape?.kind === "record" ? shape : undefined;
}

/** The contract's own SOAP face; it speaks the contract, so nothing is mapped. */
function ownSoap(wire: SourceWire, adapter: AdapterDoc): Wire {
  if (wire.mapped || wire.answered)
    return wire.tools.fail(
      adapter.path,
      "map-unneeded",
      "the contract's own SOAP service needs no map; give a `wsdl`, or leave `in` and `out` out",
    );
  const { contract } = wire;
  const service = contractSoapService(contract);
  return {
    binding: { kind: adapter.name, options: adapter.options, service, operation: contract.soap.operation },
    request: undefined,
    reply: undefined,
  };
}
