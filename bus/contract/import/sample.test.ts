/** Samples for test skeletons: what they hold is what the type itself accepts. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { compileScalar } from "../xml/facets.ts";
import type { SimpleType } from "../xml/facets.ts";
import { translatePattern } from "../xml/pattern.ts";
import { loadSchemas } from "../xml/schema.ts";
import { patternSample } from "./sample-pattern.ts";
import { sampleText } from "./sample-text.ts";

function typeOf(simpleType: string): SimpleType {
  const text = `<xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema" targetNamespace="urn:t">${simpleType}</xs:schema>`;
  const type = loadSchemas([{ file: "t.xsd", text }], { resolve: () => undefined }).type({ ns: "urn:t", local: "S" });
  if (type?.kind !== "simple") throw new Error("no simple type S");
  return type;
}
const restriction = (base: string, facets: string): SimpleType =>
  typeOf(`<xs:simpleType name="S"><xs:restriction base="xs:${base}">${facets}</xs:restriction></xs:simpleType>`);

describe("the sample of a type", () => {
  it.each([
    ["string", '<xs:pattern value="[0-9]{13}"/>', "2004100423789"],
    ["string", '<xs:pattern value="[A-Z]{2}\\d{6}"/>', "AA111111"],
    ["string", '<xs:pattern value="(MD|RO)-\\d+(\\.\\d{2})?"/>', "MD-1"],
    ["string", '<xs:enumeration value="BUILDING-PLOT"/>', "BUILDING-PLOT"],
    ["string", '<xs:minLength value="8"/><xs:maxLength value="8"/>', "11111111"],
    ["string", '<xs:maxLength value="2"/>', "aa"],
    ["int", '<xs:minInclusive value="1900"/><xs:maxInclusive value="2100"/>', "1900"],
    ["int", '<xs:minExclusive value="5"/>', "6"],
    ["decimal", '<xs:totalDigits value="3"/><xs:fractionDigits value="0"/>', "1"],
    ["date", "", "2026-01-31"],
    ["dateTime", "", "2026-01-31T08:00:00.000Z"],
    ["gYearMonth", "", "2026-01"],
    ["duration", "", "P1D"],
    ["boolean", "", "1"],
    ["hexBinary", '<xs:length value="2"/>', "2026"],
    ["base64Binary", '<xs:length value="6"/>', "YWFhYWFh"],
    ["language", "", "text"],
  ])("xs:%s with %s is %s", (base, facets, expected) => {
    const scalar = compileScalar(restriction(base, facets));
    expect(sampleText(scalar)).toBe(expected);
    expect(scalar.check?.(expected)).toBeUndefined();
  });

  it("of a list and of a union is one of theirs", () => {
    expect(sampleText(compileScalar(typeOf('<xs:simpleType name="S"><xs:list itemType="xs:int"/></xs:simpleType>')))).toBe("1");
    const union = '<xs:simpleType name="S"><xs:union memberTypes="xs:date xs:boolean"/></xs:simpleType>';
    expect(sampleText(compileScalar(typeOf(union)))).toBe("1");
  });

  it("is none where no guess fits, instead of a wrong one", () => {
    expect(
      sampleText(compileScalar(restriction("string", '<xs:pattern value="[^a-zA-Z0-9\\- ]{3}"/><xs:minLength value="90"/>'))),
    ).toBeUndefined();
  });
});

describe("the sample of a pattern", () => {
  it("matches it, for patterns made of what such readers know", () => {
    const atom = fc.constantFrom("a", "[0-9]", "[A-Z]", "\\d", "\\.", ".", "\\p{Lu}", "[^x]", "(ab|cd)", "(x\\d)");
    const count = fc.constantFrom("", "?", "*", "+", "{3}", "{2,5}", "{0,1}");
    const part = fc.tuple(atom, count).map(([a, c]) => a + c);
    fc.assert(
      fc.property(fc.array(part, { minLength: 1, maxLength: 8 }), fc.boolean(), (parts, either) => {
        const source = either ? `${parts.join("")}|zzz` : parts.join("");
        const pattern = translatePattern(source);
        const sample = patternSample(source);
        if (typeof pattern === "string") throw new Error(pattern);
        expect([source, sample, pattern.test(sample ?? "")]).toEqual([source, sample, true]);
      }),
    );
  });

  it("ends soon, whatever stands there", () => {
    fc.assert(
      fc.property(fc.string({ maxLength: 200 }), (source) => {
        expect((patternSample(source) ?? "").length).toBeLessThanOrEqual(2000);
      }),
    );
    expect(patternSample("(".repeat(50_000))).toBeUndefined();
    expect(patternSample("a{9999}{9999}")).toBeUndefined();
  });
});
