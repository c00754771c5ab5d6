import { describe, expect, it } from "vitest";
import { BusError } from "../errors.ts";
import { compileType } from "./avro.ts";
import { jsonCodec } from "./json.ts";

const type = compileType({
  id: "person.response.v1",
  schemaId: 1,
  schemaText: JSON.stringify({
    type: "record",
    name: "Person",
    fields: [
      { name: "idnp", type: "string" },
      { name: "age", type: "int" },
      { name: "revision", type: "long", default: 1 },
      { name: "born", type: ["null", { type: "int", logicalType: "date" }], default: null },
      { name: "at", type: ["null", { type: "long", logicalType: "timestamp-millis" }] },
      { name: "income", type: ["null", { type: "bytes", logicalType: "decimal", precision: 9, scale: 2 }], default: null },
      { name: "photo", type: ["null", "bytes"], default: null },
      { name: "sex", type: ["null", { type: "enum", name: "Sex", symbols: ["F", "M"] }], default: null },
      { name: "children", type: { type: "array", items: "Person" }, default: [] },
      { name: "notes", type: { type: "map", values: "string" }, default: {} },
    ],
  }),
});
const codec = jsonCodec(type);
const read = (text: string) => codec.read(Buffer.from(text));
const FULL = {
  idnp: "2",
  age: 30,
  revision: 1,
  born: null,
  at: null,
  income: null,
  photo: null,
  sex: null,
  children: [],
  notes: {},
};

function refusal(text: string | Uint8Array): BusError {
  try {
    codec.read(typeof text === "string" ? Buffer.from(text) : text);
  } catch (error) {
    if (error instanceof BusError) return error;
    throw error;
  }
  throw new Error("was not refused");
}

describe("reading", () => {
  it("fills in defaults and null for what is absent", () => {
    expect(read('{"age": 30, "idnp": "2"}')).toEqual(FULL);
  });
  it("reads escapes, dates, instants, decimals and base64", () => {
    const value = read(
      '{"idnp":"\\u0219\\n\\ud83d\\ude00\\/","age":-1,"born":"1990-02-28","at":"2026-01-31T10:00:00+02:00","income":12.5,"photo":"AQL/","sex":"M","notes":{"a":"b"}}',
    );
    expect(value).toMatchObject({
      idnp: "ș\n😀/",
      born: "1990-02-28",
      at: "2026-01-31T08:00:00.000Z",
      income: "12.50",
      sex: "M",
      notes: { a: "b" },
    });
    expect([...(value["photo"] as Uint8Array)]).toEqual([1, 2, 255]);
  });
  it("takes a number beyond 2^53 as text only", () => {
    expect(read('{"idnp":"2","age":1,"revision":"9223372036854775807"}')["revision"]).toBe(9223372036854775807n);
    const error = refusal('{"idnp":"2","age":1,"revision":9007199254740993}');
    expect(error.code).toBe("json-violation");
    expect(error.places[0]).toMatchObject({ line: 1, column: 32, path: "revision" });
    expect(error.message).toContain("write it as text");
  });
});

describe("a document that breaks its contract", () => {
  it("is told every fault with line, column and path", () => {
    const error = refusal(
      '{\n  "idnp": 5,\n  "agge": 30,\n  "born": "1990-02-30",\n  "children": [{"idnp": "1", "age": 1}, {"age": 1.5}]\n}',
    );
    expect(error.code).toBe("json-violation");
    expect(error.places.map(({ line, column, path }) => [line, column, path])).toEqual([
      [2, 11, "idnp"],
      [3, 3, "agge"],
      [4, 11, "born"],
      [5, 49, "children[1].age"],
      [5, 41, "children[1].idnp"],
      [1, 1, "age"],
    ]);
    expect(error.places[1]?.text).toContain("did you mean `age`?");
  });
  it.each([
    ["an array for an object", "[]"],
    ["text for an object", '"x"'],
    ["null for a required text", '{"idnp":null,"age":1}'],
    ["a fraction for a whole number", '{"idnp":"2","age":1.5}'],
    ["a whole number beyond 32 bits", '{"idnp":"2","age":2147483648}'],
    ["an unknown symbol", '{"idnp":"2","age":1,"sex":"X"}'],
    ["a date that does not exist", '{"idnp":"2","age":1,"born":"2023-02-29"}'],
    ["an instant without an offset", '{"idnp":"2","age":1,"at":"2026-01-31T10:00:00"}'],
    ["a decimal with too many decimals", '{"idnp":"2","age":1,"income":"1.234"}'],
    ["no base64", '{"idnp":"2","age":1,"photo":"A"}'],
    ["__proto__ as a member", '{"idnp":"2","age":1,"__proto__":{"admin":true}}'],
    ["__proto__ as a key of a map", '{"idnp":"2","age":1,"notes":{"__proto__":"x"}}'],
    ["an escaped __proto__", '{"idnp":"2","age":1,"notes":{"\\u005f_proto__":"x"}}'],
  ])("is refused: %s", (_, text) => {
    expect(refusal(text).code).toBe("json-violation");
  });
});

describe("what is not JSON", () => {
  it.each([
    ["nothing", ""],
    ["a repeated member", '{"idnp":"1","idnp":"2","age":1}'],
    ["a repeated unknown member", '{"x":1,"x":2}'],
    ["a repeated key of a map", '{"idnp":"2","age":1,"notes":{"a":"1","a":"2"}}'],
    ["a trailing comma", '{"idnp":"2","age":1,}'],
    ["a trailing comma in a list", '{"idnp":"2","age":1,"children":[,]}'],
    ["a single quote", "{'idnp':1}"],
    ["NaN", '{"idnp":"2","age":NaN}'],
    ["Infinity", '{"idnp":"2","age":-Infinity}'],
    ["a leading zero", '{"idnp":"2","age":01}'],
    ["a leading plus", '{"idnp":"2","age":+1}'],
    ["a bare fraction", '{"idnp":"2","age":1.}'],
    ["a hexadecimal number", '{"idnp":"2","age":0x1}'],
    ["a comment", '{"idnp":"2",/* */"age":1}'],
    ["more after the end", '{"idnp":"2","age":1} {}'],
    ["a raw line feed in a text", '{"idnp":"\n","age":1}'],
    ["an unknown escape", '{"idnp":"\\x41","age":1}'],
    ["half a surrogate pair", '{"idnp":"\\ud800","age":1}'],
    ["a cut text", '{"idnp":"2'],
    ["a cut object", '{"idnp":"2","age":1'],
    ["a cut word", '{"idnp":"2","age":1,"born":nul}'],
    ["a byte order mark", '\ufeff{"idnp":"2","age":1}'],
    ["a form feed as white space", '{\f"idnp":"2","age":1}'],
  ])("is refused: %s", (_, text) => {
    expect(refusal(text).code).toBe("json-malformed");
  });
  it("is refused: bytes that are not UTF-8", () => {
    expect(refusal(Uint8Array.of(123, 34, 0xc3, 0x28, 34)).code).toBe("json-malformed");
  });
  it("has line and column", () => {
    expect(refusal('{\n "idnp": "2",\n "age" 1}').places[0]).toMatchObject({ line: 3, column: 8 });
  });
});

describe("depth", () => {
  const nested = (levels: number) => '{"idnp":"2","age":1,"children":['.repeat(levels) + "]}".repeat(levels);
  it("of 64 levels is read, more is refused", () => {
    expect(read(nested(32))).toBeDefined();
    expect(refusal(nested(33)).code).toBe("json-limit");
  });
  it("is bounded in what is read over, too", () => {
    expect(refusal(`{"x":${"[".repeat(1_000_000)}`).code).toBe("json-limit");
  });
});

describe("writing", () => {
  it("gives every member, in the schema's order", () => {
    const text = Buffer.from(codec.write({ age: 30, idnp: 'a"b\\\n' })).toString();
    expect(text).toBe(
      '{"idnp":"a\\"b\\\\\\n","age":30,"revision":1,"born":null,"at":null,"income":null,"photo":null,"sex":null,"children":[],"notes":{}}',
    );
  });
  it("writes big whole numbers as text and bytes as base64", () => {
    const text = Buffer.from(codec.write({ idnp: "2", age: 1, revision: 2n ** 60n, photo: Uint8Array.of(255), income: "7" })).toString();
    expect(JSON.parse(text)).toMatchObject({ revision: "1152921504606846976", photo: "/w==", income: "7.00" });
  });
  it.each([
    ["an unknown member", { idnp: "2", age: 1, extra: 1 }, "extra"],
    ["a missing member", { idnp: "2" }, "age"],
    ["a wrong kind deep inside", { idnp: "2", age: 1, children: [{ idnp: "3", age: "4" }] }, "children[0].age"],
  ])("refuses %s", (_, value, path) => {
    try {
      codec.write(value);
      expect.unreachable();
    } catch (error) {
      expect(error).toMatchObject({ code: "json-violation", places: [{ path }] });
    }
  });
  it("refuses a cycle", () => {
    const value: Record<string, unknown> = { idnp: "2", age: 1 };
    value["children"] = [value];
    expect(() => codec.write(value)).toThrow(BusError);
  });
});

it.each([
  ["text and bytes", ["string", "bytes"]],
  ["text and long", ["string", "long"]],
])("a union of %s has no JSON form", (_, union) => {
  const schemaText = JSON.stringify({ type: "record", name: "R", fields: [{ name: "f", type: union }] });
  expect(() => jsonCodec(compileType({ id: "a.b.v1", schemaId: 1, schemaText }))).toThrow(/no JSON form/);
});
