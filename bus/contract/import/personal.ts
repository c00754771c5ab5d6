/** A first guess at personal data in an imported schema, by the names of its fields. The data protection officer has the last word. */
import type { AvroSchemaJson } from "../xml/codec.ts";

/** Names that fields with a person's number, name, birth or address have in Romanian, Russian transliteration and English. */
const PERSONAL =
  /^(?:idnp|.*(?:personal_?(?:code|number|id)|cod_?personal|person_?code)|(?:family|first|last|given|full|sur|pre)_?name|nume(?:le)?|prenume(?:le)?|patronim(?:ic|yc)|(?:date_?of_?)?birth_?(?:date|day)?|data_?nasterii|(?:home_?|postal_?)?address|adresa|domiciliu|email|phone|telefon|iban)$/i;
const IDNP = /^(?:idnp|cod_?personal|personal_?(?:code|number))$/i;

/** The schema with marks, and the dotted path of the first field that looks like an IDNP and stands in records only. */
export function markPersonal(schema: AvroSchemaJson): Readonly<{ schema: AvroSchemaJson; idnp: string | undefined }> {
  const found: string[] = [];
  const marked = ofType(schema, "", true, found) as AvroSchemaJson;
  return { schema: marked, idnp: found[0] };
}

function ofType(type: unknown, path: string, single: boolean, found: string[]): unknown {
  if (Array.isArray(type)) return type.map((branch) => ofType(branch, path, single, found));
  if (typeof type !== "object" || type === null) return type;
  const json = type as Readonly<Record<string, unknown>>;
  if (json["type"] === "array") return { ...json, items: ofType(json["items"], path, false, found) };
  if (json["type"] !== "record" || !Array.isArray(json["fields"])) return json;
  const fields = (json["fields"] as readonly Readonly<Record<string, unknown>>[]).map((field) => {
    const name = String(field["name"]);
    const at = path === "" ? name : `${path}.${name}`;
    if (single && IDNP.test(name)) found.push(at);
    const marked = { ...field, type: ofType(field["type"], at, single, found) };
    return PERSONAL.test(name) ? { ...marked, personal: true } : marked;
  });
  return { ...json, fields };
}
