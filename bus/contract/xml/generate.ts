/**
 * An XSD made from Avro records, for contracts without one. Element names are the field names in PascalCase, or what the
 * field's `"xml"` says; null ⇄ absence; an array ⇄ a repeated element, a nullable one inside a wrapper with `Item`s. What
 * XML cannot say (maps, unions of several types, arrays of arrays) is refused.
 */
import { BusError } from "../../errors.ts";
import { nullable, withoutNull } from "../shape.ts";
import type { EnumShape, FieldShape, FixedShape, RecordShape, Shape } from "../shape.ts";
import { escapeAttribute, escapeText } from "./chars.ts";
import { XSD_NS } from "./names.ts";
import { pascal } from "./words.ts";

type Generation = {
  readonly named: Map<Shape, string>;
  readonly taken: Set<string>;
  /** Names of decimal types by precision and scale. */
  readonly decimals: Map<string, string>;
  types: string;
};

/** One XSD with a global element for each record. Element names and type names do not collide. */
export function avroToXsd(namespace: string, elements: readonly Readonly<{ name: string; shape: RecordShape }>[]): string {
  const generation: Generation = { named: new Map(), taken: new Set(), decimals: new Map(), types: "" };
  const declared = elements.map(
    ({ name, shape }) => `  <xs:element name="${name}" type="t:${recordType(generation, shape, shape.name)}"/>\n`,
  );
  return (
    `<?xml version="1.0" encoding="UTF-8"?>\n<xs:schema xmlns:xs="${XSD_NS}" xmlns:t="${escapeAttribute(namespace)}" ` +
    `targetNamespace="${escapeAttribute(namespace)}" elementFormDefault="qualified">\n${generation.types}${declared.join("")}</xs:schema>\n`
  );
}

function refuse(path: string, text: string): never {
  throw new BusError("configuration", `the field ${path} has no XML form: ${text}`, { places: [{ path, text }] });
}

function freshName(generation: Generation, full: string): string {
  const base = pascal(full.slice(full.lastIndexOf(".") + 1));
  let name = base;
  for (let i = 2; generation.taken.has(name); i++) name = `${base}${i}`;
  generation.taken.add(name);
  return name;
}

function recordType(generation: Generation, shape: RecordShape, path: string): string {
  const known = generation.named.get(shape);
  if (known !== undefined) return known;
  const name = freshName(generation, shape.name);
  generation.named.set(shape, name);
  const marks = shape.fields.map((field) => markOf(shape, field));
  const attributes = shape.fields.filter((_, i) => marks[i]?.startsWith("@"));
  const text = shape.fields.find((_, i) => marks[i] === "#text");
  const rest = shape.fields.filter((field) => !attributes.includes(field) && field !== text);
  const attributeTexts = attributes.map((field) => attribute(generation, field, `${path}.${field.name}`)).join("");
  let content: string;
  if (text === undefined) {
    const parts = rest.map((field) => element(generation, markOf(shape, field), field, `${path}.${field.name}`)).join("");
    content = `    <xs:sequence>\n${parts}    </xs:sequence>\n${attributeTexts}`;
  } else {
    if (rest.length > 0 || nullable(text.type))
      refuse(`${path}.${text.name}`, 'a "#text" field needs a type without null and no fields beside it but attributes');
    const base = typeReference(generation, text.type, `${path}.${text.name}`);
    content = `    <xs:simpleContent><xs:extension base="${base}">\n${attributeTexts}    </xs:extension></xs:simpleContent>\n`;
  }
  generation.types += `  <xs:complexType name="${name}">\n${documentation(shape.doc)}${content}  </xs:complexType>\n`;
  return name;
}

/** Name in XML: what `"xml"` says, else PascalCase where no other field has that name. */
function markOf(record: RecordShape, field: FieldShape): string {
  const given = field.source["xml"];
  if (typeof given === "string" && /^(?:#text|@?[A-Za-z_][A-Za-z0-9_.-]*)$/.test(given)) return given;
  if (given !== undefined) refuse(`${record.name}.${field.name}`, '"xml" is a name, "@" and a name, or "#text"');
  const wanted = pascal(field.name);
  const clash = record.fields.some((other) => other !== field && (other.source["xml"] ?? other.name) === wanted);
  return clash ? field.name : wanted;
}

function documentation(doc: unknown): string {
  return typeof doc === "string" && doc !== ""
    ? `    <xs:annotation><xs:documentation>${escapeText(doc)}</xs:documentation></xs:annotation>\n`
    : "";
}

function attribute(generation: Generation, field: FieldShape, path: string): string {
  const name = String(field.source["xml"]).slice(1);
  const target = withoutNull(field.type);
  if (target.kind === "record" || target.kind === "array") refuse(path, "an attribute holds one value");
  const use = nullable(field.type) ? "" : ' use="required"';
  return `    <xs:attribute name="${name}" type="${typeReference(generation, target, path)}"${use}/>\n`;
}

function element(generation: Generation, name: string, field: FieldShape, path: string): string {
  const target = withoutNull(field.type);
  const optional = nullable(field.type);
  const doc = documentation(field.source["doc"]);
  const close = (open: string, inner: string): string =>
    inner === "" ? `      <${open}/>\n` : `      <${open}>\n${inner}      </xs:element>\n`;
  if (target.kind !== "array") {
    return close(`xs:element name="${name}" type="${typeReference(generation, target, path)}"${optional ? ' minOccurs="0"' : ""}`, doc);
  }
  const many = items(generation, optional ? "Item" : name, target.items, path);
  if (!optional) return close(many, doc);
  return close(
    `xs:element name="${name}" minOccurs="0"`,
    `${doc}        <xs:complexType><xs:sequence><${many}/></xs:sequence></xs:complexType>\n`,
  );
}

function items(generation: Generation, name: string, shape: Shape, path: string): string {
  const target = withoutNull(shape);
  if (target.kind === "array") refuse(path, "an array of arrays; put the inner one into a record");
  const nil = nullable(shape) ? ' nillable="true"' : "";
  return `xs:element name="${name}" type="${typeReference(generation, target, path)}" minOccurs="0" maxOccurs="unbounded"${nil}`;
}

const SIMPLE: Readonly<Record<string, string>> = {
  boolean: "boolean",
  int: "int",
  long: "long",
  float: "float",
  double: "double",
  string: "string",
  bytes: "base64Binary",
  date: "date",
  timestamp: "dateTime",
};

function typeReference(generation: Generation, shape: Shape, path: string): string {
  switch (shape.kind) {
    case "record":
      return `t:${recordType(generation, shape, path)}`;
    case "enum":
      return `t:${enumType(generation, shape)}`;
    case "fixed":
      return `t:${fixedType(generation, shape)}`;
    case "decimal":
      return `t:${decimalType(generation, shape.precision, shape.scale)}`;
    case "map":
      return refuse(path, "a map; use an array of records with a key and a value");
    case "union":
      return refuse(path, "a union of several types; use a record that holds each as an optional field");
    default: {
      const name = SIMPLE[shape.kind];
      return name === undefined ? refuse(path, "a value that is always null") : `xs:${name}`;
    }
  }
}

function enumType(generation: Generation, shape: EnumShape): string {
  const known = generation.named.get(shape);
  if (known !== undefined) return known;
  const name = freshName(generation, shape.name);
  generation.named.set(shape, name);
  const values = shape.symbols.map((symbol) => `<xs:enumeration value="${symbol}"/>`).join("");
  generation.types += `  <xs:simpleType name="${name}"><xs:restriction base="xs:string">${values}</xs:restriction></xs:simpleType>\n`;
  return name;
}

function fixedType(generation: Generation, shape: FixedShape): string {
  const known = generation.named.get(shape);
  if (known !== undefined) return known;
  const name = freshName(generation, shape.name);
  generation.named.set(shape, name);
  generation.types += `  <xs:simpleType name="${name}"><xs:restriction base="xs:base64Binary"><xs:length value="${shape.size}"/></xs:restriction></xs:simpleType>\n`;
  return name;
}

function decimalType(generation: Generation, precision: number, scale: number): string {
  const wanted = `Decimal${precision}_${scale}`;
  const known = generation.decimals.get(wanted);
  if (known !== undefined) return known;
  const name = freshName(generation, wanted);
  generation.decimals.set(wanted, name);
  const digits = `<xs:totalDigits value="${precision}"/><xs:fractionDigits value="${scale}"/>`;
  generation.types += `  <xs:simpleType name="${name}"><xs:restriction base="xs:decimal">${digits}</xs:restriction></xs:simpleType>\n`;
  return name;
}
