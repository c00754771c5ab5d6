/** One message type as XML: an XSD element bound to an Avro record, compiled once into a reader and a writer. */
import type { AvroRecord } from "../../envelope.ts";
import { BusError } from "../../errors.ts";
import type { Codec } from "../../wire.ts";
import { parseShape } from "../parse.ts";
import { bindElement } from "./bind.ts";
import { XML_LIMITS, toBytes } from "./chars.ts";
import { closeDocument, openDocument, openRoot } from "./cursor.ts";
import type { SchemaSet } from "./model.ts";
import { newVocabulary, showName } from "./names.ts";
import type { Name, Vocabulary } from "./names.ts";
import type { ElementPlan } from "./plan.ts";
import { compileReader } from "./reader.ts";
import type { ReadElement } from "./reader.ts";
import { throwViolations, unexpected } from "./violation.ts";
import { compileWriter } from "./writer.ts";
import type { WriteDocument } from "./writer.ts";

/** An Avro schema as parsed JSON. */
export type AvroSchemaJson = Readonly<Record<string, unknown>>;

/** A bound message: what a codec, a SOAP service and a splitter are made of. */
export type XmlMessage = Readonly<{ plan: ElementPlan; read: ReadElement; write: WriteDocument }>;

/** Binds and compiles. Throws `configuration` where schema and Avro do not fit. */
export function compileMessage(vocabulary: Vocabulary, schemas: SchemaSet, element: Name, avro: AvroSchemaJson): XmlMessage {
  const declaration = schemas.element(element);
  if (declaration === undefined) throw new BusError("configuration", `the schemas define no element ${showName(element)}`);
  const shape = parseShape(avro);
  if (shape.kind !== "record") throw new BusError("configuration", `the Avro schema for ${element.local} is no record`);
  const plan = bindElement(vocabulary, declaration, shape);
  return { plan, read: compileReader(vocabulary, plan), write: compileWriter(plan, (ns) => schemaPrefix(schemas, ns)) };
}

/** The prefix a schema document itself uses for a namespace. */
function schemaPrefix(schemas: SchemaSet, ns: string): string | undefined {
  for (const { root } of schemas.documents) {
    for (const [prefix, bound] of root.scope.prefixes) if (bound === ns && prefix !== "") return prefix;
  }
  return undefined;
}

export type XmlCodecOptions = Readonly<{
  schemas: SchemaSet;
  element: Name;
  avro: AvroSchemaJson;
  mediaType?: string;
  /** Bytes of one document; default 10 MiB. */
  maxBytes?: number;
}>;

/** A codec of one element: bytes of a whole document ⇄ value. */
export function compileXmlCodec(options: XmlCodecOptions): Codec {
  const vocabulary = newVocabulary();
  const message = compileMessage(vocabulary, options.schemas, options.element, options.avro);
  const maxBytes = options.maxBytes ?? XML_LIMITS.bytes;
  return {
    mediaType: options.mediaType ?? "application/xml",
    read(bytes) {
      const c = openDocument(vocabulary, bytes, maxBytes);
      if (openRoot(c) !== message.plan.name) unexpected(c, [message.plan.name], false);
      const value = message.read(c);
      closeDocument(c);
      if (c.places.length > 0) throwViolations(c);
      return value as AvroRecord;
    },
    write: (value) => toBytes(`<?xml version="1.0" encoding="UTF-8"?>\n${message.write(value)}`),
  };
}
