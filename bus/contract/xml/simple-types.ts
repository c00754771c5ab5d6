/** xs:simpleType: restriction with facets, list, union (XML Schema 1.0 part 2 §4). */
import type { Mutable } from "../../mutable.ts";
import type { Facets, SimpleType } from "./facets.ts";
import { compileScalar, normalize } from "./facets.ts";
import { builtin } from "./builtins.ts";
import type { WhiteSpace } from "./builtins.ts";
import { translatePattern } from "./pattern.ts";
import type { Pattern } from "./pattern.ts";
import { XSD_NS } from "./names.ts";
import type { Name } from "./names.ts";
import { child, childrenOf, need, qname, schemaError } from "./tree.ts";
import type { XNode } from "./tree.ts";
import type { SchemaDocument } from "./model.ts";
import type { Loader } from "./schema.ts";

export function buildSimpleType(node: XNode, document: SchemaDocument, loader: Loader, name?: Name): SimpleType {
  const restriction = child(node, XSD_NS, "restriction");
  if (restriction !== undefined) return restrict(restriction, baseOf(restriction, document, loader), name);
  const list = child(node, XSD_NS, "list");
  if (list !== undefined) {
    const item = inlineOr(list, list.attributes.get("itemType"), document, loader);
    if (item.variety === "list") throw schemaError(list, "a list of lists is not allowed");
    return { kind: "simple", name, variety: "list", builtin: item.builtin, base: undefined, item, members: [], facets: { patterns: [] } };
  }
  const union = child(node, XSD_NS, "union");
  if (union === undefined) throw schemaError(node, "a simpleType holds restriction, list or union");
  const named = (union.attributes.get("memberTypes") ?? "").split(/\s+/).filter((part) => part !== "");
  const members = [
    ...named.map((part) => loader.simpleTypeOf(qname(union, part, document.target), union)),
    ...childrenOf(union, XSD_NS, "simpleType").map((inner) => buildSimpleType(inner, document, loader)),
  ];
  const [first] = members;
  if (first === undefined) throw schemaError(union, "a union needs member types");
  return {
    kind: "simple",
    name,
    variety: "union",
    builtin: first.builtin,
    base: undefined,
    item: undefined,
    members,
    facets: { patterns: [] },
  };
}

function inlineOr(node: XNode, named: string | undefined, document: SchemaDocument, loader: Loader): SimpleType {
  const inline = child(node, XSD_NS, "simpleType");
  if (inline !== undefined) return buildSimpleType(inline, document, loader);
  if (named === undefined) throw schemaError(node, `<${node.raw}> names no type`);
  return loader.simpleTypeOf(qname(node, named, document.target), node);
}

function baseOf(restriction: XNode, document: SchemaDocument, loader: Loader): SimpleType {
  return inlineOr(restriction, restriction.attributes.get("base"), document, loader);
}

/** A restriction of `base` by the facets below `node`; also serves simpleContent. */
export function restrict(node: XNode, base: SimpleType, name?: Name): SimpleType {
  const facets = readFacets(node);
  const type: SimpleType = { ...base, name, base, facets };
  checkFacetValues(node, base, facets);
  return type;
}

const COUNTS = ["length", "minLength", "maxLength", "totalDigits", "fractionDigits"] as const;
const BOUNDS = ["minInclusive", "maxInclusive", "minExclusive", "maxExclusive"] as const;
const OTHER = new Set(["annotation", "simpleType", "attribute", "attributeGroup", "anyAttribute"]);

function readFacets(node: XNode): Facets {
  const facets: Mutable<Facets> = { patterns: [] };
  const patterns: { source: string; expression: Pattern }[] = [];
  const enumeration: string[] = [];
  for (const facet of node.children) {
    if (facet.name.ns !== XSD_NS || OTHER.has(facet.name.local)) continue;
    const value = need(facet, "value");
    const { local } = facet.name;
    const count = COUNTS.find((known) => known === local);
    const bound = BOUNDS.find((known) => known === local);
    if (count !== undefined) facets[count] = wholeNumber(facet, value);
    else if (bound !== undefined) facets[bound] = value.trim();
    else if (local === "enumeration") enumeration.push(value);
    else if (local === "whiteSpace") facets.whiteSpace = whiteSpace(facet, value);
    else if (local === "pattern") patterns.push(pattern(facet, value));
    else throw schemaError(facet, `the facet ${local} is not known`);
  }
  if (enumeration.length > 0) facets.enumeration = enumeration;
  facets.patterns = patterns;
  return facets;
}

function wholeNumber(node: XNode, value: string): number {
  if (!/^\s*\+?\d{1,9}\s*$/.test(value)) throw schemaError(node, `${node.name.local} needs a whole number`);
  return Number(value);
}

function whiteSpace(node: XNode, value: string): WhiteSpace {
  if (value === "preserve" || value === "replace" || value === "collapse") return value;
  throw schemaError(node, "whiteSpace is preserve, replace or collapse");
}

function pattern(node: XNode, source: string): { source: string; expression: Pattern } {
  const expression = translatePattern(source);
  if (typeof expression === "string") throw schemaError(node, `the pattern ${source} cannot be used: ${expression}`);
  return { source, expression };
}

/** Values in facets must be values of the base, else nothing (or everything) would fit. */
function checkFacetValues(node: XNode, base: SimpleType, facets: Facets): void {
  const scalar = compileScalar(base);
  const bounds = BOUNDS.map((bound) => facets[bound]).filter((value) => value !== undefined);
  if (bounds.length > 0 && (base.variety !== "atomic" || !["decimal", "float", "time", "duration"].includes(base.builtin.family))) {
    throw schemaError(
      node,
      "minInclusive, maxInclusive, minExclusive and maxExclusive are supported for numbers, dates, times and durations",
    );
  }
  for (const value of facets.enumeration ?? []) {
    const problem = scalar.check?.(normalize(value, scalar.whiteSpace));
    if (problem !== undefined) throw schemaError(node, `the value ${value} is not of the base type: ${problem.text}`);
  }
  // A bound may lie outside of the base's own bounds, but nothing compares with what is no number or date.
  const { family, test } = (base.builtin.family === "decimal" ? builtin("decimal") : undefined) ?? base.builtin;
  for (const value of bounds)
    if (family !== "text" && test?.(value) === false) throw schemaError(node, `the bound ${value} is no value of xs:${base.builtin.name}`);
}
