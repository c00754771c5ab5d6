import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { sample, schemaOnly } from "#test/harness/avro-arbitrary.ts";
import { compileType } from "./avro.ts";
import { avscType } from "./avsc-types.ts";
import { checkCompatibility, unreadable } from "./compatibility.ts";
import { LEVELS } from "../ports.ts";
import { parseShape } from "./parse.ts";

const record = (...fields: unknown[]) => JSON.stringify({ type: "record", name: "Person", namespace: "md.asp", fields });
const idnp = { name: "idnp", type: "string" };
const surname = { name: "surname", type: "string" };
const optional = { name: "surname", type: ["null", "string"], default: null };
const field = (type: unknown, extra: object = {}) => record(idnp, { name: "f", type, ...extra });
const backward = (old: string, next: string) => checkCompatibility(next, [old], "BACKWARD");
const forward = (old: string, next: string) => checkCompatibility(next, [old], "FORWARD");

describe("each broken rule is one sentence", () => {
  it.each([
    [
      "a field without a default",
      record(idnp),
      record(idnp, surname),
      "field `surname` was added without a default: old messages cannot be read",
    ],
    ["a changed type", field("int"), field("string"), "field `f` changed from int to string: old messages cannot be read"],
    ["a narrowed number", field("long"), field("int"), "field `f` changed from long to int: old messages cannot be read"],
    ["null no longer allowed", field(["null", "int"]), field("int"), "field `f` no longer allows null: old messages cannot be read"],
    [
      "a lost branch",
      field(["null", "int", "string"]),
      field(["null", "int"]),
      "field `f` no longer allows string: old messages cannot be read",
    ],
    [
      "a lost symbol",
      field({ type: "enum", name: "Sex", symbols: ["F", "M", "X"] }),
      field({ type: "enum", name: "Sex", symbols: ["F", "M"] }),
      "field `f` lost the symbol X and has no enum default: old messages cannot be read",
    ],
    [
      "a fixed of another size",
      field({ type: "fixed", name: "Hash", size: 16 }),
      field({ type: "fixed", name: "Hash", size: 32 }),
      "field `f` changed its size from 16 to 32 bytes: old messages cannot be read",
    ],
    [
      "a decimal of another scale",
      field({ type: "bytes", logicalType: "decimal", precision: 9, scale: 2 }),
      field({ type: "bytes", logicalType: "decimal", precision: 9, scale: 3 }),
      "field `f` changed from decimal(9,2) to decimal(9,3): old messages cannot be read",
    ],
    [
      "a renamed record",
      JSON.stringify({ type: "record", name: "A", fields: [] }),
      JSON.stringify({ type: "record", name: "B", fields: [] }),
      "the schema was renamed from A to B without an alias: old messages cannot be read",
    ],
    [
      "a fault inside a list of optional records",
      field({ type: "array", items: ["null", { type: "record", name: "Address", fields: [] }] }),
      field({ type: "array", items: ["null", { type: "record", name: "Address", fields: [{ name: "city", type: "string" }] }] }),
      "field `f.city` was added without a default: old messages cannot be read",
    ],
  ])("backward: %s", (_, old, next, rule) => {
    expect(backward(old, next)).toEqual([rule]);
  });

  it.each([
    [
      "a removed field",
      record(idnp, surname),
      record(idnp),
      "field `surname` was removed, and older readers have no default for it: older readers cannot read new messages",
    ],
    ["null newly allowed", field("int"), field(["null", "int"]), "field `f` now also allows null: older readers cannot read new messages"],
    ["a widened number", field("int"), field("long"), "field `f` changed from int to long: older readers cannot read new messages"],
    [
      "a new symbol",
      field({ type: "enum", name: "Sex", symbols: ["F"] }),
      field({ type: "enum", name: "Sex", symbols: ["F", "M"] }),
      "field `f` gained the symbol M, and the older enum has no default: older readers cannot read new messages",
    ],
  ])("forward: %s", (_, old, next, rule) => {
    expect(forward(old, next)).toEqual([rule]);
    expect(backward(old, next)).toEqual([]);
  });

  it("tells all of them, at most 50", () => {
    const many = Array.from({ length: 80 }, (_, i) => ({ name: `f${i}`, type: "int" }));
    expect(backward(record(), record(...many))).toHaveLength(50);
  });
});

describe("what is compatible", () => {
  it.each([
    ["a field with a default", record(idnp), record(idnp, optional)],
    ["a removed field, backward", record(idnp, surname), record(idnp)],
    ["a field renamed with an alias", record(idnp), record({ name: "code", type: "string", aliases: ["idnp"] })],
    ["a promoted number", field("int"), field("double")],
    ["a value made optional", field("string"), field(["null", "string"])],
    [
      "a lost symbol with an enum default",
      field({ type: "enum", name: "S", symbols: ["A", "B"] }),
      field({ type: "enum", name: "S", symbols: ["A"], default: "A" }),
    ],
    ["fields in another order", record(idnp, surname), record(surname, idnp)],
    [
      "a renamed record with an alias",
      JSON.stringify({ type: "record", name: "A", fields: [] }),
      JSON.stringify({ type: "record", name: "B", aliases: ["A"], fields: [] }),
    ],
    ["documentation", field("int"), field("int", { doc: "what it is" })],
  ])("backward: %s", (_, old, next) => {
    expect(backward(old, next)).toEqual([]);
  });
  it("a recursive record", () => {
    const tree = (extra: object[]) => record({ name: "children", type: { type: "array", items: "md.asp.Person" } }, ...extra);
    expect(checkCompatibility(tree([optional]), [tree([])], "FULL")).toEqual([]);
    expect(backward(tree([]), tree([surname]))).toHaveLength(1);
  });
});

describe("hostile schemas", () => {
  it("deeply nested unions are compared within bounds", () => {
    let old: unknown = "int";
    let next: unknown = "string";
    for (let i = 0; i < 11; i++) {
      old = ["null", { type: "record", name: `R${i}`, fields: [{ name: "a", type: old }] }];
      next = ["null", { type: "record", name: `R${i}`, fields: [{ name: "a", type: next }] }];
    }
    expect(backward(field(old), field(next))).toEqual([
      `field \`f${".a".repeat(11)}\` changed from int to string: old messages cannot be read`,
    ]);
  });
  it("records that all name each other are compared within bounds", () => {
    const web = (type: string) => {
      const names = Array.from({ length: 40 }, (_, i) => `R${i}`);
      let inner: unknown = type;
      for (const name of names)
        inner = {
          type: "record",
          name,
          fields: [
            { name: "next", type: inner },
            ...names.slice(0, Number(name.slice(1)) + 1).map((other, i) => ({ name: `u${i}`, type: ["null", other] })),
          ],
        };
      return inner;
    };
    expect(() => backward(field(web("int")), field(web("string")))).toThrow(/nested deeper/);
  });
});

describe("levels", () => {
  const v1 = record(idnp, surname);
  const v2 = record(idnp, optional);
  const v3 = record(idnp);
  const verdicts = (next: string, history: string[]) => LEVELS.filter((level) => checkCompatibility(next, history, level).length === 0);
  it("look at the last version, at all, or at none", () => {
    // v1 requires the surname, v3 dropped it: only v1's readers suffer.
    expect(verdicts(v3, [v1, v2])).toEqual(["NONE", "BACKWARD", "BACKWARD_TRANSITIVE", "FORWARD", "FULL"]);
    expect(verdicts(v1, [v3])).toEqual(["NONE", "FORWARD", "FORWARD_TRANSITIVE"]);
    expect(verdicts(field("int"), [field("string")])).toEqual(["NONE"]);
  });
  it("say which version it was", () => {
    expect(checkCompatibility(v3, [v1, v2], "FULL_TRANSITIVE")).toEqual([
      "field `surname` was removed, and older readers have no default for it: older readers cannot read new messages (compared with version 1 of 2)",
    ]);
  });
  it("agree to anything where there is no history, but never to an unsound schema", () => {
    for (const level of LEVELS) {
      expect(checkCompatibility(v1, [], level)).toEqual([]);
      expect(() => checkCompatibility('{"type":"record","name":"A","fields":[{"name":"f","type":"Nope"}]}', [], level)).toThrow(/Nope/);
    }
  });
});

/** The verdict of avsc, the library that will have to read the messages. */
function avscReads(reader: unknown, writer: unknown): boolean {
  try {
    avscType(reader).createResolver(avscType(writer));
    return true;
  } catch {
    return false;
  }
}

const hasDecimal = (schema: unknown): boolean => JSON.stringify(schema).includes("decimal");

describe("a union read by another version", () => {
  const v = (type: unknown) => field(type);
  const values = [
    ["text", "abc"],
    ["bytes that are UTF-8", new Uint8Array([97, 98])],
    ["bytes that are not", new Uint8Array([255, 0])],
    ["nothing", null],
  ] as const;
  const orders = [
    ["null", "string", "bytes"],
    ["null", "bytes", "string"],
    ["bytes", "null", "string"],
    ["string", "bytes", "null"],
  ];
  const cases = orders.flatMap((written) => orders.flatMap((read) => values.map(([what, value]) => ({ written, read, what, value }))));
  it.each(cases)("keeps $what of $written as what it is under $read", ({ written, read, value }) => {
    const texts = [v(written), v(read)];
    const old = compileType({ id: "a.b.v1", schemaText: v(written), schemaId: 1 });
    const now = compileType({ id: "a.b.v1", schemaText: v(read), schemaId: 2, lookup: (id) => texts[id - 1] });
    const found = now.decode(old.encode({ idnp: "1", f: value }))["f"];
    expect(found instanceof Uint8Array ? [...found] : found).toEqual(value instanceof Uint8Array ? [...value] : value);
  });

  it("still promotes where only a promotion fits", () => {
    const texts = [v("bytes"), v(["null", "string"]), v(["string", "null"])];
    const old = compileType({ id: "a.b.v1", schemaText: v("bytes"), schemaId: 1 });
    for (const id of [2, 3]) {
      const now = compileType({ id: "a.b.v1", schemaText: texts[id - 1] ?? "", schemaId: id, lookup: (other) => texts[other - 1] });
      expect(now.decode(old.encode({ idnp: "1", f: new Uint8Array([97]) }))["f"]).toBe("a");
    }
  });

  it("says so where no branch fits, and names both versions", () => {
    const texts = [v("boolean"), v(["null", "string", "bytes"])];
    const old = compileType({ id: "a.b.v1", schemaText: v("boolean"), schemaId: 1 });
    const now = compileType({ id: "a.b.v1", schemaText: v(["null", "string", "bytes"]), schemaId: 2, lookup: (id) => texts[id - 1] });
    expect(() => now.decode(old.encode({ idnp: "1", f: true }))).toThrow(/schema 1 cannot be read as a\.b\.v1/u);
  });
});

describe("against avsc", () => {
  const pairs = fc.tuple(schemaOnly, schemaOnly).filter(([a, b]) => !hasDecimal(a) && !hasDecimal(b));
  it("any two schemas: the same verdict", () => {
    fc.assert(
      fc.property(pairs, ([reader, writer]) => {
        expect(unreadable(parseShape(reader), parseShape(writer), "backward").length === 0).toBe(avscReads(reader, writer));
      }),
      { numRuns: 500 },
    );
  });

  const mutations = fc.constantFrom("drop", "default", "widen", "null", "alias", "rename");
  it("a schema and a changed one: the same verdict, both ways", () => {
    fc.assert(
      fc.property(
        schemaOnly.filter((schema) => !hasDecimal(schema)),
        mutations,
        fc.nat(),
        (schema, mutation, at) => {
          const fields = schema["fields"] as { name: string; type: unknown }[];
          if (fields.length === 0) return;
          const i = at % fields.length;
          const changed = { ...schema, fields: fields.flatMap((one, index) => (index === i ? mutate(one, mutation) : [one])) };
          for (const [reader, writer] of [
            [schema, changed],
            [changed, schema],
          ] as const)
            expect(unreadable(parseShape(reader), parseShape(writer), "forward").length === 0).toBe(avscReads(reader, writer));
        },
      ),
      { numRuns: 500 },
    );
  });

  it("what is called compatible is then read: added optional fields take their defaults", () => {
    fc.assert(
      fc.property(sample, ({ schema, value }) => {
        const next = {
          ...schema,
          fields: [{ name: "zzAdded", type: ["null", "string"], default: null }, ...(schema["fields"] as object[])],
        };
        const texts = [JSON.stringify(schema), JSON.stringify(next)] as const;
        const old = compileType({ id: "a.b.v1", schemaText: texts[0], schemaId: 1 });
        const now = compileType({ id: "a.b.v1", schemaText: texts[1], schemaId: 2, lookup: (id) => texts[id - 1] });
        expect(checkCompatibility(texts[1], [texts[0]], "FULL")).toEqual([]);
        const read = now.decode(old.encode(value));
        expect(now.check(read)).toEqual([]);
        expect(read["zzAdded"]).toBeNull();
        expect(Buffer.from(old.encode(Object.fromEntries(Object.entries(read).filter(([key]) => key !== "zzAdded"))))).toEqual(
          Buffer.from(old.encode(value)),
        );
      }),
    );
  });
});

function mutate(field: { name: string; type: unknown }, mutation: string): object[] {
  switch (mutation) {
    case "drop":
      return [];
    case "default":
      return [field, { name: "zzNew", type: "int", default: 0 }];
    case "widen":
      return [{ ...field, type: field.type === "int" ? "long" : field.type === "long" ? "double" : field.type }];
    case "null":
      return [{ ...field, type: Array.isArray(field.type) || field.type === "null" ? field.type : ["null", field.type] }];
    case "alias":
      return [{ ...field, name: "zzOther", aliases: [field.name] }];
    default:
      return [{ ...field, name: "zzOther" }];
  }
}
