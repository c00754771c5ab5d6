/** rpc/literal is document/literal with the wrapper written out: both styles of one service read and write the same bytes. */
import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { compileSoapService } from "./soap.ts";

type Part = Readonly<{ name: string; type: string; value: unknown }>;

const HEAD = `<w:definitions xmlns:w="http://schemas.xmlsoap.org/wsdl/" xmlns:s="http://schemas.xmlsoap.org/wsdl/soap/" xmlns:x="http://www.w3.org/2001/XMLSchema" xmlns:t="urn:t" targetNamespace="urn:t">`;
const TAIL = (style: string, body: string): string =>
  `<w:portType name="P"><w:operation name="Do"><w:input message="t:In"/><w:output message="t:Out"/></w:operation></w:portType><w:binding name="B" type="t:P"><s:binding style="${style}"/><w:operation name="Do"><s:operation soapAction="urn:do"/><w:input>${body}</w:input><w:output>${body}</w:output></w:operation></w:binding><w:service name="S"><w:port name="P" binding="t:B"><s:address location="http://h.example/"/></w:port></w:service></w:definitions>`;

const rpc = (parts: readonly Part[], body = '<s:body use="literal" namespace="urn:t"/>'): string => {
  const list = parts.map(({ name, type }) => `<w:part name="${name}" type="x:${type}"/>`).join("");
  return `${HEAD}<w:message name="In">${list}</w:message><w:message name="Out">${list}</w:message>${TAIL("rpc", body)}`;
};
const wrapped = (parts: readonly Part[]): string => {
  const list = parts.map(({ name, type }) => `<x:element name="${name}" type="x:${type}"/>`).join("");
  const element = (name: string): string =>
    `<x:element name="${name}"><x:complexType><x:sequence>${list}</x:sequence></x:complexType></x:element>`;
  const message = (name: string, to: string): string =>
    `<w:message name="${name}"><w:part name="parameters" element="t:${to}"/></w:message>`;
  return `${HEAD}<w:types><x:schema targetNamespace="urn:t">${element("Do")}${element("DoResponse")}</x:schema></w:types>${message("In", "Do")}${message("Out", "DoResponse")}${TAIL("document", '<s:body use="literal"/>')}`;
};
const service = (text: string) => compileSoapService({ wsdl: "s.wsdl", resolve: (location) => (location === "s.wsdl" ? text : undefined) });

const typed = fc.oneof(
  fc.integer().map((value) => ({ type: "int", value })),
  fc.boolean().map((value) => ({ type: "boolean", value })),
  fc.string({ unit: "grapheme", maxLength: 20 }).map((text) => ({ type: "string", value: text.replace(/[^ -~À-ɏ]/gu, "") })),
);
const parts = fc
  .uniqueArray(fc.stringMatching(/^[a-z][a-z0-9]{0,8}$/), { maxLength: 6 })
  .chain((names) => fc.tuple(...names.map((name) => typed.map((one): Part => ({ name, ...one })))));

describe("rpc/literal", () => {
  it("writes and reads what document/literal with the same wrapper writes and reads", () => {
    fc.assert(
      fc.property(parts, (list) => {
        const [one, other] = [service(rpc(list)), service(wrapped(list))];
        const value = Object.fromEntries(list.map(({ name, value }) => [name, value]));
        const body = (bytes: Uint8Array): string =>
          Buffer.from(bytes)
            .toString()
            .replaceAll(/ xmlns:\w+="urn:t"|(?<=<\/?)\w+:(?=Do)/gu, "");
        const [asked, answered] = [one.writeRequest("1.1", "Do", value), one.writeReply("1.2", "Do", value)];
        expect(body(asked)).toBe(body(other.writeRequest("1.1", "Do", value)));
        expect(other.readRequest(asked)).toEqual(one.readRequest(asked));
        expect(one.readRequest(asked).value).toEqual(value);
        expect([one.readReply("Do", answered), other.readReply("Do", answered)]).toEqual([value, value]);
      }),
      { numRuns: 60 },
    );
  });

  it("takes the WSDL's own namespace where the binding names none", () => {
    const bytes = service(rpc([], '<s:body use="literal"/>')).writeRequest("1.1", "Do", {});
    expect(Buffer.from(bytes).toString()).toMatch(/<(\w+):Do xmlns:\1="urn:t"/u);
  });

  it("sends only the parts that the binding names", () => {
    const list = [
      { name: "a", type: "int", value: 1 },
      { name: "b", type: "int", value: 2 },
    ];
    const some = service(rpc(list, '<s:body use="literal" namespace="urn:t" parts="b"/>'));
    expect(Buffer.from(some.writeRequest("1.1", "Do", { b: 2 })).toString()).toContain("<b>2</b>");
    expect(() => some.writeRequest("1.1", "Do", { a: 1 })).toThrow();
  });

  it("is published as a description that says the same", () => {
    const one = service(rpc([{ name: "a", type: "int", value: 1 }]));
    const again = service(one.wsdl("http://h.example/"));
    expect(again.readRequest(one.writeRequest("1.2", "Do", { a: 7 })).value).toEqual({ a: 7 });
  });

  it.each([
    [
      "a part that names an element",
      rpc([]).replace('<w:message name="In">', '<w:message name="In"><w:part name="p" element="t:E"/>'),
      /s\.wsdl:1:\d+ the part p names an element; a part of the style rpc needs a type/,
    ],
    [
      "a type that is nowhere",
      rpc([{ name: "a", type: "int", value: 1 }]).replaceAll("x:int", "t:Missing"),
      /s\.wsdl:1:\d+ the type \{urn:t\}Missing is not defined/,
    ],
    ["encoded use", rpc([], '<s:body use="encoded" namespace="urn:t"/>'), /use="encoded" is not supported/],
  ])("refuses %s by line", (_, text, expected) => expect(() => service(text)).toThrow(expected));
});
