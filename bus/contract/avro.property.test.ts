import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { ambiguousInJson, sample } from "#test/harness/avro-arbitrary.ts";
import { BusError } from "../errors.ts";
import { compileType } from "./avro.ts";
import { jsonCodec } from "./json.ts";

/** Buffers as plain arrays, so that values compare by content. */
function plain(value: unknown): unknown {
  if (value instanceof Uint8Array) return { bytes: [...value] };
  if (Array.isArray(value)) return value.map(plain);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, plain(inner)]));
}

const compiled = (schema: unknown) => compileType({ id: "a.b.v1", schemaText: JSON.stringify(schema), schemaId: 3 });

describe("any schema and any value of it", () => {
  it("comes back from Avro, and the check agrees", () => {
    fc.assert(
      fc.property(sample, ({ schema, value }) => {
        const type = compiled(schema);
        expect(type.check(value)).toEqual([]);
        expect(plain(type.decode(type.encode(value)))).toEqual(plain(value));
      }),
      { numRuns: 500 },
    );
  });

  it("comes back from JSON, which JSON.parse reads too", () => {
    const fits = sample.filter(({ schema }) => !ambiguousInJson(schema));
    fc.assert(
      fc.property(fits, ({ schema, value }) => {
        const codec = jsonCodec(compiled(schema));
        const bytes = codec.write(value);
        expect(plain(codec.read(bytes))).toEqual(plain(value));
        const spaced = JSON.stringify(JSON.parse(Buffer.from(bytes).toString()), null, 2);
        expect(plain(codec.read(Buffer.from(spaced)))).toEqual(plain(value));
      }),
      { numRuns: 500 },
    );
  });

  it("is refused when cut short or prolonged, never misread", () => {
    fc.assert(
      fc.property(sample, fc.nat(), ({ schema, value }, cut) => {
        const type = compiled(schema);
        const body = type.encode(value);
        expect(() => type.decode(Uint8Array.of(...body, 0))).toThrow(BusError);
        if (body.length > 5) expect(() => type.decode(body.subarray(0, 5 + (cut % (body.length - 5))))).toThrow(BusError);
      }),
    );
  });

  it("survives random bytes: a BusError or a value that fits", () => {
    fc.assert(
      fc.property(sample, fc.uint8Array({ maxLength: 64 }), ({ schema }, noise) => {
        const type = compiled(schema);
        try {
          expect(type.check(type.decode(Uint8Array.of(0, 0, 0, 0, 3, ...noise)))).toEqual([]);
        } catch (error) {
          expect(error).toBeInstanceOf(BusError);
          expect(["avro-malformed", "avro-limit", "avro-violation"]).toContain((error as BusError).code);
        }
      }),
      { numRuns: 500 },
    );
  });

  it("survives one changed byte", () => {
    fc.assert(
      fc.property(sample, fc.nat(), fc.integer({ min: 1, max: 255 }), ({ schema, value }, at, flip) => {
        const type = compiled(schema);
        const body = type.encode(value);
        if (body.length === 5) return;
        const i = 5 + (at % (body.length - 5));
        body[i] = (body[i] ?? 0) ^ flip;
        try {
          expect(type.check(type.decode(body))).toEqual([]);
        } catch (error) {
          expect(error).toBeInstanceOf(BusError);
        }
      }),
      { numRuns: 500 },
    );
  });
});
