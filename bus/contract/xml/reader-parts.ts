/** Content models as closures: one look at the next element decides which part takes it. */
import { advance, closeTag, openChild, readCdata, refuseMarkup, skipComment } from "./cursor.ts";
import { cookText, fail, refuseInstruction } from "./state.ts";
import type { Cursor } from "./state.ts";
import type { Name } from "./names.ts";
import { emptiable, firstOf } from "./plan.ts";
import type { AnyPart, ElementPart, ElementPlan, GroupPart, PartPlan } from "./plan.ts";
import { unexpected } from "./violation.ts";

/** Takes what belongs to the part from the children and puts it into the record; `c.next` is the child after it. */
export type PartReader = (c: Cursor, record: Record<string, unknown>) => void;
type CompileElement = (plan: ElementPlan) => (c: Cursor) => unknown;

export function compileParts(part: PartPlan, compile: CompileElement): PartReader {
  switch (part.kind) {
    case "element":
      return part.list ? listReader(part, compile) : singleReader(part, compile);
    case "any":
      return anyReader(part);
    case "sequence":
      return sequenceReader(part, compile);
    case "choice":
      return choiceReader(part, compile);
    default:
      return allReader(part, compile);
  }
}

function singleReader(part: ElementPart, compile: CompileElement): PartReader {
  const read = compile(part.element);
  const { field, min } = part;
  const { name } = part.element;
  return (c, record) => {
    if (c.next === name) {
      record[field] = read(c);
      advance(c);
    } else if (min > 0) unexpected(c, [name], false);
  };
}

function listReader(part: ElementPart, compile: CompileElement): PartReader {
  const read = compile(part.element);
  const { field, min, max } = part;
  const { name } = part.element;
  return (c, record) => {
    if (c.next !== name) {
      if (min > 0) unexpected(c, [name], false);
      return;
    }
    const list: unknown[] = [];
    while (c.next === name && list.length < max) {
      c.ordinals[c.depth - 1] = list.length + 1;
      list.push(read(c));
      advance(c);
    }
    if (list.length < min) unexpected(c, [name], false);
    record[field] = list;
  };
}

function anyReader(part: AnyPart): PartReader {
  return (c) => {
    let count = 0;
    while (c.next !== undefined && count < part.max && part.accepts(c.next)) {
      skipElement(c);
      advance(c);
      count++;
    }
    if (count < part.min) unexpected(c, [], false);
  };
}

/** Reads past an element, checking its well-formedness only. */
export function skipElement(c: Cursor): void {
  const depth = c.depth - 1;
  while (c.depth > depth) {
    if (c.empty) {
      closeTag(c);
      continue;
    }
    const end = c.src.indexOf("<", c.pos);
    if (end === -1) fail(c, "xml-malformed", `<${c.raw[c.depth - 1]}> is not closed`, c.src.length);
    cookText(c, c.src.slice(c.pos, end), c.pos);
    c.pos = end;
    if (c.src.startsWith("</", end)) closeTag(c);
    else if (c.src.startsWith("<!--", end)) skipComment(c);
    else if (c.src.startsWith("<![CDATA[", end)) readCdata(c);
    else if (c.src.startsWith("<!", end)) refuseMarkup(c);
    else if (c.src.startsWith("<?", end)) refuseInstruction(c);
    else openChild(c);
  }
}

function sequenceReader(part: GroupPart, compile: CompileElement): PartReader {
  const readers = part.parts.map((inner) => compileParts(inner, compile));
  const run: PartReader = (c, record) => {
    for (const read of readers) read(c, record);
  };
  return part.min === 0 ? optional(part, run) : run;
}

/** A group that may be left out begins only with one of its first names (or a wildcard). */
function optional(part: GroupPart, run: PartReader): PartReader {
  const starts = startsOf(part);
  return (c, record) => {
    if (c.next !== undefined && starts(c.next)) run(c, record);
  };
}

function startsOf(part: PartPlan): (name: Name) => boolean {
  const names = new Set(firstOf(part));
  const wildcards = wildcardsOf(part);
  return (name) => names.has(name) || wildcards.some((accepts) => accepts(name));
}

function wildcardsOf(part: PartPlan): ((name: Name) => boolean)[] {
  if (part.kind === "any") return [part.accepts];
  if (part.kind === "element") return [];
  const found: ((name: Name) => boolean)[] = [];
  for (const inner of part.parts) {
    found.push(...wildcardsOf(inner));
    if (part.kind === "sequence" && !emptiable(inner)) break;
  }
  return found;
}

function choiceReader(part: GroupPart, compile: CompileElement): PartReader {
  const branches = part.parts.map((inner) => ({ starts: startsOf(inner), read: compileParts(inner, compile) }));
  const byName = new Map<Name, PartReader>();
  for (const [i, inner] of part.parts.entries())
    for (const name of firstOf(inner)) byName.set(name, branches[i]?.read ?? (() => undefined));
  const mayEnd = emptiable(part);
  const expected = firstOf(part);
  return (c, record) => {
    const { next } = c;
    const read = next === undefined ? undefined : (byName.get(next) ?? branches.find((branch) => branch.starts(next))?.read);
    if (read !== undefined) read(c, record);
    else if (!mayEnd) unexpected(c, expected, false);
  };
}

function allReader(part: GroupPart, compile: CompileElement): PartReader {
  const parts = part.parts.filter((inner) => inner.kind === "element");
  const byName = new Map(parts.map((inner, index) => [inner.element.name, { index, inner, read: compileParts(inner, compile) }] as const));
  const required = parts.filter((inner) => inner.min > 0);
  return (c, record) => {
    const seen = new Set<ElementPart>();
    for (let entry = c.next && byName.get(c.next); entry !== undefined && !seen.has(entry.inner); entry = c.next && byName.get(c.next)) {
      seen.add(entry.inner);
      entry.read(c, record);
    }
    if (seen.size === 0 && part.min === 0) return;
    const missing = required.filter((inner) => !seen.has(inner));
    if (missing.length > 0)
      unexpected(
        c,
        missing.map((inner) => inner.element.name),
        false,
      );
  };
}
