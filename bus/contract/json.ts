/**
 * The JSON twin of a contract: member names are the Avro field names; dates, instants and decimals are text, bytes are
 * base64, whole numbers beyond 2^53 are text, unions are the bare value. Strict: no duplicate or unknown member, no byte order mark.
 */
import type { AvroRecord } from "../envelope.ts";
import { BusError } from "../errors.ts";
import type { Codec } from "../wire.ts";
import type { ContractType } from "./contract.ts";
import { compileCheck, compileTidy } from "./check.ts";
import { compileJsonReader } from "./json-read.ts";
import { JsonScan, textOf } from "./json-scan.ts";
import { compileJsonWriter, JsonUnfit } from "./json-write.ts";
import { parseSchema } from "./parse.ts";

const ENCODER = new TextEncoder();

/** Compiles the codec. Throws `configuration` where the schema has no JSON form. */
export function jsonCodec(type: ContractType): Codec {
  const { shape } = parseSchema(type.schemaText);
  const read = compileJsonReader(shape);
  const write = compileJsonWriter(shape);
  const check = compileCheck(shape);
  const tidy = compileTidy(shape);

  function refuse(value: AvroRecord): never {
    const places = check(value);
    const first = places[0] ?? { text: "a number is not finite, which JSON cannot write" };
    throw new BusError(
      "json-violation",
      `the value does not fit ${type.id}: ${first.path === undefined ? "" : `\`${first.path}\` `}${first.text}`,
      {
        places: places.length > 0 ? places : [first],
      },
    );
  }

  return {
    mediaType: "application/json",
    read(bytes) {
      const scan = new JsonScan(textOf(bytes));
      const value = read(scan, "");
      if (!Number.isNaN(scan.next())) scan.unexpected("the end of the document", "");
      const first = scan.places[0];
      if (first === undefined) return value as AvroRecord;
      const more = scan.places.length > 1 ? ` (and ${scan.places.length - 1} more)` : "";
      const where = first.path === undefined ? "" : ` \`${first.path}\``;
      throw new BusError(
        "json-violation",
        `the document does not fit ${type.id}: line ${first.line}, column ${first.column}${where} ${first.text}${more}`,
        {
          places: scan.places,
        },
      );
    },
    write(value) {
      try {
        if (!tidy(value)) return refuse(value);
        return ENCODER.encode(write(value));
      } catch (error) {
        // A value that contains itself ends in a RangeError.
        if (error instanceof JsonUnfit || error instanceof RangeError) return refuse(value);
        throw error;
      }
    },
  };
}
