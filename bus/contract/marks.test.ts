/** What a contract says about its fields besides their types, found by dotted path. */
import { describe, expect, it } from "vitest";
import { asBusError } from "../errors.ts";
import { compileKey, eachPath, marksOf } from "./marks.ts";
import { parseSchema } from "./parse.ts";

const schemaOf = (...fields: object[]) => parseSchema(JSON.stringify({ type: "record", name: "R", fields })).shape;
const record = (name: string, ...fields: object[]) => ({ type: "record", name, fields });
const fault = (run: () => unknown): string => {
  try {
    run();
  } catch (error) {
    return asBusError(error).message;
  }
  return "nothing was thrown";
};

describe("paths", () => {
  const paths = (shape: Parameters<typeof eachPath>[0]): string[] => {
    const found: string[] = [];
    eachPath(shape, (path) => found.push(path));
    return found;
  };

  it("go through records, optional records, lists and maps, whose items share their container's path", () => {
    const inner = (name: string) => record(name, { name: "x", type: "int" });
    expect(
      paths(
        schemaOf(
          { name: "a", type: inner("A") },
          { name: "b", type: ["null", inner("B")] },
          { name: "c", type: { type: "array", items: inner("C") } },
          { name: "d", type: { type: "map", values: ["null", inner("D")] } },
          { name: "e", type: "string" },
        ),
      ),
    ).toEqual(["a", "a.x", "b", "b.x", "c", "c.x", "d", "d.x", "e"]);
  });

  it("of a record that names itself stop at its first repetition", () => {
    expect(paths(schemaOf({ name: "next", type: ["null", "R"] }, { name: "n", type: "int" }))).toEqual(["next", "n"]);
  });

  it("of deep records stop at twelve", () => {
    let type: unknown = "int";
    for (let i = 0; i < 15; i++) type = record(`R${i}`, { name: "f", type });
    const found = paths(schemaOf({ name: "f", type }));
    expect(found.at(-1)?.split(".")).toHaveLength(12);
  });
});

describe("marks", () => {
  it("are kept for marked fields only", () => {
    const marks = marksOf(
      schemaOf(
        { name: "idnp", type: "string", personal: true, key: true },
        { name: "plain", type: "string" },
        { name: "open", type: "string", personal: false },
        { name: "health", type: "string", sensitivity: "special-category" },
        { name: "home", type: record("Home", { name: "street", type: "string", personal: true }) },
      ),
    );
    expect(Object.fromEntries(marks)).toEqual({
      idnp: { personal: true, key: true },
      health: { personal: true, key: false, sensitivity: "special-category" },
      "home.street": { personal: true, key: false },
    });
  });

  it.each([
    ["personal", "yes", "the schema at `f`: the mark `personal` is true or false"],
    ["personal", 1, "the schema at `f`: the mark `personal` is true or false"],
    ["key", "true", "the schema at `f`: the mark `key` is true or false"],
    ["sensitivity", true, "the schema at `f`: the mark `sensitivity` is text"],
  ])("`%s: %j` is refused", (mark, value, text) => {
    expect(fault(() => marksOf(schemaOf({ name: "f", type: "string", [mark]: value })))).toBe(text);
  });
});

describe("the key", () => {
  it.each([
    ["string", "k", "k"],
    ["int", 7, "7"],
    ["long", 2n ** 60n, "1152921504606846976"],
    ["boolean", false, "false"],
    [["null", "string"], null, undefined],
    [["null", "string"], "k", "k"],
    [{ type: "int", logicalType: "date" }, "2026-01-31", "2026-01-31"],
    [{ type: "enum", name: "E", symbols: ["A"] }, "A", "A"],
  ])("of %o with the value %o is %o", (type, value, key) => {
    expect(compileKey(schemaOf({ name: "f", type, key: true }))({ f: value })).toBe(key);
  });

  it("may lie in records, present or not", () => {
    const keyOf = compileKey(schemaOf({ name: "who", type: ["null", record("Who", { name: "idnp", type: "string", key: true })] }));
    expect([keyOf({ who: { idnp: "2" } }), keyOf({ who: null }), keyOf({}), keyOf({ who: "x" }), keyOf({ who: ["2"] })]).toEqual([
      "2",
      undefined,
      undefined,
      undefined,
      undefined,
    ]);
  });

  it("is none where no field is marked", () => {
    expect(compileKey(schemaOf({ name: "f", type: "string" }))({ f: "x" })).toBeUndefined();
  });

  it.each([["bytes"], [{ type: "array", items: "string" }], [{ type: "map", values: "string" }], [record("In")], [["null", "bytes"]]])(
    "of the type %j is refused: it would have no text",
    (type) => {
      expect(fault(() => compileKey(schemaOf({ name: "f", type, key: true })))).toBe("the schema at `f`: a key is text or a number");
    },
  );

  it("is one: a second is refused with the name of the first", () => {
    const shape = schemaOf({ name: "a", type: "string", key: true }, { name: "b", type: "string", key: true });
    expect(fault(() => compileKey(shape))).toBe("the schema at `b`: a contract has one key, and `a` already is it");
  });
});
