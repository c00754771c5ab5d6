/**
 * Binds an XSD element to an Avro type. A field answers to an element by its property `"xml": "Name"` (`"@name"` for an
 * attribute, `"#text"` for simple content), else by the same name, else by a first letter of the other case. All that does
 * not fit is collected and thrown as one `configuration` error, each place with the path in the XSD and in the Avro schema.
 */
import { BusError } from "../../errors.ts";
import type { Place } from "../../errors.ts";
import { describe, nullable, withoutNull } from "../shape.ts";
import type { FieldShape, RecordShape, Shape } from "../shape.ts";
import { planScalar } from "./convert.ts";
import type { SimpleType } from "./facets.ts";
import type { AttributeUse, ComplexType, ElementDecl, ElementParticle, Particle } from "./model.ts";
import type { XNode } from "./tree.ts";
import { intern } from "./names.ts";
import type { Vocabulary } from "./names.ts";

import type { AttributePlan, ElementPart, ElementPlan, PartPlan, RecordPlan, ScalarPlan, ValuePlan } from "./plan.ts";

type Binder = Readonly<{ vocabulary: Vocabulary; faults: Place[]; plans: Map<ComplexType, Map<RecordShape, RecordPlan>> }>;
/** Where we are: in the document and in the record. */
type Where = Readonly<{ xml: string; avro: string }>;

const MAX_FAULTS = 100;

/** The plan of a message. Throws `configuration` with every misfit. */
export function bindElement(vocabulary: Vocabulary, element: ElementDecl, shape: RecordShape): ElementPlan {
  const binder: Binder = { vocabulary, faults: [], plans: new Map() };
  const plan = bindDecl(binder, element, shape, { xml: `/${element.name.local}`, avro: shape.name });
  if (plan !== undefined && binder.faults.length === 0) return plan;
  const lines = binder.faults.map((place) => `  ${place.path ?? ""}: ${place.text}`).join("\n");
  throw new BusError(
    "configuration",
    `the element ${element.name.local} and the Avro record ${shape.name} do not fit together:\n${lines}`,
    {
      places: binder.faults,
    },
  );
}

function fault(binder: Binder, where: Where, node: XNode, text: string): undefined {
  if (binder.faults.length < MAX_FAULTS) {
    binder.faults.push({
      line: node.line,
      column: node.column,
      path: `${where.xml} ⇄ ${where.avro}`,
      text: `${text} (${node.file}:${node.line})`,
    });
  }
}

function bindDecl(binder: Binder, element: ElementDecl, shape: Shape, where: Where): ElementPlan | undefined {
  const type = element.type();
  const value = type.kind === "simple" ? bindScalar(binder, type, shape, where, element.node) : bindComplex(binder, type, shape, where);
  if (value === undefined) return undefined;
  if (element.nillable && !nullable(shape))
    fault(binder, where, element.node, `${element.name.local} may be nil, so its field needs null in its type`);
  const name = intern(binder.vocabulary, element.name.ns, element.name.local);
  const { nillable, fixed } = element;
  return { name, value, typeName: type.name, nillable, default: element.default ?? fixed, fixed };
}

function bindScalar(binder: Binder, type: SimpleType, shape: Shape, where: Where, node: XNode): ScalarPlan | undefined {
  const plan = planScalar(type, withoutNull(shape));
  return typeof plan === "string" ? fault(binder, where, node, plan) : plan;
}

function bindComplex(binder: Binder, type: ComplexType, shape: Shape, where: Where): ValuePlan | undefined {
  const target = withoutNull(shape);
  if (target.kind === "record") return bindRecord(binder, type, target, where);
  if (type.text !== undefined && type.attributes.length === 0) return bindScalar(binder, type.text, shape, where, type.node);
  if (target.kind === "array" && type.attributes.length === 0 && type.particle?.kind === "element") {
    const item = bindRepeated(binder, type.particle, target.items, "", where);
    return item === undefined ? undefined : { kind: "wrapper", item };
  }
  return fault(binder, where, type.node, `an element with children or attributes cannot be ${describe(target)}; use a record`);
}

/** One record plan for each pair of complex type and record, so that recursive types end. */
function bindRecord(binder: Binder, type: ComplexType, shape: RecordShape, where: Where): RecordPlan {
  const known = binder.plans.get(type)?.get(shape);
  if (known !== undefined) return known;
  const plan: RecordPlan = {
    kind: "record",
    name: shape.name,
    typeName: type.name,
    attributes: [],
    anyAttribute: type.anyAttribute,
    text: undefined,
    content: undefined,
    template: {},
    lists: [],
  };
  const byShape = binder.plans.get(type) ?? new Map<RecordShape, RecordPlan>();
  binder.plans.set(type, byShape.set(shape, plan));
  const claimed = new Map<FieldShape, string>();
  const scope: RecordScope = { binder, shape, plan, claimed, where };
  if (type.particle !== undefined) plan.content = bindPart(scope, type.particle, false);
  for (const use of type.attributes) bindAttribute(scope, use);
  if (type.text !== undefined) bindText(scope, type.text, type.node);
  for (const field of shape.fields) {
    if (!claimed.has(field))
      fault(
        binder,
        inField(where, field, ""),
        type.node,
        `the field ${field.name} has no element or attribute; name it with "xml", or remove it`,
      );
  }
  return plan;
}

type RecordScope = Readonly<{ binder: Binder; shape: RecordShape; plan: RecordPlan; claimed: Map<FieldShape, string>; where: Where }>;

function inField(where: Where, field: FieldShape, xml: string): Where {
  return { xml: where.xml + xml, avro: `${where.avro}.${field.name}` };
}

function otherCase(name: string): string {
  const first = name.charAt(0);
  return (first === first.toUpperCase() ? first.toLowerCase() : first.toUpperCase()) + name.slice(1);
}

/** The field of an XML name; `mark` is what its `xml` property must say. Claims it. */
function claim(scope: RecordScope, local: string, mark: string, node: XNode): FieldShape | undefined {
  const { fields } = scope.shape;
  const free = (field: FieldShape): boolean => field.source["xml"] === undefined;
  const field =
    fields.find((candidate) => candidate.source["xml"] === mark) ??
    fields.find((candidate) => free(candidate) && candidate.name === local) ??
    fields.find((candidate) => free(candidate) && candidate.name === otherCase(local));
  const { binder, where, claimed } = scope;
  if (field === undefined)
    return fault(
      binder,
      { ...where, xml: `${where.xml}/${mark}` },
      node,
      `no field takes ${mark}; add a field, or give one "xml": "${mark}"`,
    );
  const other = claimed.get(field);
  if (other !== undefined)
    return fault(
      binder,
      inField(where, field, `/${mark}`),
      node,
      `${other} and ${mark} both go to the field ${field.name}; tell them apart with "xml"`,
    );
  claimed.set(field, mark);
  return field;
}

function bindAttribute(scope: RecordScope, use: AttributeUse): void {
  const mark = `@${use.name.local}`;
  const field = claim(scope, use.name.local, mark, use.node);
  if (field === undefined) return;
  const where = inField(scope.where, field, `/${mark}`);
  const value = bindScalar(scope.binder, use.type, field.type, where, use.node);
  if (value === undefined) return;
  absent(scope, field, !use.required && use.default === undefined && use.fixed === undefined, where, use.node);
  const name = intern(scope.binder.vocabulary, use.name.ns, use.name.local);
  const plan: AttributePlan = { use, name, field: field.name, value };
  scope.plan.attributes.push(plan);
}

function bindText(scope: RecordScope, type: SimpleType, node: XNode): void {
  const field = claim(scope, "value", "#text", node);
  if (field === undefined) return;
  const where = inField(scope.where, field, "/text()");
  const value = bindScalar(scope.binder, type, field.type, where, node);
  if (value === undefined) return;
  scope.plan.template[field.name] = undefined;
  scope.plan.text = { field: field.name, value, nullable: nullable(field.type) };
}

/** What the field holds when its element is absent: its default, null or an empty array. */
function absent(scope: RecordScope, field: FieldShape, mayBeAbsent: boolean, where: Where, node: XNode): void {
  const { template } = scope.plan;
  template[field.name] = nullable(field.type) ? null : undefined;
  const kind = withoutNull(field.type).kind;
  const given = field.default;
  const plain = typeof given === "string" || typeof given === "number" || typeof given === "boolean";
  if (plain && mayBeAbsent && ["string", "boolean", "int", "long", "float", "double", "enum"].includes(kind)) {
    template[field.name] = given;
  } else if (mayBeAbsent && kind === "array" && !nullable(field.type)) {
    scope.plan.lists.push(field.name);
  } else if (mayBeAbsent && !nullable(field.type)) {
    fault(scope.binder, where, node, `may be absent in XML, but the field ${field.name} has neither null in its type nor a plain default`);
  }
}

function bindPart(scope: RecordScope, particle: Particle, optional: boolean): PartPlan | undefined {
  const { binder, where } = scope;
  if (particle.kind === "any") return { kind: "any", min: particle.min, max: particle.max, accepts: particle.accepts };
  if (particle.kind === "element") return bindField(scope, particle, optional);
  if (particle.max > 1) {
    return fault(
      binder,
      where,
      particle.node,
      `a repeated ${particle.kind} of several elements loses their order in Avro; put each repetition into an element of its own`,
    );
  }
  const loose = optional || particle.min === 0 || particle.kind === "choice";
  const parts = particle.parts.map((part) => bindPart(scope, part, loose)).filter((part) => part !== undefined);
  return { kind: particle.kind, min: particle.min, parts };
}

function bindField(scope: RecordScope, particle: ElementParticle, optional: boolean): ElementPart | undefined {
  const { element } = particle;
  const { local } = element.name;
  const field = claim(scope, local, local, particle.node);
  if (field === undefined) return undefined;
  const where = inField(scope.where, field, `/${local}`);
  const target = withoutNull(field.type);
  absent(scope, field, !optional && particle.min === 0, where, particle.node);
  if (optional && target.kind === "array" && !nullable(field.type)) scope.plan.lists.push(field.name);
  if (optional && !nullable(field.type) && target.kind !== "array") {
    fault(scope.binder, where, particle.node, `stands in a choice or an optional group, so the field ${field.name} needs null in its type`);
  }
  if (particle.max > 1) {
    if (target.kind !== "array")
      return fault(scope.binder, where, particle.node, `${local} may occur ${showMax(particle.max)}, so its field needs an array`);
    if (!nullable(field.type) && !scope.plan.lists.includes(field.name)) scope.plan.lists.push(field.name);
    return bindRepeated(scope.binder, particle, target.items, field.name, where);
  }
  const plan = bindDecl(scope.binder, element, field.type, where);
  if (plan === undefined) return undefined;
  return { kind: "element", min: particle.min, max: 1, element: plan, field: field.name, list: false, keepsEmpty: nullable(field.type) };
}

function bindRepeated(binder: Binder, particle: ElementParticle, items: Shape, field: string, where: Where): ElementPart | undefined {
  const { element, min, max } = particle;
  const plan = bindDecl(binder, element, items, {
    xml: field === "" ? `${where.xml}/${element.name.local}` : where.xml,
    avro: `${where.avro}[]`,
  });
  return plan === undefined ? undefined : { kind: "element", min, max, element: plan, field, list: true, keepsEmpty: false };
}

function showMax(max: number): string {
  return max === Infinity ? "any number of times" : `up to ${max} times`;
}
