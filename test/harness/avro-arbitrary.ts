/** Arbitrary Avro record schemas and values that fit them, for property tests. Values have the bus's in-memory shapes, canonical. */
import * as fc from "fast-check";

type Json = Readonly<Record<string, unknown>>;
/** A type to be: `schema` is made with a counter for names, `value` gives values of it. */
export type Plan = Readonly<{ look: string; schema: (name: () => string) => unknown; value: fc.Arbitrary<unknown> }>;

const text = fc.string({ unit: "binary", maxLength: 12 }).filter((value) => value.isWellFormed());
const date = fc
  .date({ min: new Date("0001-01-01T00:00:00Z"), max: new Date("9999-12-31T23:59:59.999Z"), noInvalidDate: true })
  .map((value) => value.toISOString());

const plain = (schema: unknown, look: string, value: fc.Arbitrary<unknown>): Plan => ({ look, schema: () => schema, value });

const long = fc.oneof(fc.maxSafeInteger(), fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n })).map((value) => {
  return typeof value === "bigint" && Number.isSafeInteger(Number(value)) ? Number(value) : value;
});

const decimals = fc.record({ precision: fc.integer({ min: 1, max: 20 }), cut: fc.nat(20) }).map(({ precision, cut }): Plan => {
  const scale = Math.min(precision, cut);
  const limit = 10n ** BigInt(precision) - 1n;
  const value = fc.bigInt({ min: -limit, max: limit }).map((whole) => {
    const digits = (whole < 0n ? -whole : whole).toString().padStart(scale + 1, "0");
    const body = scale === 0 ? digits : `${digits.slice(0, -scale)}.${digits.slice(-scale)}`;
    return whole < 0n ? `-${body}` : body;
  });
  return plain({ type: "bytes", logicalType: "decimal", precision, scale }, "text+bytes", value);
});

const enums = fc.integer({ min: 1, max: 5 }).map((count): Plan => ({
  look: "text",
  schema: (name) => ({ type: "enum", name: name(), symbols: Array.from({ length: count }, (_, i) => `S${i}`) }),
  value: fc.nat(count - 1).map((i) => `S${i}`),
}));

const leaves: readonly fc.Arbitrary<Plan>[] = [
  fc.constant(plain("null", "nothing", fc.constant(null))),
  fc.constant(plain("boolean", "boolean", fc.boolean())),
  fc.constant(plain("int", "number", fc.integer())),
  fc.constant(plain("long", "number", long)),
  fc.constant(
    plain(
      "double",
      "number",
      fc.double({ noNaN: true, noDefaultInfinity: true }).map((value) => value + 0),
    ),
  ),
  fc.constant(plain("string", "text", text)),
  fc.constant(
    plain(
      { type: "int", logicalType: "date" },
      "text+number",
      date.map((iso) => iso.slice(0, 10)),
    ),
  ),
  fc.constant(plain({ type: "long", logicalType: "timestamp-millis" }, "text+number", date)),
  fc.constant(plain("bytes", "bytes", fc.uint8Array({ maxLength: 12 }))),
  decimals,
  enums,
];

const fieldName = fc.stringMatching(/^[a-zA-Z_][a-zA-Z0-9_]{0,6}$/).filter((name) => name !== "__proto__");

function recordOf(fields: readonly (readonly [string, Plan])[]): Plan {
  return {
    look: "object",
    schema: (name) => ({ type: "record", name: name(), fields: fields.map(([field, plan]) => ({ name: field, type: plan.schema(name) })) }),
    value: fc.record(Object.fromEntries(fields.map(([field, plan]) => [field, plan.value]))),
  };
}

const plans = fc.letrec<{ type: Plan; record: Plan }>((tie) => ({
  type: fc.oneof(
    { depthSize: "small", withCrossShrink: true },
    ...leaves,
    tie("type").map((item): Plan => ({
      look: "list",
      schema: (name) => ({ type: "array", items: item.schema(name) }),
      value: fc.array(item.value, { maxLength: 4 }),
    })),
    tie("type").map((item): Plan => ({
      look: "object",
      schema: (name) => ({ type: "map", values: item.schema(name) }),
      value: fc.dictionary(
        text.filter((key) => key !== "__proto__"),
        item.value,
        { maxKeys: 3, noNullPrototype: true },
      ),
    })),
    fc.array(tie("type"), { minLength: 1, maxLength: 3 }).map(unionOf),
    tie("record"),
  ),
  record: fc.uniqueArray(fc.tuple(fieldName, tie("type")), { selector: ([name]) => name, maxLength: 5 }).map(recordOf),
}));

/** A union of those plans whose values cannot be confused; unions in unions are left out. */
function unionOf(candidates: readonly Plan[]): Plan {
  const taken = new Set<string>();
  const branches = candidates.filter((plan) => {
    const looks = plan.look.split("+");
    if (plan.look === "union" || looks.some((look) => taken.has(look))) return false;
    for (const look of looks) taken.add(look);
    return true;
  });
  const [first] = candidates;
  if (branches.length === 0) return first ?? plain("null", "nothing", fc.constant(null));
  return {
    look: "union",
    schema: (name) => branches.map((plan) => plan.schema(name)),
    value: fc.oneof(...branches.map((plan) => plan.value)),
  };
}

function build(plan: Plan): Json {
  let count = 0;
  return plan.schema(() => `T${count++}`) as Json;
}

/** Whether a schema has a union of two of text, bytes and long, which has no JSON form. */
export function ambiguousInJson(schema: unknown): boolean {
  if (Array.isArray(schema)) {
    const kinds = schema.map((branch: unknown) =>
      typeof branch === "string" ? branch : String((branch as Json)["logicalType"] ?? (branch as Json)["type"]),
    );
    const textual = ["string", "enum", "date", "timestamp-millis", "decimal", "bytes", "long"];
    return kinds.filter((kind) => textual.includes(kind)).length > 1 || schema.some(ambiguousInJson);
  }
  return typeof schema === "object" && schema !== null && Object.values(schema).some(ambiguousInJson);
}

export type Sample = Readonly<{ schema: Json; value: Record<string, unknown> }>;

/** A schema whose root is a record, with one value of it. */
export const sample: fc.Arbitrary<Sample> = plans.record.chain((plan) =>
  plan.value.map((value) => ({ schema: build(plan), value: value as Record<string, unknown> })),
);

/** A schema alone. */
export const schemaOnly: fc.Arbitrary<Json> = plans.record.map(build);
