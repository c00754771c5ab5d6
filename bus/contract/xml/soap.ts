/** A SOAP service compiled from its WSDL: envelope, header blocks and payload are read and validated in one pass. */
import type { AvroRecord, CallContext } from "../../envelope.ts";
import { BusError } from "../../errors.ts";
import type { SignatureCheck, Signed } from "../../edge/signatures.ts";
import type { SoapMessage, SoapService, SoapVersion } from "../../wire.ts";
import type { Addressing } from "../../edge/addressing.ts";
import { XML_LIMITS, toBytes } from "./chars.ts";
import { compileMessage } from "./codec.ts";
import type { AvroSchemaJson, XmlMessage } from "./codec.ts";
import { openAgain, openDocument } from "./cursor.ts";
import { xsdToAvro } from "./derive.ts";
import { SOAP_NS, closeEnvelope, faultError, faultPayload, isForUs, knowEnvelope, openEnvelope, wrapEnvelope } from "./envelope.ts";
import type { OpenEnvelope } from "./envelope.ts";
import { verifyEnvelope } from "../../signature/verify.ts";
import { fail } from "./state.ts";
import type { Cursor } from "./state.ts";
import { newVocabulary, showName } from "./names.ts";
import type { Name, Vocabulary } from "./names.ts";
import { throwViolations } from "./violation.ts";
import { loadWsdl } from "./wsdl.ts";
import type { Wsdl, WsdlOperation, WsdlOptions } from "./wsdl.ts";
import { compileWsdl } from "./wsdl-write.ts";

/** Avro schemas of one operation; `derive` makes them from the XSD (also the default). */
export type OperationSchemas = Readonly<{ request: AvroSchemaJson | "derive"; reply?: AvroSchemaJson | "derive" }>;
export type SoapServiceOptions = WsdlOptions & Readonly<{ operations?: Readonly<Record<string, OperationSchemas>>; maxBytes?: number }>;

/** The service, and the Avro schema that stands behind each message of it. */
export type CompiledSoapService = SoapService &
  Readonly<{ derived: Readonly<Record<string, Readonly<{ request: AvroSchemaJson; reply?: AvroSchemaJson }>>> }>;

type Operation = Readonly<{
  wsdl: WsdlOperation;
  request: XmlMessage;
  reply: XmlMessage | undefined;
  avro: { request: AvroSchemaJson; reply?: AvroSchemaJson };
}>;

/**
 * Compiles the service of a WSDL. With `operations`, only those; else all of them, derived. Throws `configuration` with
 * file, line and what to do where WSDL, XSD or Avro schema cannot be used.
 */
export function compileSoapService(options: SoapServiceOptions): CompiledSoapService {
  const wsdl = loadWsdl(options);
  const wanted = options.operations;
  for (const name of Object.keys(wanted ?? {})) {
    if (!wsdl.operations.some((operation) => operation.name === name)) {
      throw new BusError(
        "configuration",
        `${options.wsdl}: no operation ${name}; it has ${wsdl.operations.map((operation) => operation.name).join(", ")}`,
      );
    }
  }
  const kept = wanted === undefined ? wsdl.operations : wsdl.operations.filter((operation) => Object.hasOwn(wanted, operation.name));
  const schemas = new Map(kept.map((operation) => [operation.name, wanted?.[operation.name] ?? { request: "derive" as const }]));
  return serviceOf({ ...wsdl, operations: kept }, schemas, options.maxBytes);
}

/** A service of a WSDL that is loaded already. */
export function serviceOf(
  wsdl: Wsdl,
  schemas: ReadonlyMap<string, OperationSchemas>,
  maxBytes: number = XML_LIMITS.bytes,
): CompiledSoapService {
  const vocabulary = knowEnvelope(newVocabulary());
  const operations = wsdl.operations.map((operation) =>
    compileOperation(vocabulary, wsdl, operation, schemas.get(operation.name) ?? { request: "derive" }),
  );
  const byName = new Map(operations.map((operation) => [operation.wsdl.name, operation]));
  const byElement = requestElements(operations);
  const named = (name: string): Operation => {
    const found = byName.get(name);
    if (found === undefined) throw new BusError("soap-operation", `the service has no operation ${name}`);
    return found;
  };
  const envelope = (version: SoapVersion, payload: string, call?: CallContext, addressing?: Addressing): Uint8Array =>
    toBytes(wrapEnvelope(version, payload, call, addressing));
  return {
    operations: [...byName.keys()],
    derived: Object.fromEntries(operations.map((operation) => [operation.wsdl.name, operation.avro])),
    readRequest: (bytes, check) => readRequest(openDocument(vocabulary, bytes, maxBytes), byElement, check),
    readReply: (operation, bytes, check) => readReply(openDocument(vocabulary, bytes, maxBytes), named(operation), check),
    writeRequest: (version, operation, value, headers, addressing) =>
      envelope(version, named(operation).request.write(value), headers, addressing),
    writeReply: (version, operation, value) => envelope(version, named(operation).reply?.write(value) ?? ""),
    writeFault: (version, fault) => envelope(version, faultPayload(version, fault)),
    action: (operation) => named(operation).wsdl.action,
    wsdl: compileWsdl(wsdl),
  };
}

function compileOperation(vocabulary: Vocabulary, wsdl: Wsdl, operation: WsdlOperation, schemas: OperationSchemas): Operation {
  const avroOf = (element: Name, given: AvroSchemaJson | "derive" | undefined): AvroSchemaJson =>
    given === undefined || given === "derive" ? xsdToAvro(wsdl.schemas, element) : given;
  const request = avroOf(operation.input, schemas.request);
  const compiled = compileMessage(vocabulary, wsdl.schemas, operation.input, request);
  if (operation.output === undefined) return { wsdl: operation, request: compiled, reply: undefined, avro: { request } };
  const reply = avroOf(operation.output, schemas.reply);
  return {
    wsdl: operation,
    request: compiled,
    reply: compileMessage(vocabulary, wsdl.schemas, operation.output, reply),
    avro: { request, reply },
  };
}

function requestElements(operations: readonly Operation[]): Map<Name, Operation> {
  const byElement = new Map<Name, Operation>();
  for (const operation of operations) {
    const { name } = operation.request.plan;
    const other = byElement.get(name);
    if (other !== undefined) {
      throw new BusError(
        "configuration",
        `the operations ${other.wsdl.name} and ${operation.wsdl.name} have the same request element ${showName(name)}; the body could not tell them apart`,
      );
    }
    byElement.set(name, operation);
  }
  return byElement;
}

/** Opens an envelope whose signature, if it has one, was verified over the very bytes that the cursor then reads. */
function openVerified(c: Cursor, check: SignatureCheck | undefined): OpenEnvelope & Readonly<{ signed?: Signed }> {
  const start = c.pos;
  const open = openEnvelope(c, check !== undefined);
  if (check === undefined || !open.secured) return open;
  const ns = SOAP_NS[open.version];
  const { bodyAt, ...signed } = verifyEnvelope(openAgain(c, start), check, (block) => isForUs(block, ns));
  if (bodyAt !== open.bodyAt) throw new BusError("signature-wrong", "the Body that is signed is not the Body of the message");
  return { ...open, signed };
}

function readRequest(c: Cursor, byElement: ReadonlyMap<Name, Operation>, check: SignatureCheck | undefined): SoapMessage {
  const { version, headers, child, signed } = openVerified(c, check);
  const operation = child === undefined ? undefined : byElement.get(child);
  if (operation === undefined) {
    const known = [...byElement.keys()].map(showName).join(", ");
    const found = child === undefined ? "the Body is empty" : `${showName(child)} is no operation of this service`;
    fail(c, child === undefined ? "soap-shape" : "soap-operation", `${found}; expected ${known}`, c.at);
  }
  const value = readPayload(c, operation.request);
  const message = { version, operation: operation.wsdl.name, value, headers };
  return signed === undefined ? message : { ...message, signed };
}

function readPayload(c: Cursor, message: XmlMessage): AvroRecord {
  const value = message.read(c);
  closeEnvelope(c);
  if (c.places.length > 0) throwViolations(c);
  return value as AvroRecord;
}

function readReply(c: Cursor, operation: Operation, check: SignatureCheck | undefined): AvroRecord {
  const { version, child, signed } = openVerified(c, check);
  if (check !== undefined && signed === undefined) throw new BusError("signature-missing", "the provider's answer is not signed");
  const { reply } = operation;
  if (child !== undefined && child.ns === SOAP_NS[version] && child.local === "Fault") {
    const error = faultError(c, version);
    closeEnvelope(c);
    throw error;
  }
  if (reply === undefined && child === undefined) {
    closeEnvelope(c);
    return {};
  }
  if (child === undefined || reply === undefined || child !== reply.plan.name) {
    fail(
      c,
      "soap-shape",
      `the answer to ${operation.wsdl.name} holds ${child === undefined ? "an empty Body" : showName(child)}; expected ${reply === undefined ? "an empty Body" : showName(reply.plan.name)}`,
      c.at,
    );
  }
  return readPayload(c, reply);
}
