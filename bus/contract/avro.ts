/**
 * One record type of a contract, compiled: Confluent framing (0x00, 4-byte big-endian schema id, Avro binary), the limit
 * walk before every decode, and readers for the other versions of the schema. Values are described in shape.ts.
 */
import type { Type } from "avsc";
import type { AvroRecord } from "../envelope.ts";
import { BusError, asBusError } from "../errors.ts";
import type { Place } from "../errors.ts";
import type { ContractType } from "./contract.ts";
import { avscType } from "./avsc-types.ts";
import { compileCheck, compileTidy } from "./check.ts";
import { checkDefaults } from "./defaults.ts";
import { identifiersOf } from "./identifiers.ts";
import { compileKey, marksOf } from "./marks.ts";
import { parseSchema, schemaFault } from "./parse.ts";
import type { RecordShape } from "./shape.ts";
import { compileWalk, WALK_LIMITS } from "./walk.ts";
import type { WalkLimits } from "./walk.ts";

/** Bytes before the Avro payload: magic byte and schema id. */
export const FRAME = 5;
/** Nothing longer is ever encoded; the edges' own limits are lower. */
const MAX_ENCODED = 67_108_864;
/** Above this the bytes just written are walked, so that nothing is accepted that could not be read back. */
const WALK_OWN_FROM = 32_768;
/** Versions of one schema whose readers are kept. */
const MAX_READERS = 64;

/** Schema text by Confluent id; undefined = nobody registered it. */
export type SchemaLookup = (id: number) => string | undefined;

export type TypeOptions = Readonly<{
  id: string;
  schemaText: string;
  schemaId: number;
  lookup?: SchemaLookup | undefined;
  limits?: WalkLimits;
}>;

/** A compiled type together with its shape, from which the other codecs are compiled. */
export type CompiledType = ContractType & Readonly<{ shape: RecordShape }>;

let scratch = new Uint8Array(65_536);
let scratchBuffer = Buffer.from(scratch.buffer);

/** Avro bytes at offset 5 of a buffer that all types share; encoding is synchronous, so it is never used twice at once. */
function writeToScratch(type: Type, value: AvroRecord): number {
  for (;;) {
    const end = type.encode(value, scratchBuffer, FRAME);
    if (end >= 0) return end;
    const needed = scratch.length - end;
    if (needed > MAX_ENCODED) throw new BusError("message-too-large", `the message is larger than ${MAX_ENCODED} bytes`);
    scratch = new Uint8Array(Math.min(MAX_ENCODED + FRAME, needed * 2));
    scratchBuffer = Buffer.from(scratch.buffer);
  }
}

function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/** Schema id of a framed body. Throws avro-malformed. */
export function schemaIdOf(body: Uint8Array): number {
  if (body.length < FRAME) throw new BusError("avro-malformed", `a message has at least ${FRAME} bytes, this one ${body.length}`);
  if (body[0] !== 0)
    throw new BusError(
      "avro-malformed",
      `a message starts with the byte 0x00, this one with 0x${(body[0] ?? 0).toString(16).padStart(2, "0")}`,
    );
  return (((body[1] ?? 0) << 24) | ((body[2] ?? 0) << 16) | ((body[3] ?? 0) << 8) | (body[4] ?? 0)) >>> 0;
}

/** The avsc type of a sound schema; what avsc alone refuses (a default that fits no branch) becomes our fault. */
function build(schema: unknown): Type {
  try {
    return avscType(schema);
  } catch (error) {
    throw schemaFault("", error instanceof Error ? error.message.slice(0, 500) : String(error));
  }
}

function violation(id: string, places: readonly Place[]): BusError {
  const first = places[0];
  const where = first?.path === undefined ? "" : `\`${first.path}\` `;
  const more = places.length > 1 ? ` (and ${places.length - 1} more)` : "";
  return new BusError("avro-violation", `the value does not fit ${id}: ${where}${first?.text ?? "it cannot be written"}${more}`, {
    places,
  });
}

type Reader = (body: Buffer) => AvroRecord;

function reader(type: Type, walk: (buf: Uint8Array, start: number) => void, resolver?: ReturnType<Type["createResolver"]>): Reader {
  return (body) => {
    walk(body, FRAME);
    try {
      return type.decode(body, FRAME, resolver).value as AvroRecord;
    } catch (error) {
      if (error instanceof BusError) throw error;
      throw new BusError("avro-malformed", `the message cannot be read: ${asBusError(error).message}`, { cause: error });
    }
  };
}

/** Reader for a message that another version of the schema wrote (Avro schema resolution). */
function otherVersion(own: Type, options: TypeOptions, id: number): Reader {
  const text = options.lookup?.(id);
  if (text === undefined)
    throw new BusError("schema-unknown", `no schema has the id ${id}; ${options.id} is written with ${options.schemaId}`);
  try {
    const { schema, shape } = parseSchema(text);
    // Anybody may have registered it: defaults that unfold without end are refused before avsc unfolds them.
    checkDefaults(shape);
    const writer = avscType(schema);
    return reader(own, compileWalk(shape, options.limits ?? WALK_LIMITS), own.createResolver(writer));
  } catch (error) {
    throw new BusError("avro-malformed", `schema ${id} cannot be read as ${options.id}: ${asBusError(error).message}`, { cause: error });
  }
}

/** Compiles one schema. Throws `configuration` where the schema is wrong or absurd. */
export function compileType(options: TypeOptions): CompiledType {
  const { id, schemaText, schemaId } = options;
  const { schema, shape } = parseSchema(schemaText);
  checkDefaults(shape);
  const type = build(schema);
  const check = compileCheck(shape);
  const tidy = compileTidy(shape);
  const walk = compileWalk(shape, options.limits ?? WALK_LIMITS);
  const readers = new Map<number, Reader>([[schemaId, reader(type, walk)]]);
  const frame = Uint8Array.of(0, schemaId >>> 24, schemaId >>> 16, schemaId >>> 8, schemaId);

  function write(value: AvroRecord): number {
    try {
      if (tidy(value)) return writeToScratch(type, value);
    } catch (error) {
      if (error instanceof BusError && error.code === "message-too-large") throw error;
      const places = check(value);
      throw violation(id, places.length > 0 ? places : [{ text: `cannot be written: ${asBusError(error).message}` }]);
    }
    throw violation(id, check(value));
  }

  function readerFor(written: number): Reader {
    const known = readers.get(written);
    if (known !== undefined) return known;
    const other = otherVersion(type, options, written);
    // The oldest of the others goes; the type's own reader is the first entry and stays.
    if (readers.size >= MAX_READERS) for (const old of [...readers.keys()].slice(1, 2)) readers.delete(old);
    readers.set(written, other);
    return other;
  }

  return {
    id,
    schema,
    schemaText,
    schemaId,
    shape,
    marks: marksOf(shape),
    identifiers: identifiersOf(shape),
    keyOf: compileKey(shape),
    check,
    encode(value) {
      const end = write(value);
      scratch.set(frame, 0);
      const body = scratch.slice(0, end);
      if (end > WALK_OWN_FROM) walk(body, FRAME);
      return body;
    },
    decode(body) {
      const written = schemaIdOf(body);
      return readerFor(written)(asBuffer(body));
    },
  };
}
