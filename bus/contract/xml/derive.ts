/** An Avro schema made from an XSD element, for the wire shape behind a map and for a first draft of a contract. */
import { BusError } from "../../errors.ts";
import { camel } from "./words.ts";
import type { SimpleType } from "./facets.ts";
import type { AvroSchemaJson } from "./codec.ts";
import type { ComplexType, ElementDecl, Particle, SchemaSet } from "./model.ts";
import { showName } from "./names.ts";
import type { Name } from "./names.ts";
import { schemaError } from "./tree.ts";

type Avro = string | AvroSchemaJson | readonly unknown[];
type Field = { name: string; type: Avro; default?: null; xml?: string };
type Derivation = Readonly<{ namespace: string; names: Set<string>; records: Map<ComplexType, string>; enums: Map<SimpleType, string> }>;

/** Every element and attribute of `element` as a field; binding the two always succeeds. Throws `configuration`. */
export function xsdToAvro(schemas: SchemaSet, element: Name): AvroSchemaJson {
  const declaration = schemas.element(element);
  if (declaration === undefined) throw new BusError("configuration", `the schemas define no element ${showName(element)}`);
  const type = declaration.type();
  const derivation: Derivation = { namespace: avroNamespace(element.ns), names: new Set(), records: new Map(), enums: new Map() };
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
    fields.push(field(taken, use.name.local, `@${use.name.local}`, scalar(derivation, use.type, use.name.local), optional));
  }
  if (type.text !== undefined) fields.push(field(taken, "value", "#text", scalar(derivation, type.text, `${hint}Value`), false));
  return { type: "record", name, fields };
}

/** A field whose name says its mark where the two differ by more than the first letter's case. */
function field(taken: Set<string>, local: string, mark: string, type: Avro, optional: boolean): Field {
  const base = camel(local)
    .replace(/[^A-Za-z0-9_]/g, "_")
    .replace(/^(?=[0-9])/, "_");
  let name = base;
  for (let i = 2; taken.has(name); i++) name = `${base}${i}`;
  taken.add(name);
  const plain = mark === local && (name === local || name.slice(1) === local.slice(1)) && name.toLowerCase() === local.toLowerCase();
  return { name, type: optional ? ["null", type] : type, ...(optional ? { default: null } : {}), ...(plain ? {} : { xml: mark }) };
}

function particleFields(derivation: Derivation, particle: Particle, optional: boolean, fields: Field[], taken: Set<string>): void {
  if (particle.kind === "any") return;
  if (particle.kind === "element") {
    const { local } = particle.element.name;
    const type = elementType(derivation, particle.element);
    const { nillable } = particle.element;
    if (particle.max > 1) fields.push(field(taken, local, local, { type: "array", items: nillable ? ["null", type] : type }, false));
    else fields.push(field(taken, local, local, type, optional || particle.min === 0 || nillable));
    return;
  }
  const loose = optional || particle.min === 0 || (particle.kind === "choice" && particle.parts.length > 1);
  for (const part of particle.parts) particleFields(derivation, part, loose, fields, taken);
}

function elementType(derivation: Derivation, element: ElementDecl): Avro {
  const type = element.type();
  const { local } = element.name;
  if (type.kind === "simple") return scalar(derivation, type, local);
  if (type.text !== undefined && type.attributes.length === 0) return scalar(derivation, type.text, local);
  const { particle } = type;
  if (type.attributes.length === 0 && particle?.kind === "element" && particle.max > 1) {
    const item = elementType(derivation, particle.element);
    return { type: "array", items: particle.element.nillable ? ["null", item] : item };
  }
  return record(derivation, type, local);
}

const INTS = new Set(["int", "short", "byte", "unsignedShort", "unsignedByte"]);

function scalar(derivation: Derivation, type: SimpleType, hint: string): Avro {
  if (type.variety === "union") return "string";
  if (type.variety === "list") return type.item === undefined ? "string" : { type: "array", items: scalar(derivation, type.item, hint) };
  const { name, family } = type.builtin;
  switch (family) {
    case "boolean":
      return "boolean";
    case "float":
      return name;
    case "binary":
      return "bytes";
    case "decimal":
      return number(type);
    case "time":
      if (name === "date") return { type: "int", logicalType: "date" };
      return name === "dateTime" ? { type: "long", logicalType: "timestamp-millis" } : "string";
    default:
      return enumeration(derivation, type, hint) ?? "string";
  }
}

/** The smallest facet value along the derivation. */
function facet(type: SimpleType, name: "totalDigits" | "fractionDigits"): number | undefined {
  let found: number | undefined;
  for (let step: SimpleType | undefined = type; step !== undefined; step = step.base) found ??= step.facets[name];
  return found;
}

function number(type: SimpleType): Avro {
  const { name } = type.builtin;
  const digits = facet(type, "totalDigits");
  if (INTS.has(name)) return "int";
  if (name === "long" || name === "unsignedInt") return "long";
  if (name !== "decimal") return digits !== undefined && digits <= 18 ? "long" : "string";
  const scale = facet(type, "fractionDigits");
  if (digits === undefined || digits > 77 || digits < 1) return "string";
  return scale === undefined ? "string" : { type: "bytes", logicalType: "decimal", precision: digits, scale: Math.min(scale, digits) };
}

function enumeration(derivation: Derivation, type: SimpleType, hint: string): Avro | undefined {
  const known = derivation.enums.get(type);
  if (known !== undefined) return `${derivation.namespace}.${known}`;
  const symbols = type.facets.enumeration;
  if (symbols === undefined || !symbols.every((symbol) => /^[A-Za-z_][A-Za-z0-9_]*$/.test(symbol))) return undefined;
  const name = typeName(derivation, type.name?.local ?? `${hint.charAt(0).toUpperCase()}${hint.slice(1)}Code`);
  derivation.enums.set(type, name);
  return { type: "enum", name, symbols: [...new Set(symbols)] };
}
