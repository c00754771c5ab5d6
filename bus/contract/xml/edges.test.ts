/** Schemas, WSDLs and values at the edges: each is taken with its meaning, or refused with the reason, never half. */
import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { refusal } from "#test/harness/refusal.ts";
import { xsdJudge } from "#test/harness/xsd-judge.ts";
import { parseShape } from "../parse.ts";
import type { RecordShape } from "../shape.ts";
import { compileXmlCodec } from "./codec.ts";
import type { AvroSchemaJson } from "./codec.ts";
import { avroToXsd } from "./generate.ts";
import { joinPath, loadSchemas } from "./schema.ts";
import { compileSoapService } from "./soap.ts";

const NS = "urn:test";
const xs = (inside: string): string =>
  `<xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema" xmlns:t="${NS}" targetNamespace="${NS}" elementFormDefault="qualified">${inside}</xs:schema>`;
const load = (xsd: string) => loadSchemas([{ file: "test.xsd", text: xsd }], { resolve: () => undefined });
const root = { ns: NS, local: "m" };
const record = (...fields: readonly object[]): AvroSchemaJson => ({ type: "record", name: "M", fields });
const codecOf = (content: string, ...fields: readonly object[]) =>
  compileXmlCodec({
    schemas: load(xs(`<xs:element name="m"><xs:complexType>${content}</xs:complexType></xs:element>`)),
    element: root,
    avro: record(...fields),
  });
const sequence = (inside: string): string => `<xs:sequence>${inside}</xs:sequence>`;
const body = (inside: string, attributes = ""): Uint8Array => Buffer.from(`<t:m xmlns:t="${NS}"${attributes}>${inside}</t:m>`);

describe("what refers to itself without end", () => {
  const using = '<xs:element name="m"><xs:complexType><xs:attributeGroup ref="t:g0"/></xs:complexType></xs:element>';
  const ring = (size: number): string =>
    Array.from(
      { length: size },
      (_, i) => `<xs:attributeGroup name="g${i}"><xs:attributeGroup ref="t:g${(i + 1) % size}"/></xs:attributeGroup>`,
    ).join("");
  it.each([1, 2, 3, 10])("a ring of %d attribute groups is a fault of the schema", (size) => {
    const error = refusal(() =>
      load(xs(ring(size) + using))
        .element(root)
        ?.type(),
    );
    expect([error.code, error.message]).toEqual(["configuration", expect.stringContaining("an attributeGroup contains itself")]);
  });
  it("a chain of attribute groups is none", () => {
    const chain = Array.from(
      { length: 20 },
      (_, i) =>
        `<xs:attributeGroup name="g${i}">${i < 19 ? `<xs:attributeGroup ref="t:g${i + 1}"/>` : '<xs:attribute name="z" type="xs:int"/>'}</xs:attributeGroup>`,
    ).join("");
    const codec = compileXmlCodec({
      schemas: load(xs(chain + using)),
      element: root,
      avro: record({ name: "z", type: ["null", "int"], xml: "@z" }),
    });
    expect(codec.read(body("", ' z="5"'))).toEqual({ z: 5 });
  });
  it("a simple type that is its own base, item or member is a fault of the schema", () => {
    for (const inner of ['<xs:restriction base="t:S"/>', '<xs:list itemType="t:S"/>', '<xs:union memberTypes="t:S xs:int"/>']) {
      const error = refusal(() =>
        load(xs(`<xs:simpleType name="S">${inner}</xs:simpleType><xs:element name="m" type="t:S"/>`))
          .element(root)
          ?.type(),
      );
      expect(error.message).toContain("derived from itself");
    }
  });
  it("an element that contains itself is fine, to the depth that a document may have", () => {
    const codec = compileXmlCodec({
      schemas: load(
        xs(
          '<xs:complexType name="T"><xs:sequence><xs:element name="a" type="t:T" minOccurs="0"/></xs:sequence></xs:complexType><xs:element name="m" type="t:T"/>',
        ),
      ),
      element: root,
      avro: { type: "record", name: "T", fields: [{ name: "a", type: ["null", "T"] }] },
    });
    const nested = (levels: number): Uint8Array => body("<t:a>".repeat(levels) + "</t:a>".repeat(levels));
    const value = codec.read(nested(99));
    expect(Buffer.from(codec.write(value)).toString().match(/<t:a/gu)).toHaveLength(99);
    expect(refusal(() => codec.read(nested(100))).code).toBe("xml-limit");
  });
});

describe("an empty text", () => {
  const field = (name: string) => sequence(`<xs:element name="a" type="${name}"/>`);
  it("where the element has a default would be read as it, so it cannot be written", () => {
    const codec = codecOf(sequence('<xs:element name="a" type="xs:string" default="x"/>'), { name: "a", type: "string" });
    const error = refusal(() => codec.write({ a: "" }));
    expect([error.code, error.places[0]?.path]).toEqual(["xsd-violation", "a"]);
    expect(codec.read(body("<t:a/>"))).toEqual({ a: "x" });
    expect(codec.read(codec.write({ a: "y" }))).toEqual({ a: "y" });
  });
  it("is a text like any other elsewhere", () => {
    const codec = codecOf(field("xs:string"), { name: "a", type: "string" });
    for (const text of ["", " ", "\n", "\r\n", "\t", "]]>", "&amp;", "<a/>", "\u00a0", "\u2028", "𝄞"])
      expect(codec.read(codec.write({ a: text }))).toEqual({ a: text });
  });
  it("of bytes is no bytes, of a number nothing that fits", () => {
    const bytes = codecOf(field("xs:base64Binary"), { name: "a", type: "bytes" });
    expect(bytes.read(body("<t:a/>"))).toEqual({ a: Buffer.alloc(0) });
    const int = codecOf(field("xs:int"), { name: "a", type: "int" });
    expect(refusal(() => int.read(body("<t:a/>"))).places[0]?.rule).toBe("type int");
  });
});

describe("names in a generated XSD", () => {
  const decimal = (precision: number, scale: number) => ({ type: "bytes", logicalType: "decimal", precision, scale });
  const generated = (...fields: readonly object[]) => {
    const avro = record(...fields);
    const xsd = avroToXsd(NS, [{ name: "m", shape: parseShape(avro) as RecordShape }]);
    using judge = xsdJudge(xsd);
    expect(judge.isValid("<x/>")).toBe(false);
    return { codec: compileXmlCodec({ schemas: load(xsd), element: root, avro }), xsd };
  };
  it("of decimals give way to a record that is called like them", () => {
    const named = { type: "record", name: "Decimal9_2", fields: [{ name: "x", type: "int" }] };
    for (const fields of [
      [
        { name: "r", type: named },
        { name: "d", type: decimal(9, 2) },
      ],
      [
        { name: "d", type: decimal(9, 2) },
        { name: "r", type: named },
      ],
    ]) {
      const { codec } = generated(...fields);
      expect(codec.read(codec.write({ r: { x: 1 }, d: "12.50" }))).toEqual({ r: { x: 1 }, d: "12.50" });
    }
  });
  it("of decimals of one precision and scale are one type, of others another", () => {
    const { xsd } = generated({ name: "a", type: decimal(9, 2) }, { name: "b", type: decimal(9, 2) }, { name: "c", type: decimal(9, 3) });
    expect(xsd.match(/<xs:simpleType name="Decimal/gu)).toHaveLength(2);
  });
  it("of types of one name in two namespaces stay apart", () => {
    const inner = (namespace: string, type: string) => ({ type: "record", name: "Part", namespace, fields: [{ name: "v", type }] });
    const { codec } = generated({ name: "a", type: inner("one", "int") }, { name: "b", type: inner("two", "string") });
    expect(codec.read(codec.write({ a: { v: 1 }, b: { v: "1" } }))).toEqual({ a: { v: 1 }, b: { v: "1" } });
  });
  it("of fields that differ in their first letter's case only stay apart", () => {
    const { codec } = generated({ name: "id", type: "int" }, { name: "Id", type: "string" });
    expect(codec.read(codec.write({ id: 1, Id: "x" }))).toEqual({ id: 1, Id: "x" });
  });
  it.each<[string, unknown]>([
    ["a map", { type: "map", values: "int" }],
    ["a union of several types", ["int", "string"]],
    ["a value that is always null", "null"],
    ["an array of arrays", { type: "array", items: { type: "array", items: "int" } }],
  ])("%s has none, and the fault says which field it is", (text, type) => {
    const error = refusal(() => generated({ name: "bad", type }));
    expect([error.code, error.message]).toEqual([
      "configuration",
      expect.stringMatching(new RegExp(`the field M\\.bad has no XML form: .*${text}`, "u")),
    ]);
  });
});

describe("a WSDL", () => {
  const wsdl = (
    operation: string,
  ): string => `<wsdl:definitions xmlns:wsdl="http://schemas.xmlsoap.org/wsdl/" xmlns:soap="http://schemas.xmlsoap.org/wsdl/soap/" xmlns:t="${NS}" targetNamespace="${NS}">
<wsdl:types>${xs('<xs:element name="m"><xs:complexType><xs:sequence><xs:element name="a" type="xs:int"/></xs:sequence></xs:complexType></xs:element>')}</wsdl:types>
<wsdl:message name="In"><wsdl:part name="p" element="t:m"/></wsdl:message>
<wsdl:portType name="P"><wsdl:operation name="${operation}"><wsdl:input message="t:In"/></wsdl:operation></wsdl:portType>
<wsdl:binding name="B" type="t:P"><soap:binding style="document" transport="http://schemas.xmlsoap.org/soap/http"/><wsdl:operation name="${operation}"><soap:operation soapAction="urn:do"/><wsdl:input><soap:body use="literal"/></wsdl:input></wsdl:operation></wsdl:binding>
<wsdl:service name="S"><wsdl:port name="O" binding="t:B"><soap:address location="http://x.example/"/></wsdl:port></wsdl:service></wsdl:definitions>`;
  const service = (operation: string) => compileSoapService({ wsdl: "a.wsdl", resolve: () => wsdl(operation) });
  it.each(["a&quot;b", "&lt;Do/&gt;", "Do It", "t:Do", "1st", ""])(
    "whose operation is called %j is refused: its own description would not be XML",
    (name) => {
      const error = refusal(() => service(name));
      expect([error.code, error.message]).toEqual(["configuration", expect.stringContaining("is no XML name")]);
    },
  );
  it.each(["Do", "do-it.now", "_Do", "Citește"])("whose operation is called %s serves a description that is read back with it", (name) => {
    const served = service(name).wsdl("http://localhost/x?a=1&b=<2>");
    const again = compileSoapService({ wsdl: "b.wsdl", resolve: () => served });
    expect(again.operations).toEqual([name]);
    expect(served).toContain("?a=1&amp;b=&lt;2&gt;");
  });
});

describe("a fault of ours in SOAP 1.2", () => {
  const service = compileSoapService({
    wsdl: "test/fixtures/xml/person.wsdl",
    resolve: (location, base) => readFileSync(joinPath(base, location), "utf8"),
  });
  it.each([
    ["mbus:xml-malformed", "m:xml-malformed"],
    ["xml-malformed", "m:xml-malformed"],
    ["a b", undefined],
    ["x:<y>", undefined],
    ["1a", undefined],
  ])("%s has the subcode %s", (code, subcode) => {
    const bytes = service.writeFault("1.2", { side: "sender", code, text: "t" });
    expect(/<soap:Subcode><soap:Value xmlns:m="urn:mconnect-bus:fault">([^<]*)</u.exec(Buffer.from(bytes).toString())?.[1]).toBe(subcode);
    const back = refusal(() => service.readReply("GetPerson", bytes));
    expect([back.code, back.providerCode === ""]).toEqual(["provider-fault", false]);
  });
  it("has no character that XML does not know, whatever the message held", () => {
    for (const version of ["1.1", "1.2"] as const) {
      const bytes = service.writeFault(version, {
        side: "receiver",
        code: "x",
        text: "a\u0000b\ud800c\uffff<&",
        detail: [{ name: '"\u0001', text: "\u000b" }],
      });
      expect(refusal(() => service.readReply("GetPerson", bytes)).message).toContain("a?b\ufffdc?<&");
    }
  });
});
