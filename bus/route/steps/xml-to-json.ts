import { BusError } from "../../errors.ts";
import { compilePath, parsePath } from "../field-path.ts";
import { put } from "./enrich.ts";
import { withValue, type Builder } from "./parts.ts";

/** Untyped XML text in one field to plain values in another. Guesses shapes, as such conversions do: a contract is better. */
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
      return { kind: "next", message: withValue(message, put(message.value, into, await convert(text))) };
    },
  };
};
