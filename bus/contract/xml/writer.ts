/**
 * Compiles a plan into closures that write an element as text. A value that cannot become valid XML is refused with the
 * path of its field; what is written reads back as the same value. All prefixes are declared on the outermost element.
 */
import { BusError } from "../../errors.ts";
import { escapeAttribute, escapeText } from "./chars.ts";
import { normalize } from "./facets.ts";
import { XSI_NS, XML_NS } from "./names.ts";
import type { Name } from "./names.ts";
import { emptiable } from "./plan.ts";
import type { AttributePlan, ElementPart, ElementPlan, GroupPart, PartPlan, RecordPlan, ScalarPlan, ValuePlan } from "./plan.ts";

type Values = Readonly<Record<string, unknown>>;
type WriteRecord = (record: Values, path: string) => { attributes: string; content: string };
type WriteElement = (value: unknown, path: string) => string;
type WritePart = (record: Values, path: string) => string;
type WriterContext = Readonly<{ prefixes: ReadonlyMap<string, string>; records: Map<RecordPlan, WriteRecord> }>;

/** Writes one message: the value of the root element as text with its namespace declarations. */
export type WriteDocument = (value: unknown) => string;

/** `prefixOf` proposes a prefix for a namespace, for example the schema's own. */
export function compileWriter(plan: ElementPlan, prefixOf: (ns: string) => string | undefined): WriteDocument {
  const namespaces = new Set<string>();
  collect(plan, namespaces, new Set());
  const prefixes = choosePrefixes(namespaces, prefixOf);
  const declarations = [...prefixes].map(([ns, prefix]) => ` xmlns:${prefix}="${escapeAttribute(ns)}"`).join("");
  const context: WriterContext = { prefixes, records: new Map() };
  const write = elementWriter(context, plan, declarations);
  return (value) => write(value, "");
}

function choosePrefixes(namespaces: ReadonlySet<string>, prefixOf: (ns: string) => string | undefined): Map<string, string> {
  const prefixes = new Map<string, string>();
  const taken = new Set(["xml", "xmlns", "xsi", "soap"]);
  for (const ns of namespaces) {
    if (ns === "" || ns === XML_NS) continue;
    let prefix = ns === XSI_NS ? "xsi" : prefixOf(ns);
    if (prefix === undefined || (taken.has(prefix) && ns !== XSI_NS)) prefix = `n${prefixes.size + 1}`;
    taken.add(prefix);
    prefixes.set(ns, prefix);
  }
  return prefixes;
}

function collect(plan: ElementPlan, namespaces: Set<string>, seen: Set<ValuePlan>): void {
  namespaces.add(plan.name.ns);
  if (plan.nillable) namespaces.add(XSI_NS);
  const { value } = plan;
  if (seen.has(value)) return;
  seen.add(value);
  if (value.kind === "wrapper") collect(value.item.element, namespaces, seen);
  if (value.kind !== "record") return;
  for (const attribute of value.attributes) namespaces.add(attribute.name.ns);
  if (value.content !== undefined) collectPart(value.content, namespaces, seen);
}

function collectPart(part: PartPlan, namespaces: Set<string>, seen: Set<ValuePlan>): void {
  if (part.kind === "element") collect(part.element, namespaces, seen);
  else if (part.kind !== "any") for (const inner of part.parts) collectPart(inner, namespaces, seen);
}

function refuse(path: string, rule: string, text: string): never {
  const shown = path === "" ? "the message" : path;
  throw new BusError("xsd-violation", `${shown}: ${text}`, { places: [{ path: shown, rule, text }] });
}

const at = (path: string, field: string): string => (path === "" ? field : `${path}.${field}`);

function rawName(context: WriterContext, name: Name): string {
  if (name.ns === XML_NS) return `xml:${name.local}`;
  const prefix = context.prefixes.get(name.ns);
  return prefix === undefined ? name.local : `${prefix}:${name.local}`;
}

function elementWriter(context: WriterContext, plan: ElementPlan, declarations = ""): WriteElement {
  const raw = rawName(context, plan.name);
  const { value } = plan;
  // XSD wants required attributes even on a nil element, and null has none.
  const nillable = plan.nillable && !(value.kind === "record" && value.attributes.some((attribute) => attribute.use.required));
  const nil = `<${raw}${declarations} xsi:nil="true"/>`;
  const write = valueWriter(context, plan, value, `${raw}${declarations}`, raw);
  return (item, path) => {
    if (item !== null && item !== undefined) return write(item, path);
    return nillable ? nil : refuse(path, "required", "a value is missing, and the element may be neither absent nor nil");
  };
}

function valueWriter(context: WriterContext, plan: ElementPlan, value: ValuePlan, open: string, raw: string): WriteElement {
  switch (value.kind) {
    case "scalar": {
      const print = scalarPrinter(value, plan.fixed);
      return (item, path) => `<${open}>${escapeText(print(item, path))}</${raw}>`;
    }
    case "wrapper": {
      const list = listWriter(context, value.item);
      return (item, path) => `<${open}>${list(item, path)}</${raw}>`;
    }
    default: {
      const body = recordWriter(context, value);
      return (item, path) => {
        if (typeof item !== "object" || item === null || Array.isArray(item)) refuse(path, "contract", "expected a record");
        const { attributes, content } = body(item as Values, path);
        return content === "" ? `<${open}${attributes}/>` : `<${open}${attributes}>${content}</${raw}>`;
      };
    }
  }
}

/** A value as checked text, not yet escaped. */
function scalarPrinter(plan: ScalarPlan, fixed: string | undefined): (value: unknown, path: string) => string {
  const { check, whiteSpace, canonical } = plan.scalar;
  const { print, expected } = plan.conversion;
  const wanted = fixed === undefined ? undefined : canonical(normalize(fixed, whiteSpace));
  return (value, path) => {
    const text = print(value) ?? refuse(path, "contract", `expected ${expected}`);
    const problem = check?.(whiteSpace === "preserve" ? text : normalize(text, whiteSpace));
    if (problem !== undefined) refuse(path, problem.rule, problem.text);
    if (wanted !== undefined && canonical(normalize(text, whiteSpace)) !== wanted) refuse(path, "fixed", `must be ${fixed}`);
    return text;
  };
}

function recordWriter(context: WriterContext, plan: RecordPlan): WriteRecord {
  const known = context.records.get(plan);
  if (known !== undefined) return known;
  const slot: { write?: WriteRecord } = {};
  // A type that contains itself meets this forwarder while it is still being compiled.
  context.records.set(plan, (record, path) => slot.write?.(record, path) ?? { attributes: "", content: "" });
  const attributes = plan.attributes.map((attribute) => attributeWriter(context, attribute));
  const content = plan.text === undefined ? partWriter(context, plan.content) : textWriter(plan.text);
  const compiled: WriteRecord = (record, path) => {
    let head = "";
    for (const attribute of attributes) head += attribute(record, path);
    return { attributes: head, content: content(record, path) };
  };
  slot.write = compiled;
  context.records.set(plan, compiled);
  return compiled;
}

function attributeWriter(context: WriterContext, plan: AttributePlan): WritePart {
  const raw = rawName(context, plan.name);
  const print = scalarPrinter(plan.value, plan.use.fixed);
  const { field, use } = plan;
  return (record, path) => {
    const value = record[field];
    if (value !== null && value !== undefined) return ` ${raw}="${escapeAttribute(print(value, at(path, field)))}"`;
    return use.required ? refuse(at(path, field), "required", "a value is missing, and the attribute is required") : "";
  };
}

function textWriter(text: NonNullable<RecordPlan["text"]>): WritePart {
  const print = scalarPrinter(text.value, undefined);
  return (record, path) => {
    const value = record[text.field];
    if (value === null || value === undefined) return refuse(at(path, text.field), "required", "the text of the element is missing");
    return escapeText(print(value, at(path, text.field)));
  };
}

function partWriter(context: WriterContext, part: PartPlan | undefined): WritePart {
  if (part === undefined) return () => "";
  switch (part.kind) {
    case "any":
      return (_record, path) => (part.min === 0 ? "" : refuse(path, "any", "the schema wants foreign elements that no field holds"));
    case "element":
      return fieldWriter(context, part);
    case "choice":
      return choiceWriter(context, part);
    default:
      return sequenceWriter(context, part);
  }
}

function fieldWriter(context: WriterContext, part: ElementPart): WritePart {
  const { field, min } = part;
  if (part.list) {
    const list = listWriter(context, part);
    return (record, path) => list(record[field] ?? [], at(path, field));
  }
  const write = elementWriter(context, part.element);
  const skipsEmpty = part.element.value.kind === "wrapper" && min === 0;
  return (record, path) => {
    const value = record[field];
    if (min === 0 && (value === null || value === undefined)) return "";
    if (skipsEmpty && Array.isArray(value) && value.length === 0 && !part.keepsEmpty) return "";
    return write(value, at(path, field));
  };
}

function listWriter(context: WriterContext, part: ElementPart): WriteElement {
  const write = elementWriter(context, part.element);
  const { min, max } = part;
  return (value, path) => {
    if (!Array.isArray(value)) return refuse(path, "contract", "expected a list");
    if (value.length < min || value.length > max)
      refuse(path, "occurs", `has ${value.length} items; expected ${min} to ${max === Infinity ? "any number" : max}`);
    let out = "";
    for (let i = 0; i < value.length; i++) out += write(value[i], `${path}[${i}]`);
    return out;
  };
}

/** Does the record hold anything for this part? */
function isSet(part: PartPlan): (record: Values) => boolean {
  if (part.kind === "any") return () => false;
  if (part.kind === "element") {
    return (record) => {
      const value = record[part.field];
      return value !== null && value !== undefined && (!Array.isArray(value) || value.length > 0);
    };
  }
  const inner = part.parts.map(isSet);
  return (record) => inner.some((set) => set(record));
}

function sequenceWriter(context: WriterContext, part: GroupPart): WritePart {
  const writers = part.parts.map((inner) => partWriter(context, inner));
  const set = isSet(part);
  return (record, path) => {
    if (part.min === 0 && !set(record)) return "";
    let out = "";
    for (const write of writers) out += write(record, path);
    return out;
  };
}

function choiceWriter(context: WriterContext, part: GroupPart): WritePart {
  const branches = part.parts.map((inner) => ({ set: isSet(inner), write: partWriter(context, inner), names: fieldsOf(inner).join(", ") }));
  const names = branches.map((branch) => branch.names).join(" | ");
  return (record, path) => {
    const chosen = branches.filter((branch) => branch.set(record));
    const [only] = chosen;
    if (chosen.length > 1) refuse(path, "choice", `only one of ${names} may be set`);
    if (only !== undefined) return only.write(record, path);
    return emptiable(part) ? "" : refuse(path, "choice", `one of ${names} must be set`);
  };
}

function fieldsOf(part: PartPlan): string[] {
  if (part.kind === "element") return [part.field];
  return part.kind === "any" ? [] : part.parts.flatMap(fieldsOf);
}
