/** Elements, complex types and their attributes (XML Schema 1.0 part 1 §3.3, §3.4). What is not supported is refused here, by line. */
import { XML_NS, XSD_NS, showName } from "./names.ts";
import type { Name } from "./names.ts";
import type { SimpleType } from "./facets.ts";
import { builtinType } from "./facets.ts";
import { child, childrenOf, need, qname, schemaError } from "./tree.ts";
import type { XNode } from "./tree.ts";
import type { AttributeUse, ComplexType, ElementDecl, SchemaDocument } from "./model.ts";
import type { Loader } from "./schema.ts";
import { buildSimpleType, restrict } from "./simple-types.ts";
import { buildParticle, joinSequence } from "./particles.ts";

/** A global or local element declaration; its type is resolved on first use. */
export function buildElement(node: XNode, document: SchemaDocument, loader: Loader, global: boolean): ElementDecl {
  const local = need(node, "name");
  const form = node.attributes.get("form");
  const qualified = global || (form === undefined ? document.qualifiedElements : form === "qualified");
  for (const unsupported of ["key", "keyref", "unique"]) {
    const found = child(node, XSD_NS, unsupported);
    if (found !== undefined)
      throw schemaError(found, `xs:${unsupported} is not supported; remove it from the copy of the schema that the bus uses`);
  }
  if (node.attributes.get("abstract") === "true")
    throw schemaError(node, `the element ${local} is abstract; elements that stand in for it are not supported`);
  let type: SimpleType | ComplexType | undefined;
  return {
    name: { ns: qualified ? document.target : "", local },
    type: () => (type ??= elementType(node, document, loader)),
    nillable: isTrue(node.attributes.get("nillable")),
    default: node.attributes.get("default"),
    fixed: node.attributes.get("fixed"),
    node,
  };
}

function isTrue(value: string | undefined): boolean {
  return value === "true" || value === "1";
}

function elementType(node: XNode, document: SchemaDocument, loader: Loader): SimpleType | ComplexType {
  const simple = child(node, XSD_NS, "simpleType");
  if (simple !== undefined) return buildSimpleType(simple, document, loader);
  const complex = child(node, XSD_NS, "complexType");
  if (complex !== undefined) return buildComplexType(complex, document, loader);
  const named = node.attributes.get("type");
  if (named === undefined)
    throw schemaError(node, `the element ${node.attributes.get("name") ?? ""} has no type, so anything may stand in it; give it a type`);
  const type = loader.typeOf(qname(node, named, document.target), node);
  if (type.kind === "complex" && type.abstract)
    throw schemaError(node, `the type ${named} is abstract; use one of the types derived from it`);
  return type;
}

/** A type under construction can refer to itself only through elements, whose types are resolved later. */
export function buildComplexType(node: XNode, document: SchemaDocument, loader: Loader, name?: Name): ComplexType {
  if (isTrue(node.attributes.get("mixed")))
    throw schemaError(node, "mixed content (text between elements) is not supported; use an element for the text");
  const simple = child(node, XSD_NS, "simpleContent");
  const complex = child(node, XSD_NS, "complexContent");
  const base = { kind: "complex" as const, name, abstract: isTrue(node.attributes.get("abstract")), node };
  if (simple !== undefined) return { ...base, ...simpleContent(simple, document, loader) };
  if (complex !== undefined) return { ...base, ...complexContent(complex, document, loader) };
  return { ...base, ...ownAttributes(node, document, loader), text: undefined, particle: buildParticle(node, document, loader) };
}

type Body = Pick<ComplexType, "attributes" | "anyAttribute" | "text" | "particle">;

function derivation(content: XNode): { node: XNode; extension: boolean } {
  const extension = child(content, XSD_NS, "extension");
  const node = extension ?? child(content, XSD_NS, "restriction");
  if (node === undefined) throw schemaError(content, `<${content.raw}> holds extension or restriction`);
  return { node, extension: extension !== undefined };
}

function simpleContent(content: XNode, document: SchemaDocument, loader: Loader): Body {
  const { node, extension } = derivation(content);
  const base = loader.typeOf(qname(node, need(node, "base"), document.target), node);
  const own = ownAttributes(node, document, loader);
  const inherited = base.kind === "complex" ? base.attributes : [];
  const attributes = mergeAttributes(inherited, own.attributes, node);
  const anyAttribute = own.anyAttribute || (base.kind === "complex" && base.anyAttribute);
  const text = base.kind === "simple" ? base : base.text;
  if (text === undefined) throw schemaError(node, "the base of simpleContent has no simple content");
  const inline = child(node, XSD_NS, "simpleType");
  const from = inline === undefined ? text : buildSimpleType(inline, document, loader);
  return { attributes, anyAttribute, text: extension ? text : restrict(node, from), particle: undefined };
}

function complexContent(content: XNode, document: SchemaDocument, loader: Loader): Body {
  if (isTrue(content.attributes.get("mixed"))) throw schemaError(content, "mixed content is not supported");
  const { node, extension } = derivation(content);
  const baseName = qname(node, need(node, "base"), document.target);
  const own = ownAttributes(node, document, loader);
  const particle = buildParticle(node, document, loader);
  if (baseName.ns === XSD_NS && baseName.local === "anyType") return { ...own, text: undefined, particle };
  const base = loader.typeOf(baseName, node);
  if (base.kind === "simple" || base.text !== undefined)
    throw schemaError(node, "the base of complexContent has simple content; use simpleContent");
  return {
    attributes: mergeAttributes(base.attributes, own.attributes, node),
    anyAttribute: own.anyAttribute || (extension && base.anyAttribute),
    text: undefined,
    particle: extension ? joinSequence(base.particle, particle, node) : particle,
  };
}

/** Attributes of a derived type: own ones replace inherited ones; prohibited ones fall out. */
function mergeAttributes(inherited: readonly AttributeUse[], own: readonly AttributeUse[], node: XNode): AttributeUse[] {
  const merged = new Map(inherited.map((use) => [showName(use.name), use]));
  for (const use of own) merged.set(showName(use.name), use);
  for (const gone of childrenOf(node, XSD_NS, "attribute").filter((attribute) => attribute.attributes.get("use") === "prohibited")) {
    const local = gone.attributes.get("name") ?? (gone.attributes.get("ref") ?? "").replace(/^.*:/, "");
    for (const [key, use] of merged) if (use.name.local === local) merged.delete(key);
  }
  return [...merged.values()];
}

const MAX_GROUP_DEPTH = 50;

function ownAttributes(node: XNode, document: SchemaDocument, loader: Loader, depth = 0): Pick<ComplexType, "attributes" | "anyAttribute"> {
  const attributes: AttributeUse[] = [];
  let anyAttribute = false;
  for (const part of node.children) {
    if (part.name.ns !== XSD_NS) continue;
    if (part.name.local === "attribute" && part.attributes.get("use") !== "prohibited")
      attributes.push(attributeUse(part, document, loader));
    if (part.name.local === "anyAttribute") {
      if (loader.options.wildcards !== "skip")
        throw schemaError(part, "xs:anyAttribute lets anything through; remove it, or allow wildcards to be skipped");
      anyAttribute = true;
    }
    if (part.name.local === "attributeGroup") {
      const found = loader.component("attributeGroup", qname(part, need(part, "ref"), document.target), part);
      if (depth >= MAX_GROUP_DEPTH) throw schemaError(part, "attribute groups nest too deep, or an attributeGroup contains itself");
      const inner = ownAttributes(found.node, found.document, loader, depth + 1);
      attributes.push(...inner.attributes);
      anyAttribute ||= inner.anyAttribute;
    }
  }
  return { attributes, anyAttribute };
}

function attributeUse(node: XNode, document: SchemaDocument, loader: Loader): AttributeUse {
  const ref = node.attributes.get("ref");
  const required = node.attributes.get("use") === "required";
  if (ref === undefined) return declared(node, document, loader, false, required);
  const name = qname(node, ref, document.target);
  const language = builtinType(name.local === "lang" ? "language" : "string");
  if (name.ns === XML_NS && language !== undefined) {
    return { name, type: language, required, default: undefined, fixed: undefined, node };
  }
  const found = loader.component("attribute", name, node);
  const global = declared(found.node, found.document, loader, true, required);
  return { ...global, default: node.attributes.get("default") ?? global.default, fixed: node.attributes.get("fixed") ?? global.fixed };
}

function declared(node: XNode, document: SchemaDocument, loader: Loader, global: boolean, required: boolean): AttributeUse {
  const local = need(node, "name");
  const form = node.attributes.get("form");
  const qualified = global || (form === undefined ? document.qualifiedAttributes : form === "qualified");
  const named = node.attributes.get("type");
  const inline = child(node, XSD_NS, "simpleType");
  const type =
    inline === undefined
      ? loader.simpleTypeOf(named === undefined ? { ns: XSD_NS, local: "string" } : qname(node, named, document.target), node)
      : buildSimpleType(inline, document, loader);
  return {
    name: { ns: qualified ? document.target : "", local },
    type,
    required,
    default: node.attributes.get("default"),
    fixed: node.attributes.get("fixed"),
    node,
  };
}
