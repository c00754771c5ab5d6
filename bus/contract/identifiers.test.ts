import { describe, expect, it } from "vitest";
import { asBusError } from "../errors.ts";
import { compileType } from "./avro.ts";

const record = (name: string, fields: readonly object[]) => ({ type: "record", name, fields });
const compiled = (fields: readonly object[]) =>
  compileType({ id: "x.y.v1", schemaText: JSON.stringify(record("X", fields)), schemaId: 1, lookup: undefined });
const idnp = (type: unknown = "string") => ({ name: "idnp", type, identifier: "IDNP" });

describe("the mark `identifier`", () => {
  it("is found in records, lists, maps and choices, with the way to it", () => {
    const child = record("Child", [idnp(["null", "string"])]);
    const type = compiled([
      idnp(),
      { name: "children", type: { type: "array", items: child } },
      { name: "wards", type: { type: "map", values: "Child" } },
      { name: "parent", type: ["null", "Child"] },
      { name: "owners", type: { type: "array", items: "string" }, identifier: "IDNO" },
      { name: "cars", type: { type: "map", values: "string" }, identifier: "IDNV" },
    ]);
    expect(type.identifiers).toEqual([
      { path: "idnp", parts: ["idnp"], kind: "IDNP" },
      { path: "children.idnp", parts: ["children", "idnp"], kind: "IDNP" },
      { path: "wards.idnp", parts: ["wards", undefined, "idnp"], kind: "IDNP" },
      { path: "parent.idnp", parts: ["parent", "idnp"], kind: "IDNP" },
      { path: "owners", parts: ["owners"], kind: "IDNO" },
      { path: "cars", parts: ["cars", undefined], kind: "IDNV" },
    ]);
  });

  it("of a record that holds itself is found once", () => {
    const person = record("Person", [idnp(), { name: "mother", type: ["null", "Person"] }]);
    expect(compiled([{ name: "person", type: person }]).identifiers?.map(({ path }) => path)).toEqual(["person.idnp"]);
  });

  it.each([
    ["names another kind", { name: "a", type: "string", identifier: "SSN" }, "is one of IDNP, IDNO, IDNV"],
    ["stands on a number", { name: "a", type: "long", identifier: "IDNP" }, "stands on text"],
    ["stands on a record", { name: "a", type: record("B", []), identifier: "IDNP" }, "stands on text"],
  ])("that %s is a fault of the schema", (_, field, text) => {
    try {
      compiled([field]);
      expect.unreachable();
    } catch (thrown) {
      expect(asBusError(thrown).message).toContain(text);
    }
  });
});
