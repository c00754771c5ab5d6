/** What schemas, bindings and WSDLs say when they cannot be used: file, line, and what to do. */
import { describe, expect, it } from "vitest";
import { BusError } from "../../errors.ts";
import { compileXmlCodec } from "./codec.ts";
import type { AvroSchemaJson } from "./codec.ts";
import { contractSoapService } from "./contract-service.ts";
import { xsdToAvro } from "./derive.ts";
import { avroToXsd } from "./generate.ts";
import { parseShape } from "../parse.ts";
import { translatePattern } from "./pattern.ts";
import { joinPath, loadSchemas } from "./schema.ts";
import { compileSoapService } from "./soap.ts";
import type { Contract, ContractType } from "../contract.ts";

const NS = "urn:t";
const xs = (inside: string, more = 'elementFormDefault="qualified"'): string =>
  `<xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema" xmlns:t="${NS}" targetNamespace="${NS}" ${more}>\n${inside}\n</xs:schema>`;
const inM = (content: string): string => xs(`<xs:element name="M"><xs:complexType>${content}</xs:complexType></xs:element>`);
const M = { ns: NS, local: "M" };
const load = (files: Readonly<Record<string, string>>, wildcards?: "skip"): ReturnType<typeof loadSchemas> =>
  loadSchemas([{ file: "main.xsd", text: files["main.xsd"] ?? "" }], {
    resolve: (location, base) => files[joinPath(base, location)],
    ...(wildcards === undefined ? {} : { wildcards }),
  });
const compile = (xsd: string, avro?: AvroSchemaJson, wildcards?: "skip"): ReturnType<typeof compileXmlCodec> => {
  const schemas = load({ "main.xsd": xsd }, wildcards);
  return compileXmlCodec({ schemas, element: M, avro: avro ?? xsdToAvro(schemas, M) });
};
function fault(run: () => unknown): BusError {
  try {
    run();
  } catch (error) {
    if (error instanceof BusError) return error;
    throw error;
  }
  throw new Error("nothing was thrown");
}
const message = (inside: string, attributes = ""): Uint8Array => Buffer.from(`<t:M xmlns:t="${NS}"${attributes}>${inside}</t:M>`);
const record = (...fields: unknown[]): AvroSchemaJson => ({ type: "record", name: "M", fields });

describe("a schema that cannot be used", () => {
  const anyType = '<xs:complexType mixed="true"><xs:sequence><xs:element name="a" type="xs:string"/></xs:sequence></xs:complexType>';
  it.each([
    ["mixed content", xs(`<xs:element name="M">${anyType}</xs:element>`), /main\.xsd:2:\d+ mixed content/],
    ["a wildcard", inM("<xs:sequence><xs:any/></xs:sequence>"), /xs:any lets anything through/],
    ["an attribute wildcard", inM("<xs:anyAttribute/>"), /xs:anyAttribute lets anything through/],
    [
      "a substitution group",
      xs(
        '<xs:element name="h" type="xs:string"/><xs:element name="i" type="xs:string" substitutionGroup="t:h"/><xs:element name="M"><xs:complexType><xs:sequence><xs:element ref="t:h"/></xs:sequence></xs:complexType></xs:element>',
      ),
      /substitution group/,
    ],
    ["an abstract element", xs('<xs:element name="M" type="xs:string" abstract="true"/>'), /is abstract/],
    [
      "an abstract type",
      xs(
        '<xs:complexType name="a" abstract="true"/><xs:element name="M"><xs:complexType><xs:sequence><xs:element name="x" type="t:a"/></xs:sequence></xs:complexType></xs:element>',
      ),
      /type t:a is abstract/,
    ],
    [
      "a key",
      xs('<xs:element name="M"><xs:complexType/><xs:key name="k"><xs:selector xpath="a"/><xs:field xpath="b"/></xs:key></xs:element>'),
      /xs:key is not supported/,
    ],
    ["an unknown type", inM('<xs:sequence><xs:element name="a" type="t:nope"/></xs:sequence>'), /type \{urn:t\}nope is not defined/],
    ["an unknown element", inM('<xs:sequence><xs:element ref="t:nope"/></xs:sequence>'), /element \{urn:t\}nope is not defined/],
    ["an undeclared prefix", inM('<xs:sequence><xs:element name="a" type="q:int"/></xs:sequence>'), /prefix of q:int is not declared/],
    ["anyType", inM('<xs:sequence><xs:element name="a"/></xs:sequence>'), /has no type, so anything may stand in it/],
    [
      "an ambiguous model",
      inM('<xs:sequence><xs:element name="a" type="xs:int" minOccurs="0"/><xs:element name="a" type="xs:int"/></xs:sequence>'),
      /ambiguous at a/,
    ],
    [
      "an ambiguous choice",
      inM('<xs:choice><xs:element name="a" type="xs:int"/><xs:sequence><xs:element name="a" type="xs:int"/></xs:sequence></xs:choice>'),
      /ambiguous at a/,
    ],
    [
      "a repeated group of several",
      inM('<xs:sequence maxOccurs="9"><xs:element name="a" type="xs:int"/><xs:element name="b" type="xs:int"/></xs:sequence>'),
      /loses their order/,
    ],
    [
      "counts the wrong way round",
      inM('<xs:sequence><xs:element name="a" type="xs:int" minOccurs="3" maxOccurs="2"/></xs:sequence>'),
      /minOccurs is greater/,
    ],
    ["a repeated xs:all", inM('<xs:all maxOccurs="2"><xs:element name="a" type="xs:int"/></xs:all>'), /xs:all may occur once/],
    [
      "a type derived from itself",
      xs(
        '<xs:complexType name="a"><xs:complexContent><xs:extension base="t:a"/></xs:complexContent></xs:complexType><xs:element name="M" type="t:a"/>',
      ),
      /derived from itself/,
    ],
    [
      "a group in itself",
      xs(
        '<xs:group name="g"><xs:sequence><xs:group ref="t:g"/></xs:sequence></xs:group><xs:element name="M"><xs:complexType><xs:group ref="t:g"/></xs:complexType></xs:element>',
      ),
      /contains itself/,
    ],
    ["a redefinition", xs('<xs:redefine schemaLocation="x.xsd"/>'), /redefine is not supported/],
    [
      "a pattern without measure",
      inM(
        '<xs:sequence><xs:element name="a"><xs:simpleType><xs:restriction base="xs:string"><xs:pattern value="((a{1,99}b){1,99}c){1,99}"/></xs:restriction></xs:simpleType></xs:element></xs:sequence>',
      ),
      /more than 20000 parts/,
    ],
    [
      "a value outside its base",
      inM(
        '<xs:sequence><xs:element name="a"><xs:simpleType><xs:restriction base="xs:int"><xs:enumeration value="x"/></xs:restriction></xs:simpleType></xs:element></xs:sequence>',
      ),
      /value x is not of the base type/,
    ],
    [
      "an unknown facet",
      inM(
        '<xs:sequence><xs:element name="a"><xs:simpleType><xs:restriction base="xs:int"><xs:minimum value="1"/></xs:restriction></xs:simpleType></xs:element></xs:sequence>',
      ),
      /facet minimum is not known/,
    ],
    ["the same name twice", xs('<xs:element name="M" type="xs:int"/><xs:element name="M" type="xs:int"/>'), /M is defined twice/],
    ["a missing include", xs('<xs:include schemaLocation="other.xsd"/>'), /put the file at other\.xsd \(nothing is fetched/],
    ["a missing import", xs('<xs:import namespace="urn:o" schemaLocation="http://o.example/o.xsd"/>'), /nothing is fetched/],
    ["a DTD", '<!DOCTYPE xs:schema SYSTEM "XMLSchema.dtd"><a/>', /main\.xsd:1:1 a document type definition is refused/],
    ["something else", "<html/>", /expected an xs:schema/],
  ])("%s is refused with file and line", (_name, xsd, expected) => {
    const error = fault(() => compile(xsd));
    expect(error.code).toBe("configuration");
    expect(error.message).toMatch(expected);
  });

  it("follows includes and imports relative to the file that names them, each once", () => {
    const files = {
      "main.xsd": xs(
        '<xs:include schemaLocation="parts/a.xsd"/><xs:import namespace="urn:o" schemaLocation="parts/o.xsd"/>',
        'xmlns:o="urn:o"',
      ),
      "parts/a.xsd": `<xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema" xmlns:o="urn:o">
        <xs:include schemaLocation="../main.xsd"/><xs:import namespace="urn:o" schemaLocation="o.xsd"/>
        <xs:element name="M"><xs:complexType><xs:sequence><xs:element name="n" type="own"/><xs:element name="o" type="o:T"/></xs:sequence></xs:complexType></xs:element>
        <xs:simpleType name="own"><xs:restriction base="xs:int"/></xs:simpleType></xs:schema>`,
      "parts/o.xsd":
        '<xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema" targetNamespace="urn:o"><xs:simpleType name="T"><xs:restriction base="xs:token"/></xs:simpleType></xs:schema>',
    };
    const schemas = load(files);
    const codec = compileXmlCodec({ schemas, element: M, avro: xsdToAvro(schemas, M) });
    expect(codec.read(message("<n>1</n><o> x </o>"))).toEqual({ n: 1, o: "x" });
  });

  it("reads past wildcards where that is allowed", () => {
    const xsd = inM(
      '<xs:sequence><xs:element name="a" type="xs:int"/><xs:any namespace="##other" minOccurs="0" maxOccurs="2"/></xs:sequence><xs:anyAttribute/>',
    );
    const codec = compile(xsd, undefined, "skip");
    expect(codec.read(message('<t:a>1</t:a><x xmlns="urn:x"><y/>z</x>', ' q="1"'))).toEqual({ a: 1 });
    expect(fault(() => codec.read(message("<t:a>1</t:a><t:z/>"))).code).toBe("xsd-violation");
    expect(fault(() => codec.read(message(`<t:a>1</t:a>${'<x xmlns="urn:x"/>'.repeat(3)}`))).code).toBe("xsd-violation");
    expect(fault(() => codec.read(message('<t:a>1</t:a><x xmlns="urn:x"><y></x>'))).code).toBe("xml-malformed");
  });
});

describe("binding an XSD to Avro", () => {
  const person = inM(
    '<xs:sequence><xs:element name="IDNP" type="xs:string"/><xs:element name="FamilyName" type="xs:string"/><xs:element name="Age" type="xs:int" minOccurs="0"/></xs:sequence><xs:attribute name="kind" type="xs:string" use="required"/>',
  );

  it("names fields by xml, by the same name, or by a first letter of the other case", () => {
    const avro = record(
      { name: "code", type: "string", xml: "IDNP" },
      { name: "familyName", type: "string" },
      { name: "Age", type: ["null", "int"], default: null },
      { name: "sort", type: "string", xml: "@kind" },
    );
    const value = { code: "1", familyName: "C", Age: null, sort: "x" };
    const codec = compile(person, avro);
    expect(codec.read(codec.write(value))).toEqual(value);
    expect(Buffer.from(codec.write(value)).toString()).toContain('kind="x"');
  });

  it("lists everything that does not fit, with both paths", () => {
    const avro = record({ name: "familyName", type: "int" }, { name: "age", type: "int" }, { name: "extra", type: "string" });
    const error = fault(() => compile(person, avro));
    const text = error.places.map((place) => `${place.path} ${place.text}`).join("\n");
    expect(text).toMatch(/\/M\/IDNP ⇄ M no field takes IDNP/);
    expect(text).toMatch(/\/M\/FamilyName ⇄ M\.familyName xs:string does not fit a whole number/);
    expect(text).toMatch(/\/M\/Age ⇄ M\.age may be absent in XML/);
    expect(text).toMatch(/\/M\/@kind ⇄ M no field takes @kind/);
    expect(text).toMatch(/M\.extra the field extra has no element/);
    expect(error.places.every((place) => place.line === 2)).toBe(true);
  });

  it.each([
    [
      "a repeated element needs an array",
      '<xs:sequence><xs:element name="a" type="xs:int" maxOccurs="2"/></xs:sequence>',
      { name: "a", type: "int" },
      /needs an array/,
    ],
    [
      "children need a record",
      '<xs:sequence><xs:element name="a"><xs:complexType><xs:sequence><xs:element name="b" type="xs:int"/></xs:sequence></xs:complexType></xs:element></xs:sequence>',
      { name: "a", type: "string" },
      /use a record/,
    ],
    [
      "a map has no form",
      '<xs:sequence><xs:element name="a" type="xs:int"/></xs:sequence>',
      { name: "a", type: { type: "map", values: "int" } },
      /cannot be an object/,
    ],
    ["a choice needs null", '<xs:choice><xs:element name="a" type="xs:int"/></xs:choice>', { name: "a", type: "int" }, undefined],
    [
      "a choice of two needs null",
      '<xs:sequence><xs:choice><xs:element name="a" type="xs:int"/><xs:element name="b" type="xs:int"/></xs:choice></xs:sequence>',
      { name: "a", type: "int" },
      /needs null in its type/,
    ],
    [
      "nil needs null",
      '<xs:sequence><xs:element name="a" type="xs:int" nillable="true"/></xs:sequence>',
      { name: "a", type: "int" },
      /needs null in its type/,
    ],
    [
      "an enum needs all values",
      '<xs:sequence><xs:element name="a"><xs:simpleType><xs:restriction base="xs:string"><xs:enumeration value="X"/><xs:enumeration value="Y"/></xs:restriction></xs:simpleType></xs:element></xs:sequence>',
      { name: "a", type: { type: "enum", name: "E", symbols: ["X"] } },
      /lacks: Y/,
    ],
  ])("%s", (_name, content, field, expected) => {
    if (expected === undefined) expect(compile(inM(content), record(field)).read(message("<t:a>1</t:a>"))).toEqual({ a: 1 });
    else expect(fault(() => compile(inM(content), record(field))).message).toMatch(expected);
  });

  it("an absent element gives the field's default, null or an empty list", () => {
    const content =
      '<xs:sequence><xs:element name="a" type="xs:int" minOccurs="0"/><xs:element name="b" type="xs:string" minOccurs="0"/><xs:element name="c" type="xs:string" minOccurs="0" maxOccurs="2"/></xs:sequence>';
    const avro = record(
      { name: "a", type: "int", default: 7 },
      { name: "b", type: ["null", "string"] },
      { name: "c", type: { type: "array", items: "string" } },
    );
    const codec = compile(inM(content), avro);
    expect(codec.read(message(""))).toEqual({ a: 7, b: null, c: [] });
    const one = codec.read(message("")) as { c: string[] };
    one.c.push("x");
    expect(codec.read(message(""))).toEqual({ a: 7, b: null, c: [] });
  });

  it("a wrapper around one repeated element is an array; null and empty stay apart where both can be", () => {
    const content =
      '<xs:sequence><xs:element name="List" minOccurs="0"><xs:complexType><xs:sequence><xs:element name="Item" type="xs:int" minOccurs="0" maxOccurs="unbounded"/></xs:sequence></xs:complexType></xs:element></xs:sequence>';
    const both = compile(inM(content), record({ name: "list", type: ["null", { type: "array", items: "int" }] }));
    for (const list of [null, [], [1, 2]]) expect(both.read(both.write({ list }))).toEqual({ list });
    const plain = compile(inM(content), record({ name: "list", type: { type: "array", items: "int" } }));
    expect(plain.read(message(""))).toEqual({ list: [] });
    expect(Buffer.from(plain.write({ list: [] })).toString()).not.toContain("List");
  });

  it("a record type may contain itself, down to the depth limit", () => {
    const xsd = xs(
      '<xs:complexType name="T"><xs:sequence><xs:element name="n" type="xs:int"/><xs:element name="t" type="t:T" minOccurs="0"/></xs:sequence></xs:complexType><xs:element name="M" type="t:T"/>',
    );
    const codec = compile(xsd);
    const nest = (depth: number): Uint8Array => message(`${"<t:n>1</t:n><t:t>".repeat(depth)}<t:n>1</t:n>${"</t:t>".repeat(depth)}`);
    expect(codec.read(nest(3))).toEqual({ n: 1, t: { n: 1, t: { n: 1, t: { n: 1, t: null } } } });
    expect(fault(() => codec.read(nest(150))).code).toBe("xml-limit");
  });
});

describe("reading and writing one message", () => {
  const content = '<xs:sequence><xs:element name="a" type="xs:int" maxOccurs="20"/><xs:element name="b" type="xs:date"/></xs:sequence>';
  const codec = compile(inM(content));

  it("collects violations of values, each with its place, up to ten", () => {
    const error = fault(() => codec.read(message("\n<t:a>x</t:a>\n<t:a>1</t:a><t:a>y</t:a><t:b>2026-02-30</t:b>")));
    expect(error.places.map((place) => [place.line, place.path, place.rule])).toEqual([
      [2, "/t:M/t:a[1]", "type int"],
      [3, "/t:M/t:a[3]", "type int"],
      [3, "/t:M/t:b", "type date"],
    ]);
    const many = fault(() => codec.read(message(`${"<t:a>x</t:a>".repeat(20)}<t:b>2026-01-01</t:b>`)));
    expect(many.places).toHaveLength(10);
  });

  it("says what was expected instead of a stranger, and when only the namespace differs", () => {
    expect(fault(() => codec.read(message("<t:a>1</t:a><t:c/>"))).message).toMatch(/<t:c> is not expected here; expected <t:b>/);
    expect(fault(() => codec.read(message("<t:a>1</t:a>"))).message).toMatch(/ends too early; expected <t:b>/);
    expect(fault(() => codec.read(message("<a>1</a>"))).message).toMatch(/the namespace differs: "" instead of "urn:t"/);
    expect(fault(() => codec.read(Buffer.from("<N/>"))).message).toMatch(/<N> is not expected here; expected <\{urn:t\}M>/);
  });

  it("columns count characters, also behind what is not ASCII", () => {
    const error = fault(() => codec.read(Buffer.from(`<t:M xmlns:t="${NS}"><!--ȘȚ𝄞--><t:a>x</t:a></t:M>`)));
    expect(error.places[0]?.column).toBe(`<t:M xmlns:t="${NS}"><!--ȘȚ1--><t:a>`.length + 1);
  });

  it("refuses to write what it would refuse to read, with the path of the field", () => {
    const cases: [unknown, RegExp][] = [
      [{ a: [1], b: "2026-02-30" }, /^b: expected a date/],
      [{ a: [1, 2 ** 40], b: "2026-01-01" }, /^a\[1\]: expected a whole number of 32 bits/],
      [{ a: [], b: "2026-01-01" }, /^a: has 0 items; expected 1 to 20/],
      [{ a: [1], b: null }, /^b: a value is missing/],
      [{ a: 1, b: "2026-01-01" }, /^a: expected a list/],
      [null, /^the message: a value is missing/],
    ];
    for (const [value, expected] of cases) expect(fault(() => codec.write(value as never)).message).toMatch(expected);
  });

  it("refuses text that XML cannot hold, and a choice with two or none", () => {
    const text = compile(inM('<xs:sequence><xs:element name="a" type="xs:string"/></xs:sequence>'));
    expect(fault(() => text.write({ a: "\u0001" })).message).toMatch(/U\+0001/);
    expect(fault(() => text.write({ a: "\ud800" })).message).toMatch(/lone surrogate/);
    const choice = compile(inM('<xs:choice><xs:element name="a" type="xs:int"/><xs:element name="b" type="xs:int"/></xs:choice>'));
    expect(fault(() => choice.write({ a: 1, b: 2 })).message).toMatch(/only one of a \| b/);
    expect(fault(() => choice.write({ a: null, b: null })).message).toMatch(/one of a \| b must be set/);
    expect(choice.read(choice.write({ a: null, b: 0 }))).toEqual({ a: null, b: 0 });
  });
});

describe("patterns", () => {
  it.each([
    ["[0-9]{13}", "2000000000001", true],
    ["^a$", "^a$", true],
    ["^a$", "a", false],
    ["a.c", "a\nc", false],
    ["\\d{2}", "٣٣", true],
    ["[\\w-]+", "a-b", true],
    ["[^ -~]", "ș", true],
    ["a|b|", "", true],
    ["\\p{Lu}\\P{Lu}*", "Șef", true],
    ["x{0,2}", "xxx", false],
    ["[+\\-*/]", "-", true],
    ["\\(\\)\\[\\]\\{\\}\\.\\?\\+\\*\\|\\\\", "()[]{}.?+*|\\", true],
  ])("%s on %j: %s", (source, text, fits) => {
    const expression = translatePattern(source);
    if (typeof expression === "string") throw new Error(expression);
    expect(expression.test(text)).toBe(fits);
  });

  it.each([
    ["(([a-z]{1,99}x){1,99}y){1,99}", /more than 20000 parts/],
    ["(?:a)", /\(\? is not part/],
    ["a+?", /repetition follows/],
    ["[a-z-[aeiou]]", /subtraction/],
    ["\\p{IsBasicLatin}", /blocks/],
    ["\\b", /\\b is not supported/],
    ["[a", /not closed/],
    ["(a", /not a regular expression/],
    ["a{x}", /needs a number/],
  ])("%s is refused", (source, expected) => {
    expect(translatePattern(source)).toMatch(expected);
  });
});

describe("WSDL documents that cannot be used", () => {
  const schema = inM('<xs:sequence><xs:element name="a" type="xs:int"/></xs:sequence>');
  const wsdl = (changes: Readonly<Record<string, string>> = {}): string => {
    let text = `<wsdl:definitions xmlns:wsdl="http://schemas.xmlsoap.org/wsdl/" xmlns:soap="http://schemas.xmlsoap.org/wsdl/soap/" xmlns:t="${NS}" targetNamespace="${NS}">
<wsdl:types>${schema}</wsdl:types>
<wsdl:message name="In"><wsdl:part name="p" element="t:M"/></wsdl:message>
<wsdl:portType name="P"><wsdl:operation name="Do"><wsdl:input message="t:In"/></wsdl:operation></wsdl:portType>
<wsdl:binding name="B" type="t:P"><soap:binding style="document" transport="http://schemas.xmlsoap.org/soap/http"/><wsdl:operation name="Do"><soap:operation soapAction="urn:do"/><wsdl:input><soap:body use="literal"/></wsdl:input></wsdl:operation></wsdl:binding>
<wsdl:service name="S"><wsdl:port name="O" binding="t:B"><soap:address location="http://x.example/"/></wsdl:port></wsdl:service></wsdl:definitions>`;
    for (const [from, to] of Object.entries(changes)) {
      if (!text.includes(from)) throw new Error(`the sample has no ${from}`);
      text = text.replace(from, to);
    }
    return text;
  };
  const service = (text: string, more: object = {}): ReturnType<typeof compileSoapService> =>
    compileSoapService({ wsdl: "s.wsdl", resolve: (location) => (location === "s.wsdl" ? text : undefined), ...more });

  it("the sample itself is a one-way service", () => {
    const soap = service(wsdl());
    expect(soap.operations).toEqual(["Do"]);
    expect(soap.action("Do")).toBe("urn:do");
    expect(Buffer.from(soap.writeReply("1.1", "Do", {})).toString()).toContain("<soap:Body></soap:Body>");
    expect(soap.readReply("Do", soap.writeReply("1.2", "Do", {}))).toEqual({});
    expect(fault(() => soap.action("Undo")).code).toBe("soap-operation");
  });

  it("what is published is a WSDL that compiles to the same service", () => {
    const again = service(service(wsdl()).wsdl("https://bus.example/a?b=1&c=2"));
    expect(again.operations).toEqual(["Do"]);
    expect(again.readRequest(again.writeRequest("1.1", "Do", { a: 5 })).value).toEqual({ a: 5 });
    expect(again.wsdl("http://y.example/")).toContain('location="http://y.example/"');
  });

  it.each([
    [
      "rpc style with an element",
      wsdl({ 'style="document"': 'style="rpc"' }),
      {},
      /s\.wsdl:\d+:\d+ .*a part of the style rpc needs a type/,
    ],
    ["an unknown style", wsdl({ 'style="document"': 'style="mime"' }), {}, /has the style mime/],
    ["encoded use", wsdl({ 'use="literal"': 'use="encoded"' }), {}, /encoded" is not supported/],
    ["a typed part", wsdl({ 'element="t:M"': 'type="t:M"' }), {}, /needs an element/],
    ["a missing message", wsdl({ 'message="t:In"': 'message="t:Out"' }), {}, /message Out is not defined/],
    ["a missing binding", wsdl({ 'binding="t:B"': 'binding="t:C"' }), {}, /binding C is not defined/],
    [
      "no SOAP binding",
      wsdl({ '<soap:binding style="document" transport="http://schemas.xmlsoap.org/soap/http"/>': "" }),
      {},
      /no port with a SOAP binding/,
    ],
    ["another service", wsdl(), { service: "T" }, /no service T; it has S/],
    ["an unknown operation", wsdl(), { operations: { Undo: { request: "derive" } } }, /no operation Undo; it has Do/],
    ["WSDL 2", '<d:description xmlns:d="http://www.w3.org/ns/wsdl"/>', {}, /expected wsdl:definitions of WSDL 1\.1/],
    ["a broken document", "<wsdl", {}, /s\.wsdl:1:\d+/],
  ])("%s", (_name, text, more, expected) => {
    const error = fault(() => service(text, more));
    expect(error.code).toBe("configuration");
    expect(error.message).toMatch(expected);
  });

  it("a WSDL that is not there is named, not fetched", () => {
    expect(fault(() => compileSoapService({ wsdl: "http://x.example/?wsdl", resolve: () => undefined })).message).toMatch(
      /nothing is fetched/,
    );
  });
});

describe("the service of a contract without a WSDL", () => {
  const type = (schema: AvroSchemaJson): ContractType => ({ schema }) as ContractType;
  const contract = (operation: string, reply?: AvroSchemaJson): Contract =>
    ({
      id: `d.${operation}.v1`,
      title: `Does ${operation}`,
      request: type(
        record({ name: "code", type: "string", doc: "The <code>" }, { name: "tags", type: ["null", { type: "array", items: "string" }] }),
      ),
      reply: reply === undefined ? undefined : type(reply),
      soap: { namespace: "urn:d", service: "D", operation },
    }) as unknown as Contract;

  it("acknowledges what has no reply, and answers what has one", () => {
    const soap = contractSoapService(
      contract("Tell"),
      contract("Ask", { type: "record", name: "Answer", fields: [{ name: "ok", type: "boolean" }] }),
    );
    expect(soap.operations).toEqual(["Tell", "Ask"]);
    const accepted = soap.acknowledgement?.("Tell", { id: "m1", correlationId: "c1" });
    expect(accepted).toEqual({ accepted: { id: "m1", correlationId: "c1" } });
    expect(Buffer.from(soap.writeReply("1.1", "Tell", accepted ?? {})).toString()).toContain("<t:Accepted><t:Id>m1</t:Id>");
    expect(soap.acknowledgement?.("Ask", { id: "m1", correlationId: "c1" })).toBeUndefined();
    expect(soap.readReply("Ask", soap.writeReply("1.2", "Ask", { ok: true }))).toEqual({ ok: true });
    for (const tags of [null, [], ["x"]])
      expect(soap.readRequest(soap.writeRequest("1.1", "Tell", { code: "a", tags })).value).toEqual({ code: "a", tags });
    expect(soap.wsdl("http://x/")).toContain("The &lt;code&gt;");
  });

  it("refuses contracts that do not belong together", () => {
    expect(fault(() => contractSoapService(contract("Tell"), contract("Tell"))).message).toMatch(/operation Tell/);
    const other = { ...contract("Ask"), soap: { namespace: "urn:e", service: "D", operation: "Ask" } };
    expect(fault(() => contractSoapService(contract("Tell"), other)).message).toMatch(/another SOAP namespace/);
  });

  it.each([
    ["a map", { type: "map", values: "string" }, /a map/],
    ["a union of several types", ["string", "int"], /a union of several types/],
    ["an array of arrays", { type: "array", items: { type: "array", items: "int" } }, /an array of arrays/],
    ["null alone", "null", /always null/],
  ])("%s has no XML form", (_name, inner, expected) => {
    const shape = parseShape(record({ name: "a", type: inner }));
    if (shape.kind !== "record") throw new Error("no record");
    expect(fault(() => avroToXsd("urn:d", [{ name: "M", shape }])).message).toMatch(expected);
  });
});
