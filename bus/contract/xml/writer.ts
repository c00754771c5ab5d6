/**
 * Compiles a plan into closures that write an element as text. A value that cannot become valid XML is refused with the
 * path of its field; what is written reads back as the same value. All prefixes are declared on the outermost element.
 */
import { BusError } from "../../errors.ts";
import { encodeUtf8, printAttribute, printText } from "./chars.ts";
import { normalize } from "./facets.ts";
import { XSI_NS, XML_NS } from "./names.ts";
import type { Name } from "./names.ts";
import { emptiable } from "./plan.ts";
import type { AttributePlan, ElementPart, ElementPlan, GroupPart, PartPlan, RecordPlan, ScalarPlan, ValuePlan } from "./plan.ts";

type Values = Readonly<Record<string, unknown>>;
/** Where the writer stands in the value: field names and item numbers. Only errors look at it. */
type Trail = { readonly steps: (string | number)[]; depth: number };
/** Attributes and content of a record. */
type WriteRecord = Readonly<{ attributes: ((record: Values) => string) | undefined; content: (record: Values) => string }>;
type WriteElement = (value: unknown) => string;
type WritePart = (record: Values) => string;
type WriterContext = Readonly<{ prefixes: ReadonlyMap<string, string>; records: Map<RecordPlan, WriteRecord>; trail: Trail }>;

/** Writes one message: the value of the root element with its namespace declarations, as a string of its bytes. */
export type WriteDocument = (value: unknown) => string;

/** `prefixOf` proposes a prefix for a namespace, for example the schema's own. */
export function compileWriter(plan: ElementPlan, prefixOf: (ns: string) => string | undefined): WriteDocument {
  const namespaces = new Set<string>();
  collect(plan, namespaces, new Set());
  const prefixes = choosePrefixes(namespaces, prefixOf);
  const declarations = [...prefixes].map(([ns, prefix]) => ` xmlns:${prefix}="${printAttribute(ns)}"`).join("");
  const trail: Trail = { steps: [], depth: 0 };
  const write = elementWriter({ prefixes, records: new Map(), trail }, plan, declarations);
  return (value) => {
    trail.depth = 0;
    try {
      return write(value);
    } catch (error) {
      // A character that XML does not know is met where no field is known.
      throw error instanceof BusError && error.places.length === 0 ? misfit(trail, "character", error.message) : error;
    }
  };
}

function choosePrefixes(namespaces: ReadonlySet<string>, prefixOf: (ns: string) => string | undefined): Map<string, string> {
  const prefixes = new Map<string, string>();
  const taken = new Set(["xml", "xmlns", "xsi", "soap"]);
  for (const ns of namespaces) {
    if (ns === "" || ns === XML_NS) continue;
    let prefix = ns === XSI_NS ? "xsi" : prefixOf(ns);
    if (prefix !== undefined) prefix = encodeUtf8(prefix);
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

function misfit(trail: Trail, rule: string, text: string): BusError {
  let path = "";
  for (const step of trail.steps.slice(0, trail.depth)) path += typeof step === "number" ? `[${step}]` : path === "" ? step : `.${step}`;
  const shown = path === "" ? "the message" : path;
  return new BusError("xsd-violation", `${shown}: ${text}`, { places: [{ path: shown, rule, text }] });
}

function refuse(trail: Trail, rule: string, text: string): never {
  throw misfit(trail, rule, text);
}

/** Runs a writer one step deeper in the value. */
function within<T>(trail: Trail, step: string | number, write: (value: T) => string, value: T): string {
  trail.steps[trail.depth++] = step;
  const out = write(value);
  trail.depth--;
  return out;
}

function rawName(context: WriterContext, name: Name): string {
  if (name.ns === XML_NS) return `xml:${name.local}`;
  const local = encodeUtf8(name.local);
  const prefix = context.prefixes.get(name.ns);
  return prefix === undefined ? local : `${prefix}:${local}`;
}

function elementWriter(context: WriterContext, plan: ElementPlan, declarations = ""): WriteElement {
  const raw = rawName(context, plan.name);
  const { value } = plan;
  // XSD wants required attributes even on a nil element, and null has none.
  const nillable = plan.nillable && !(value.kind === "record" && value.attributes.some((attribute) => attribute.use.required));
  const nil = `<${raw}${declarations} xsi:nil="true"/>`;
  const write = valueWriter(context, plan, value, `${raw}${declarations}`, raw);
  return (item) => {
    if (item !== null && item !== undefined) return write(item);
    return nillable ? nil : refuse(context.trail, "required", "a value is missing, and the element may be neither absent nor nil");
  };
}

function valueWriter(context: WriterContext, plan: ElementPlan, value: ValuePlan, open: string, raw: string): WriteElement {
  const close = `</${raw}>`;
  switch (value.kind) {
    case "scalar": {
      const print = notDefault(context, plan, scalarPrinter(context, value, plan.fixed));
      const head = `<${open}>`;
      if (value.conversion.safe) return (item) => head + print(item) + close;
      return (item) => head + printText(print(item)) + close;
    }
    case "wrapper": {
      const list = listWriter(context, value.item);
      return (item) => `<${open}>${list(item)}${close}`;
    }
    default: {
      const body = recordWriter(context, value);
      return (item) => {
        if (typeof item !== "object" || item === null || Array.isArray(item)) refuse(context.trail, "contract", "expected a record");
        const record = item as Values;
        const head = body.attributes === undefined ? open : open + body.attributes(record);
        const content = body.content(record);
        return content === "" ? `<${head}/>` : `<${head}>${content}${close}`;
      };
    }
  }
}

/** An empty element means its default to every reader, so an empty text cannot be said where there is one. */
function notDefault({ trail }: WriterContext, plan: ElementPlan, print: WriteElement): WriteElement {
  if (plan.default === undefined || plan.default === "") return print;
  return (item) => {
    const text = print(item);
    return text === "" ? refuse(trail, "default", `an empty text would be read as the default ${plan.default}`) : text;
  };
}

/** A value as checked text, not yet escaped. */
function scalarPrinter({ trail }: WriterContext, plan: ScalarPlan, fixed: string | undefined): WriteElement {
  const { check, whiteSpace, canonical } = plan.scalar;
  const { print, expected } = plan.conversion;
  const preserves = whiteSpace === "preserve";
  const wanted = fixed === undefined ? undefined : canonical(normalize(fixed, whiteSpace));
  return (value) => {
    const text = print(value) ?? refuse(trail, "contract", `expected ${expected}`);
    if (check !== undefined) {
      const problem = check(preserves ? text : normalize(text, whiteSpace));
      if (problem !== undefined) refuse(trail, problem.rule, problem.text);
    }
    if (wanted !== undefined && canonical(normalize(text, whiteSpace)) !== wanted) refuse(trail, "fixed", `must be ${fixed}`);
    return text;
  };
}

function recordWriter(context: WriterContext, plan: RecordPlan): WriteRecord {
  const known = context.records.get(plan);
  if (known !== undefined) return known;
  const slot: { write?: WriteRecord } = {};
  const attributes = plan.attributes.map((attribute) => attributeWriter(context, attribute));
  const head = (record: Values): string => {
    let out = "";
    for (const attribute of attributes) out += attribute(record);
    return out;
  };
  const all = attributes.length === 0 ? undefined : head;
  // A type that contains itself meets this forwarder while it is still being compiled.
  context.records.set(plan, { attributes: all, content: (record) => slot.write?.content(record) ?? "" });
  slot.write = { attributes: all, content: plan.text === undefined ? partWriter(context, plan.content) : textWriter(context, plan.text) };
  context.records.set(plan, slot.write);
  return slot.write;
}

function attributeWriter(context: WriterContext, plan: AttributePlan): WritePart {
  const raw = rawName(context, plan.name);
  const { trail } = context;
  const print = scalarPrinter(context, plan.value, plan.use.fixed);
  const { field, use } = plan;
  const write = (value: unknown): string => {
    if (value !== null && value !== undefined) return ` ${raw}="${printAttribute(print(value))}"`;
    return use.required ? refuse(trail, "required", "a value is missing, and the attribute is required") : "";
  };
  return (record) => within(trail, field, write, record[field]);
}

function textWriter(context: WriterContext, text: NonNullable<RecordPlan["text"]>): WritePart {
  const { trail } = context;
  const print = scalarPrinter(context, text.value, undefined);
  const write = (value: unknown): string => {
    if (value === null || value === undefined) return refuse(trail, "required", "the text of the element is missing");
    return printText(print(value));
  };
  return (record) => within(trail, text.field, write, record[text.field]);
}

function partWriter(context: WriterContext, part: PartPlan | undefined): WritePart {
  if (part === undefined) return () => "";
  switch (part.kind) {
    case "any":
      return () => (part.min === 0 ? "" : refuse(context.trail, "any", "the schema wants foreign elements that no field holds"));
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
  const { trail } = context;
  if (part.list) {
    const list = listWriter(context, part);
    return (record) => within(trail, field, list, record[field] ?? []);
  }
  const write = elementWriter(context, part.element);
  const skipsEmpty = part.element.value.kind === "wrapper" && min === 0 && !part.keepsEmpty;
  return (record) => {
    const value = record[field];
    if (min === 0 && (value === null || value === undefined)) return "";
    if (skipsEmpty && Array.isArray(value) && value.length === 0) return "";
    return within(trail, field, write, value);
  };
}

function listWriter(context: WriterContext, part: ElementPart): WriteElement {
  const write = elementWriter(context, part.element);
  const { trail } = context;
  const { min, max } = part;
  return (value) => {
    if (!Array.isArray(value)) return refuse(trail, "contract", "expected a list");
    if (value.length < min || value.length > max)
      refuse(trail, "occurs", `has ${value.length} items; expected ${min} to ${max === Infinity ? "any number" : max}`);
    let out = "";
    for (let i = 0; i < value.length; i++) out += within(trail, i, write, value[i]);
    return out;
  };
}

/** Does the record hold anything for this part? */
function isSet(part: PartPlan): (record: Values) => boolean {
  if (part.kind === "any") return () => false;
  if (part.kind === "element") {
    return (record) => {
      const value = record[part.field];
      return value !== null && value !== undefined && (!Array.isArray(value) || value.length > 0 || part.keepsEmpty);
    };
  }
  const inner = part.parts.map(isSet);
  return (record) => inner.some((set) => set(record));
}

function sequenceWriter(context: WriterContext, part: GroupPart): WritePart {
  const writers = part.parts.map((inner) => partWriter(context, inner));
  const set = isSet(part);
  return (record) => {
    if (part.min === 0 && !set(record)) return "";
    let out = "";
    for (const write of writers) out += write(record);
    return out;
  };
}

function choiceWriter(context: WriterContext, part: GroupPart): WritePart {
  const branches = part.parts.map((inner) => ({ set: isSet(inner), write: partWriter(context, inner), names: fieldsOf(inner).join(", ") }));
  const names = branches.map((branch) => branch.names).join(" | ");
  return (record) => {
    const chosen = branches.filter((branch) => branch.set(record));
    const [only] = chosen;
    if (chosen.length > 1) refuse(context.trail, "choice", `only one of ${names} may be set`);
    if (only !== undefined) return only.write(record);
    return emptiable(part) ? "" : refuse(context.trail, "choice", `one of ${names} must be set`);
  };
}

function fieldsOf(part: PartPlan): string[] {
  if (part.kind === "element") return [part.field];
  return part.kind === "any" ? [] : part.parts.flatMap(fieldsOf);
}
