/** The element that a path of names leads to, by its XSD: records of a file are mostly local elements of the root's type. */
import { BusError } from "../../errors.ts";
import type { ElementDecl, Particle, SchemaSet } from "./model.ts";
import type { Name } from "./names.ts";

/** A set in which the element at `path` is global, so that a codec can be compiled for it; and its name. Throws `configuration`. */
export function locate(
  schemas: SchemaSet,
  path: string,
  namespaces: Readonly<Record<string, string>>,
): { schemas: SchemaSet; element: Name } {
  const steps = path
    .split("/")
    .slice(1)
    .map((step) => nameOf(step, path, namespaces));
  const [first, ...rest] = steps;
  let found = first && schemas.element(first);
  for (const step of rest) {
    const type = found?.type();
    found = type?.kind === "complex" && type.particle ? childOf(type.particle, step) : undefined;
  }
  const element = steps.at(-1);
  if (!found || !element) throw new BusError("configuration", `the XSD has no element at ${path}; compare names and namespaces`);
  const declaration = found;
  return { element, schemas: { ...schemas, element: (name) => (same(name, element) ? declaration : schemas.element(name)) } };
}

function nameOf(step: string, path: string, namespaces: Readonly<Record<string, string>>): Name {
  const colon = step.indexOf(":");
  if (colon < 0) return { ns: "", local: step };
  const ns = namespaces[step.slice(0, colon)];
  if (ns === undefined) throw new BusError("configuration", `the prefix of \`${step}\` in ${path} stands in no line of \`namespaces\``);
  return { ns, local: step.slice(colon + 1) };
}

function childOf(particle: Particle, name: Name): ElementDecl | undefined {
  if (particle.kind === "any") return undefined;
  if (particle.kind === "element") return same(particle.element.name, name) ? particle.element : undefined;
  for (const part of particle.parts) {
    const found = childOf(part, name);
    if (found) return found;
  }
  return undefined;
}

const same = (a: Name, b: Name): boolean => a.local === b.local && a.ns === b.ns;
