import { withValue, type Builder } from "./parts.ts";

/** Another shape of the same message, by a map file. */
export const map: Builder<"map"> = (doc, parts) => {
  const mapper = parts.map(doc.map);
  return {
    name: "map",
    place: parts.place(doc.path),
    run(message) {
      const value = mapper(message.value, message);
      if (value instanceof Promise) return value.then((settled) => ({ kind: "next", message: withValue(message, settled) }));
      return { kind: "next", message: withValue(message, value) };
    },
  };
};
