/** Names of what an import makes, from the names in a WSDL. */

/** `GetPersonData` → `get-person-data`, `IDNPLookup2` → `idnp-lookup2`; what a contract id may not hold becomes a hyphen. */
export function kebab(name: string): string {
  const parts = name
    .replace(/([a-z0-9])([A-Z])/g, "$1-$2")
    .replace(/([A-Z]+)([A-Z][a-z])/g, "$1-$2")
    .toLowerCase()
    .split(/[^a-z0-9]+/)
    .filter((part) => part !== "");
  const joined = parts.join("-");
  return /^[a-z]/.test(joined) ? joined : `op${joined === "" ? "" : `-${joined}`}`;
}

export type ContractNames = Readonly<{ request: string; reply: string }>;

/** Contract ids of one operation of a system, for example `cnas.pensions.register-benefit.request.v1`. */
export function contractNames(system: string, operation: string): ContractNames {
  const [institution = "", ...rest] = system.split("/");
  const base = [institution, ...rest].map(kebab).join(".");
  return { request: `${base}.${kebab(operation)}.request.v1`, reply: `${base}.${kebab(operation)}.response.v1` };
}

/** Id of the route of one operation: the same in another institution's folder would be a duplicate that lint names. */
export const routeId = (system: string, operation: string): string => `${kebab(system.split("/").at(-1) ?? "")}-${kebab(operation)}`;

/** A text as a YAML scalar in double quotes: JSON is YAML. */
export const quoted = (text: string): string => JSON.stringify(text);
