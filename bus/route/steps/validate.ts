import { BusError } from "../../errors.ts";
import type { Builder } from "./parts.ts";

/** Checks the value against a contract's type. An XSD is checked by the codec of the source, before there is a value. */
export const validate: Builder<"validate"> = (doc, parts) => {
  const place = parts.place(doc.path);
  if (doc.contract === undefined) {
    throw new BusError(
      "configuration",
      `${place}: an XSD is checked where XML comes in: put \`validate: { xsd }\` first in a route whose \`from\` is a file, or name a \`contract\``,
    );
  }
  const type = parts.type(doc.contract);
  return {
    name: "validate",
    place,
    run(message) {
      const places = type.check(message.value);
      if (places.length === 0) return { kind: "next", message };
      const texts = places.map((one) => (one.path === undefined ? one.text : `${one.path}: ${one.text}`));
      throw new BusError("avro-violation", `the message does not fit \`${type.id}\`: ${texts.slice(0, 5).join("; ")}`, { places });
    },
  };
};
