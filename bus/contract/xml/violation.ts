/** What an XSD says no to: places are collected while reading goes on where it can, and thrown together. */
import { BusError } from "../../errors.ts";
import { XML_LIMITS, decodeUtf8, lineColumn } from "./chars.ts";
import { pathOf } from "./state.ts";
import type { Cursor } from "./state.ts";
import type { Name } from "./names.ts";

/** Notes a violation at `index`; `last` is the name of an element that is closed already and belongs to the path. */
export function violate(c: Cursor, rule: string, text: string, index: number, last?: string): void {
  const outer = pathOf(c);
  // An element just closed still has its number among its namesakes.
  const ordinal = last === c.raw[c.depth] ? (c.ordinals[c.depth] ?? 0) : 0;
  const step = last === undefined ? "" : `${decodeUtf8(last)}${ordinal > 0 ? `[${ordinal}]` : ""}`;
  const path = step === "" ? outer : `${outer === "/" ? "" : outer}/${step}`;
  c.places.push({ ...lineColumn(c.src, index), path, rule, text });
  if (c.places.length >= XML_LIMITS.places) throwViolations(c);
}

/** A violation after which the structure is lost. */
export function abandon(c: Cursor, rule: string, text: string, index: number): never {
  violate(c, rule, text, index);
  return throwViolations(c);
}

export function throwViolations(c: Cursor): never {
  const first = c.places[0];
  const more = c.places.length > 1 ? ` (and ${c.places.length - 1} more)` : "";
  const text = first === undefined ? "the document breaks its schema" : `line ${first.line}, ${first.path}: ${first.text}${more}`;
  throw new BusError("xsd-violation", text, { places: c.places });
}

function shown(c: Cursor, name: Name): string {
  for (const [prefix, ns] of c.scope.prefixes) if (ns === name.ns && prefix !== "") return `${prefix}:${name.local}`;
  return c.scope.prefixes.get("") === name.ns || name.ns === "" ? name.local : `{${name.ns}}${name.local}`;
}

/** The next child (or the end tag) is not what the content model wants. */
export function unexpected(c: Cursor, expected: readonly Name[], mayEnd: boolean): never {
  const wanted = expected.slice(0, 8).map((name) => `<${shown(c, name)}>`);
  if (mayEnd || wanted.length === 0) wanted.push("the end of its parent");
  const list = wanted.join(" or ");
  if (c.next === undefined) {
    return abandon(c, "content", `<${decodeUtf8(c.raw[c.depth - 1] ?? "")}> ends too early; expected ${list}`, c.pos);
  }
  const namesake = expected.find((name) => name.local === c.next?.local);
  const hint = namesake === undefined ? "" : ` (the namespace differs: "${c.next.ns}" instead of "${namesake.ns}")`;
  return abandon(c, "content", `<${decodeUtf8(c.raw[c.depth - 1] ?? "")}> is not expected here${hint}; expected ${list}`, c.at);
}
