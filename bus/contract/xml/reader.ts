/**
 * Compiles a plan into closures that read an element and validate it against its XSD in the same pass. Each closure starts
 * where the element was just opened and ends behind its end tag.
 */
import { advance, closeTag, readText } from "./cursor.ts";
import type { Cursor } from "./state.ts";
import { normalize } from "./facets.ts";
import { compileAttributes, compileText, readNil, refuseAttributes } from "./reader-text.ts";
import { compileParts } from "./reader-parts.ts";
import type { PartReader } from "./reader-parts.ts";
import { firstOf, emptiable } from "./plan.ts";
import type { ElementPlan, RecordPlan, ScalarPlan, WrapperPlan } from "./plan.ts";
import { abandon, unexpected, violate } from "./violation.ts";
import type { Vocabulary } from "./names.ts";

export type ReadElement = (c: Cursor) => unknown;
type ReadRecord = (c: Cursor, nil: boolean) => unknown;
type ReaderContext = Readonly<{ vocabulary: Vocabulary; records: Map<RecordPlan, ReadRecord> }>;

/** A reader for elements of this plan. Violations stand in `c.places` afterwards; broken structure throws at once. */
export function compileReader(vocabulary: Vocabulary, plan: ElementPlan): ReadElement {
  return elementReader({ vocabulary, records: new Map() }, plan);
}

function elementReader(context: ReaderContext, plan: ElementPlan): ReadElement {
  const { value } = plan;
  switch (value.kind) {
    case "scalar":
      return scalarReader(plan, value);
    case "wrapper":
      return wrapperReader(context, plan, value);
    default:
      return recordReader(context, plan, value);
  }
}

/** Ends an element with xsi:nil="true": it must be empty. */
function closeNil(c: Cursor): null {
  if (advance(c) !== undefined) abandon(c, "nillable", "an element with xsi:nil must be empty", c.at);
  closeTag(c);
  return null;
}

/** Checks a fixed value by value, not by letter. */
function fixedCheck(plan: ElementPlan, scalar: ScalarPlan): ((c: Cursor, text: string, index: number) => void) | undefined {
  const { fixed } = plan;
  if (fixed === undefined) return undefined;
  const { canonical, whiteSpace } = scalar.scalar;
  const wanted = canonical(normalize(fixed, whiteSpace));
  return (c, text, index) => {
    if (canonical(normalize(text, whiteSpace)) !== wanted) violate(c, "fixed", `must be ${fixed}`, index, c.raw[c.depth]);
  };
}

function scalarReader(plan: ElementPlan, value: ScalarPlan): ReadElement {
  const read = compileText(value);
  const fixed = fixedCheck(plan, value);
  const whenEmpty = plan.default;
  return (c) => {
    if (c.attributes > 0) {
      refuseAttributes(c, plan.typeName);
      if (readNil(c, plan.nillable)) return closeNil(c);
    }
    const index = c.pos;
    let text = readText(c);
    if (text === "" && whenEmpty !== undefined) text = whenEmpty;
    if (fixed !== undefined) fixed(c, text, index);
    return read(c, text, index, c.raw[c.depth] ?? "");
  };
}

function wrapperReader(context: ReaderContext, plan: ElementPlan, value: WrapperPlan): ReadElement {
  const item = elementReader(context, value.item.element);
  const { min, max } = value.item;
  const { name } = value.item.element;
  return (c) => {
    if (c.attributes > 0) {
      refuseAttributes(c, plan.typeName);
      if (readNil(c, plan.nillable)) return closeNil(c);
    }
    const list: unknown[] = [];
    advance(c);
    while (c.next === name && list.length < max) {
      c.ordinals[c.depth - 1] = list.length + 1;
      list.push(item(c));
      advance(c);
    }
    if (list.length < min || c.next !== undefined) unexpected(c, list.length < max ? [name] : [], list.length >= min);
    closeTag(c);
    return list;
  };
}

function recordReader(context: ReaderContext, plan: ElementPlan, value: RecordPlan): ReadElement {
  const body = recordBody(context, value);
  return (c) => body(c, c.attributes > 0 && readNil(c, plan.nillable));
}

/** Attributes and content of a record; compiled once for each plan, whichever elements have it. */
function recordBody(context: ReaderContext, plan: RecordPlan): ReadRecord {
  const known = context.records.get(plan);
  if (known !== undefined) return known;
  const slot: { read?: ReadRecord } = {};
  // A type that contains itself meets this forwarder while it is still being compiled.
  context.records.set(plan, (c, nil) => slot.read?.(c, nil));
  const attributes = compileAttributes(plan);
  const fill = plan.text === undefined ? contentReader(context, plan) : textReader(plan.text);
  const { template, lists, typeName } = plan;
  const compiled: ReadRecord = (c, nil) => {
    // A spread would take four times as long once it has met many templates.
    const record: Record<string, unknown> = Object.assign({}, template);
    for (const field of lists) record[field] = [];
    if (attributes !== undefined) attributes(c, record);
    else if (c.attributes > 0) refuseAttributes(c, typeName);
    if (nil) return closeNil(c);
    fill(c, record);
    return record;
  };
  slot.read = compiled;
  context.records.set(plan, compiled);
  return compiled;
}

function textReader(text: NonNullable<RecordPlan["text"]>): PartReader {
  const read = compileText(text.value);
  return (c, record) => {
    const index = c.pos;
    record[text.field] = read(c, readText(c), index, c.raw[c.depth] ?? "");
  };
}

function contentReader(context: ReaderContext, plan: RecordPlan): PartReader {
  const content = plan.content === undefined ? undefined : compileParts(plan.content, (element) => elementReader(context, element));
  const first = plan.content === undefined ? [] : firstOf(plan.content);
  const mayEnd = plan.content === undefined || emptiable(plan.content);
  return (c, record) => {
    advance(c);
    content?.(c, record);
    if (c.next !== undefined) unexpected(c, mayEnd ? first : [], true);
    closeTag(c);
  };
}
