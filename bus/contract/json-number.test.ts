/** Numbers of the JSON twin: what a literal says is what is read, or it is refused. Nothing is rounded into another value. */
import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { refusal } from "#test/harness/refusal.ts";
import { compileType } from "./avro.ts";
import { jsonCodec } from "./json.ts";

const codecOf = (type: unknown) =>
  jsonCodec(
    compileType({ id: "a.b.v1", schemaId: 1, schemaText: JSON.stringify({ type: "record", name: "R", fields: [{ name: "n", type }] }) }),
  );
const [int, long, float, double] = ["int", "long", "float", "double"].map(codecOf) as [Codec, Codec, Codec, Codec];
type Codec = ReturnType<typeof codecOf>;
const read = (codec: Codec, literal: string): unknown => codec.read(Buffer.from(`{"n":${literal}}`))["n"];

/** The literal as an exact fraction: whole number and power of ten. */
function exact(literal: string): { digits: bigint; power: number } {
  const [mantissa = "", exponent = "0"] = literal.toLowerCase().split("e");
  const [whole = "", fraction = ""] = mantissa.split(".");
  return { digits: BigInt(whole + fraction), power: Number(exponent) - fraction.length };
}

/** The whole number a literal stands for; undefined where it has a fraction. */
function wholeOf(literal: string): bigint | undefined {
  const { digits, power } = exact(literal);
  if (power >= 0) return digits * 10n ** BigInt(power);
  const divisor = 10n ** BigInt(-power);
  return digits % divisor === 0n ? digits / divisor : undefined;
}

describe("a whole number", () => {
  it.each([
    ["1", 1],
    ["1.0", 1],
    ["1.000", 1],
    ["10e-1", 1],
    ["1.5e1", 15],
    ["1e3", 1000],
    ["-0", -0],
    ["0e-999", 0],
    ["-0.0e5", -0],
    ["100E-2", 1],
    ["2147483647.0", 2_147_483_647],
  ])("may be written %s", (literal, value) => {
    expect(Number(read(int, literal)) + 0).toBe(value + 0);
    expect(Number(read(long, literal)) + 0).toBe(value + 0);
  });

  it.each(["0.5", "1e-1", "1.00000000000000000001", "0.99999999999999999999", "1e-400", "15e-1", "4503599627370496.4", "10.01e1"])(
    "is not %s, although a double may round it to one",
    (literal) => {
      expect(refusal(() => read(int, literal)).places[0]?.text).toBe("expected a whole number of 32 bits");
      expect(refusal(() => read(long, literal)).places[0]?.text).toBe("expected a whole number of 64 bits");
    },
  );

  it("of a megabyte of digits is judged in one pass", () => {
    const zeros = "0".repeat(1_000_000);
    expect(read(int, `1.${zeros}`)).toBe(1);
    expect(refusal(() => read(int, `1.${zeros}1`)).code).toBe("json-violation");
    expect(refusal(() => read(long, `1${zeros}1`)).code).toBe("json-violation");
  });

  it("is read from a literal exactly where arithmetic without rounding finds one", () => {
    const digits = fc.bigInt({ min: 0n, max: 99_999_999n }).map(String);
    const literal = fc
      .tuple(fc.constantFrom("", "-"), digits, fc.option(fc.stringMatching(/^[0-9]{1,9}$/u)), fc.option(fc.integer({ min: -25, max: 8 })))
      .map(
        ([sign, whole, fraction, power]) => `${sign}${whole}${fraction === null ? "" : `.${fraction}`}${power === null ? "" : `e${power}`}`,
      );
    const seen = { whole: 0, broken: 0 };
    fc.assert(
      fc.property(literal, (text) => {
        const wanted = wholeOf(text);
        seen[wanted === undefined ? "broken" : "whole"]++;
        const fits = wanted !== undefined && BigInt.asIntN(32, wanted) === wanted;
        if (fits) expect(BigInt(Number(read(int, text)))).toBe(wanted);
        else expect(refusal(() => read(int, text)).code).toBe("json-violation");
        const safe = wanted !== undefined && Number.isSafeInteger(Number(wanted));
        if (safe) expect(BigInt(Number(read(long, text)))).toBe(wanted);
        else expect(refusal(() => read(long, text)).code).toBe("json-violation");
      }),
      { numRuns: 2_000 },
    );
    expect(Math.min(seen.whole, seen.broken)).toBeGreaterThan(100);
  });

  it.each(["9007199254740991", "-9007199254740991"])("of 53 bits is taken as a number: %s", (literal) => {
    expect(read(long, literal)).toBe(Number(literal));
  });
  it.each(["9007199254740992", "1e16", "-9223372036854775808", "1e300"])("beyond 53 bits is asked for as text: %s", (literal) => {
    expect(refusal(() => read(long, literal)).places[0]?.text).toContain("write it as text");
  });
  it.each(['"9223372036854775807"', '"-9223372036854775808"'])("of 64 bits is taken as text: %s", (literal) => {
    expect(String(read(long, literal))).toBe(JSON.parse(literal));
  });
  it.each(['"9223372036854775808"', '"1.0"', '"1e3"', '"01"', '"+1"', '""', '" 1"', '"0x10"', `"${"9".repeat(1000)}"`])(
    "as text is its plain digits: not %s",
    (literal) => {
      expect(refusal(() => read(long, literal)).code).toBe("json-violation");
    },
  );
});

describe("a number of 32 bits", () => {
  it.each(["3.4028234663852886e38", "-3.4028234663852886e38", "1e-50", "0.1", "16777217"])("takes %s", (literal) => {
    const type = compileType({
      id: "a.b.v1",
      schemaId: 1,
      schemaText: '{"type":"record","name":"R","fields":[{"name":"n","type":"float"}]}',
    });
    const value = Number(read(float, literal));
    expect(value).toBe(Number(literal));
    expect(type.decode(type.encode({ n: value }))["n"]).toBe(Math.fround(value));
  });
  it.each(["3.5e38", "1e39", "-1e300", "1e308"])("refuses %s, which would become infinite on the way", (literal) => {
    expect(refusal(() => read(float, literal)).places[0]?.text).toBe("expected a number of 32 bits");
    expect(read(double, literal)).toBe(Number(literal));
    expect(refusal(() => float.write({ n: Number(literal) })).code).toBe("json-violation");
  });
  it("and one of 64 bits refuse what even a double cannot hold", () => {
    for (const codec of [float, double]) expect(refusal(() => read(codec, "1e309")).code).toBe("json-violation");
  });
});
