/** libxml2 as an independent judge: is a document valid by an XSD? */
import { XmlDocument, XsdValidator } from "libxml2-wasm";

export type XsdJudge = Disposable & Readonly<{ isValid(source: string | Uint8Array): boolean }>;

/** Throws where libxml2 does not take the schema. */
export function xsdJudge(xsd: string): XsdJudge {
  const schema = XmlDocument.fromString(xsd);
  const validator = XsdValidator.fromDoc(schema);
  return {
    isValid(source) {
      using document = typeof source === "string" ? XmlDocument.fromString(source) : XmlDocument.fromBuffer(source);
      try {
        validator.validate(document);
        return true;
      } catch {
        return false;
      }
    },
    [Symbol.dispose]() {
      validator.dispose();
      schema.dispose();
    },
  };
}

/** An XSD with the element `m` of the namespace urn:test, whose children `a` are of this simple type. */
export const xsdOfSimple = (simpleType: string): string =>
  `<xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema" xmlns:t="urn:test" targetNamespace="urn:test" elementFormDefault="qualified">${simpleType}` +
  `<xs:element name="m"><xs:complexType><xs:sequence><xs:element name="a" type="t:S"/></xs:sequence></xs:complexType></xs:element></xs:schema>`;

/** Text as content of an element. */
export const xmlText = (text: string): string =>
  text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;").replaceAll("\r", "&#13;");
