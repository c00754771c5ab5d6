import { closeDocument, openDocument, openRoot } from "../../contract/xml/cursor.ts";
import { readLoose } from "../../contract/xml/loose.ts";
import { newVocabulary } from "../../contract/xml/names.ts";
import { BusError } from "../../errors.ts";
import { compilePath, parsePath } from "../field-path.ts";
import { put } from "./enrich.ts";
import { withValue, type Builder } from "./parts.ts";

/**
 * Untyped XML text in one field to plain values in another. Guesses shapes, as such conversions do: a
 * contract is better. The bus's own strict parser reads the whole text first: no DTD, entity, instruction or excess gets further.
 */
export const xmlToJson: Builder<"xml-to-json"> = (doc, parts) => {
  const place = parts.place(doc.path);
  const convert = parts.xmlToJson;
  if (convert === undefined) throw new BusError("configuration", `${place}: xml-to-json is not offered here`);
  const from = doc.from ?? "xml";
  const get = compilePath(from);
  const into = parsePath(doc.into ?? from);
  return {
    name: "xml-to-json",
    place,
    async run(message) {
      const text = get(message.value);
      if (typeof text !== "string") throw new BusError("map-failed", `${place}: field \`${from}\` holds no XML text`);
      scan(text);
      return { kind: "next", message: withValue(message, put(message.value, into, await convert(text))) };
    },
  };
};

/** Throws xml-malformed, xml-forbidden or xml-limit with line and column. */
function scan(text: string): void {
  const cursor = openDocument(newVocabulary(), new TextEncoder().encode(text));
  openRoot(cursor);
  readLoose(cursor);
  closeDocument(cursor);
}
