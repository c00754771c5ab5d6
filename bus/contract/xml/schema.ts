/** Loads schema documents with what they include and import, and finds their global components (XML Schema 1.0 part 1). */
import { XSD_NS, XML_NS, nameKey, showName } from "./names.ts";
import type { Name } from "./names.ts";
import { builtinType } from "./facets.ts";
import type { SimpleType } from "./facets.ts";
import { readTree, schemaError } from "./tree.ts";
import type { XNode } from "./tree.ts";
import type { ComplexType, ElementDecl, SchemaDocument, SchemaOptions, SchemaSet } from "./model.ts";
import { buildSimpleType } from "./simple-types.ts";
import { buildComplexType, buildElement } from "./complex-types.ts";

type Kind = "element" | "type" | "group" | "attribute" | "attributeGroup";
export type Component = Readonly<{ node: XNode; document: SchemaDocument }>;

/** What builders need to follow references. */
export type Loader = SchemaSet &
  Readonly<{
    options: SchemaOptions;
    component(kind: Kind, name: Name, from: XNode): Component;
    /** Type of a name that must exist. */
    typeOf(name: Name, from: XNode): SimpleType | ComplexType;
    simpleTypeOf(name: Name, from: XNode): SimpleType;
    localElement(node: XNode, document: SchemaDocument): ElementDecl;
    /** Is this element the head of a substitution group? */
    substituted(name: Name): boolean;
  }>;

const KINDS: Readonly<Record<string, Kind>> = {
  element: "element",
  simpleType: "type",
  complexType: "type",
  group: "group",
  attribute: "attribute",
  attributeGroup: "attributeGroup",
};
const MAX_DOCUMENTS = 200;

/** A location relative to the file (or web address) that names it, with `.` and `..` resolved. */
export function joinPath(base: string | undefined, location: string): string {
  if (base !== undefined && /^https?:\/\//i.test(base) && URL.canParse(location, base)) return new URL(location, base).href;
  if (base === undefined || location.startsWith("/") || /^[a-z][a-z0-9+.-]+:/i.test(location)) return location;
  const parts: string[] = [];
  for (const part of [...base.split("/").slice(0, -1), ...location.split("/")]) {
    if (part === ".." && parts.length > 0 && parts.at(-1) !== "..") parts.pop();
    else if (part !== "." && (part !== "" || parts.length === 0)) parts.push(part);
  }
  return parts.join("/");
}

export type SchemaSource = Readonly<{ root: XNode; file: string }>;

/** A set from schema texts by file, for example one XSD file. */
export function loadSchemas(sources: readonly Readonly<{ file: string; text: string }>[], options: SchemaOptions): Loader {
  return buildSet(
    sources.map(({ file, text }) => ({ file, root: readTree(file, text) })),
    options,
  );
}

/** A set from schema elements, for example those inside a WSDL. */
export function buildSet(sources: readonly SchemaSource[], options: SchemaOptions): Loader {
  const documents: SchemaDocument[] = [];
  const seen = new Set<string>();
  for (const source of sources) load(source, undefined, documents, seen, options);
  const components = new Map<string, Component>();
  const heads = new Set<string>();
  for (const document of documents) register(document, components, heads);
  return makeLoader(documents, components, heads, options);
}

function load(
  source: SchemaSource,
  inherited: string | undefined,
  documents: SchemaDocument[],
  seen: Set<string>,
  options: SchemaOptions,
): void {
  const { root, file } = source;
  if (root.name.ns !== XSD_NS || root.name.local !== "schema") throw schemaError(root, `expected an xs:schema, found <${root.raw}>`);
  if (documents.length >= MAX_DOCUMENTS) throw schemaError(root, `more than ${MAX_DOCUMENTS} schema documents`);
  const target = root.attributes.get("targetNamespace") ?? inherited ?? "";
  documents.push({
    root,
    file,
    target,
    qualifiedElements: root.attributes.get("elementFormDefault") === "qualified",
    qualifiedAttributes: root.attributes.get("attributeFormDefault") === "qualified",
  });
  for (const node of root.children) {
    if (node.name.ns !== XSD_NS) continue;
    if (node.name.local === "redefine")
      throw schemaError(node, "xs:redefine is not supported; put the changed types into a schema of their own");
    const include = node.name.local === "include";
    const location = node.attributes.get("schemaLocation");
    if ((!include && node.name.local !== "import") || location === undefined) continue;
    if (node.attributes.get("namespace") === XML_NS) continue;
    follow(node, location, file, include ? target : undefined, documents, seen, options);
  }
}

function follow(
  node: XNode,
  location: string,
  base: string,
  inherited: string | undefined,
  documents: SchemaDocument[],
  seen: Set<string>,
  options: SchemaOptions,
): void {
  const file = joinPath(base, location);
  const key = `${file} ${inherited ?? ""}`;
  if (seen.has(key)) return;
  seen.add(key);
  const text = options.resolve(location, base);
  if (text !== undefined) return load({ file, root: readTree(file, text) }, inherited, documents, seen, options);
  // An import may also be satisfied by a schema that stands inline; then its location is only a hint.
  const ns = node.attributes.get("namespace") ?? "";
  if (documents.some((document) => document.target === ns) && node.name.local === "import") return;
  throw schemaError(node, `the schema ${location} was not found; put the file at ${file} (nothing is fetched from the network)`);
}

function register(document: SchemaDocument, components: Map<string, Component>, heads: Set<string>): void {
  for (const node of document.root.children) {
    const kind = KINDS[node.name.local];
    const name = node.attributes.get("name");
    if (node.name.ns !== XSD_NS || kind === undefined) continue;
    if (name === undefined) throw schemaError(node, `a global <${node.raw}> needs a name`);
    const key = `${kind} ${nameKey(document.target, name)}`;
    const other = components.get(key);
    if (other !== undefined && other.node.file !== node.file) continue;
    if (other !== undefined) throw schemaError(node, `${name} is defined twice`);
    components.set(key, { node, document });
    const head = node.attributes.get("substitutionGroup");
    if (head !== undefined) heads.add(head.slice(head.indexOf(":") + 1));
  }
}

function makeLoader(
  documents: readonly SchemaDocument[],
  components: ReadonlyMap<string, Component>,
  heads: ReadonlySet<string>,
  options: SchemaOptions,
): Loader {
  const elements = new Map<string, ElementDecl>();
  const types = new Map<string, SimpleType | ComplexType>();
  const building = new Set<string>();
  const loader: Loader = {
    options,
    documents,
    targets: [...new Set(documents.map((document) => document.target))],
    component(kind, name, from) {
      const found = components.get(`${kind} ${showName(name)}`);
      if (found !== undefined) return found;
      throw schemaError(from, `the ${kind} ${showName(name)} is not defined in the schemas; import the schema of its namespace`);
    },
    element(name) {
      const key = showName(name);
      const found = components.get(`element ${key}`);
      if (found === undefined) return undefined;
      const made = elements.get(key) ?? buildElement(found.node, found.document, loader, true);
      elements.set(key, made);
      return made;
    },
    type(name) {
      if (name.ns === XSD_NS) return builtinType(name.local);
      const key = showName(name);
      const known = types.get(key);
      const found = components.get(`type ${key}`);
      if (known !== undefined || found === undefined) return known;
      if (building.has(key)) throw schemaError(found.node, `the type ${name.local} is derived from itself`);
      building.add(key);
      const made =
        found.node.name.local === "simpleType"
          ? buildSimpleType(found.node, found.document, loader, name)
          : buildComplexType(found.node, found.document, loader, name);
      building.delete(key);
      types.set(key, made);
      return made;
    },
    typeOf(name, from) {
      const found = loader.type(name);
      if (found !== undefined) return found;
      if (name.ns === XSD_NS) throw schemaError(from, `xs:${name.local} is not supported here; use a type with a definite content`);
      throw schemaError(from, `the type ${showName(name)} is not defined in the schemas; import the schema of its namespace`);
    },
    simpleTypeOf(name, from) {
      const found = loader.typeOf(name, from);
      if (found.kind === "simple") return found;
      throw schemaError(from, `${showName(name)} is a complex type; a simple type is needed here`);
    },
    localElement: (node, document) => buildElement(node, document, loader, false),
    substituted: (name) => heads.has(name.local),
  };
  return loader;
}
