/** The JSON Schema of a type takes what the type's own JSON codec writes, and refuses what that one refuses for its shape. */
import { Ajv2020 } from "ajv/dist/2020.js";
import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { compileType } from "../contract/avro.ts";
import { jsonCodec } from "../contract/json.ts";
import { ambiguousInJson, sample } from "#test/harness/avro-arbitrary.ts";
import { jsonSchemaOf } from "./json-schema.ts";
import type { Definitions } from "./json-schema.ts";

function judge(schema: unknown) {
  const type = compileType({ id: "t.m.v1", schemaText: JSON.stringify(schema), schemaId: 1 });
  const definitions: Definitions = new Map();
  const root = jsonSchemaOf(type, definitions);
  const ajv = new Ajv2020({ strict: false, validateFormats: false });
  const valid = ajv.compile({ ...root, components: { schemas: Object.fromEntries(definitions) } });
  const codec = jsonCodec(type);
  const takes = (json: unknown): boolean => {
    try {
      codec.read(Buffer.from(JSON.stringify(json)));
      return true;
    } catch {
      return false;
    }
  };
  return { codec, valid: (json: unknown): boolean => valid(json), takes, errors: () => valid.errors };
}

describe("the JSON Schema of a contract's type", () => {
  it("takes every message that the codec writes", () => {
    fc.assert(
      fc.property(
        sample.filter(({ schema }) => !ambiguousInJson(schema)),
        ({ schema, value }) => {
          const { codec, valid, errors } = judge(schema);
          const json = JSON.parse(new TextDecoder().decode(codec.write(value))) as unknown;
          expect([valid(json), errors()]).toEqual([true, null]);
        },
      ),
      { numRuns: 60 },
    );
  });

  const SCHEMA = {
    type: "record",
    name: "M",
    fields: [
      { name: "a", type: "int" },
      { name: "l", type: "long", default: 0 },
      { name: "d", type: { type: "bytes", logicalType: "decimal", precision: 5, scale: 2 }, default: "\u0000" },
      { name: "e", type: ["null", { type: "enum", name: "E", symbols: ["X", "Y"] }], default: null },
      { name: "n", type: { type: "array", items: "M" }, default: [] },
      { name: "m", type: { type: "map", values: "boolean" }, default: {} },
    ],
  };

  it("asks for the form that is written, where the codec is lenient", () => {
    const { valid, takes } = judge(SCHEMA);
    expect([valid({ a: 1, d: 1.5 }), takes({ a: 1, d: 1.5 })]).toEqual([false, true]);
  });

  it.each([
    [{ a: 1 }, true],
    [{ a: 1, l: "9223372036854775807", d: "999.99", e: "X", n: [{ a: 2 }], m: { k: true } }, true],
    [{ a: 1, e: null, d: "-0.5" }, true],
    [{}, false],
    [{ a: "1" }, false],
    [{ a: 2_147_483_648 }, false],
    [{ a: 1, l: "x" }, false],
    [{ a: 1, d: "1234.00" }, false],
    [{ a: 1, d: "1.234" }, false],
    [{ a: 1, e: "Z" }, false],
    [{ a: 1, n: [{}] }, false],
    [{ a: 1, n: { a: 1 } }, false],
    [{ a: 1, m: { k: 1 } }, false],
    [{ a: 1, unknown: true }, false],
    [[], false],
  ])("and the codec say the same of %j", (json, expected) => {
    const { valid, takes } = judge(SCHEMA);
    expect([valid(json), takes(json)]).toEqual([expected, expected]);
  });
});
