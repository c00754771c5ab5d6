/** Names between XML's habit (PascalCase, capital abbreviations) and Avro's (camelCase). */

/** `FamilyName` → `familyName`, `IDNP` → `idnp`, `VINCode` → `vinCode`. */
export function camel(local: string): string {
  const head = /^[A-Z]+(?![a-z])/.exec(local)?.[0] ?? local.charAt(0);
  return head.toLowerCase() + local.slice(head.length);
}

/** `familyName` → `FamilyName`. */
export function pascal(name: string): string {
  return name.charAt(0).toUpperCase() + name.slice(1);
}
