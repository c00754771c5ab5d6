/** JSON Schema of event types, in each draft that producers use. */
import { describe, expect, it } from "vitest";
import { asBusError } from "#bus/errors.ts";
import { compileJsonSchema } from "./schema.ts";

const DRAFTS = [
  "http://json-schema.org/draft-06/schema#",
  "http://json-schema.org/draft-07/schema#",
  "https://json-schema.org/draft/2019-09/schema",
  "https://json-schema.org/draft/2020-12/schema",
];
const schemaOf = ($schema: string, more: object = {}): string =>
  JSON.stringify({
    $schema,
    type: "object",
    required: ["idnp"],
    properties: { idnp: { type: "string", pattern: "^[0-9]{13}$" } },
    ...more,
  });
const why = (text: string): string => {
  try {
    compileJsonSchema(text);
  } catch (error) {
    return asBusError(error).message;
  }
  return "compiled";
};

describe.each(DRAFTS)("a schema of %s", (draft) => {
  it("says where data does not fit and what may stand there, never what stands there", () => {
    const check = compileJsonSchema(schemaOf(draft, { additionalProperties: false }));
    expect(check({ idnp: "2004100423789" })).toEqual([]);
    expect(check({})).toEqual([{ path: "", text: "must have required property 'idnp'" }]);
    const [bad] = check({ idnp: "secret" });
    expect(bad).toEqual({ path: ".idnp", text: 'must match pattern "^[0-9]{13}$"' });
    expect(check({ idnp: "2004100423789", extra: 1 })).toEqual([{ path: "", text: 'must not have the member "extra"' }]);
  });

  it("knows its formats, and takes an unknown keyword for an annotation", () => {
    const check = compileJsonSchema(schemaOf(draft, { properties: { idnp: {}, at: { format: "date-time" } }, "x-owner": "somebody" }));
    expect(check({ idnp: 1, at: "2026-11-25T08:00:00Z" })).toEqual([]);
    expect(check({ idnp: 1, at: "tomorrow" })).toEqual([{ path: ".at", text: 'must match format "date-time"' }]);
  });

  it("is refused when it breaks its draft", () => {
    expect(why(schemaOf(draft, { required: "idnp" }))).toContain("it is no JSON Schema of http");
  });
});

describe("the drafts", () => {
  it("keep their own words: tuples are `items` in the older ones and `prefixItems` in the newest", () => {
    const tuple = { type: "array", required: [], properties: {} };
    for (const draft of DRAFTS.slice(0, 3))
      expect(compileJsonSchema(schemaOf(draft, { ...tuple, items: [{ type: "string" }] }))([1])).toHaveLength(1);
    expect(compileJsonSchema(schemaOf(DRAFTS[3] ?? "", { ...tuple, prefixItems: [{ type: "string" }] }))([1])).toHaveLength(1);
    expect(compileJsonSchema(schemaOf(DRAFTS[3] ?? "", { dependentRequired: { idnp: ["a"] } }))({ idnp: "2004100423789" })).toHaveLength(1);
  });

  it("are four: any other, or none, is refused with their names", () => {
    expect(why("{}")).toContain("`$schema` is missing; write one of http://json-schema.org/draft-06/schema");
    expect(why(schemaOf("http://json-schema.org/draft-04/schema#"))).toContain("`$schema` is `http://json-schema.org/draft-04/schema`");
    expect(why("[1")).toContain("the JSON Schema is no JSON");
    expect(why("7")).toContain("a JSON Schema is an object");
  });

  it("fetch nothing: a reference to another document is refused", () => {
    expect(why(schemaOf(DRAFTS[3] ?? "", { $ref: "https://schemas.example/other.json" }))).toContain("can't resolve reference");
  });

  it("stop at the first fault, so that a list of faults costs as much as one", () => {
    const check = compileJsonSchema(schemaOf(DRAFTS[3] ?? "", { properties: { idnp: { type: "array", items: { type: "string" } } } }));
    expect(check({ idnp: Array.from({ length: 10_000 }, () => 1) })).toHaveLength(1);
  });
});
