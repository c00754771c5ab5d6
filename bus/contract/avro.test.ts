import { describe, expect, it } from "vitest";
import { BusError } from "../errors.ts";
import { compileType } from "./avro.ts";

const PERSON = JSON.stringify({
  type: "record",
  name: "Person",
  namespace: "md.asp",
  fields: [
    { name: "idnp", type: "string", personal: true, key: true },
    { name: "surname", type: "string", personal: true },
    { name: "birthDate", type: { type: "int", logicalType: "date" } },
    { name: "changedAt", type: { type: "long", logicalType: "timestamp-millis" } },
    { name: "income", type: ["null", { type: "bytes", logicalType: "decimal", precision: 10, scale: 2 }], default: null },
    { name: "revision", type: "long", default: 1 },
    { name: "sex", type: { type: "enum", name: "Sex", symbols: ["F", "M"] } },
    { name: "photo", type: ["null", "bytes"], default: null },
    { name: "score", type: ["null", "double"] },
    {
      name: "residence",
      type: {
        type: "record",
        name: "Address",
        fields: [
          { name: "country", type: "string", default: "MD" },
          { name: "since", type: ["null", { type: "int", logicalType: "date" }], default: null },
        ],
      },
    },
    { name: "former", type: { type: "array", items: "Address" }, default: [] },
    { name: "names", type: { type: "map", values: "string" }, default: {} },
    { name: "health", type: ["null", "string"], default: null, sensitivity: "special-category" },
  ],
});

const person = compileType({ id: "person.response.v1", schemaText: PERSON, schemaId: 7 });
const VALUE = {
  idnp: "2000000000000",
  surname: "Țurcanu",
  birthDate: "1990-02-28",
  changedAt: "2026-01-31T08:00:00.000Z",
  income: "1250.50",
  revision: 3,
  sex: "F",
  photo: new Uint8Array([1, 2, 255]),
  score: 0.5,
  residence: { country: "MD", since: "0001-01-01" },
  former: [{ country: "RO", since: null }],
  names: { ro: "Ana" },
  health: null,
};

function caught(action: () => unknown): BusError {
  try {
    action();
  } catch (error) {
    if (error instanceof BusError) return error;
    throw error;
  }
  throw new Error("nothing was thrown");
}

describe("encode and decode", () => {
  it("gives back the value, framed with the schema id", () => {
    const body = person.encode(VALUE);
    expect([...body.subarray(0, 5)]).toEqual([0, 0, 0, 0, 7]);
    expect({ ...person.decode(body), photo: VALUE.photo }).toEqual(VALUE);
    expect([...(person.decode(body)["photo"] as Uint8Array)]).toEqual([1, 2, 255]);
  });

  it("owns its bytes: a second encode does not change the first", () => {
    const first = person.encode(VALUE);
    const copy = first.slice();
    person.encode({ ...VALUE, surname: "Other" });
    expect(first).toEqual(copy);
    expect(first.buffer.byteLength).toBe(first.length);
  });

  it("fills in defaults for what is absent", () => {
    const { idnp, surname, birthDate, changedAt, sex } = VALUE;
    const read = person.decode(person.encode({ idnp, surname, birthDate, changedAt, sex, residence: {} }));
    expect(read).toMatchObject({
      income: null,
      revision: 1,
      score: null,
      residence: { country: "MD", since: null },
      former: [],
      names: {},
    });
  });

  it("brings offsets to UTC and decimals to their scale", () => {
    const read = person.decode(person.encode({ ...VALUE, changedAt: "2026-01-31T10:00:00.1234567+02:00", income: "-0.5" }));
    expect(read).toMatchObject({ changedAt: "2026-01-31T08:00:00.123Z", income: "-0.50" });
  });

  it.each([2n ** 63n - 1n, -(2n ** 63n), 2n ** 53n, -(2n ** 53n)])("keeps the long %s exactly", (revision) => {
    expect(person.decode(person.encode({ ...VALUE, revision }))["revision"]).toBe(revision);
  });

  it("grows its buffer for big messages", () => {
    const surname = "ă".repeat(300_000);
    expect(person.decode(person.encode({ ...VALUE, surname }))["surname"]).toBe(surname);
  });
});

describe("a value that does not fit", () => {
  it("is refused with the path of each bad field and what was expected", () => {
    const error = caught(() =>
      person.encode({ ...VALUE, surname: 5, birthDate: "1990-02-30", sex: "X", residence: { contry: "MD" }, former: [{ since: "x" }] }),
    );
    expect(error.code).toBe("avro-violation");
    expect(error.places.map((place) => place.path)).toEqual(["surname", "birthDate", "sex", "residence.contry", "former[0].since"]);
    expect(error.places[2]?.text).toContain("one of F, M");
    expect(error.places[3]?.text).toContain("did you mean `country`?");
  });

  it("never shows the value itself", () => {
    const error = caught(() => person.encode({ ...VALUE, birthDate: "2000123456789" }));
    expect(JSON.stringify(error.places) + error.message).not.toContain("2000123456789");
  });

  it("says what is missing", () => {
    expect(caught(() => person.encode({})).places.map((place) => place.path)).toEqual([
      "idnp",
      "surname",
      "birthDate",
      "changedAt",
      "sex",
      "residence",
    ]);
  });

  it("names at most 20 places", () => {
    expect(person.check({ ...VALUE, former: Array.from({ length: 500 }, () => 1) })).toHaveLength(20);
  });

  it.each([
    ["an unknown field deep inside", { ...VALUE, former: [{ country: "RO", extra: 1 }] }],
    ["a lone surrogate", { ...VALUE, surname: "\ud800" }],
    ["a symbol that every object has", { ...VALUE, sex: "constructor" }],
    ["an unsafe number for a long", { ...VALUE, revision: 2 ** 53 }],
    ["a bigint beyond 64 bits", { ...VALUE, revision: 2n ** 63n }],
    ["a decimal with too many decimals", { ...VALUE, income: "1.001" }],
    ["a decimal with too many digits", { ...VALUE, income: "123456789.00" }],
    ["a number for a decimal", { ...VALUE, income: 1.5 }],
    ["a cycle", { ...VALUE, residence: VALUE }],
  ])("refuses %s", (_, value) => {
    expect(caught(() => person.encode(value)).code).toBe("avro-violation");
    expect(person.check(value)).not.toEqual([]);
  });
});

describe("marks and key", () => {
  it("are read from the fields", () => {
    expect(person.marks.get("idnp")).toEqual({ personal: true, key: true });
    expect(person.marks.get("health")).toEqual({ personal: true, key: false, sensitivity: "special-category" });
    expect(person.marks.has("revision")).toBe(false);
  });
  it("give the key as text", () => {
    expect(person.keyOf(VALUE)).toBe("2000000000000");
    expect(person.keyOf({})).toBeUndefined();
  });
});
