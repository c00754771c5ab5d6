/** A WSDL 1.1 in one document: schemas inline, one SOAP 1.1 and one SOAP 1.2 port at the same address. */
import { escapeAttribute, escapeText } from "./chars.ts";
import { XSD_NS } from "./names.ts";
import type { Name } from "./names.ts";
import { writeTree } from "./tree.ts";
import type { SchemaSet } from "./model.ts";
import type { Wsdl } from "./wsdl.ts";
import { WSDL_NS, WSDL_SOAP11_NS, WSDL_SOAP12_NS } from "./wsdl.ts";

/** Everything but the address is fixed, so the text is made once. */
export function compileWsdl(wsdl: Wsdl): (address: string) => string {
  const prefixes = new Map<string, string>();
  for (const operation of wsdl.operations) {
    for (const name of [operation.input, operation.output]) {
      if (name !== undefined && name.ns !== "" && !prefixes.has(name.ns)) prefixes.set(name.ns, `e${prefixes.size + 1}`);
    }
  }
  const element = (name: Name): string => (name.ns === "" ? name.local : `${prefixes.get(name.ns)}:${name.local}`);
  const declarations = [...prefixes].map(([ns, prefix]) => ` xmlns:${prefix}="${escapeAttribute(ns)}"`).join("");
  const head =
    `<?xml version="1.0" encoding="UTF-8"?>\n` +
    `<wsdl:definitions xmlns:wsdl="${WSDL_NS}" xmlns:soap="${WSDL_SOAP11_NS}" xmlns:soap12="${WSDL_SOAP12_NS}" xmlns:tns="${escapeAttribute(wsdl.namespace)}"` +
    `${declarations} name="${escapeAttribute(wsdl.service)}" targetNamespace="${escapeAttribute(wsdl.namespace)}">\n` +
    `<wsdl:types>\n${inlineSchemas(wsdl.schemas)}\n</wsdl:types>\n${messages(wsdl, element)}${portType(wsdl)}` +
    `${binding(wsdl, "soap", "Soap11")}${binding(wsdl, "soap12", "Soap12")}<wsdl:service name="${escapeAttribute(wsdl.service)}">\n`;
  const port = (prefix: string, suffix: string, address: string): string =>
    `<wsdl:port name="${wsdl.service}${suffix}" binding="tns:${wsdl.service}${suffix}"><${prefix}:address location="${address}"/></wsdl:port>\n`;
  return (address) => {
    const location = escapeAttribute(address);
    return `${head}${port("soap", "Soap11", location)}${port("soap12", "Soap12", location)}</wsdl:service>\n</wsdl:definitions>\n`;
  };
}

function inlineSchemas(schemas: SchemaSet): string {
  return schemas.documents
    .filter(({ root }) => root.children.some((node) => !["import", "include", "annotation"].includes(node.name.local)))
    .map(({ root, target }) => {
      const text = writeTree(root, (node) => node.name.ns === XSD_NS && node.name.local === "include");
      // Locations are dropped: every imported schema stands inline. An included one says its includer's namespace.
      const local = text.replace(/ schemaLocation="[^"]*"/g, "");
      return root.attributes.has("targetNamespace") || target === ""
        ? local
        : local.replace(/^<\S+/, (tag) => `${tag} targetNamespace="${escapeAttribute(target)}"`);
    })
    .join("\n");
}

function messages(wsdl: Wsdl, element: (name: Name) => string): string {
  const one = (name: string, part: Name): string =>
    `<wsdl:message name="${name}"><wsdl:part name="parameters" element="${element(part)}"/></wsdl:message>\n`;
  return wsdl.operations
    .map(
      (operation) =>
        one(`${operation.name}Input`, operation.input) +
        (operation.output === undefined ? "" : one(`${operation.name}Output`, operation.output)),
    )
    .join("");
}

function portType(wsdl: Wsdl): string {
  const operations = wsdl.operations.map((operation) => {
    const output = operation.output === undefined ? "" : `<wsdl:output message="tns:${operation.name}Output"/>`;
    const doc = operation.doc === "" ? "" : `<wsdl:documentation>${escapeText(operation.doc)}</wsdl:documentation>`;
    return `<wsdl:operation name="${operation.name}">${doc}<wsdl:input message="tns:${operation.name}Input"/>${output}</wsdl:operation>\n`;
  });
  return `<wsdl:portType name="${wsdl.portType}">\n${operations.join("")}</wsdl:portType>\n`;
}

function binding(wsdl: Wsdl, prefix: string, suffix: string): string {
  const body = `<${prefix}:body use="literal"/>`;
  const operations = wsdl.operations.map((operation) => {
    const output = operation.output === undefined ? "" : `<wsdl:output>${body}</wsdl:output>`;
    return (
      `<wsdl:operation name="${operation.name}"><${prefix}:operation soapAction="${escapeAttribute(operation.action)}" style="document"/>` +
      `<wsdl:input>${body}</wsdl:input>${output}</wsdl:operation>\n`
    );
  });
  return (
    `<wsdl:binding name="${wsdl.service}${suffix}" type="tns:${wsdl.portType}">` +
    `<${prefix}:binding style="document" transport="http://schemas.xmlsoap.org/soap/http"/>\n${operations.join("")}</wsdl:binding>\n`
  );
}
