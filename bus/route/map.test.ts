import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { parseShape } from "../contract/parse.ts";
import type { RecordShape } from "../contract/shape.ts";
import type { Message } from "../envelope.ts";
import { BusError } from "../errors.ts";
import { checkMap } from "./map-check.ts";
import type { MapFile } from "./map-document.ts";
import { parseConvert } from "./map-converts.ts";
import { parseMap } from "./map-read.ts";
import { compileMap } from "./map.ts";

function read(text: string): MapFile {
  const { map, findings } = parseMap("m.map.yaml", text);
  expect(findings).toEqual([]);
  if (map === undefined) throw new Error("no map");
  return map;
}

const shape = (fields: unknown[]): RecordShape => parseShape({ type: "record", name: "test.Shape", fields }) as RecordShape;
const faults = (text: string): string[] => parseMap("m.map.yaml", text).findings.map((f) => `${f.line}:${f.column} ${f.rule} ${f.text}`);

function failure(run: () => unknown): BusError {
  try {
    run();
  } catch (error) {
    if (error instanceof BusError) return error;
    throw error;
  }
  throw new Error("nothing was thrown");
}

const message: Message = {
  envelope: {
    id: "m-1",
    source: "taxoffice/erp",
    type: "t",
    time: 1,
    correlationId: "c",
    contract: "person.request.v1",
    call: { user: "2000000000001" },
    headers: { "official-id": "A77" },
    body: new Uint8Array(),
  },
  value: {},
};

const FULL = `
map:
  personalCode: Query.Code
  birthDate: { from: Query.Born, convert: [trim, "date(dd.mm.yyyy)"] }
  status: { from: Query.State, table: { A: active, P: passive }, default: unknown }
  kind: { value: person }
  fullName: { concat: [Query.Given, Query.Middle, Query.Family], with: " " }
  long: { jsonata: "$length(Query.Family) > 3" }
  residence.country: Query.Home.Country
  residence.city: Query.Home.City
  changes: { each: Query.Changes.Change, map: { field: Name, by: $$.Query.Code, raw: $.x } }
  official: $headers.official-id
  user: $call.user
  message: $id
`.replace(", raw: $.x", "");

describe("a map", () => {
  it("makes the target of each kind of source", async () => {
    const value = {
      Query: {
        Code: "12345678901",
        Born: " 05.03.1994",
        State: "A",
        Given: "Ana",
        Family: "Rusu",
        Home: { Country: "MD", City: "Soroca" },
        Changes: { Change: [{ Name: "a" }, { Name: "b" }] },
      },
    };
    expect(await compileMap(read(FULL))(value, message)).toEqual({
      personalCode: "12345678901",
      birthDate: "1994-03-05",
      status: "active",
      kind: "person",
      fullName: "Ana Rusu",
      long: true,
      residence: { country: "MD", city: "Soroca" },
      changes: [
        { field: "a", by: "12345678901" },
        { field: "b", by: "12345678901" },
      ],
      official: "A77",
      user: "2000000000001",
      message: "m-1",
    });
  });

  it("leaves out what has no source, and takes defaults", () => {
    expect(compileMap(read(FULL))({ Query: { Code: "1", State: "Z" } }, undefined)).toEqual({
      personalCode: "1",
      status: "unknown",
      kind: "person",
    });
  });

  it("stays synchronous without JSONata, and awaits where it is needed", async () => {
    expect(compileMap(read("map: { a: x }"))({ x: 1 }, undefined)).toEqual({ a: 1 });
    const slow = compileMap(
      read('map: { a: { jsonata: "$sum(x)" }, b.c: { jsonata: "$max(x)" }, d: { each: y, map: { e: { jsonata: "$sum(z)" } } } }'),
    )({ x: [1, 2], y: [{ z: [3] }] }, undefined);
    expect(slow).toBeInstanceOf(Promise);
    expect(await slow).toEqual({ a: 3, b: { c: 2 }, d: [{ e: 3 }] });
  });

  it("takes a single item for a list of one, and `$` for the item itself", () => {
    const map = compileMap(read("map: { codes: { each: Code, map: { value: $ } } }"));
    expect(map({ Code: "7" }, undefined)).toEqual({ codes: [{ value: "7" }] });
    expect(map({ Code: ["7", "8"] }, undefined)).toEqual({ codes: [{ value: "7" }, { value: "8" }] });
  });

  it("maps a record from a path, and leaves it out with its source", () => {
    const map = compileMap(read("map: { home: { from: A.Home, map: { city: City, kind: { value: home } } } }"));
    expect(map({ A: { Home: { City: "Soroca" } } }, undefined)).toEqual({ home: { city: "Soroca", kind: "home" } });
    expect(map({ A: {} }, undefined)).toEqual({});
  });

  it("never shares a literal record between messages", () => {
    const map = compileMap(read("map: { a: { value: { list: [1] } } }"));
    const [first, second] = [map({}, undefined), map({}, undefined)];
    expect(first).toEqual(second);
    expect((first as { a: unknown }).a).not.toBe((second as { a: unknown }).a);
  });

  it("converts each item of a list", () => {
    expect(compileMap(read("map: { a: { from: x, convert: integer } }"))({ x: ["1", "2"] }, undefined)).toEqual({ a: [1, 2] });
  });
});

describe("a map with the target's shape known", () => {
  const target = shape([
    { name: "code", type: "string" },
    { name: "note", type: ["null", "string"] },
    { name: "state", type: "string", default: "new" },
    {
      name: "home",
      type: [
        "null",
        {
          type: "record",
          name: "Home",
          fields: [
            { name: "city", type: "string" },
            { name: "zip", type: ["null", "string"] },
          ],
        },
      ],
    },
    { name: "list", type: { type: "array", items: "string" } },
  ]);
  const map = compileMap(read("map:\n  code: c\n  home.city: city\n  home.zip: zip\n  list: l"), target);

  it("fills nullable fields with null and leaves those with a default to it", () => {
    expect(map({ c: "1", l: [] }, undefined)).toEqual({ code: "1", note: null, home: null, list: [] });
    expect(map({ c: "1", city: "Soroca", l: [] }, undefined)).toEqual({
      code: "1",
      note: null,
      home: { city: "Soroca", zip: null },
      list: [],
    });
  });

  it("fails for a required field without a value, naming field, file and line and no value", () => {
    const error = failure(() => map({ l: ["secret"] }, undefined));
    expect([error.code, error.message]).toEqual([
      "map-failed",
      "m.map.yaml:2: required field `code` has no value: its source is missing or not mapped",
    ]);
  });

  it("judges a record that stays by its required fields", () => {
    expect(failure(() => map({ c: "1", zip: "3000", l: [] }, undefined)).message).toContain("m.map.yaml:3: required field `home.city`");
  });
});

describe("a failing map", () => {
  it.each([
    ["map:\n  a: { from: x, convert: number }", "m.map.yaml:2: target `a`: `number` cannot read the value of x"],
    ["map:\n  a.b: { from: x, table: { A: 1 } }", "m.map.yaml:2: target `a.b`: the value of x is not in the table; add it, or a `default`"],
    [
      "map:\n  a: { jsonata: 'x > 5' }",
      "m.map.yaml:2: target `a`: m.map.yaml:2: the expression failed: `>` cannot compare a string with a number",
    ],
    [
      "map:\n  l: { each: y, map: { a: { from: $$.x, convert: integer } } }",
      "m.map.yaml:2: target `l[].a`: `integer` cannot read the value of $$.x",
    ],
  ])("%s", (text, expected) => {
    const error = failure(() => compileMap(read(text))({ x: "secret", y: [{}] }, undefined));
    expect([error.code, error.message]).toEqual(["map-failed", expected]);
  });
});

describe("reading a map file", () => {
  it.each([
    ["nothing: 1", "1:1 unknown-field `nothing` is not a field of a map file; only `map` is"],
    ["map:\n  a: { form: x }", "2:8 unknown-field `form` is not a field of a source; did you mean `from`?"],
    ["map:\n  a: { from: x, with: y }", "2:17 map-shape `with` does not go with `from`"],
    ["map:\n  a: { each: x }", "2:6 map-shape `map` with the fields of the record is missing"],
    ["map:\n  a: { from: x, convert: dat }", "2:26 map-convert `dat` is no convert; known are trim, upper"],
    ["map:\n  a: 5", "2:6 map-shape a source is a path"],
    ["map:\n  a: x[0]", "2:6 map-path `x[0]` is no field path"],
    ["map:\n  a: x\n  a.b: y", "3:3 map-target-twice `a.b` is mapped on line 2 already"],
    ["map:\n  a: { concat: x }", "2:16 map-shape `concat` takes a list of paths"],
    ["map:\n  a: { from: x, table: [1] }", "2:24 map-shape `table` takes source values"],
    ["map:\n  a: [x", "yaml"],
    ["map:\n  __proto__.x: y", "2:3 map-path"],
  ])("%j", (text, expected) => {
    const found = faults(text);
    expect(found.some((fault) => fault.includes(expected))).toBe(true);
    expect(parseMap("m", text).map).toBeUndefined();
  });

  it("does not make records of a prototype's members", () => {
    expect(compileMap(read("map: { a: constructor, b: x.toString }"))({ x: {} }, undefined)).toEqual({});
  });
});

describe("converts", () => {
  it.each([
    ["date(dd.mm.yyyy)", "29.02.2024", "2024-02-29"],
    ["date(dd.mm.yyyy)", "29.02.2023", undefined],
    ["date(dd.mm.yyyy)", "2023-01-01", undefined],
    ["date(yyyymmdd)", "20240131", "2024-01-31"],
    ["date(yyyy-mm-dd to dd/mm/yyyy)", "2024-01-31", "31/01/2024"],
    ["trim", "  a ", "a"],
    ["upper", "aș", "AȘ"],
    ["lower", "AȘ", "aș"],
    ["digits", "2-000 01", "200001"],
    ["text", 12, "12"],
    ["text", true, "true"],
    ["text", {}, undefined],
    ["number", " 12.5 ", 12.5],
    ["number", "007", 7],
    ["number", "0x10", undefined],
    ["number", "", undefined],
    ["integer", "9007199254740993", 9007199254740993n],
    ["integer", "1.0", undefined],
    ["decimal", "+1.50", "1.50"],
    ["decimal", "1,50", undefined],
    ["decimal-comma", "1.234,50", "1234.50"],
    ["decimal-comma", "1 234,5", "1234.5"],
    ["decimal-comma", "1.23", undefined],
    ["boolean", "TRUE", true],
    ["boolean", "0", false],
    ["boolean", "yes", undefined],
  ])("%s of %j", (name, given, expected) => {
    expect(parseConvert(name)?.run(given)).toBe(expected);
  });

  it.each(["date()", "date(dd.mm)", "date(dd.mm.yy)", "date(dd.dd.yyyy)", "date(abc dd.mm.yyyy)", "nope"])("has no %s", (name) => {
    expect(parseConvert(name)).toBeUndefined();
  });

  it("reads back every day it writes", () => {
    const there = parseConvert("date(yyyy-mm-dd to dd.mm.yyyy)");
    const back = parseConvert("date(dd.mm.yyyy)");
    fc.assert(
      fc.property(fc.date({ min: new Date("0001-01-01"), max: new Date("9999-12-31"), noInvalidDate: true }), (date) => {
        const day = date.toISOString().slice(0, 10);
        expect(back?.run(there?.run(day))).toBe(day);
      }),
    );
  });
});

describe("any map of paths", () => {
  const name = fc.stringMatching(/^[a-z][a-z0-9]{0,4}$/);
  const path = fc.array(name, { minLength: 1, maxLength: 4 });
  const distinct = fc.uniqueArray(path, { minLength: 1, maxLength: 6, comparator: (a, b) => startsWith(a, b) || startsWith(b, a) });

  it("puts at each target what stands at its source", () => {
    fc.assert(
      fc.property(distinct, fc.array(fc.integer(), { minLength: 6, maxLength: 6 }), distinct, (targets, values, sources) => {
        const pairs = targets.slice(0, sources.length).map((target, i) => ({ target, source: sources[i] ?? [], value: values[i] }));
        const source = {};
        for (const pair of pairs) setAt(source, pair.source, pair.value);
        const text = `map:\n${pairs.map((pair) => `  ${quote(pair.target)}: ${quote(pair.source)}`).join("\n")}`;
        const result = compileMap(read(text))(source, undefined);
        for (const pair of pairs) expect(getAt(result, pair.target)).toBe(pair.value);
        expect(leaves(result)).toBe(pairs.length);
      }),
    );
  });

  const quote = (names: readonly string[]): string => JSON.stringify(names.join("."));
  const startsWith = (a: readonly string[], b: readonly string[]): boolean => b.every((part, i) => a[i] === part);
  const leaves = (value: unknown): number =>
    typeof value === "object" && value !== null ? Object.values(value).reduce<number>((sum, inner) => sum + leaves(inner), 0) : 1;

  function setAt(root: Record<string, unknown>, names: readonly string[], value: unknown): void {
    let at = root;
    for (const part of names.slice(0, -1)) at = (at[part] ??= {}) as Record<string, unknown>;
    at[names.at(-1) ?? ""] = value;
  }
  function getAt(root: unknown, names: readonly string[]): unknown {
    return names.reduce<unknown>((at, part) => (at as Record<string, unknown>)[part], root);
  }
});

describe("checking a map against the shapes", () => {
  const source = shape([
    { name: "Code", type: "string" },
    { name: "Age", type: "int" },
    { name: "Note", type: ["null", "string"] },
    { name: "Home", type: ["null", { type: "record", name: "Home", fields: [{ name: "City", type: "string" }] }] },
    { name: "Changes", type: { type: "array", items: { type: "record", name: "Change", fields: [{ name: "Name", type: "string" }] } } },
  ]);
  const target = shape([
    { name: "code", type: "string" },
    { name: "age", type: ["null", "int"], default: null },
    { name: "state", type: ["null", { type: "enum", name: "State", symbols: ["on", "off"] }], default: null },
    { name: "born", type: ["null", { type: "int", logicalType: "date" }], default: null },
    {
      name: "changes",
      type: { type: "array", items: { type: "record", name: "Change", fields: [{ name: "field", type: "string" }] } },
      default: [],
    },
    { name: "home", type: ["null", { type: "record", name: "Home", fields: [{ name: "city", type: "string" }] }], default: null },
  ]);
  const check = (text: string): string[] => checkMap(read(text), source, target).map((f) => `${f.line} ${f.severity} ${f.rule} ${f.text}`);

  it("finds nothing wrong with a sound map", () => {
    expect(
      check(
        "map:\n  code: Code\n  age: Age\n  changes: { each: Changes, map: { field: Name } }\n  home: { from: Home, map: { city: City } }",
      ),
    ).toEqual([]);
  });

  it.each([
    ["age: { value: 5 }"],
    ["age: { value: null }"],
    ["age: { value: -2147483648 }"],
    ["age: { from: Note, table: { A: 1, B: 2 }, default: 0 }"],
    ["state: { from: Note, table: { A: on, B: off }, default: off }"],
    ["changes: { value: [{ field: x }] }"],
    ["home: { value: { city: x } }"],
  ])("lets a literal of the target's kind stand: %s", (line) => {
    expect(check(`map:\n  code: Code\n  ${line}`)).toEqual([]);
  });

  it.each([
    ["map: { age: Age }", "1 error map-target-missing required field `code` of the target is not mapped; add it ("],
    ["map:\n  code: Cod", "2 error map-source-unknown the source has no field `Cod`; did you mean `Code`?"],
    ["map:\n  code: Home.Town", "2 error map-source-unknown `Home` of the source has no field `Town`"],
    ["map:\n  code: Code\n  stat: Code", "3 error map-target-unknown the target has no field `stat`; did you mean `state`?"],
    ["map:\n  code: Age", "2 error map-type `Age` is"],
    ["map:\n  code: Note", "2 warn map-source-optional `Note` may be absent but `code` is required"],
    ["map:\n  code: Home.City", "2 warn map-source-optional"],
    ["map:\n  code: Changes.Name", "2 error map-list `Changes` is a list"],
    ["map:\n  code: Code\n  changes: { each: Code, map: { field: $ } }", "3 error map-list `Code` is"],
    ["map:\n  code: Code\n  state: { from: Note, table: { A: onn } }", "3 error map-type `state` is one of on, off; the table gives `onn`"],
    ["map:\n  code: Code\n  born: Note", "3 warn map-type `Note` is any text but `born` is"],
    ["map:\n  code: Code\n  age: { from: Note, convert: text }", "3 error map-type `age` is"],
    [
      "map:\n  code: Code\n  changes: { each: Changes, map: { fild: Name } }",
      "3 error map-target-missing required field `changes[].field`",
    ],
    ["map:\n  code: Code\n  home.town: Code", "3 error map-target-unknown the target has no field `home.town`"],
    ["map:\n  code: { value: null }", "2 error map-type `code` may not be null"],
    ["map:\n  code: { value: 007 }", '2 error map-type `code` is text; the literal is `7`, a number; write it in quotes: "7"'],
    ["map:\n  code: { value: true }", '2 error map-type `code` is text; the literal is `true`, true or false; write it in quotes: "true"'],
    ["map:\n  code: { value: [a] }", '2 error map-type `code` is text; the literal is `["a"]`, a list'],
    [
      'map:\n  code: Code\n  age: { value: "5" }',
      "3 error map-type `age` is a whole number of 32 bits; the literal is `5`, a text; write 5 without quotes",
    ],
    ["map:\n  code: Code\n  age: { value: 2.5 }", "3 error map-type `age` is a whole number of 32 bits; the literal is `2.5`"],
    [
      "map:\n  code: Code\n  age: { value: 3000000000 }",
      "3 error map-type `age` is a whole number of 32 bits; the literal is `3000000000`",
    ],
    ["map:\n  code: Code\n  state: { value: onn }", "3 error map-type `state` is one of on, off; the literal is `onn`"],
    ["map:\n  code: Code\n  home: { value: x }", "3 error map-type `home` is"],
    [
      "map:\n  code: { from: Note, table: { A: 1 } }",
      '2 error map-type `code` is text; the table gives `1`, a number; write it in quotes: "1"',
    ],
    [
      "map:\n  code: { from: Note, table: { A: a }, default: 0 }",
      '2 error map-type `code` is text; the default is `0`, a number; write it in quotes: "0"',
    ],
    [
      "map:\n  code: { from: Note, default: false }",
      '2 error map-type `code` is text; the default is `false`, true or false; write it in quotes: "false"',
    ],
  ])("%j", (text, expected) => {
    expect(check(text).some((line) => line.startsWith(expected))).toBe(true);
  });
});
