/** An Avro schema made from an XSD element, for the wire shape behind a map and for the contract of an imported service. */
import { BusError } from "../../errors.ts";
import { camel } from "./words.ts";
import type { SimpleType } from "./facets.ts";
import type { AvroSchemaJson } from "./codec.ts";
import type { ComplexType, ElementDecl, Particle, SchemaSet } from "./model.ts";
import { XSD_NS, showName } from "./names.ts";
import type { Name } from "./names.ts";
import { child, schemaError } from "./tree.ts";
import type { XNode } from "./tree.ts";

type Avro = string | AvroSchemaJson | readonly unknown[];
type Field = { name: string; type: Avro; doc?: string; default?: null; xml?: string };
/** Told of what Avro says less exactly than the XSD, and where that stands. */
export type Tell = (node: XNode, text: string) => void;
type Derivation = Readonly<{
  namespace: string;
  names: Set<string>;
  records: Map<ComplexType, string>;
  enums: Map<SimpleType, string>;
  tell: Tell;
}>;
/** Where a text value stands: what its type is named after, and the node that declares it. */
type Holder = Readonly<{ hint: string; node: XNode }>;

/** Every element and attribute of `element` as a field; binding the two always succeeds. Throws `configuration`. */
export function xsdToAvro(schemas: SchemaSet, element: Name, tell: Tell = () => undefined): AvroSchemaJson {
  const declaration = schemas.element(element);
  if (declaration === undefined) throw new BusError("configuration", `the schemas define no element ${showName(element)}`);
  const type = declaration.type();
  const namespace = avroNamespace(element.ns);
  const derivation: Derivation = { namespace, names: new Set(), records: new Map(), enums: new Map(), tell };
  if (type.kind === "simple" || (type.text !== undefined && type.attributes.length === 0)) {
    throw schemaError(declaration.node, `the element ${element.local} holds text only, so it cannot be a record; wrap it into an element`);
  }
  return { ...(record(derivation, type, element.local) as AvroSchemaJson), namespace: derivation.namespace };
}

/** `https://mconnect.gov.md/persons` → `md.gov.mconnect.persons`. */
function avroNamespace(ns: string): string {
  const [host = "", ...path] = ns.replace(/^[a-z]+:(?:\/\/)?/i, "").split(/[/:#]/);
  const parts = [...host.split(".").reverse(), ...path.flatMap((part) => part.split("."))];
  const clean = parts.map((part) => part.replace(/[^A-Za-z0-9_]/g, "_")).filter((part) => part !== "");
  return clean.map((part) => (/^[0-9]/.test(part) ? `_${part}` : part)).join(".") || "xml";
}

function typeName(derivation: Derivation, wanted: string): string {
  const base = wanted.replace(/[^A-Za-z0-9_]/g, "_").replace(/^(?=[0-9])/, "_");
  let name = base;
  for (let i = 2; derivation.names.has(name); i++) name = `${base}${i}`;
  derivation.names.add(name);
  return name;
}

function record(derivation: Derivation, type: ComplexType, hint: string): Avro {
  const known = derivation.records.get(type);
  if (known !== undefined) return `${derivation.namespace}.${known}`;
  const name = typeName(derivation, type.name?.local ?? hint);
  derivation.records.set(type, name);
  const fields: Field[] = [];
  const taken = new Set<string>();
  if (type.particle !== undefined) particleFields(derivation, type.particle, false, fields, taken);
  for (const use of type.attributes) {
    const optional = !use.required && use.default === undefined && use.fixed === undefined;
    const avro = scalar(derivation, use.type, { hint: use.name.local, node: use.node });
    fields.push(field(taken, use.name.local, `@${use.name.local}`, avro, optional, use.node));
  }
  if (type.text !== undefined) {
    const avro = scalar(derivation, type.text, { hint: `${hint}Value`, node: type.node });
    fields.push(field(taken, "value", "#text", avro, false, undefined));
  }
  const doc = docOf(type.node);
  return { type: "record", name, ...(doc === undefined ? {} : { doc }), fields };
}

const MAX_DOC = 500;

/** The documentation of a node in one line. */
export function docOf(node: XNode | undefined): string | undefined {
  const annotation = node === undefined ? undefined : child(node, XSD_NS, "annotation");
  const text = annotation === undefined ? "" : (child(annotation, XSD_NS, "documentation")?.text ?? "");
  return text.replace(/\s+/g, " ").trim().slice(0, MAX_DOC).toWellFormed() || undefined;
}

/** A field whose name says its mark where the two differ by more than the first letter's case. */
function field(taken: Set<string>, local: string, mark: string, type: Avro, optional: boolean, node: XNode | undefined): Field {
  const base = camel(local)
    .replace(/[^A-Za-z0-9_]/g, "_")
    .replace(/^(?=[0-9])/, "_");
  let name = base;
  for (let i = 2; taken.has(name); i++) name = `${base}${i}`;
  taken.add(name);
  const plain = mark === local && (name === local || name.slice(1) === local.slice(1)) && name.toLowerCase() === local.toLowerCase();
  const doc = docOf(node);
  return {
    name,
    type: optional ? ["null", type] : type,
    ...(doc === undefined ? {} : { doc }),
    ...(optional ? { default: null } : {}),
    ...(plain ? {} : { xml: mark }),
  };
}

function particleFields(derivation: Derivation, particle: Particle, optional: boolean, fields: Field[], taken: Set<string>): void {
  if (particle.kind === "any") return;
  if (particle.kind === "element") {
    const { local } = particle.element.name;
    const type = elementType(derivation, particle.element);
    const { nillable, node } = particle.element;
    if (particle.max > 1) fields.push(field(taken, local, local, { type: "array", items: nillable ? ["null", type] : type }, false, node));
    else fields.push(field(taken, local, local, type, optional || particle.min === 0 || nillable, node));
    return;
  }
  const loose = optional || particle.min === 0 || (particle.kind === "choice" && particle.parts.length > 1);
  for (const part of particle.parts) particleFields(derivation, part, loose, fields, taken);
}

function elementType(derivation: Derivation, element: ElementDecl): Avro {
  const type = element.type();
  const { local } = element.name;
  const holder: Holder = { hint: local, node: element.node };
  if (type.kind === "simple") return scalar(derivation, type, holder);
  if (type.text !== undefined && type.attributes.length === 0) return scalar(derivation, type.text, holder);
  const { particle } = type;
  if (type.attributes.length === 0 && particle?.kind === "element" && particle.max > 1) {
    const item = elementType(derivation, particle.element);
    return { type: "array", items: particle.element.nillable ? ["null", item] : item };
  }
  return record(derivation, type, local);
}

const INTS = new Set(["int", "short", "byte", "unsignedShort", "unsignedByte"]);

function scalar(derivation: Derivation, type: SimpleType, holder: Holder): Avro {
  const text = (why: string): Avro => {
    derivation.tell(holder.node, `${holder.hint} is text in Avro: ${why}; the XSD still decides what may stand there`);
    return "string";
  };
  if (type.variety === "union") return text("an xs:union has no single type");
  if (type.variety === "list") {
    return type.item === undefined ? "string" : { type: "array", items: scalar(derivation, type.item, holder) };
  }
  const { name, family } = type.builtin;
  switch (family) {
    case "boolean":
      return "boolean";
    case "float":
      return name;
    case "binary":
      return "bytes";
    case "decimal":
      return number(type, text);
    case "time":
      if (name === "date") return { type: "int", logicalType: "date" };
      return name === "dateTime" ? { type: "long", logicalType: "timestamp-millis" } : text(`xs:${name} has no type there`);
    case "duration":
      return text(`xs:${name} has no type there`);
    default:
      return enumeration(derivation, type, holder, text) ?? "string";
  }
}

/** The smallest facet value along the derivation. */
function facet(type: SimpleType, name: "totalDigits" | "fractionDigits"): number | undefined {
  let found: number | undefined;
  for (let step: SimpleType | undefined = type; step !== undefined; step = step.base) found ??= step.facets[name];
  return found;
}

function number(type: SimpleType, text: (why: string) => Avro): Avro {
  const { name } = type.builtin;
  const digits = facet(type, "totalDigits");
  if (INTS.has(name)) return "int";
  if (name === "long" || name === "unsignedInt") return "long";
  if (name !== "decimal") return digits !== undefined && digits <= 18 ? "long" : text(`xs:${name} has no greatest value`);
  const scale = facet(type, "fractionDigits");
  if (digits === undefined || digits > 77 || digits < 1 || scale === undefined)
    return text("the decimal has no totalDigits and fractionDigits");
  return { type: "bytes", logicalType: "decimal", precision: digits, scale: Math.min(scale, digits) };
}

function enumeration(derivation: Derivation, type: SimpleType, holder: Holder, text: (why: string) => Avro): Avro | undefined {
  const known = derivation.enums.get(type);
  if (known !== undefined) return `${derivation.namespace}.${known}`;
  const symbols = type.facets.enumeration;
  const foreign = symbols?.find((symbol) => !/^[A-Za-z_][A-Za-z0-9_]*$/.test(symbol));
  if (foreign !== undefined) return text(`"${foreign.slice(0, 40)}" is no symbol of an Avro enum`);
  if (symbols === undefined) return undefined;
  const { hint } = holder;
  const name = typeName(derivation, type.name?.local ?? `${hint.charAt(0).toUpperCase()}${hint.slice(1)}Code`);
  derivation.enums.set(type, name);
  return { type: "enum", name, symbols: [...new Set(symbols)] };
}
