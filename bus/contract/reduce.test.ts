import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { sample } from "#test/harness/avro-arbitrary.ts";
import { compileType } from "./avro.ts";
import { compileReducer, reducerFindings } from "./reduce.ts";

const type = compileType({
  id: "person.response.v1",
  schemaId: 1,
  schemaText: JSON.stringify({
    type: "record",
    name: "Person",
    fields: [
      { name: "idnp", type: "string" },
      { name: "surname", type: ["null", "string"], default: null },
      { name: "status", type: "string", default: "unknown" },
      { name: "sex", type: { type: "enum", name: "Sex", symbols: ["F", "M"] } },
      {
        name: "residence",
        type: [
          "null",
          {
            type: "record",
            name: "Address",
            fields: [
              { name: "country", type: "string" },
              { name: "city", type: ["null", "string"], default: null },
            ],
          },
        ],
      },
      { name: "former", type: { type: "array", items: "Address" }, default: [] },
      { name: "offices", type: { type: "map", values: "Address" }, default: {} },
      {
        name: "contact",
        type: {
          type: "record",
          name: "Contact",
          fields: [
            { name: "phone", type: "string" },
            { name: "mail", type: "string" },
          ],
        },
      },
    ],
  }),
});
const VALUE = {
  idnp: "2000000000000",
  surname: "Rusu",
  status: "alive",
  sex: "M",
  residence: { country: "MD", city: "Bălți" },
  former: [
    { country: "RO", city: "Iași" },
    { country: "FR", city: null },
  ],
  offices: { main: { country: "MD", city: "Chișinău" } },
  contact: { phone: "+373", mail: "a@b.md" },
};

describe("compileReducer", () => {
  it("keeps what is allowed and empties the rest, so that the value still fits", () => {
    const reduced = compileReducer(type, ["idnp", "residence.country", "former.city", "offices.country"])(VALUE);
    expect(reduced).toEqual({
      idnp: "2000000000000",
      surname: null,
      status: "unknown",
      sex: "F",
      residence: { country: "MD", city: null },
      former: [
        { country: "", city: "Iași" },
        { country: "", city: null },
      ],
      offices: { main: { country: "MD", city: null } },
      contact: { phone: "", mail: "" },
    });
    expect(type.check(reduced)).toEqual([]);
  });
  it("takes a path with all that is below it", () => {
    expect(compileReducer(type, ["residence", "residence.country", "contact"])(VALUE)).toMatchObject({
      residence: VALUE.residence,
      contact: VALUE.contact,
      former: [],
    });
  });
  it("changes nothing of the value it was given", () => {
    const before = structuredClone(VALUE);
    compileReducer(type, ["former.city"])(VALUE);
    expect(VALUE).toEqual(before);
  });
  it("allows nothing for a path that does not exist or goes through a text", () => {
    const reduced = JSON.stringify(compileReducer(type, ["idnp.first", "nope", "surname.x"])(VALUE));
    for (const secret of ["2000000000000", "Rusu", "Iași", "+373"]) expect(reduced).not.toContain(secret);
  });
  it("leaves null where there was nothing", () => {
    expect(compileReducer(type, ["residence.country"])({ ...VALUE, residence: null })["residence"]).toBeNull();
  });
});

describe("reducerFindings", () => {
  it("are none for a grant that leaves every required field", () => {
    expect(reducerFindings(type, ["idnp", "sex", "residence.country", "contact"])).toEqual([]);
  });
  it("name unknown paths with the nearest one", () => {
    expect(reducerFindings(type, ["idnp", "sex", "residence", "contact", "residence.contry"])).toEqual([
      "`residence.contry` is no field of person.response.v1; did you mean `residence.country`?",
    ]);
  });
  it("name required fields that would be emptied, also inside what is partly allowed", () => {
    const texts = reducerFindings(type, ["sex", "contact.mail", "former.city"]);
    expect(texts.map((text) => text.split(" ")[0])).toEqual(["`idnp`", "`former.country`", "`contact.phone`"]);
    expect(texts[0]).toContain("make it optional in the contract");
  });
});

it("any reduction of any value fits its schema and holds only what was allowed", () => {
  fc.assert(
    fc.property(sample, fc.nat(), ({ schema, value }, pick) => {
      const any = compileType({ id: "a.b.v1", schemaText: JSON.stringify(schema), schemaId: 1 });
      const names = Object.keys(value);
      const allow = names.filter((_, i) => ((pick >> i) & 1) === 1);
      const reduced = compileReducer(any, allow)(value);
      expect(any.check(reduced)).toEqual([]);
      for (const name of allow) expect(reduced[name]).toBe(value[name]);
      expect(any.encode(compileReducer(any, [])(value))).toEqual(any.encode(compileReducer(any, [])(reduced)).slice());
    }),
  );
});
