/** From the text of an element or attribute to its value, and the attributes of an element that was just opened. */
import type { Cursor } from "./state.ts";
import { normalize } from "./facets.ts";
import { XSI_NS, nameKey } from "./names.ts";
import type { Name } from "./names.ts";
import type { AttributePlan, RecordPlan, ScalarPlan } from "./plan.ts";
import { violate } from "./violation.ts";

/** White space that `collapse` would change: at the ends, doubled, or other than a space. */
function needsCollapse(text: string): boolean {
  let before = 32;
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code <= 32 && (code !== 32 || before === 32)) return true;
    before = code;
  }
  return before === 32 && text.length > 0;
}

export type ReadValue = (c: Cursor, raw: string, index: number, last: string) => unknown;

/** Normalises, checks and converts; notes a violation and gives undefined where the text does not fit. */
export function compileText(plan: ScalarPlan): ReadValue {
  const { check, whiteSpace } = plan.scalar;
  const { parse, expected } = plan.conversion;
  const collapse = whiteSpace === "collapse";
  return (c, raw, index, last) => {
    const text = collapse
      ? needsCollapse(raw)
        ? normalize(raw, whiteSpace)
        : raw
      : whiteSpace === "preserve"
        ? raw
        : normalize(raw, whiteSpace);
    if (check !== undefined) {
      const problem = check(text);
      if (problem !== undefined) {
        violate(c, problem.rule, problem.text, index, last);
        return undefined;
      }
    }
    const value = parse(text);
    if (value === undefined) violate(c, "contract", `does not fit the contract: expected ${expected}`, index, last);
    return value;
  };
}

/** Reads the attributes of an element into the record; undefined when none are declared. */
export type ReadAttributes = (c: Cursor, record: Record<string, unknown>) => void;

type Slot = Readonly<{ plan: AttributePlan; read: ReadValue; fixed: string | undefined }>;

export function compileAttributes(plan: RecordPlan): ReadAttributes | undefined {
  if (plan.attributes.length === 0 && !plan.anyAttribute) return undefined;
  const slots = plan.attributes.map((attribute) => slotOf(attribute));
  const byName = new Map<Name, Slot>(slots.map((slot) => [slot.plan.name, slot]));
  return (c, record) => {
    for (let i = 0; i < c.attributes; i++) {
      const name = c.attributeNames[i];
      const slot = name === undefined ? undefined : byName.get(name);
      if (slot !== undefined) readSlot(c, record, slot, c.attributeValues[i] ?? "");
      else if (name !== undefined) otherAttribute(c, name, c.attributeValues[i] ?? "", plan.typeName, plan.anyAttribute);
    }
    for (const slot of slots) if (!stands(c, slot.plan.name)) absentAttribute(c, record, slot);
  };
}

function slotOf(plan: AttributePlan): Slot {
  const { canonical, whiteSpace } = plan.value.scalar;
  const { fixed } = plan.use;
  return { plan, read: compileText(plan.value), fixed: fixed === undefined ? undefined : canonical(normalize(fixed, whiteSpace)) };
}

function stands(c: Cursor, name: Name): boolean {
  for (let i = 0; i < c.attributes; i++) if (c.attributeNames[i] === name) return true;
  return false;
}

function readSlot(c: Cursor, record: Record<string, unknown>, slot: Slot, raw: string): void {
  const { plan, fixed } = slot;
  const last = `@${plan.name.local}`;
  record[plan.field] = slot.read(c, raw, c.at, last);
  const { canonical, whiteSpace } = plan.value.scalar;
  if (fixed !== undefined && canonical(normalize(raw, whiteSpace)) !== fixed) violate(c, "fixed", `must be ${plan.use.fixed}`, c.at, last);
}

function absentAttribute(c: Cursor, record: Record<string, unknown>, slot: Slot): void {
  const { use, field, name } = slot.plan;
  const given = use.default ?? use.fixed;
  if (use.required) violate(c, "required", `the attribute ${name.local} is missing`, c.at, `@${name.local}`);
  else if (given !== undefined) record[field] = slot.read(c, given, c.at, `@${name.local}`);
}

/** An attribute that no plan declares: xsi:… by its meaning, others only where a wildcard lets them. */
function otherAttribute(c: Cursor, name: Name, value: string, typeName: Name | undefined, any: boolean): void {
  if (name.ns !== XSI_NS) {
    if (!any) violate(c, "attribute", "this attribute is not declared; remove it", c.at, `@${name.local}`);
    return;
  }
  // xsi:schemaLocation and its sibling are hints; nothing is ever fetched. xsi:nil was looked at before.
  if (name.local === "schemaLocation" || name.local === "noNamespaceSchemaLocation" || name.local === "nil") return;
  if (name.local !== "type") violate(c, "attribute", "this xsi attribute does not exist", c.at, `@xsi:${name.local}`);
  else if (!namesType(c, value.trim(), typeName)) {
    violate(
      c,
      "xsi:type",
      `xsi:type may only repeat the declared type${typeName === undefined ? "" : ` ${typeName.local}`}`,
      c.at,
      "@xsi:type",
    );
  }
}

function namesType(c: Cursor, value: string, typeName: Name | undefined): boolean {
  const colon = value.indexOf(":");
  const ns = c.scope.prefixes.get(colon === -1 ? "" : value.slice(0, colon)) ?? "";
  return typeName !== undefined && nameKey(ns, value.slice(colon + 1)) === nameKey(typeName.ns, typeName.local);
}

/** Where no attribute is declared. */
export function refuseAttributes(c: Cursor, typeName: Name | undefined): void {
  for (let i = 0; i < c.attributes; i++) {
    const name = c.attributeNames[i];
    if (name !== undefined) otherAttribute(c, name, c.attributeValues[i] ?? "", typeName, false);
  }
}

/** Does the element say xsi:nil? Where it may not, that is a violation. */
export function readNil(c: Cursor, nillable: boolean): boolean {
  for (let i = 0; i < c.attributes; i++) {
    const name = c.attributeNames[i];
    if (name?.ns !== XSI_NS || name.local !== "nil") continue;
    const value = (c.attributeValues[i] ?? "").trim();
    if (!nillable) violate(c, "nillable", "may not carry xsi:nil", c.at);
    else if (!/^(?:true|false|1|0)$/.test(value)) violate(c, "type boolean", "xsi:nil is true or false", c.at);
    return value === "true" || value === "1";
  }
  return false;
}
