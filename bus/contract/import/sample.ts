/** A smallest message that a service's schema accepts: what is optional is left out, lists hold one item where they must. */
import type { AvroRecord } from "../../envelope.ts";
import { sampleText } from "./sample-text.ts";
import type { ElementPart, ElementPlan, PartPlan, RecordPlan, ScalarPlan, ValuePlan } from "../xml/plan.ts";

const MAX_DEPTH = 20;

/** Undefined where no text is known for some required element. */
export function sampleOf(plan: ElementPlan): AvroRecord | undefined {
  const value = ofElement(plan, 0);
  return typeof value === "object" && value !== null ? (value as AvroRecord) : undefined;
}

function ofElement(plan: ElementPlan, depth: number): unknown {
  if (depth > MAX_DEPTH) return undefined;
  const given = plan.fixed ?? plan.default;
  return plan.value.kind === "scalar" && given !== undefined ? plan.value.conversion.parse(given) : ofValue(plan.value, depth);
}

function ofValue(value: ValuePlan, depth: number): unknown {
  if (value.kind === "scalar") return ofScalar(value);
  if (value.kind === "wrapper") return value.item.min === 0 ? [] : many(value.item, depth);
  return ofRecord(value, depth);
}

function ofScalar(value: ScalarPlan): unknown {
  const text = sampleText(value.scalar);
  return text === undefined ? undefined : value.conversion.parse(text);
}

function ofRecord(plan: RecordPlan, depth: number): Record<string, unknown> | undefined {
  const record: Record<string, unknown> = { ...plan.template };
  for (const list of plan.lists) record[list] = [];
  let whole = true;
  const put = (field: string, value: unknown): void => {
    if (value === undefined) whole = false;
    else record[field] = value;
  };
  for (const { use, field, value } of plan.attributes) {
    if (use.fixed !== undefined || use.default !== undefined) put(field, value.conversion.parse(use.fixed ?? use.default ?? ""));
    else if (use.required) put(field, ofScalar(value));
  }
  if (plan.text !== undefined) put(plan.text.field, ofScalar(plan.text.value));
  if (plan.content !== undefined) ofPart(plan.content, depth, put);
  return whole ? record : undefined;
}

function ofPart(part: PartPlan, depth: number, put: (field: string, value: unknown) => void): void {
  if (part.min === 0 || part.kind === "any") return;
  if (part.kind === "element") return put(part.field, part.list ? many(part, depth) : ofElement(part.element, depth + 1));
  const [first] = part.parts;
  for (const inner of part.kind === "choice" && first !== undefined ? [first] : part.parts) ofPart(inner, depth, put);
}

function many(part: ElementPart, depth: number): readonly unknown[] | undefined {
  const item = ofElement(part.element, depth + 1);
  return item === undefined || part.min > 100 ? undefined : Array.from({ length: part.min }, () => item);
}
