/**
 * What XSD and Avro agreed on: the plan that reader and writer are compiled from. An element ⇄ a field, a repeated element ⇄
 * an array, absence or xsi:nil ⇄ null, text ⇄ a typed value. A plan may contain itself, as types may.
 */
import type { Scalar } from "./facets.ts";
import type { AttributeUse } from "./model.ts";
import type { Name } from "./names.ts";

/** Text and value. Both functions give undefined for what does not fit. */
export type Conversion = Readonly<{
  parse: (text: string) => unknown;
  print: (value: unknown) => string | undefined;
  /** What a message says was expected. */
  expected: string;
  /** Printed text never needs escaping. */
  safe: boolean;
}>;

export type ScalarPlan = Readonly<{ kind: "scalar"; scalar: Scalar; conversion: Conversion }>;
/** An element whose only content is one repeated element: the value is the array itself. */
export type WrapperPlan = Readonly<{ kind: "wrapper"; item: ElementPart }>;
export type RecordPlan = {
  readonly kind: "record";
  readonly name: string;
  /** Name of the XSD type, for xsi:type. */
  readonly typeName: Name | undefined;
  attributes: AttributePlan[];
  /** Attributes that are not declared are let through (and lost). */
  anyAttribute: boolean;
  text: Readonly<{ field: string; value: ScalarPlan; nullable: boolean }> | undefined;
  content: PartPlan | undefined;
  /** Every field with the value it has when its element is absent. */
  readonly template: Record<string, unknown>;
  /** Fields that start as an empty array. */
  readonly lists: string[];
};
export type ValuePlan = ScalarPlan | RecordPlan | WrapperPlan;

export type ElementPlan = Readonly<{
  name: Name;
  value: ValuePlan;
  /** Name of its type, for xsi:type. */
  typeName: Name | undefined;
  nillable: boolean;
  default: string | undefined;
  fixed: string | undefined;
}>;
export type AttributePlan = Readonly<{ use: AttributeUse; name: Name; field: string; value: ScalarPlan }>;

export type ElementPart = Readonly<{
  kind: "element";
  min: number;
  max: number;
  element: ElementPlan;
  field: string;
  list: boolean;
  /** An empty array is another value than null, so an empty wrapper element is written for it. */
  keepsEmpty: boolean;
}>;
export type GroupPart = Readonly<{ kind: "sequence" | "choice" | "all"; min: number; parts: readonly PartPlan[] }>;
export type AnyPart = Readonly<{ kind: "any"; min: number; max: number; accepts: (name: Name) => boolean }>;
export type PartPlan = ElementPart | GroupPart | AnyPart;

export function emptiable(part: PartPlan): boolean {
  if (part.min === 0) return true;
  if (part.kind === "element" || part.kind === "any") return false;
  return part.kind === "choice" ? part.parts.some(emptiable) : part.parts.every(emptiable);
}

/** Elements that may come first in a part. */
export function firstOf(part: PartPlan): Name[] {
  if (part.kind === "element") return [part.element.name];
  if (part.kind === "any") return [];
  if (part.kind !== "sequence") return part.parts.flatMap(firstOf);
  const names: Name[] = [];
  for (const inner of part.parts) {
    names.push(...firstOf(inner));
    if (!emptiable(inner)) break;
  }
  return names;
}
