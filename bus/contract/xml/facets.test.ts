/** Every facet at its boundary and every built-in type at its edges, judged by libxml2 too. */
import { describe, expect, it } from "vitest";
import { refusal } from "#test/harness/refusal.ts";
import { xmlText, xsdJudge, xsdOfSimple } from "#test/harness/xsd-judge.ts";
import { BusError } from "../../errors.ts";
import { canonicalDecimal, compareDecimals } from "./builtins.ts";
import { compileXmlCodec } from "./codec.ts";
import { loadSchemas } from "./schema.ts";

const S = (inner: string): string => `<xs:simpleType name="S">${inner}</xs:simpleType>`;
const restricted = (base: string, facets = ""): string => S(`<xs:restriction base="xs:${base}">${facets}</xs:restriction>`);
const facet = (name: string, value: string | number): string => `<xs:${name} value="${value}"/>`;
const avro = { type: "record", name: "M", fields: [{ name: "a", type: "string" }] } as const;

function codecOf(simpleType: string) {
  const schemas = loadSchemas([{ file: "test.xsd", text: xsdOfSimple(simpleType) }], { resolve: () => undefined });
  return compileXmlCodec({ schemas, element: { ns: "urn:test", local: "m" }, avro });
}
const documentOf = (text: string): string => `<t:m xmlns:t="urn:test"><t:a>${xmlText(text)}</t:a></t:m>`;

/** Reads each text, compares with libxml2, and gives those that fit. */
function judged(simpleType: string, texts: readonly string[]): string[] {
  const codec = codecOf(simpleType);
  using judge = xsdJudge(xsdOfSimple(simpleType));
  return texts.filter((text) => {
    let fits = true;
    try {
      codec.read(Buffer.from(documentOf(text)));
    } catch (error) {
      if (!(error instanceof BusError) || error.code !== "xsd-violation") throw error;
      fits = false;
    }
    expect([text, fits]).toEqual([text, judge.isValid(documentOf(text))]);
    return fits;
  });
}

describe("whole numbers", () => {
  it.each<[string, bigint | undefined, bigint | undefined]>([
    ["byte", -128n, 127n],
    ["unsignedByte", 0n, 255n],
    ["short", -32_768n, 32_767n],
    ["unsignedShort", 0n, 65_535n],
    ["int", -2_147_483_648n, 2_147_483_647n],
    ["unsignedInt", 0n, 4_294_967_295n],
    ["long", -9_223_372_036_854_775_808n, 9_223_372_036_854_775_807n],
    ["unsignedLong", 0n, 18_446_744_073_709_551_615n],
    ["nonNegativeInteger", 0n, undefined],
    ["positiveInteger", 1n, undefined],
    ["nonPositiveInteger", undefined, 0n],
    ["negativeInteger", undefined, -1n],
    ["integer", undefined, undefined],
  ])("of xs:%s end where the type ends", (name, min, max) => {
    const least = min ?? -(10n ** 22n);
    const most = max ?? 10n ** 22n;
    const good = [least, least + 1n, most - 1n, most].map(String);
    const outside = [...(min === undefined ? [] : [String(min - 1n)]), ...(max === undefined ? [] : [String(max + 1n)])];
    const odd = ["", " ", "+", "-", "1.0", "1e1", "0x1", "one", "1 2", "--1", "1,0", "٣"];
    expect(judged(restricted(name), [...good, ...outside, ...odd])).toEqual(good);
    const signed = [`+${most < 0n ? 1 : most}`, ` ${least}\n`, `000${most < 0n ? "" : most}`];
    judged(restricted(name), signed);
  });
});

describe("bounds", () => {
  it.each<[string, string, string, string]>([
    ["int", "-1", "0", "1"],
    ["decimal", "0.999", "1.000", "1.001"],
    ["decimal", "-99999999999999999999.2", "-99999999999999999999.1", "-99999999999999999999"],
    ["double", "1.4E0", "15e-1", "1.6"],
    ["date", "2024-02-28", "2024-02-29", "2024-03-01"],
    ["date", "2026-01-01+14:00", "2026-01-01+13:59", "2026-01-01Z"],
    ["dateTime", "2026-01-31T07:59:59.999Z", "2026-01-31T08:00:00Z", "2026-01-31T08:00:00.001Z"],
    ["dateTime", "2026-01-31T09:00:00+02:00", "2026-01-31T08:00:00Z", "2026-01-31T08:00:00-00:01"],
    ["gYear", "1999", "2000", "2001"],
    ["gYearMonth", "1999-12", "2000-01", "2000-02"],
  ])("of xs:%s hold %s, %s and %s apart", (base, below, at, above) => {
    const texts = [below, at, above];
    expect(judged(restricted(base, facet("minInclusive", at)), texts)).toEqual([at, above]);
    expect(judged(restricted(base, facet("minExclusive", at)), texts)).toEqual([above]);
    expect(judged(restricted(base, facet("maxInclusive", at)), texts)).toEqual([below, at]);
    expect(judged(restricted(base, facet("maxExclusive", at)), texts)).toEqual([below]);
  });

  it("together make an interval", () => {
    const both = restricted("int", facet("minInclusive", 3) + facet("maxExclusive", 6));
    expect(judged(both, ["2", "3", "5", "6", "+4", "005"])).toEqual(["3", "5", "+4", "005"]);
  });

  it("a step of derivation may only narrow: both steps count", () => {
    const outer = `<xs:simpleType name="Outer"><xs:restriction base="xs:int">${facet("minInclusive", 0)}</xs:restriction></xs:simpleType>`;
    const inner = S(`<xs:restriction base="t:Outer">${facet("maxInclusive", 10)}</xs:restriction>`);
    expect(judged(outer + inner, ["-1", "0", "10", "11"])).toEqual(["0", "10"]);
  });

  it.each([
    ["decimal", "10,5"],
    ["int", "ten"],
    ["int", ""],
    ["date", "31.12.2026"],
    ["dateTime", "2026-01-31"],
    ["double", "much"],
  ])("of xs:%s that read %j are a fault of the schema: else no value could ever fit", (base, bound) => {
    const error = refusal(() => codecOf(restricted(base, facet("minInclusive", bound))));
    expect([error.code, error.message]).toEqual(["configuration", expect.stringContaining(`the bound ${bound} is no value of xs:${base}`)]);
    expect(error.places[0]?.line).toBe(1);
    expect(() => xsdJudge(xsdOfSimple(restricted(base, facet("minInclusive", bound))))).toThrow();
  });

  it.each(["string", "boolean", "hexBinary", "anyURI"])("of xs:%s are refused: it has no order", (base) => {
    expect(refusal(() => codecOf(restricted(base, facet("minInclusive", "0")))).code).toBe("configuration");
  });
});

describe("digits", () => {
  const texts = [
    "0",
    "0.0",
    "00",
    "1",
    "12",
    "123",
    "1234",
    "0012",
    "-123",
    "+123",
    "1.2",
    "1.23",
    "1.234",
    "12.3",
    "0.1",
    "0.12",
    "0.123",
    ".5",
    "5.",
    "1.2300",
    "100",
  ];
  it.each<[number, number | undefined]>([
    [1, undefined],
    [2, 1],
    [3, 0],
    [3, 2],
    [3, 3],
    [4, 2],
  ])("totalDigits %s with fractionDigits %s count what the value needs", (total, fraction) => {
    const facets = facet("totalDigits", total) + (fraction === undefined ? "" : facet("fractionDigits", fraction));
    const fits = judged(restricted("decimal", facets), texts);
    expect(fits).toContain("0");
    expect(fits.length).toBeLessThan(texts.length);
  });

  it("of whole numbers too", () => {
    expect(judged(restricted("integer", facet("totalDigits", 3)), ["999", "-999", "000999", "1000", "0"])).toEqual([
      "999",
      "-999",
      "000999",
      "0",
    ]);
  });
});

describe("lengths", () => {
  it("of text are characters, whatever bytes or surrogates they take", () => {
    const texts = ["", "a", "ab", "abc", "abcd", "ș", "șț", "𝄞", "𝄞𝄞", "𝄞𝄞𝄞", "e\u0301"];
    expect(judged(restricted("string", facet("length", 2)), texts)).toEqual(["ab", "șț", "𝄞𝄞", "e\u0301"]);
    expect(judged(restricted("string", facet("minLength", 1) + facet("maxLength", 2)), texts)).toEqual([
      "a",
      "ab",
      "ș",
      "șț",
      "𝄞",
      "𝄞𝄞",
      "e\u0301",
    ]);
  });
  it("of binary values are bytes", () => {
    expect(judged(restricted("hexBinary", facet("length", 2)), ["", "ab", "abcd", "ABCD", "abcdef", "abc", "xy", "ab cd"])).toEqual([
      "abcd",
      "ABCD",
    ]);
    expect(judged(restricted("base64Binary", facet("length", 2)), ["", "AA==", "AAA=", "AAAA", "AAB=", "A A A =", "AAA"])).toEqual([
      "AAA=",
      "A A A =",
    ]);
    expect(judged(restricted("base64Binary", facet("maxLength", 3)), ["", "AAAA", "AAAAAA=="])).toEqual(["", "AAAA"]);
  });
  it("of lists are their items", () => {
    const list = `<xs:simpleType name="L"><xs:list itemType="xs:int"/></xs:simpleType>${S(`<xs:restriction base="t:L">${facet("minLength", 1)}${facet("maxLength", 3)}</xs:restriction>`)}`;
    expect(judged(list, ["", "1", "1 2 3", " 1\n2\t3 ", "1 2 3 4", "1 x"])).toEqual(["1", "1 2 3", " 1\n2\t3 "]);
  });
  it("of none and of the largest", () => {
    expect(judged(restricted("string", facet("length", 0)), ["", " ", "a"])).toEqual([""]);
    expect(judged(restricted("string", facet("maxLength", 999_999_999)), ["", "a"])).toEqual(["", "a"]);
  });
});

describe("white space", () => {
  const texts = ["a", " a", "a ", "a  b", "a b", "a\tb", "a\nb", "\n", ""];
  it.each<[string, string, readonly string[]]>([
    ["string", "", ["a"]],
    ["normalizedString", "", ["a"]],
    ["token", "", ["a", " a", "a "]],
    ["string", facet("whiteSpace", "collapse"), ["a", " a", "a "]],
    ["string", facet("whiteSpace", "replace"), ["a"]],
  ])("of xs:%s %s counts before the enumeration looks", (base, more, fits) => {
    expect(judged(restricted(base, more + facet("enumeration", "a")), texts)).toEqual(fits);
  });
  it("collapsed is what is read", () => {
    expect(codecOf(restricted("token")).read(Buffer.from(documentOf("  a \n b\t")))).toEqual({ a: "a b" });
    expect(codecOf(restricted("normalizedString")).read(Buffer.from(documentOf(" a\nb ")))).toEqual({ a: " a b " });
    expect(codecOf(restricted("string")).read(Buffer.from(documentOf(" a\nb ")))).toEqual({ a: " a\nb " });
  });
});

describe("enumerations", () => {
  it.each<[string, readonly string[], readonly string[], readonly string[]]>([
    ["decimal", ["1.50", "2"], ["1.5", "01.50", "+2", "2.0"], ["1.51", "2.01", "-2"]],
    ["hexBinary", ["aB"], ["ab", "AB"], ["ac", ""]],
    ["string", ["A", ""], ["A", ""], ["a", "A "]],
    ["date", ["2026-01-31Z"], ["2026-01-31Z", "2026-01-31+00:00"], ["2026-01-30Z"]],
    ["NMTOKEN", ["a.b-c"], ["a.b-c", " a.b-c "], ["a.b"]],
  ])("of xs:%s compare values: %j", (base, values, good, bad) => {
    expect(judged(restricted(base, values.map((value) => facet("enumeration", value)).join("")), [...good, ...bad])).toEqual(good);
  });
});

describe("dates and times", () => {
  it.each<[string, readonly string[], readonly string[]]>([
    [
      "date",
      ["2024-02-29", "2000-02-29", "0001-01-01", "9999-12-31", "2026-01-31Z", "2026-01-31+14:00", "2026-01-31-14:00", "12026-01-01"],
      [
        "2023-02-29",
        "1900-02-29",
        "2026-04-31",
        "2026-13-01",
        "2026-00-01",
        "2026-01-00",
        "26-01-01",
        "2026-1-1",
        "2026-01-31+14:01",
        "2026-01-31+15:00",
        "2026-01-31 Z",
        "02026-01-01",
        "+2026-01-01",
        "",
      ],
    ],
    [
      "dateTime",
      ["2026-01-31T00:00:00", "2026-01-31T24:00:00", "2026-01-31T23:59:59.999999999Z", "2026-01-31T08:00:00.5+02:00"],
      [
        "2026-01-31T24:00:01",
        "2026-01-31T25:00:00",
        "2026-01-31T08:60:00",
        "2026-01-31T08:00:60",
        "2026-01-31T08:00",
        "2026-01-31 08:00:00",
        "2026-01-31t08:00:00Z",
        "2026-01-31T08:00:00z",
        "2026-01-31T08:00:00.",
      ],
    ],
    ["time", ["00:00:00", "23:59:59.9", "08:00:00Z", "08:00:00-13:30"], ["8:00:00", "08:00", "24:00:01", "08:00:00+1:00", ""]],
    ["gYear", ["2026", "0001", "12026", "2026Z", "-0044"], ["26", "02026", ""]],
    ["gYearMonth", ["2026-12", "2026-01+02:00"], ["2026-13", "2026-1", "2026"]],
    ["gMonth", ["--01", "--12Z"], ["--13", "--00", "-01", "01"]],
    ["gDay", ["---01", "---31", "---15-05:00"], ["---32", "---00", "--01"]],
    ["gMonthDay", ["--02-29", "--12-31"], ["--02-30", "--04-31", "--13-01", "--1-1"]],
    [
      "duration",
      ["P1Y", "P1M", "PT1M", "P1Y2M3DT4H5M6.7S", "-P1D", "PT0S"],
      ["P", "PT", "1Y", "P1S", "P-1D", "PT1.5M", "P1YT", "P1M1Y", ""],
    ],
  ])("of xs:%s", (name, good, bad) => {
    expect(judged(restricted(name), [...good, ...bad])).toEqual(good);
  });
});

describe("names, numbers with a point, and the rest", () => {
  it.each<[string, readonly string[], readonly string[]]>([
    ["boolean", ["true", "false", "1", "0", " true\n"], ["TRUE", "yes", "2", ""]],
    ["float", ["0", "-0", "1.5E3", "1e-50", "INF", "-INF", "NaN", "+1", ".5", "5."], ["inf", "+INF", "nan", "Infinity", "0x1", "1e1.5"]],
    ["double", ["1E400", "4.9E-324", "-1.7976931348623157E308"], ["1,5", "e1", "--1"]],
    ["decimal", ["0", "-0.0", "+.5", "5.", "99999999999999999999.99999"], ["1e1", ".", "+", "INF", "1_000", "1 000", ""]],
    ["language", ["ro", "ro-MD", "en-GB-oed", "x-abcdefgh"], ["", "ro_MD", "toolongtag1", "ro-", "-ro"]],
    ["NMTOKEN", ["a", "1a", "-.a", "a:b", "ș"], ["", "a b", "a/b", "a,b"]],
    ["NMTOKENS", ["a", "a b", " a  b "], ["a,b", "a /"]],
    ["NCName", ["a", "_a", "ă-1.b"], ["", "a:b", "1a", "-a", "a b"]],
    ["Name", ["a", "a:b", "_:a"], ["", "1a", "-a", "a b"]],
    ["hexBinary", ["", "00", "DeadBeef"], ["0", "0g", "0x00", "00 00"]],
    ["base64Binary", ["", "QQ==", "QUI=", "QUJD", "Q U J D"], ["Q", "QQ", "QQ=", "=QQ=", "QUJDRA"]],
  ])("xs:%s", (name, good, bad) => {
    expect(judged(restricted(name), [...good, ...bad])).toEqual(good);
  });

  it("a union takes what one of its members takes, each by its own white space", () => {
    const members = `<xs:simpleType name="Small"><xs:restriction base="xs:int">${facet("maxInclusive", 9)}</xs:restriction></xs:simpleType><xs:simpleType name="Word"><xs:restriction base="xs:string">${facet("enumeration", "many")}</xs:restriction></xs:simpleType>`;
    expect(judged(`${members}${S('<xs:union memberTypes="t:Small t:Word"/>')}`, ["9", "10", "many", "Many", "-5", ""])).toEqual([
      "9",
      "many",
      "-5",
    ]);
  });
});

describe("long decimals", () => {
  const zeros = "0".repeat(2_000_000);
  it.each<[string, string]>([
    [`0.${zeros}1`, "far behind the point"],
    [`${zeros}1.5`, "before the number"],
    [`1.${zeros}`, "behind the number"],
    [`0.${"01".repeat(500_000)}`, "everywhere"],
  ])("with zeros %#: %s, are judged in one pass", (text) => {
    const codec = codecOf(
      restricted("decimal", facet("totalDigits", 9) + facet("maxInclusive", "5") + facet("enumeration", "1.5") + facet("enumeration", "1")),
    );
    const read = (): unknown => codec.read(Buffer.from(documentOf(text)));
    if (canonicalDecimal(text).length < 9) expect(read()).toEqual({ a: text });
    else expect(refusal(read).code).toBe("xsd-violation");
  });

  it.each([
    ["+00.50", "0.5"],
    ["-0.0", "0"],
    [".5", "0.5"],
    ["5.", "5"],
    ["-007.070", "-7.07"],
    ["0", "0"],
    ["100", "100"],
    ["not a number", "not a number"],
  ])("%s is the same value as %s", (text, canonical) => {
    expect(canonicalDecimal(text)).toBe(canonical);
  });

  it("are in order however long they are", () => {
    const rising = [
      "-100000000000000000000.1",
      "-100000000000000000000.01",
      "-99999999999999999999",
      "-1",
      "-0.1",
      "0",
      "0.00000000000000000001",
      "0.1",
      "1",
      "9999999999999999",
      "10000000000000000.0000001",
    ];
    for (const [i, a] of rising.entries())
      for (const [j, b] of rising.entries()) expect(Math.sign(compareDecimals(a, b))).toBe(Math.sign(i - j));
  });
});
