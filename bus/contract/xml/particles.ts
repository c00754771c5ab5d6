/**
 * Content models: sequence, choice, all and named groups. A model is accepted only if one look at the next element decides
 * (XML Schema 1.0 demands this as Unique Particle Attribution), so a reader never tries twice.
 */
import { XSD_NS, showName } from "./names.ts";
import type { Name } from "./names.ts";
import { need, qname, schemaError } from "./tree.ts";
import type { XNode } from "./tree.ts";
import type { GroupParticle, Occurs, Particle, SchemaDocument } from "./model.ts";
import type { Loader } from "./schema.ts";

const GROUPS = new Set(["sequence", "choice", "all", "group"]);
const MAX_OCCURS = 1_000_000;
const MAX_GROUP_DEPTH = 50;

/** The particle directly below a complexType, extension or restriction; undefined = empty content. */
export function buildParticle(node: XNode, document: SchemaDocument, loader: Loader): Particle | undefined {
  const model = node.children.find((part) => part.name.ns === XSD_NS && GROUPS.has(part.name.local));
  if (model === undefined) return undefined;
  const built = build(model, document, loader, 0);
  if (built !== undefined) checkDeterminism(built);
  return built;
}

function occurs(node: XNode): Occurs {
  const read = (name: string): number => {
    const value = node.attributes.get(name)?.trim() ?? "1";
    if (value === "unbounded" && name === "maxOccurs") return Infinity;
    if (!/^\d{1,9}$/.test(value)) throw schemaError(node, `${name} is a whole number${name === "maxOccurs" ? " or unbounded" : ""}`);
    return Number(value);
  };
  const result = { min: read("minOccurs"), max: read("maxOccurs") };
  if (result.min > result.max) throw schemaError(node, "minOccurs is greater than maxOccurs");
  if (result.min > MAX_OCCURS) throw schemaError(node, `minOccurs above ${MAX_OCCURS} is not supported`);
  return result;
}

function build(node: XNode, document: SchemaDocument, loader: Loader, depth: number): Particle | undefined {
  if (depth > MAX_GROUP_DEPTH) throw schemaError(node, "groups nest too deep, or a group contains itself");
  const times = occurs(node);
  if (times.max === 0) return undefined;
  switch (node.name.local) {
    case "element":
      return element(node, times, document, loader);
    case "any":
      return wildcard(node, times, document, loader);
    case "group": {
      const found = loader.component("group", qname(node, need(node, "ref"), document.target), node);
      const model = found.node.children.find((part) => part.name.ns === XSD_NS && GROUPS.has(part.name.local));
      const inner = model === undefined ? undefined : build(model, found.document, loader, depth + 1);
      return inner === undefined ? undefined : multiply({ ...times, kind: "sequence", parts: [inner], node });
    }
    case "sequence":
    case "choice":
    case "all": {
      if (node.name.local === "all" && times.max !== 1) throw schemaError(node, "xs:all may occur once only");
      const parts = node.children
        .filter((part) => part.name.ns === XSD_NS && part.name.local !== "annotation")
        .map((part) => build(part, document, loader, depth + 1));
      const kept = parts.filter((part) => part !== undefined);
      // A choice with an empty alternative may be left out as a whole.
      const min = node.name.local === "choice" && parts.some((part) => part === undefined) ? 0 : times.min;
      if (kept.length === 0) return undefined;
      return multiply({ kind: node.name.local, min, max: times.max, parts: kept, node });
    }
    default:
      throw schemaError(node, `<${node.raw}> is not supported in a content model`);
  }
}

function element(node: XNode, times: Occurs, document: SchemaDocument, loader: Loader): Particle {
  const ref = node.attributes.get("ref");
  if (ref === undefined) return { kind: "element", ...times, element: loader.localElement(node, document), node };
  const name = qname(node, ref, document.target);
  if (loader.substituted(name))
    throw schemaError(node, `${name.local} is the head of a substitution group, which is not supported; use a choice of its members`);
  const found = loader.element(name);
  if (found === undefined) throw schemaError(node, `the element ${showName(name)} is not defined in the schemas`);
  return { kind: "element", ...times, element: found, node };
}

function wildcard(node: XNode, times: Occurs, document: SchemaDocument, loader: Loader): Particle {
  if (loader.options.wildcards !== "skip")
    throw schemaError(node, "xs:any lets anything through; remove it, or allow wildcards to be skipped");
  const list = (node.attributes.get("namespace") ?? "##any").split(/\s+/);
  const accepts = (name: Name): boolean => {
    if (list.includes("##any")) return true;
    if (list.includes("##other")) return name.ns !== document.target && name.ns !== "";
    return list.some((entry) => (entry === "##targetNamespace" ? document.target : entry === "##local" ? "" : entry) === name.ns);
  };
  return { kind: "any", ...times, accepts, node };
}

/** A group of one part is that part, where the counts multiply without gaps. */
function multiply(group: GroupParticle): Particle {
  const [only] = group.parts;
  if (only === undefined || group.parts.length > 1) return group;
  if (only.min === 1 && only.max === 1) return { ...only, min: group.min, max: group.max };
  if (group.min === 1 && group.max === 1) return only;
  if (only.min <= 1) return { ...only, min: only.min * group.min, max: only.max * group.max };
  throw schemaError(group.node, "a repeated group around a repeated element is not supported; give the element the counts");
}

/** Content of an extension: the base's, then its own. */
export function joinSequence(base: Particle | undefined, own: Particle | undefined, node: XNode): Particle | undefined {
  if (base === undefined || own === undefined) return base ?? own;
  if (base.kind === "all" || own.kind === "all") throw schemaError(node, "xs:all cannot be extended");
  const joined: Particle = { kind: "sequence", min: 1, max: 1, parts: [base, own], node };
  checkDeterminism(joined);
  return joined;
}

/** May the particle be absent altogether? */
export function isEmptiable(particle: Particle): boolean {
  if (particle.min === 0) return true;
  if (particle.kind === "element" || particle.kind === "any") return false;
  return particle.kind === "choice" ? particle.parts.some(isEmptiable) : particle.parts.every(isEmptiable);
}

/** Names that may come first. Wildcards are left out; a named element goes before them. */
export function firstNames(particle: Particle): Name[] {
  if (particle.kind === "element") return [particle.element.name];
  if (particle.kind === "any") return [];
  if (particle.kind !== "sequence") return particle.parts.flatMap(firstNames);
  const names: Name[] = [];
  for (const part of particle.parts) {
    names.push(...firstNames(part));
    if (!isEmptiable(part)) break;
  }
  return names;
}

function checkDeterminism(particle: Particle): void {
  if (particle.kind === "element" || particle.kind === "any") return;
  for (const part of particle.parts) checkDeterminism(part);
  if (particle.kind === "all") return checkAll(particle);
  // In a sequence only a part that may end early meets the first names of what follows.
  const open: Particle[] = [];
  for (const part of particle.parts) {
    if (open.length > 0) disjoint(part, open);
    if (particle.kind === "sequence" && !isEmptiable(part)) open.length = 0;
    if (particle.kind === "choice" || part.min < part.max || isEmptiable(part)) open.push(part);
  }
}

function disjoint(part: Particle, open: readonly Particle[]): void {
  const taken = new Set(open.flatMap(firstNames).map(showName));
  const clash = firstNames(part).find((name) => taken.has(showName(name)));
  if (clash !== undefined) {
    throw schemaError(
      part.node,
      `the content model is ambiguous at ${clash.local}: two parts of it may take this element (Unique Particle Attribution)`,
    );
  }
}

function checkAll(group: GroupParticle): void {
  if (group.max !== 1) throw schemaError(group.node, "xs:all may occur once only");
  for (const part of group.parts) {
    if (part.kind !== "element" || part.max !== 1) throw schemaError(part.node, "xs:all holds elements that occur at most once");
  }
  for (const [i, part] of group.parts.entries()) disjoint(part, group.parts.slice(0, i));
}
